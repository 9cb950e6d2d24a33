"""Compare strategies as players of a game; ``eva compare`` is the command.

Play:

- ``settings.py``: what is compared under which conditions, and what a cell plays
- ``arms.py``: strategies by name, and every creator paired with every solver
- ``tuning.py``: the same number of configurations for every arm, each from its own grid
- ``cells.py``: an arm with one seed, which is a run; the starting policy; cross-play
- ``stages.py``: tuning, pilot, cells and cross-play in order, on worker processes

Analyse:

- ``scores.py``: the scores of all cells, by seed and prompt
- ``contrasts.py``: estimates (means with intervals), and paired comparisons
- ``power.py``: the differences that a number of seeds can detect
- ``series.py``: learning curves; ``games.py``: equilibria, ranks and ratings
- ``true_game.py``: exact regret, where a task can be enumerated
- ``summary.py``: all of these as summary.json

Report:

- ``conclusions.py``, ``caveats.py``: sentences about what the data support and do not support
- ``next_step.py``: what to do next, and with how many seeds
- ``ranges.py``, ``wording.py``: numbers and intervals as text
- ``terminal.py``, ``tables.py``, ``plots.py``: a terminal, CSV files, charts
"""
