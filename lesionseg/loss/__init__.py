"""Training losses: every one maps (logits, mask) to a scalar and reaches the trainer inside a `CombinedLoss`."""
