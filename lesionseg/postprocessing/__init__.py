"""From probabilities to a mask: threshold, regions and holes."""
