"""A language model asked to better its own responses, before it is trained on them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.policies.base import Policy

TEMPLATE = """\
Below are a request and a draft of the answer to it. Write a better answer.

It should help the reader more, keep to what was asked, go deeper, show more imagination and
give more detail where that serves, all at about the length of the draft. Answer the request
itself; do not speak of the draft or of what you changed.

Request:
{prompt}

Draft:
{response}

Better answer:
"""

FIELD = re.compile(r"\{prompt\}|\{response\}")


@dataclass
class LMResponseRewriter:
    """Rewrites responses by a policy: eva's response rewriter (arXiv 2411.00062, App. H.2.1).

    There the solver rewrites its own chosen responses: give it the solver's policy, whose
    tokens are counted. The criteria are the paper's (helpfulness, relevance, depth, creativity,
    detail, at the same length), the words are not.
    """

    policy: Policy
    """Who is asked."""
    template: str = TEMPLATE
    """The request, with the fields ``{prompt}`` and ``{response}``."""

    def __post_init__(self) -> None:
        for field in ("{prompt}", "{response}"):
            if field not in self.template:
                raise ValueError(f"template has no {field}; add it where it belongs")

    def __call__(
        self, prompts: Sequence[str], responses: Sequence[str], rng: np.random.Generator
    ) -> list[str]:
        """One rewrite of each response, (P,); an empty one leaves the response as it was."""
        asked = list(map(self._request, prompts, responses))
        drawn = self.policy.sample(asked, 1, rng)
        return [new or old for (new,), old in zip(drawn, responses, strict=True)]

    def _request(self, prompt: str, response: str) -> str:
        texts = {"{prompt}": prompt, "{response}": response}
        return FIELD.sub(lambda field: texts[field[0]], self.template)
