"""Solutions of two-player games that are given as matrices of payoffs.

``payoffs`` is (R, C) everywhere: what the column player pays the row player. The row player
maximises it, the column player minimises it. In eva the rows are creators, the columns solvers,
and the payoff is regret.

- ``matrices.py``: payoff matrices with missing entries
- ``zero_sum.py``: Nash equilibrium by linear programming, best responses, NashConv, bounds
- ``learning.py``: fictitious play, Hedge, regret matching+; their average strategies converge
- ``regularised.py``: the entropy-regularised game, and magnetic mirror descent
- ``double_oracle.py``: a restricted game that grows by best responses (double oracle, PSRO)
- ``max_entropy.py``: the Nash equilibrium of maximum entropy
- ``averaging.py``: Nash averaging of agents, and of agents and tasks
- ``alpha_rank.py``: alpha-Rank in one and in two populations
- ``replicator.py``: replicator dynamics, and their flow on the simplex

Estimates of the payoffs, and their uncertainty, are in ``eva_env/statistics/``.
"""
