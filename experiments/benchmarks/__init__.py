"""Benchmarks of speed next to alternatives: ``python -m experiments.benchmarks.NAME``."""
