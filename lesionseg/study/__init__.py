"""Several runs together: sweeps, cross-validation and comparisons."""
