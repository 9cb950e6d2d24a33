"""The conclusion of an evaluation by IFEval, in sentences."""

from collections.abc import Mapping
from typing import Any

from experiments.ifeval.collapse import signs
from experiments.run.wording import counted, join

LEAST_SAMPLES = 4
"""Samples a prompt below which a difference of at most ``SMALL`` is not claimed."""

SMALL = 0.03
"""Two decodings of one model differ on 17 % of the prompts, so that one sample a prompt has a
paired standard error of about 0.018: less than this is no result without more samples."""

DECIDING = "prompt_strict"

LEAST_TOKENS = 512
"""Tokens below which a limit cuts off responses that could have met long requirements."""


def resolved(difference: Mapping[str, float], samples: int) -> bool:
    """Return True if a difference may be claimed.

    Its interval excludes 0 and, below ``LEAST_SAMPLES`` samples, it exceeds ``SMALL``.
    """
    excludes_zero = difference["low"] > 0 or difference["high"] < 0
    return excludes_zero and (samples >= LEAST_SAMPLES or abs(difference["mean"]) > SMALL)


def sentences(result: Mapping[str, Any]) -> list[str]:
    """Return the conclusion: difference, collapse, constant, and what it does not cover."""
    texts = []
    if "difference" in result:
        texts += [_difference(result), _collapse(result)]
    score, constant = (
        result["policies"][name][DECIDING]["mean"] for name in ("checkpoint", "constant")
    )
    texts += [against_constant("the checkpoint", score, constant), *caveats(result)]
    return [text for text in texts if text]


def _difference(result: Mapping[str, Any]) -> str:
    """Return the sentences on the paired difference in prompt-level strict accuracy."""
    difference = result["difference"][DECIDING]
    mean, samples = difference["mean"], result["samples"]
    numbers = f"{mean:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f})"
    text = (
        f"Prompt-level strict accuracy, checkpoint minus starting policy: {numbers}, 95 % "
        f"interval, paired over prompts."
    )
    if resolved(difference, samples):
        better = "follows more" if mean > 0 else "follows fewer"
        return f"{text} The difference is resolved: the checkpoint {better} prompts in full."
    if samples < LEAST_SAMPLES:
        return (
            f"{text} The difference is not resolved; with {counted(samples, 'sample')} a "
            f"prompt no difference up to {SMALL} is claimed, give --samples {LEAST_SAMPLES}."
        )
    return f"{text} The difference is not resolved; give more --samples to narrow the interval."


def _collapse(result: Mapping[str, Any]) -> str:
    """Return the sentence on collapse."""
    rows = result["policies"]
    clauses = signs(rows["checkpoint"]["text"], rows["start"]["text"])
    if not clauses:
        return "The responses show no sign of collapse."
    gained = result["difference"][DECIDING]["mean"] > 0
    meaning = (
        "The gain comes with collapse, and is no gain in following instructions: "
        if gained
        else "The responses show collapse: "
    )
    return f"{meaning}{join(clauses)}."


def against_constant(name: str, score: float, constant: float) -> str:
    """Return the sentence on a score that does not exceed the constant's; empty if it does."""
    if score > constant:
        return ""
    return (
        f"One constant text for every prompt scores {constant:.3f}, no less than {name} "
        f"({score:.3f}): a score of this size does not show that instructions are followed."
    )


def caveats(result: Mapping[str, Any]) -> list[str]:
    """Return what limits the numbers: the subset, the decoding and the token limit."""
    texts = []
    prompts, total = result["prompts"], result["prompts_in_all"]
    if prompts < total:
        texts.append(
            f"This is a quick look at {prompts} of {total} prompts; a claim needs all of them, "
            f"without --quick."
        )
    sampling = result["sampling"]
    limit, unmet = sampling["max_tokens"], result["unmet"]
    if limit < LEAST_TOKENS:
        texts.append(
            f"The limit of {limit} tokens is short: a claim needs --sampling.max-tokens "
            f"{LEAST_TOKENS}."
        )
    if unmet:
        texts.append(
            f"At least {unmet} of the {prompts} prompts cannot be met within {limit} tokens."
        )
    texts.append(
        f"The scores hold for temperature {sampling['temperature']:g}, top-p "
        f"{sampling['top_p']:g} and {limit} tokens; scores of another decoding or limit do not "
        f"compare."
    )
    return texts
