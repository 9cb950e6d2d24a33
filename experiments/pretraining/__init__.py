"""Scripts that train the shipped checkpoints from scratch."""
