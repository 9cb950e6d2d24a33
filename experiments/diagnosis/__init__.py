"""Measure, before a budget is spent, whether steering by a signal can help on some prompts."""
