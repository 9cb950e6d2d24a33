"""The text faces of the game, for any task whose prompts and responses are strings."""
