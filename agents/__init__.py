"""The players (creators, solvers, policies, losses), and the loop in which they play."""
