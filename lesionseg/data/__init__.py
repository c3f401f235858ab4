"""Where images and masks come from, how they are read, split and batched."""
