"""A reward of your own for prompts of your own: the share of different words, for short text.

    eva train --reward experiments/examples/own_reward.py:concise
    eva compare --reward experiments/examples/own_reward.py:concise

With a model and prompts of your own, add task:prompts --task.file FILE --policy FOLDER.
"""

from collections.abc import Sequence

ENOUGH = 40
"""Number of words up to which a response may be long without a loss."""


def concise(
    prompts: Sequence[str], responses: Sequence[Sequence[str]]
) -> list[list[float | None]]:
    """Return rewards (B, n) in [0, 1]: the share of different words, less for long responses.

    An empty response gets None: it has no reward, so nobody learns from it.
    """
    return [[_score(response.lower().split()) for response in row] for row in responses]


def _score(words: list[str]) -> float | None:
    if not words:
        return None
    return len(set(words)) / len(words) * min(1.0, ENOUGH / len(words))
