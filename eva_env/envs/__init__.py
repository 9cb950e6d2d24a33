"""PettingZoo and Gymnasium environments around the game, for tabular and for text worlds."""
