"""PettingZoo and Gymnasium environments around the game, for tabular and for text worlds.

``base`` defines the turn order, ``tabular`` and ``text`` the spaces of the two families,
``single_agent`` one player's side, ``vector`` many tabular games at once.
"""
