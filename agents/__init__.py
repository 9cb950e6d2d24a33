"""The players of eva-env (creators, solvers, policies, losses), and the loop they play in."""
