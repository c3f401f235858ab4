"""Fetching, unpacking and counting published data."""
