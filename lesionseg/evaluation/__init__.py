"""Scores of models and masks."""
