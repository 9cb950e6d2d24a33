"""Solving two-player games that are given as matrices of payoffs.

``payoffs`` is (R, C) everywhere: what the column player pays the row player, who maximises it.
In eva the rows are creators, the columns solvers, and the payoff is regret.

- ``cells.py``: matrices with missing cells
- ``zero_sum.py``: Nash equilibrium by linear programming, best responses, NashConv, bounds
- ``learning.py``: fictitious play, Hedge, regret matching+, whose averages approach it
- ``regularised.py``: the game with entropy, and magnetic mirror descent
- ``double_oracle.py``: the game grown by best responses (double oracle, PSRO)
- ``max_entropy.py``: of several equilibria the most even one
- ``averaging.py``: Nash averaging of agents, and of agents and tasks
- ``alpha_rank.py``: alpha-Rank of one and of two populations
- ``replicator.py``: replicator dynamics, and their flow on the simplex

What the matrices are made of, and how sure it is:

- ``win_rates.py``: win rates from answers, exact or over all pairs of draws
- ``length_controlled.py``: win rates at equal length
- ``bootstrap.py``: draws of seeds and prompts, support frequencies
- ``intervals.py``: intervals and tests over seeds and prompts
- ``power.py``: what so many seeds can detect
- ``ratings.py``: Bradley-Terry strengths and Elo
"""
