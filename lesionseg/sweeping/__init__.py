"""Sweeps: many jobs from one command line, their leaderboard and pictures."""
