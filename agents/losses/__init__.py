"""Losses: pure functions of log-probabilities in nats, one value for each pair or response.

``pairs`` holds those of (chosen, rejected) pairs, ``samples`` those of sampled responses and
their advantages. Adding one is a function there, and a method that calls it in
``agents.solvers``.
"""
