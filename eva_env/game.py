"""The rules of the asymmetric game, once: propose -> draw -> respond -> score -> pay.

A plain state machine that knows nothing of PettingZoo. Every face of the environment
(AEC, parallel, Gymnasium views) holds a ``Game``; the vector engine is tested against it.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eva_env.distributions import draw_iid as draw_iid
from eva_env.distributions import draw_without_replacement as draw_without_replacement
from eva_env.distributions import softmax as softmax
from eva_env.signals import SIGNALS, Signal
from eva_env.types import (
    CREATOR,
    SOLVER,
    Floats,
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
        self.probabilities: Floats | None = None
        self.prompts: Sequence[Any] = ()
        self.invalid = 0.0
        self.last: Round | None = None
        self.totals = {CREATOR: 0.0, SOLVER: 0.0}

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
        if not (len(logits) and math.isfinite(logits.sum())):
            raise ValueError(
                "logits must be finite, and one at least; leave a prompt out instead of -inf"
            )
        probabilities, invalid = softmax(logits), 0.0
        if self.valid is not None:
            probabilities, invalid = self._mask_invalid(proposal.prompts, logits)
        self.prompts = self._draw(proposal.prompts, probabilities, invalid)
        self.proposal, self.probabilities, self.invalid = proposal, probabilities, invalid
        return self.prompts

    def respond(self, responses: Any) -> Round:
        """The solver's move, (B, n) responses: score them, pay both players, end the round."""
        if self.proposal is None:
            raise RuntimeError("the creator is to move: call propose()")
        rewards = self._score(responses)
        total = float(rewards.sum())
        if not math.isfinite(total):
            self._reject(rewards)
        signal = self._signal(rewards)
        creator = float(signal.sum()) / self.batch_size
        if self.invalid:
            creator = (creator if self.invalid < 1.0 else 0.0) - (
                self.invalid_penalty * self.invalid
            )
        solver = -creator if self.zero_sum else total / rewards.size
        round = Round(
            self.index,
            self.proposal,
            self.prompts,
            responses,
            rewards,
            signal,
            {CREATOR: creator, SOLVER: solver},
            self.invalid,
        )
        advance = getattr(self.reward_model, "advance", None)
        if advance is not None:
            self.reward_model = advance(round)
        self.last, self.proposal = round, None
        self.totals = {
            CREATOR: self.totals[CREATOR] + creator,
            SOLVER: self.totals[SOLVER] + solver,
        }
        self.index += 1
        return round

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes during an episode, picklable and independent of the game."""
        moved = self.reward_model is not self._first_reward_model
        return {
            "rng": self.rng.bit_generator.state,
            "reward_model": self.reward_model if moved else None,
            "index": self.index,
            "proposal": self.proposal,
            "probabilities": self.probabilities,
            "prompts": self.prompts,
            "invalid": self.invalid,
            "last": self.last,
            "totals": self.totals,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state_dict()``; the next draws are those of the saved game."""
        self.rng = np.random.default_rng()
        self.rng.bit_generator.state = state["rng"]
        moved = state["reward_model"]
        self.reward_model = self._first_reward_model if moved is None else moved
        for name in state.keys() - {"rng", "reward_model"}:
            setattr(self, name, state[name])

    def fork(self) -> "Game":
        """An independent copy that continues identically, for counterfactual moves."""
        twin = copy.copy(self)
        twin.rng = copy.deepcopy(self.rng)
        return twin

    def _signal(self, rewards: Floats) -> Floats:
        if self.signal == "regret":
            best = self.reward_model.best(self.prompts)  # type: ignore[attr-defined]
            return best - np.add.reduce(rewards, -1) / self.samples
        measure = SIGNALS[self.signal] if isinstance(self.signal, str) else self.signal
        signal = np.asarray(measure(rewards), dtype=np.float64)
        if signal.shape != (self.batch_size,) or not np.isfinite(signal).all():
            raise ValueError(
                f"signal {_name(measure)} must return {self.batch_size} finite numbers, one "
                f"for each prompt, got {signal!r}"
            )
        return signal

    def _mask_invalid(self, prompts: Sequence[Any], logits: Floats) -> tuple[Floats, float]:
        """Probabilities over the valid prompts, and the probability given to invalid ones.

        Unused slots count for neither.
        """
        assert self.valid is not None
        used = np.array([not (isinstance(prompt, str) and prompt == "") for prompt in prompts])
        accepted = used.copy()
        accepted[used] = [bool(self.valid(prompts[i])) for i in np.flatnonzero(used).tolist()]
        if not accepted.any():
            return np.zeros(len(logits)), 1.0
        share = softmax(np.where(used, logits, -np.inf))
        invalid = min(1.0, float(share[~accepted].sum()))
        return softmax(np.where(accepted, logits, -np.inf)), invalid

    def _draw(
        self, prompts: Sequence[Any], probabilities: Floats, invalid: float
    ) -> Sequence[Any]:
        if invalid == 1.0:
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
            drawn: Any = prompts.take(chosen)
            return drawn
        return tuple(prompts[i] for i in chosen.tolist())

    def _score(self, responses: Any) -> Floats:
        shape = (self.batch_size, self.samples)
        if isinstance(responses, np.ndarray):
            fits = responses.shape == shape
        else:
            fits = [len(row) for row in responses] == [self.samples] * self.batch_size
        if not fits:
            raise ValueError(
                f"responses must be {shape[0]} rows of {shape[1]}, one row for each drawn "
                f"prompt, got rows of lengths {[np.size(row) for row in responses][:8]}"
            )
        rewards = self.reward_model(self.prompts, responses)
        try:
            rewards = np.asarray(rewards, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{_name(self.reward_model)} must return rewards of shape {shape}, "
                f"got no array of numbers: {error}"
            ) from error
        if rewards.shape != shape:
            raise ValueError(
                f"{_name(self.reward_model)} must return rewards of shape {shape}, "
                f"got {rewards.shape}"
            )
        return rewards

    def _reject(self, rewards: Floats) -> None:
        """ValueError that names the first reward that is not finite."""
        bad = ~np.isfinite(rewards)
        if bad.any():
            i, j = np.argwhere(bad)[0]
            raise ValueError(
                f"{_name(self.reward_model)} returned {rewards[i, j]} for {int(bad.sum())} of "
                f"{rewards.size} responses, the first to prompt {self.prompts[i]!r}; the round "
                f"was not played, mend the reward model and call respond() again"
            )


def _name(part: object) -> str:
    return getattr(part, "__name__", type(part).__name__)
