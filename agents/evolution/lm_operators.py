"""Operators that rewrite prompts of real text by a language model, in batches.

The ten operators are those of eva (Ye et al. 2025, arXiv 2411.00062, App. F); the wording is
ours. ``RewrittenTask`` replaces a task's operators by them, so every creator can use them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.evolution.operators import complexity
from agents.evolution.prompt_judge import PromptJudge, Writer
from eva_env.types import Floats, Task

MARKER = "New prompt:"
"""The model writes the rewrite after it; the text after the last marker counts."""

RULES = f"""Mind these rules.
- It must sound like something a person would ask, make sense by itself, and have an answer.
- It must be about as long as the old prompt, twenty words longer at most.
- Build it differently: the old sentences with a clause attached are not enough.
- Tables, code and quotations that the task needs must all be there, unchanged.
Reply with nothing but "{MARKER}" and the prompt that you have written.

Old prompt:
{{prompt}}

{MARKER}
"""

HARDER = f"""Below is a prompt for an AI assistant. Write a harder version of it.
How to make it harder: {{method}}
{RULES}"""

DIFFERENT = f"""Below is a prompt for an AI assistant. Write another prompt that it inspires,
about as hard to answer.
How to get there: {{method}}
{RULES}"""

DEPTH = {
    "constraints": "add a requirement or a limit that forces a different answer.",
    "deepening": "ask for more depth, for instance for the parts of the problem and how they "
    "hang together.",
    "concretizing": "put a specific, detailed case in the place of a general notion.",
    "reasoning": "make the answer depend on several steps of reasoning that must be shown.",
    "expansion": "widen it: another point of view, or a second situation to compare with.",
}
"""Instructions that make a prompt harder, by operator."""

BREADTH = {
    "persona": "let someone else ask it, with another background, knowledge and tone.",
    "shift_in": "stay in the subject, but move to another part of it.",
    "shift_out": "move to another subject altogether that takes a similar kind of thinking.",
    "mix": "join its idea with something from a field that is far from it.",
    "abstract": "leave the particulars out and ask for the general principle behind them.",
}
"""Instructions that lead to a different prompt, by operator."""


@dataclass(frozen=True)
class LMRewriter:
    """Rewrite operators that ask a language model.

    The authors' scripts sample at temperature 0.88 and up to 666 tokens: give the policy such a
    ``Sampling``.
    """

    policy: Writer
    """Writes the prompts; with the solver's policy, one model plays both players."""

    depth: Mapping[str, str] = field(default_factory=lambda: DEPTH)
    """Instructions that make a prompt harder, by operator."""

    breadth: Mapping[str, str] = field(default_factory=lambda: BREADTH)
    """Instructions that lead to a different prompt, by operator."""

    def __call__(
        self, prompts: Sequence[str], operators: Sequence[str], rng: np.random.Generator
    ) -> list[str | None]:
        """Rewrite each of P prompts by its operator, in one call of the policy.

        None for a reply that is empty or repeats the prompt. Raises ValueError for an unknown
        operator.
        """
        requests = [self.ask(*pair) for pair in zip(prompts, operators, strict=True)]
        replies = self.policy.sample(requests, 1, rng)
        return [read(reply, prompt) for prompt, (reply,) in zip(prompts, replies, strict=True)]

    def ask(self, prompt: str, operator: str) -> str:
        """Return the request to the model for one rewrite."""
        if operator in self.depth:
            return HARDER.format(method=self.depth[operator], prompt=prompt)
        if operator in self.breadth:
            return DIFFERENT.format(method=self.breadth[operator], prompt=prompt)
        names = ", ".join([*self.depth, *self.breadth])
        raise ValueError(f"unknown operator {operator!r}; known: {names}")


def read(reply: str, prompt: str) -> str | None:
    """Return the rewrite in a reply; None if it is empty or equals the prompt."""
    text = reply.rpartition(MARKER)[2].strip()
    return text if text and text.split() != prompt.split() else None


@dataclass(frozen=True)
class RewrittenTask:
    """A task of text whose prompts a language model rewrites, and may rate.

    Seeds, suites, validity and topics are those of the wrapped task.
    """

    task: Task
    """The wrapped task."""
    rewriter: LMRewriter
    """Rewrites the prompts."""
    judge: PromptJudge | None = None
    """Rates the complexity of prompts; None: the wrapped task does."""

    @property
    def depth(self) -> tuple[str, ...]:
        """The operators that make a prompt harder."""
        return tuple(self.rewriter.depth)

    @property
    def breadth(self) -> tuple[str, ...]:
        """The operators that lead to a different prompt."""
        return tuple(self.rewriter.breadth)

    @property
    def quality(self) -> tuple[str, ...]:
        """The operators that enrich a prompt: those nearest to EvolQuality's."""
        enriching = ("deepening", "concretizing", "persona")
        return tuple(name for name in enriching if name in self.operators)

    @property
    def operators(self) -> tuple[str, ...]:
        """All operators of the rewriter."""
        return self.depth + self.breadth

    @property
    def suites(self) -> Mapping[str, Sequence[str]]:
        """The suites of the wrapped task."""
        return self.task.suites

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[str]:
        """Draw n prompts of the wrapped task."""
        return self.task.seed(n, rng, distribution)

    def mutate(self, prompt: str, operator: str, rng: np.random.Generator) -> str | None:
        """Rewrite one prompt; None if the model writes none."""
        return self.mutate_all([prompt], [operator], rng)[0]

    def mutate_all(
        self, prompts: Sequence[str], operators: Sequence[str], rng: np.random.Generator
    ) -> list[str | None]:
        """Rewrite each of P prompts by its operator, in one call of the policy."""
        return self.rewriter(prompts, operators, rng)

    def complexity_all(self, prompts: Sequence[str], rng: np.random.Generator) -> Floats:
        """Return the sum of the judge's ratings, (P,), or the wrapped task's complexity."""
        if self.judge is None:
            return complexity(self.task, prompts, rng)
        return self.judge(prompts, rng).sum(-1)

    def valid(self, prompt: str) -> bool:
        """Return whether the wrapped task accepts the prompt."""
        return self.task.valid(prompt)

    def topic(self, prompt: str) -> str:
        """Return the topic that the wrapped task gives the prompt."""
        return self.task.topic(prompt)
