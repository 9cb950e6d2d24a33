"""A response as it was drawn: a text that carries the tokens behind it.

The environment, creators and reward models read the text, which is an ordinary string. Methods
read the tokens, since encoding the text again often gives other ones.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from eva_env.types import Floats, Ints


class Sampled(str):
    """The text of a response that a language model drew, with its tokens.

    A text that is derived from it (stripped, joined, improved) is an ordinary string without
    tokens: it was not drawn. Equality and hash are those of the text.

    Args:
        text: the response without special tokens.
        ids: the drawn token ids, (L,), with the end token if one was drawn.
        ended: False if the response was cut off at the largest number of tokens.
        vocabulary: a key of the vocabulary that the ids belong to.
        logprobs: the log-probability of each token under the distribution that drew it
            (temperature and nucleus included), (L,) nats; None for greedy decoding.
    """

    __slots__ = ("ended", "ids", "logprobs", "vocabulary")

    ids: Ints
    ended: bool
    vocabulary: int
    logprobs: Floats | None

    def __new__(
        cls,
        text: str,
        ids: Sequence[int] | Ints,
        ended: bool,
        vocabulary: int,
        logprobs: Sequence[float] | Floats | None = None,
    ) -> Self:
        """Return the text with its tokens."""
        response = super().__new__(cls, text)
        response.ids = np.asarray(ids, np.int32)
        response.ended = ended
        response.vocabulary = vocabulary
        response.logprobs = None if logprobs is None else np.asarray(logprobs, np.float32)
        return response

    def __reduce__(self) -> tuple:
        """Keep the tokens in copies and pickles."""
        return type(self), (str(self), self.ids, self.ended, self.vocabulary, self.logprobs)


def without_logprobs(responses: Any) -> Any:
    """Return responses (B, n) that keep their tokens but not their log-probabilities."""
    if isinstance(responses, np.ndarray):
        return responses
    return [
        [
            Sampled(response, response.ids, response.ended, response.vocabulary)
            if isinstance(response, Sampled)
            else response
            for response in row
        ]
        for row in responses
    ]
