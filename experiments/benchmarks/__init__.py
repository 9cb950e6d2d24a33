"""Speed, measured side by side: ``python -m experiments.benchmarks.NAME``."""
