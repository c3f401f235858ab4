"""The decision: what turns a network's probabilities into a mask; it needs neither torch nor a model."""
