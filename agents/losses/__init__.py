"""Losses: pure functions of log-probabilities in nats, one value for each pair or response.

``pairs`` has the losses of (chosen, rejected) pairs, ``samples`` those of sampled responses,
``advantages`` the weights of sampled responses, ``robust`` the worst-case weights of pairs. To
add a loss, write a function here and a method that calls it in ``agents.solvers``.
"""
