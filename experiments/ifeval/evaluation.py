"""Evaluate policies by IFEval: respond, judge, and compare with the starting policy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from agents.policies.sampling import Sampling
from agents.policies.table import TablePolicy
from experiments.ifeval import scores
from experiments.ifeval.collapse import signs
from experiments.ifeval.conclusion import DECIDING, resolved, sentences
from experiments.ifeval.constant import constant_responses
from experiments.ifeval.likelihood import READ, mean_logprob
from experiments.ifeval.official import Benchmark, Item
from experiments.ifeval.responses import NO_TEXT, Advance, Draw, fingerprint, key_of, respond
from experiments.ifeval.subset import stratified
from experiments.run.errors import UserError

Load = Callable[[], Any]
"""Loads a policy; only one is in memory at a time."""


@dataclass(frozen=True)
class Plan:
    """What is evaluated: the prompts, and how responses to them are drawn."""

    benchmark: Benchmark
    items: tuple[Item, ...]
    draw: Draw

    @classmethod
    def of(
        cls,
        benchmark: Benchmark,
        quick: int | None,
        samples: int,
        sampling: Sampling,
        seed: int,
    ) -> "Plan":
        """Return the plan of an evaluation on ``quick`` prompts, or on all of them for None."""
        items = tuple(stratified(benchmark.items, quick))
        prompts = tuple(item.prompt for item in items)
        return cls(benchmark, items, Draw(prompts, samples, sampling, seed))

    def steps(self, policies: int) -> int:
        """Return the responses that are drawn and read for policies and the constant."""
        drawn, read = len(self.items) * self.draw.samples, min(READ, len(self.items))
        return policies * drawn + (policies + 1) * read

    def conditions(self) -> dict[str, Any]:
        """Return what the scores depend on, as JSON."""
        limit = self.draw.sampling.max_tokens
        return {
            "benchmark": "ifeval",
            "version": self.benchmark.version,
            "prompts": len(self.items),
            "prompts_in_all": len(self.benchmark.items),
            "instructions": sum(len(item.ids) for item in self.items),
            "samples": self.draw.samples,
            "seed": self.draw.seed,
            "sampling": asdict(self.draw.sampling),
            "unmet": scores.unmet_below(self.items, limit),
            "prompts_read": min(READ, len(self.items)),
        }


@dataclass(frozen=True)
class Responses:
    """The responses (P, n) of a policy with their verdicts.

    ``identity`` is the fingerprint of the policy, ``name`` the cache's name for the responses.
    """

    texts: Sequence[Sequence[str]]
    verdicts: scores.Verdicts
    text: dict[str, float | None]
    identity: str
    name: str


def responses_of(policy: Any, plan: Plan, advance: Advance) -> Responses:
    """Draw or read a policy's responses, and judge them."""
    draw = plan.draw
    if isinstance(policy, TablePolicy):
        raise UserError(NO_TEXT)
    try:
        identity = fingerprint(policy, draw.prompts)
    except ValueError as error:  # a prompt exceeds the context
        raise UserError(str(error)) from error
    name = key_of(identity, asdict(draw.sampling), draw.seed, plan.benchmark.version)
    texts = respond(policy, name, draw, advance)
    tokens = np.array([policy.lengths(row).tolist() for row in texts], dtype=np.float64)
    verdicts = scores.judge(plan.benchmark, plan.items, texts)
    return Responses(texts, verdicts, scores.reading(texts, tokens), identity, name)


def constant_of(start: Any, plan: Plan) -> Responses:
    """Return the constant response to every prompt; ``start`` counts its tokens."""
    texts = constant_responses(plan.items)
    tokens = np.array([start.lengths(row).tolist() for row in texts], dtype=np.float64)
    verdicts = scores.judge(plan.benchmark, plan.items, texts)
    text = scores.reading(texts, tokens) | {"cut_off": 0.0}
    return Responses(texts, verdicts, text, "constant", key_of("constant", *texts[0]))


def with_logprob(
    start: Any, identity: str, plan: Plan, responses: Responses, advance: Advance
) -> dict[str, Any]:
    """Return how responses read, with ``logprob`` under the starting policy of an identity."""
    name = key_of("logprobs", identity, responses.name)
    values = mean_logprob(start, name, plan.items, responses.texts, advance)
    return responses.text | values


def described(plan: Plan, responses: Responses, text: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a policy: accuracies, how its responses read, rates by instruction."""
    return {
        **scores.accuracies(responses.verdicts, plan.draw.seed),
        "text": dict(text),
        "by_instruction": scores.by_instruction(plan.items, responses.verdicts),
    }


def evaluate(
    plan: Plan, checkpoint: Load, start: Load | None, advance: Advance
) -> dict[str, Any]:
    """Return the evaluation of a checkpoint, of the starting policy and of the constant.

    Without a starting policy (None) the checkpoint is evaluated alone, and its
    responses are read under the checkpoint itself.
    """
    # 1. Respond; the checkpoint leaves the memory before the starting policy enters it.
    policy = checkpoint()
    players = {"checkpoint": responses_of(policy, plan, advance)}
    if start is not None:
        policy = None
        policy = start()
        players["start"] = responses_of(policy, plan, advance)
    identity = list(players.values())[-1].identity
    players["constant"] = constant_of(policy, plan)
    # 2. Judge, and read the responses under the policy that is still in memory.
    rows = {
        name: described(
            plan, responses, with_logprob(policy, identity, plan, responses, advance)
        )
        for name, responses in players.items()
    }
    result = plan.conditions() | {"policies": rows, "by_prompt": by_prompt(plan, players)}
    if start is not None:
        after, before = (players[name].verdicts for name in ("checkpoint", "start"))
        result["difference"] = scores.paired(after, before, plan.draw.seed)
        result["resolved"] = resolved(result["difference"][DECIDING], plan.draw.samples)
        result["collapse"] = signs(rows["checkpoint"]["text"], rows["start"]["text"])
    # 3. Say what follows.
    return result | {"conclusion": sentences(result)}


def by_prompt(plan: Plan, players: Mapping[str, Responses]) -> list[dict[str, float]]:
    """Return for each prompt the share of responses that follow it in full, strictly."""
    shares = {name: responses.verdicts.sums(DECIDING)[0] for name, responses in players.items()}
    return [
        {"key": item.key} | {name: float(share[place]) for name, share in shares.items()}
        for place, item in enumerate(plan.items)
    ]
