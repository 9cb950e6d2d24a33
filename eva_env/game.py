"""The rules of the asymmetric game, once: propose -> draw -> respond -> score -> pay.

A plain state machine that knows nothing of PettingZoo. Every face of the environment
(AEC, parallel, Gymnasium views) holds a ``Game``; the vector engine is tested against it.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eva_env.signals import SIGNALS, Signal
from eva_env.types import (
    CREATOR,
    SOLVER,
    Floats,
    Ints,
    Proposal,
    RewardModel,
    Round,
)


class Game:
    """T rounds between a creator of prompt distributions and a solver that answers.

    Args:
        reward_model: the dynamics; see ``eva_env.types.RewardModel``.
        batch_size: B, prompts that the game draws from each proposal.
        samples: n, responses that the solver gives to each prompt; at least 2.
        rounds: T, the length of an episode.
        signal: the creator's payoff, averaged over the batch: "regret" (best attainable
            minus mean reward; needs ``reward_model.best``), a name in ``SIGNALS``, or a
            function (B, n) -> (B,).
        zero_sum: pay the solver minus the creator's payoff instead of its mean reward.
        replacement: draw prompts i.i.d.; otherwise without replacement, and once every
            prompt with positive probability is out, from all of them again.
        valid: which prompts the task accepts; None accepts all.
        fallback: ``(n, rng) -> prompts`` for a round in which no proposed prompt is valid.
        invalid_penalty: subtracted from the creator's payoff times the probability that it
            had put on invalid prompts; in a fallback round it is the whole payoff.
    """

    def __init__(
        self,
        reward_model: RewardModel,
        *,
        batch_size: int,
        samples: int,
        rounds: int,
        signal: str | Signal = "regret",
        zero_sum: bool = False,
        replacement: bool = True,
        valid: Callable[[Any], bool] | None = None,
        fallback: Callable[[int, np.random.Generator], Sequence[Any]] | None = None,
        invalid_penalty: float = 1.0,
    ) -> None:
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("samples", samples, 2),
            ("rounds", rounds, 1),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if isinstance(signal, str) and signal not in SIGNALS and signal != "regret":
            known = ", ".join(["regret", *SIGNALS])
            raise ValueError(f"unknown signal {signal!r}; known signals: {known}")
        if signal == "regret" and not hasattr(reward_model, "best"):
            raise ValueError(
                f"signal 'regret' needs a reward model with best(prompts), and "
                f"{_name(reward_model)} has none; give signal='a_star_avg' to estimate it"
            )
        self.reward_model = self._first_reward_model = reward_model
        self.batch_size, self.samples, self.rounds = batch_size, samples, rounds
        self.signal, self.zero_sum, self.replacement = signal, zero_sum, replacement
        self.valid, self.fallback = valid, fallback
        self.invalid_penalty = invalid_penalty
        self.rng = np.random.default_rng()
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Start an episode; with a seed the game gets a fresh generator, else keeps its own."""
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.reward_model = self._first_reward_model
        self.index = 0
        self.proposal: Proposal | None = None
        self.prompts: Sequence[Any] = ()
        self.invalid = 0.0
        self.last: Round | None = None

    @property
    def done(self) -> bool:
        """Whether all T rounds have been played."""
        return self.index >= self.rounds

    def propose(self, proposal: Proposal) -> Sequence[Any]:
        """The creator's move: draw B prompts from softmax(logits) over the valid prompts."""
        if self.done:
            raise RuntimeError(f"all {self.rounds} rounds are played; call reset()")
        if self.proposal is not None:
            raise RuntimeError("the solver is to move: call respond()")
        logits = np.asarray(proposal.logits, dtype=np.float64)
        if logits.shape != (len(proposal.prompts),):
            raise ValueError(
                f"logits must have shape ({len(proposal.prompts)},), one for each prompt, "
                f"got {logits.shape}"
            )
        if not np.isfinite(logits).all():
            raise ValueError("logits must be finite; leave a prompt out instead of -inf")
        probabilities = softmax(logits)
        self.invalid = 0.0
        if self.valid is not None:
            probabilities = self._mask_invalid(proposal.prompts, probabilities)
        self.prompts = self._draw(proposal.prompts, probabilities)
        self.proposal = proposal
        return self.prompts

    def respond(self, responses: Any) -> Round:
        """The solver's move, (B, n) responses: score them, pay both players, end the round."""
        if self.proposal is None:
            raise RuntimeError("the creator is to move: call propose()")
        rewards = self._score(responses)
        if self.signal == "regret":
            signal = self.reward_model.best(self.prompts) - rewards.mean(-1)  # type: ignore[attr-defined]
        elif isinstance(self.signal, str):
            signal = SIGNALS[self.signal](rewards)
        else:
            signal = self.signal(rewards)
        creator = float(signal.sum()) / self.batch_size
        if self.invalid:
            creator = (creator if self.invalid < 1.0 else 0.0) - (
                self.invalid_penalty * self.invalid
            )
        solver = -creator if self.zero_sum else float(rewards.mean())
        self.last = Round(
            self.index,
            self.proposal,
            self.prompts,
            responses,
            rewards,
            signal,
            {CREATOR: creator, SOLVER: solver},
            self.invalid,
        )
        self.index += 1
        self.proposal = None
        advance = getattr(self.reward_model, "advance", None)
        if advance is not None:
            self.reward_model = advance(self.last)
        return self.last

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes during an episode, picklable and independent of the game."""
        moved = self.reward_model is not self._first_reward_model
        return {
            "rng": self.rng.bit_generator.state,
            "reward_model": self.reward_model if moved else None,
            "index": self.index,
            "proposal": self.proposal,
            "prompts": self.prompts,
            "invalid": self.invalid,
            "last": self.last,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state_dict()``; the next draws are those of the saved game."""
        self.rng = np.random.default_rng()
        self.rng.bit_generator.state = state["rng"]
        moved = state["reward_model"]
        self.reward_model = self._first_reward_model if moved is None else moved
        for name in ("index", "proposal", "prompts", "invalid", "last"):
            setattr(self, name, state[name])

    def fork(self) -> "Game":
        """An independent copy that continues identically, for counterfactual moves."""
        twin = copy.copy(self)
        twin.rng = copy.deepcopy(self.rng)
        return twin

    def _mask_invalid(self, prompts: Sequence[Any], probabilities: Floats) -> Floats:
        """Zero the probability of unused slots and invalid prompts; sets ``self.invalid``."""
        assert self.valid is not None
        used = np.array([prompt != "" for prompt in prompts])
        accepted = used & np.array([bool(self.valid(prompt)) for prompt in prompts])
        live = probabilities[used].sum()
        self.invalid = float(1 - probabilities[accepted].sum() / live) if live else 1.0
        if accepted.sum() == used.sum() > 0:
            self.invalid = 0.0
        elif not accepted.any():
            self.invalid = 1.0
        return np.where(accepted, probabilities, 0.0)

    def _draw(self, prompts: Sequence[Any], probabilities: Floats) -> Sequence[Any]:
        if self.invalid == 1.0:
            if self.fallback is None:
                raise ValueError(
                    "no proposed prompt is valid and the game has no fallback prompts"
                )
            return tuple(self.fallback(self.batch_size, self.rng))
        if self.replacement:
            chosen = draw_iid(probabilities, self.rng.random(self.batch_size))
        else:
            chosen = draw_without_replacement(probabilities, self.batch_size, self.rng)
        if isinstance(prompts, np.ndarray):
            return prompts[chosen]
        return tuple(prompts[i] for i in chosen)

    def _score(self, responses: Any) -> Floats:
        shape = (self.batch_size, self.samples)
        rows = [len(row) for row in responses]
        if rows != [self.samples] * self.batch_size:
            raise ValueError(
                f"responses must be {shape[0]} rows of {shape[1]}, one row for each drawn "
                f"prompt, got rows of lengths {rows[:8]}"
            )
        rewards = np.asarray(self.reward_model(self.prompts, responses), dtype=np.float64)
        if rewards.shape != shape:
            raise ValueError(
                f"{_name(self.reward_model)} must return rewards of shape {shape}, "
                f"got {rewards.shape}"
            )
        bad = ~np.isfinite(rewards)
        if bad.any():
            i, j = np.argwhere(bad)[0]
            raise ValueError(
                f"{_name(self.reward_model)} returned {rewards[i, j]} for {int(bad.sum())} of "
                f"{rewards.size} responses, the first to prompt {self.prompts[i]!r}; the round "
                f"was not played, mend the reward model and call respond() again"
            )
        return rewards


def softmax(logits: Floats) -> Floats:
    """Probabilities over the last axis, float64."""
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def draw_iid(probabilities: Floats, uniforms: Floats) -> Ints:
    """Indices by inverse CDF: (K,) probabilities and (B,) uniforms in [0, 1) -> (B,)."""
    cdf = probabilities.cumsum()
    return cdf.searchsorted(uniforms * cdf[-1], side="right").clip(max=len(cdf) - 1)


def draw_without_replacement(
    probabilities: Floats, size: int, rng: np.random.Generator
) -> Ints:
    """Successive weighted draws without replacement, by the Gumbel top-k trick.

    Kool et al. 2019 (arXiv 1903.06059), Sec. 2.3. When fewer than ``size`` entries have
    positive probability, all of them are taken and the draw starts over.
    """
    support = np.flatnonzero(probabilities)
    drawn: list[Ints] = []
    missing = size
    while missing > 0:
        keys = np.log(probabilities[support]) + rng.gumbel(size=len(support))
        take = support[np.argsort(-keys, kind="stable")[:missing]]
        drawn.append(take)
        missing -= len(take)
    return np.concatenate(drawn)


def _name(reward_model: RewardModel) -> str:
    return getattr(reward_model, "__name__", type(reward_model).__name__)
