"""Loggers of lesionseg's own."""
