"""Statistics of measured rewards: win rates, ratings, intervals, tests and power.

Seeds and prompts are both samples: every interval and test accounts for the two of them.

- ``win_rates.py``: win rates from rewards, exact or over all pairs of draws
- ``length_controlled.py``: win rates at equal length (AlpacaEval 2)
- ``ratings.py``: Bradley-Terry strengths and Elo
- ``bootstrap.py``: bootstrap draws of seeds and prompts, support frequencies of equilibria
- ``intervals.py``: confidence intervals, p values and Holm's correction
- ``power.py``: the difference that a number of seeds can detect
- ``logistic.py``: Newton's method for many small logistic regressions

Games as matrices are in ``eva_env/solving/``; neither package imports the other.
"""
