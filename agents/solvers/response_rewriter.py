"""A language model that rewrites its own responses before it is trained on them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.evolution.replies import read_response
from agents.evolution.writing import Writer, Written, replies_of
from eva_env.chat import readable

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

    In eva the solver rewrites its own chosen responses: give it the solver's policy. The
    criteria are the paper's (helpfulness, relevance, depth, creativity,
    detail, at the same length), the words are not.
    """

    policy: Writer
    """The policy that rewrites."""
    template: str = TEMPLATE
    """The request to the policy, with the fields {prompt} and {response}."""
    written: Written = field(default_factory=Written, compare=False)
    """Counts of the replies so far."""

    def __post_init__(self) -> None:
        for name in ("{prompt}", "{response}"):
            if name not in self.template:
                raise ValueError(f"template has no {name}; add it where the text should appear")

    def __call__(
        self, prompts: Sequence[str], responses: Sequence[str], rng: np.random.Generator
    ) -> list[str]:
        """Return one rewrite of each response, (P,).

        A reply without a usable rewrite (``agents.evolution.replies.read_response``) keeps the
        response, and is counted in ``written``.
        """
        requests = list(map(self._request, prompts, responses))
        replies = replies_of(self.policy, requests, "instructions", rng, self.written)
        rewrites = list(map(read_response, replies, responses))
        self.written.add(rewrites=len(rewrites), rewrites_failed=rewrites.count(None))
        return [
            old if new is None else new for new, old in zip(rewrites, responses, strict=True)
        ]

    def _request(self, prompt: str, response: str) -> str:
        texts = {"{prompt}": readable(prompt), "{response}": response}
        return FIELD.sub(lambda field: texts[field[0]], self.template)
