"""Predicting: photographs at their own size in, masks at their own size out."""
