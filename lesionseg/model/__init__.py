"""Networks that turn images into logits, and the segmenter that wraps them for training and deployment."""
