"""Sources of images and masks, and how they are read, split and batched."""
