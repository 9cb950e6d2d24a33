"""The parts of evolving prompts: rewriting, selection, buffers, near-duplicates, diversity."""
