"""The tabular world, where values, regret and equilibria are exact.

- ``world.py``: the task, its settings and tables; the underlying numbers are in ``ladder.py``
- ``partial_observability.py``: solvers that cannot distinguish prompts, or have low rank
- ``reward.py``: the reward model, a matrix with optional noise
- ``exact.py``: values, regret, order statistics and signals without sampling
- ``regret_game.py``, ``equilibrium.py``: the true regret game, its value, NashConv
- ``low_rank.py``: bounds on both for a low-rank solver

The environment is ``eva_env/envs/tabular.py``.
"""
