"""Scores of binary masks: per image first, then the mean over images, as in the ISIC challenge; pooled ones say so."""
