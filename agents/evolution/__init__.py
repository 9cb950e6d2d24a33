"""Rewriting prompts: operators, selection, buffers, near-duplicates, diversity."""
