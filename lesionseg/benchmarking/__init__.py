"""Measuring speed, size and memory: every stage beside its limit, and beside other networks."""
