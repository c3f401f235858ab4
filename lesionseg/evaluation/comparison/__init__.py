"""Ranking methods that were evaluated on the same images."""
