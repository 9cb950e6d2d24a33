"""The rules of the asymmetric game: propose -> draw -> respond -> score -> pay.

``Game`` is a state machine that does not depend on PettingZoo. The AEC, parallel and
single-agent environments each hold a ``Game``. The vector engine plays many games at once by
the same rules; both pay by ``eva_env.payoffs``.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eva_env.boundary import (
    LARGEST,
    NO_LIMITS,
    Limits,
    check_numbers,
    name_of,
    score,
)
from eva_env.distributions import draw_iid as draw_iid
from eva_env.distributions import draw_without_replacement as draw_without_replacement
from eva_env.distributions import softmax as softmax
from eva_env.missing import has_missing
from eva_env.payoffs import creator_payoff, require_payoff, signal_values, solver_payoff
from eva_env.real_numbers import kind_of
from eva_env.require import require
from eva_env.signals import Signal
from eva_env.types import (
    CREATOR,
    SOLVER,
    Advances,
    Floats,
    KnowsBest,
    Proposal,
    RewardModel,
    Round,
    offers,
)


class Game:
    """T rounds between a creator that proposes prompts and a solver that responds to them.

    Args:
        reward_model: the dynamics; see ``eva_env.types.RewardModel``.
        batch_size: B, prompts that the game draws from each proposal.
        samples: n, responses that the solver gives to each prompt; at least 2.
        rounds: T, rounds of an episode.
        signal: the creator's payoff, averaged over the batch: "regret" (true regret, the best
            attainable minus the mean reward; needs ``reward_model.best``), a name in
            ``SIGNALS``, or a function (B, n) -> (B,).
        zero_sum: pay the solver minus the creator's payoff instead of the mean reward.
        replacement: draw prompts i.i.d. If False, draw without replacement; when every prompt
            with positive probability is drawn, start over with all of them.
        valid: returns whether the task accepts a prompt; None accepts every prompt.
        fallback: ``(n, rng) -> prompts``, the batch of a round without a valid prompt.
        invalid_penalty: weight of the probability of invalid prompts, which is subtracted
            from the creator's payoff. In a fallback round it is the whole payoff.
        creator_reward_model: scores the responses a second time, for the signal and so for the
            creator's payoff; ``reward_model`` then serves the solver alone. None: it serves
            both.
        limits: the length of responses, and the time that reward models may take.
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
        creator_reward_model: RewardModel | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self.batch_size, self.samples, self.rounds = batch_size, samples, rounds
        require(self, "[1, inf)", "batch_size", "rounds")
        require(self, "[2, inf)", "samples")
        require_payoff(signal)
        paying = reward_model if creator_reward_model is None else creator_reward_model
        if signal == "regret" and not offers(paying, KnowsBest):
            raise ValueError(
                f"signal 'regret' needs a reward model with best(prompts), and "
                f"{name_of(paying)} has none; give signal='a_star_avg' to estimate it"
            )
        self._first_reward_model: RewardModel = reward_model
        self._first_creator_model: RewardModel | None = creator_reward_model
        self.signal, self.zero_sum, self.replacement = signal, zero_sum, replacement
        self.valid, self.fallback = valid, fallback
        self.invalid_penalty, self.limits = invalid_penalty, limits
        require(self, "(-inf, inf)", "invalid_penalty")
        self.rng = np.random.default_rng()
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Start an episode; a seed makes a new generator, None continues the current one."""
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self._use(self._first_reward_model, self._first_creator_model)
        self.index = 0
        self.proposal: Proposal | None = None
        self.probabilities: Floats | None = None
        self.prompts: Sequence[Any] = ()
        self.invalid = 0.0
        self.last: Round | None = None
        self.totals = {CREATOR: 0.0, SOLVER: 0.0}

    @property
    def done(self) -> bool:
        """True once all T rounds are played."""
        return self.index >= self.rounds

    @property
    def reward_calls(self) -> int:
        """Responses that a round has scored; twice as many if two reward models score them."""
        calls = self.batch_size * self.samples
        return calls if self.creator_reward_model is None else 2 * calls

    def propose(self, proposal: Proposal) -> Sequence[Any]:
        """Make the creator's move; return the B prompts drawn from softmax(logits).

        Raises RuntimeError out of turn, ValueError for logits that do not fit the prompts.
        """
        # 1. The creator must be to move, with one finite logit for each prompt.
        if self.done:
            raise RuntimeError(f"all {self.rounds} rounds are played; call reset()")
        if self.proposal is not None:
            raise RuntimeError("the solver is to move: call respond()")
        logits = _legal_logits(proposal)
        # 2. Only valid prompts have probability; the share of the others costs the creator.
        probabilities, invalid = softmax(logits), 0.0
        if self.valid is not None:
            probabilities, invalid = self._mask_invalid(proposal.prompts, logits)
        # 3. Draw the batch. State changes last, so that a move that raises changes nothing.
        self.prompts = self._draw(proposal.prompts, probabilities, invalid)
        self.proposal, self.probabilities, self.invalid = proposal, probabilities, invalid
        return self.prompts

    def respond(self, responses: Any) -> Round:
        """Make the solver's move, (B, n) responses; return the round, scored and paid.

        Missing rewards (NaN) are left out, see ``eva_env.missing``. Raises RuntimeError out of
        turn, ValueError for responses, rewards, best values and signals that break a rule of
        ``eva_env.boundary``; the round is then still to be played.
        """
        if self.proposal is None:
            raise RuntimeError("the creator is to move: call propose()")
        # 1. Score the responses, for the creator a second time if it has its own reward model.
        rewards = score(self.reward_model, self.prompts, responses, self.limits, self.samples)
        total = float(rewards.sum())
        missing = math.isnan(total)
        paying, read, other = self.reward_model, rewards, None
        missing_signal = missing
        if self.creator_reward_model is not None:
            paying = self.creator_reward_model
            read = other = score(paying, self.prompts, responses, self.limits, self.samples)
            missing_signal = has_missing(read)
        # 2. Pay both players.
        signal = signal_values(
            self.signal, paying, self.prompts, read, missing_signal, self.limits
        )
        creator = float(
            creator_payoff(signal, self.invalid, self.invalid_penalty, missing_signal)
        )
        solver = solver_payoff(rewards) if missing else total / rewards.size
        if self.zero_sum:
            solver = -creator
        # 3. Record the round.
        payoffs = {CREATOR: creator, SOLVER: solver}
        scored = (self.prompts, responses, rewards, signal)
        round = Round(
            self.index, self.proposal, *scored, payoffs, self.invalid, other_rewards=other
        )
        # 4. Move on: the reward models may change, and the creator is to move. State changes
        #    last, so that a reward model that fails to advance changes nothing.
        model, creator_model = self.reward_model, self.creator_reward_model
        if self._advances:
            model = self._following(model, round)
        if creator_model is not None and offers(creator_model, Advances):
            creator_model = self._following(creator_model, round.for_other_player())
        self._use(model, creator_model)
        self.last, self.proposal = round, None
        self.totals = {
            CREATOR: self.totals[CREATOR] + creator,
            SOLVER: self.totals[SOLVER] + solver,
        }
        self.index += 1
        return round

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes during an episode, picklable and independent of the game."""
        changed = self.reward_model is not self._first_reward_model
        paying = self.creator_reward_model
        return {
            "rng": self.rng.bit_generator.state,
            "reward_model": self.reward_model if changed else None,
            "creator_reward_model": None if paying is self._first_creator_model else paying,
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
        changed, paying = state["reward_model"], state.get("creator_reward_model")
        self._use(
            self._first_reward_model if changed is None else changed,
            self._first_creator_model if paying is None else paying,
        )
        for name in state.keys() - {"rng", "reward_model", "creator_reward_model"}:
            setattr(self, name, state[name])

    @property
    def first_models(self) -> dict[str, RewardModel | None]:
        """The reward models before the first round, by their names in ``state_dict()``."""
        return {
            "reward_model": self._first_reward_model,
            "creator_reward_model": self._first_creator_model,
        }

    def fork(self) -> "Game":
        """Return an independent copy that continues identically, for counterfactual moves."""
        twin = copy.copy(self)
        twin.rng = copy.deepcopy(self.rng)
        return twin

    def _following(self, model: Any, round: Round) -> RewardModel:
        """Return the reward model of the next round."""
        name = name_of(model)
        advanced = self.limits.of_reward(lambda: model.advance(round), f"{name}.advance")
        if not callable(advanced):
            raise ValueError(f"{name}.advance must return a reward model, got {advanced!r}")
        following: Any = advanced
        return following

    def _use(self, model: RewardModel, creator_model: RewardModel | None) -> None:
        """Score with these from now on. The hooks are probed here, not in every round."""
        self.reward_model, self.creator_reward_model = model, creator_model
        self._advances = offers(model, Advances)

    def _mask_invalid(self, prompts: Sequence[Any], logits: Floats) -> tuple[Floats, float]:
        """Return the probabilities (N,) of valid prompts, and the share of invalid ones.

        Unused slots have no probability and no share.
        """
        assert self.valid is not None
        used = np.array([not (isinstance(prompt, str) and prompt == "") for prompt in prompts])
        accepted = used.copy()
        accepted[used] = [bool(self.valid(prompts[i])) for i in np.flatnonzero(used).tolist()]
        if not accepted.any():
            return np.zeros(len(logits)), 1.0
        proposed = softmax(np.where(used, logits, -np.inf))
        invalid = min(1.0, float(proposed[~accepted].sum()))
        return softmax(np.where(accepted, logits, -np.inf)), invalid

    def _draw(
        self, prompts: Sequence[Any], probabilities: Floats, invalid: float
    ) -> Sequence[Any]:
        if invalid == 1.0:
            if self.fallback is None:
                raise ValueError(
                    "no proposed prompt is valid and the game has no fallback prompts; propose "
                    "a valid prompt, or give the game fallback=task.seed"
                )
            return self._drawn_fallback(self.fallback)
        if self.replacement:
            slots = draw_iid(probabilities, self.rng.random(self.batch_size))
        else:
            slots = draw_without_replacement(probabilities, self.batch_size, self.rng)
        if isinstance(prompts, np.ndarray):
            drawn: Any = prompts.take(slots)
            return drawn
        return tuple(prompts[i] for i in slots.tolist())

    def _drawn_fallback(self, fallback: Callable[..., Sequence[Any]]) -> Sequence[Any]:
        """Return a batch of fallback prompts; if that fails, the generator has not moved."""
        before = self.rng.bit_generator.state
        try:
            prompts = tuple(fallback(self.batch_size, self.rng))
            if len(prompts) != self.batch_size:
                raise ValueError(
                    f"the fallback must give {self.batch_size} prompts, got {len(prompts)}"
                )
        except Exception:
            self.rng.bit_generator.state = before
            raise
        return prompts


def _legal_logits(proposal: Proposal) -> Floats:
    """Return the logits (N,) of a proposal; ValueError unless its N prompts are a sequence."""
    prompts = proposal.prompts
    is_array = isinstance(prompts, np.ndarray) and prompts.ndim == 1
    if not is_array and (not isinstance(prompts, Sequence) or isinstance(prompts, str | bytes)):
        raise ValueError(
            f"a proposal's prompts must be a list, tuple or array, got {kind_of(prompts)}"
        )
    if not len(prompts):
        raise ValueError("a proposal must hold at least one prompt, got none")
    return check_numbers(
        proposal.logits,
        (len(prompts),),
        "logits must be finite numbers (leave a prompt out instead of giving it -inf)",
        LARGEST,
    )
