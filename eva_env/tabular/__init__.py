"""The tabular world, in which everything is exact.

- ``world.py``: the skill ladder as a task; its settings and tables are in ``tables.py``, their
  maths in ``ladder.py``, restricted solvers in ``sight.py``
- ``reward.py``: its reward model
- ``exact.py``: values, regret, order statistics and signals without sampling
- ``regret_game.py``, ``equilibrium.py``: the true regret game, its value, NashConv
- ``low_rank.py``: bounds on these where the solver is a low-rank table
- ``board.py``, ``env.py``: the environment
"""
