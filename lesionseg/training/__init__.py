"""The training loop's side of Lightning."""
