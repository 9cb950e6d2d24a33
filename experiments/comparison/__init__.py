"""Comparing strategies as what they are: players of a game; ``eva compare`` is the command.

- ``arms.py``: strategies by name, and every creator paired with every solver
- ``tuning.py``: as many configurations for every arm, each from its own grid
- ``cells.py``: an arm with a seed on worker processes, a run folder each
- ``answers.py``: what a finished cell leaves for the comparison, and cross-play
- ``measures.py``: the scores of all cells, by seed and prompt
- ``summary.py``: tables, games and ratings with their intervals
- ``conclusions.py``: what the data do and do not support, in sentences
- ``screen.py``: the same as tables in a terminal
"""
