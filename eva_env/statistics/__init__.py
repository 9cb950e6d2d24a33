"""Intervals, tests, win rates and ratings: how sure a measured number is."""
