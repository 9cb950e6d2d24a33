"""The tabular world, in which everything is exact: ``world``, ``reward``, ``exact``."""
