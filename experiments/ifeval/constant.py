"""A response that reads no prompt: the score that every policy must exceed."""

from collections.abc import Sequence

CONSTANT = "<<a>> *b* *c* *d* [x] [y] [z] [w] p.p.s p.s."
"""A title, highlights, placeholders and postscripts, without a comma. On the 541 prompts it has
prompt-level strict accuracy 0.226 and instruction-level strict accuracy 0.366."""


def constant_responses(prompts: Sequence[object]) -> list[list[str]]:
    """Return the constant as the one response to each prompt, (P, 1)."""
    return [[CONSTANT] for _ in prompts]
