"""What happens beside the training: checkpoints, pictures, progress; one callback a file."""
