"""Operators that rewrite prompts of real text by a language model, in batches.

The ten operators are those of eva (Ye et al. 2025, arXiv 2411.00062, App. F); the wording is
ours. ``RewrittenTask`` replaces a task's operators by them, so every creator can use them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents.evolution.examples import continued, example_texts, few_shot
from agents.evolution.operators import complexity
from agents.evolution.prompt_judge import PromptJudge
from agents.evolution.replies import read_prompt
from agents.evolution.writing import Form, Writer, Written, replies_of
from eva_env.chat import last_request, with_last_request
from eva_env.types import Floats, RatesComplexity, RatesComplexityInBatch, Task, offers

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


SHOWN = tuple(part for part in re.split(r"\n- |\n\n|\. |\n", RULES) if len(part) > 30)
"""Parts of the instruction that a rewrite must not repeat."""


@dataclass(frozen=True)
class LMRewriter:
    """Rewrite operators that ask a language model.

    The authors' scripts sample at temperature 0.88 and up to 666 tokens: give the policy such a
    ``Sampling``. Of a prompt of several messages, the last request is rewritten.
    """

    policy: Writer
    """Writes the prompts; with the solver's policy, one model plays both players."""

    depth: Mapping[str, str] = field(default_factory=lambda: DEPTH)
    """Instructions that make a prompt harder, by operator."""

    breadth: Mapping[str, str] = field(default_factory=lambda: BREADTH)
    """Instructions that lead to a different prompt, by operator."""

    form: Form = "instructions"
    """The form of the request: the instruction in the chat template, or examples that a plain
    text continues (``agents.evolution.examples``)."""

    written: Written = field(default_factory=Written, compare=False)
    """Counts of the replies so far."""

    def __call__(
        self, prompts: Sequence[str], operators: Sequence[str], rng: np.random.Generator
    ) -> list[str | None]:
        """Rewrite each of P prompts by its operator, in one call of the policy.

        None for a reply without a usable rewrite (``agents.evolution.replies.read_prompt``).
        Raises ValueError for an unknown operator.
        """
        if not prompts:
            return []
        old = [last_request(prompt) for prompt in prompts]
        requests = [self.ask(*pair) for pair in zip(old, operators, strict=True)]
        one_line = not any("\n" in text for text in old)
        replies = replies_of(
            self.policy, requests, self.form, rng, self.written, one_line=one_line
        )
        new = list(map(self.read, replies, old, operators))
        failed = sum(text is None for text in new)
        self.written.add(rewrites=len(new), rewrites_failed=failed)
        return [
            None if text is None else with_last_request(prompt, text)
            for prompt, text in zip(prompts, new, strict=True)
        ]

    def ask(self, prompt: str, operator: str) -> str:
        """Return the request to the model for one rewrite."""
        if operator not in self.depth and operator not in self.breadth:
            names = ", ".join([*self.depth, *self.breadth])
            raise ValueError(f"unknown operator {operator!r}; known: {names}")
        if self.form == "examples":
            return few_shot(prompt, operator)
        if operator in self.depth:
            return HARDER.format(method=self.depth[operator], prompt=prompt)
        return DIFFERENT.format(method=self.breadth[operator], prompt=prompt)

    def read(self, reply: str, prompt: str, operator: str) -> str | None:
        """Return the rewrite in a reply; None if it has none that is usable."""
        if self.form == "examples":
            return read_prompt(continued(reply, prompt), prompt, example_texts(operator))
        methods = (self.depth.get(operator, ""), self.breadth.get(operator, ""))
        return read_prompt(reply, prompt, [*filter(None, methods), *SHOWN])


@dataclass(frozen=True)
class RewrittenTask:
    """A task of text whose prompts a language model rewrites, and may rate.

    Seeds, suites, validity and topics are those of the wrapped task. It rates complexity if it
    has a judge, or if the wrapped task does.
    """

    task: Task
    """The wrapped task."""
    rewriter: LMRewriter
    """Rewrites the prompts."""
    judge: PromptJudge | None = None
    """Rates the complexity of prompts; None: the wrapped task does."""
    attempts: int = 3
    """Replies for one rewrite, each by another operator; a prompt without a valid new rewrite
    among them is dropped."""

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

    @property
    def written(self) -> Written:
        """What rewriter and judge have written so far."""
        judged = Written() if self.judge is None else self.judge.written
        return self.rewriter.written + judged

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[str]:
        """Draw n prompts of the wrapped task."""
        return self.task.seed(n, rng, distribution)

    def mutate(self, prompt: str, operator: str, rng: np.random.Generator) -> str | None:
        """Rewrite one prompt; None if the model writes no valid one."""
        return self.mutate_all([prompt], [operator], rng)[0]

    def mutate_all(
        self, prompts: Sequence[str], operators: Sequence[str], rng: np.random.Generator
    ) -> list[str | None]:
        """Rewrite each of P prompts by its operator, in one call of the policy.

        None where the model writes no prompt that the wrapped task accepts.
        """
        children = self.rewriter(prompts, operators, rng)
        valid = [
            None if child is None or not self.valid(child) else child for child in children
        ]
        self.rewriter.written.add(rewrites_failed=valid.count(None) - children.count(None))
        return valid

    def valid(self, prompt: str) -> bool:
        """Return whether the wrapped task accepts the prompt."""
        return self.task.valid(prompt)

    def topic(self, prompt: str) -> str:
        """Return the topic that the wrapped task gives the prompt."""
        return self.task.topic(prompt)

    def __getattr__(self, name: str) -> Any:
        """Return the optional hooks that rate complexity, where they have an answer."""
        # Only names that are missing above arrive here; pickling asks before there is a task.
        if name == "complexity_all" and "task" in vars(self) and self._rates_complexity:
            return self._complexity_all
        if name == "complexity" and "task" in vars(self) and offers(self.task, RatesComplexity):
            return self.task.complexity
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _rates_complexity(self) -> bool:
        hooks = (RatesComplexity, RatesComplexityInBatch)
        return self.judge is not None or any(offers(self.task, hook) for hook in hooks)

    def _complexity_all(self, prompts: Sequence[str], rng: np.random.Generator) -> Floats:
        """The sum of the judge's ratings, (P,), or the wrapped task's complexity."""
        if self.judge is None:
            return complexity(self.task, prompts, rng)
        return self.judge(prompts, rng).sum(-1)
