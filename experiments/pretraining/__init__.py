"""The scripts that made the shipped checkpoints."""
