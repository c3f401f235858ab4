"""Exporting: a checkpoint in, one portable model file out."""
