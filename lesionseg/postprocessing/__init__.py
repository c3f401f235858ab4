"""From probabilities to a mask: threshold, regions and holes; needs neither torch nor a model."""
