"""A language model as judge of prompts: their complexity and their quality."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.evolution.examples import rating_request
from agents.evolution.replies import without_reasoning
from agents.evolution.writing import Form, Writer, Written, replies_of
from eva_env.chat import readable
from eva_env.types import Floats

ASPECTS = {
    "complexity": "How complex is it? 1: anyone answers it at once; 5: it takes expert "
    "knowledge, many steps, or many demands to be met at once.",
    "quality": "How good is it as a prompt? 1: unclear, broken, or impossible to answer; 5: "
    "clear, specific, and worth an answer.",
}
"""The questions about a prompt, by name (Ye et al. 2025, arXiv 2411.00062, Table 7)."""

JUDGE = """Below is a prompt for an AI assistant. Don't answer it; rate it.
{aspect}
Reply with a single whole number from 1 to 5.

Prompt:
{prompt}

Rating (1 to 5):"""

SCALE = re.compile(
    # "on a scale of 1 to 5", "(1-5)", "from 1 to 5, with 5 being the best", "out of 5", "/ 5"
    r"\(?\b(?:on\s+)?(?:a|the)?\s*(?:scale\s+)?(?:of|from)?\s*[01]\s*(?:to|-|\u2013|through)\s*5\b\)?"
    r"|\b(?:with|where)\s+[15]\b[^.,;\n]*(?:\band\s+5\b[^.,;\n]*)?"
    r"|(?<=\d)\s*(?:/|out\s+of)\s*5(?![\d.]*\d)(?:\s+stars?)?",
    re.IGNORECASE,
)
"""The scale itself, whose numbers are no verdict."""

NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)?(?!\w)")
SPREAD = re.compile(
    r"(?<![\w.])(\d(?:\.\d+)?)\s*(?:to|and|or|-|\u2013|/)\s*(\d(?:\.\d+)?)(?![\w])",
    re.IGNORECASE,
)
"""A verdict of two numbers, such as "between 3 and 4"."""

VERDICT = re.compile(
    r"\[\[\s*(?P<boxed>[^\]\n]*?)\s*\]\]"
    r"|(?:\b(?:rating|score|verdict|grade|complexity|quality|level|answer)\b[^\w\n\d]{0,6}"
    r"(?:(?:is|of|as|would\s+be|at|equals)\b[^\w\n\d]{0,4})?(?:a\b|an\b)?"
    r"|\b(?:rate|rated|score|give|grade|call|deserves?|gets?|earns?|warrants?|merits?|is|it's|"
    r"be|as)\b(?:\s+(?:it|this|that|the|prompt|request|one|a|an|about|around|at|as|probably|"
    r"roughly|between|clearly|overall|rating|score|of)\b)*)"
    r"[\s:*_=`\"'(~-]*(?P<value>\d[\d.,]*(?:\s*(?:to|and|or|-|\u2013|/)\s*\d[\d.]*)?)(?![\w%])",
    re.IGNORECASE,
)
"""A labelled verdict: "[[4]]", "**Rating:** 4", "I'd rate this a 4", "this prompt is a 4"."""

ALONE = re.compile(r"[\s*_#`\"'(]*(\d[\d.]*)[\s*_`\"').!]*")
"""A line that is a number, or a reply that begins with one."""


@dataclass(frozen=True)
class PromptJudge:
    """Rates prompts from 1 to 5 by asking a language model (Ye et al. 2025, App. E)."""

    policy: Writer
    """Rates the prompts."""

    aspects: Mapping[str, str] = field(default_factory=lambda: ASPECTS)
    """The questions about a prompt, by name."""

    form: Form = "instructions"
    """The form of the request; the form examples has some for complexity and quality alone."""

    written: Written = field(default_factory=Written, compare=False)
    """Counts of the replies so far."""

    def __call__(self, prompts: Sequence[str], rng: np.random.Generator) -> Floats:
        """Return ratings (P, aspects) from 1 to 5, in one call; NaN for a reply without one."""
        requests = [
            self.ask(readable(prompt), aspect) for prompt in prompts for aspect in self.aspects
        ]
        replies = replies_of(self.policy, requests, self.form, rng, self.written, one_line=True)
        ratings = [rating(reply) for reply in replies]
        missing = int(np.isnan(ratings).sum())
        self.written.add(ratings=len(ratings), ratings_missing=missing)
        return np.reshape(ratings, (len(prompts), len(self.aspects)))

    def ask(self, prompt: str, aspect: str) -> str:
        """Return the request to the model for one rating."""
        if self.form == "examples":
            return rating_request(prompt, aspect)
        return JUDGE.format(aspect=self.aspects[aspect], prompt=prompt)


def rating(reply: str) -> float:
    """Return the rating in a reply, 1 to 5; NaN for a reply without exactly one.

    The last line with a labelled verdict counts: "Rating: 4", "[[4]]", "I'd rate this a 4", or
    a number alone. Without a label, the reply must mention one number only, apart from the
    scale. A range ("between 3 and 4"), a fraction (4.5), a number beyond the scale, or two
    different verdicts on that line are no rating.
    """
    lines = [
        SCALE.sub(" ", line) for line in without_reasoning(reply).splitlines() if line.strip()
    ]
    for line in reversed(lines):
        values = _verdicts(line)
        if values:
            return _one(values)
    if lines and (
        match := re.match(r"\W*(\d[\d.]*)(?=\s*(?:$|[,;:(\u2013\u2014-]))", lines[0])
    ):
        return _one([match[1]])
    return _one([text for line in lines for text in [*_spreads(line), *NUMBER.findall(line)]])


def _verdicts(line: str) -> list[str]:
    """The values of the labelled verdicts in a line, as text."""
    if match := ALONE.fullmatch(line):
        return [match[1]]
    return [match["boxed"] or match["value"] or "" for match in VERDICT.finditer(line)]


def _spreads(line: str) -> list[str]:
    return [match[0] for match in SPREAD.finditer(line)]


def _one(values: Sequence[str]) -> float:
    """The number that all values are; NaN if they differ or one is no whole number 1 to 5."""
    distinct = {value.strip().rstrip(".,") for value in values}
    if len(distinct) != 1:
        return np.nan
    (value,) = distinct
    return float(value) if re.fullmatch("[1-5]", value) else np.nan
