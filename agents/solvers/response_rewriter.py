"""A language model that rewrites its own responses before it is trained on them."""

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

    In eva the solver rewrites its own chosen responses: give it the solver's policy, which
    counts the tokens. The criteria are the paper's (helpfulness, relevance, depth, creativity,
    detail, at the same length), the words are not.
    """

    policy: Policy
    """The policy that rewrites."""
    template: str = TEMPLATE
    """The request to the policy, with the fields {prompt} and {response}."""

    def __post_init__(self) -> None:
        for field in ("{prompt}", "{response}"):
            if field not in self.template:
                raise ValueError(
                    f"template has no {field}; add it where the text should appear"
                )

    def __call__(
        self, prompts: Sequence[str], responses: Sequence[str], rng: np.random.Generator
    ) -> list[str]:
        """Return one rewrite of each response, (P,); an empty one keeps the response."""
        requests = list(map(self._request, prompts, responses))
        drawn = self.policy.sample(requests, 1, rng)
        return [new or old for (new,), old in zip(drawn, responses, strict=True)]

    def _request(self, prompt: str, response: str) -> str:
        texts = {"{prompt}": prompt, "{response}": response}
        return FIELD.sub(lambda field: texts[field[0]], self.template)
