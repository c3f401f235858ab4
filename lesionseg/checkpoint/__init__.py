"""Checkpoints: what they hold, how they are written, and how a stranger's file is read safely."""
