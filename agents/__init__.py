"""The players: creators, solvers, policies, losses, and the loop that makes them play."""
