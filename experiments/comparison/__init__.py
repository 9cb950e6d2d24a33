"""Comparing strategies as what they are: players of a game; ``eva compare`` is the command.

What is played:

- ``settings.py``: what is compared under which conditions, and what a cell plays
- ``arms.py``: strategies by name, and every creator paired with every solver
- ``tuning.py``: as many configurations for every arm, each from its own grid
- ``cells.py``: an arm with a seed, an ordinary run; the starting model; cross-play
- ``play.py``: the stages, on worker processes

What is made of it:

- ``measures.py``: the scores of all cells, by seed and prompt
- ``figures.py``: a mean with its interval; ``series.py``: curves
- ``contrasts.py``: paired tests; ``power.py``: what so many seeds can tell
- ``games.py``: equilibria, ranks and ratings; ``exact.py``: the tabular rung's true values
- ``summary.py``: all of these as summary.json
- ``conclusions.py``, ``caveats.py``: what the data do and do not support, in sentences
- ``screen.py``, ``tables.py``: the same in a terminal, as CSV; ``heatmap.py``, ``curves.py``:
  pictures
"""
