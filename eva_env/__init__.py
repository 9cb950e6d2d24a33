"""The game: rules, signals, worlds, reward models, and their PettingZoo and Gymnasium faces."""
