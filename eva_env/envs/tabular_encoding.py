"""Observations and actions of a tabular world as arrays, for one game or many at once.

Every array can have leading axes ``lead``: () for one game, (G,) for the G games of the vector
engine. Slot k is the k-th prompt that the world lets a creator publish.
"""

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, Protocol

import numpy as np

from eva_env.envs.spaces import SCALE, box_action
from eva_env.game import softmax
from eva_env.missing import has_missing, prompt_means
from eva_env.tabular.world import TabularWorld
from eva_env.types import Floats, Ints, Proposal, Round


class Uniforms(Protocol):
    """The part of a generator that opponents need; ``Streams`` is one for many games."""

    def random(self, size: tuple[int, ...], /) -> Any:
        """Draw uniforms in [0, 1) of shape ``lead + size``."""
        ...


@dataclass(frozen=True)
class TabularEncoding:
    """Observations, actions and default opponents of the tabular family."""

    world: TabularWorld
    matrix: Floats
    """Mean rewards (K, M) of the reward model in play."""
    batch_size: int
    """B, prompts of a batch."""
    samples: int
    """n, responses to each prompt."""
    lead: tuple[int, ...] = field(default=())
    """Leading axes of every array."""

    @cached_property
    def prompts(self) -> Any:
        """Prompt ids by slot, increasing: the ids that the world lets a creator publish."""
        return self.world.trainable

    @cached_property
    def size(self) -> int:
        """Number of slots, the length of the creator's action."""
        return len(self.prompts)

    @cached_property
    def slot_of(self) -> Ints:
        """Slot of each prompt id, -1 for held-out ones."""
        slots = np.full(len(self.matrix), -1)
        slots[self.prompts] = np.arange(self.size)
        return slots

    def logits(self, action: Any) -> Floats:
        """Return the logits, in nats, of a creator's action."""
        return SCALE * np.asarray(action, dtype=np.float64)

    def creator_action(self, proposal: Proposal) -> Floats:
        """Return the action (slots,) of a proposal; probabilities of repeated prompts add.

        Raises ValueError for more prompts than slots, and for ids that may not be published.
        """
        ids = np.asarray(proposal.prompts)
        if not 0 < len(ids) <= self.size:
            raise ValueError(f"a proposal must hold 1 ... {self.size} prompts, got {len(ids)}")
        if ids.dtype.kind not in "iu" or not np.isin(ids, self.prompts).all():
            unknown = [prompt for prompt in ids.tolist() if prompt not in self.prompts]
            raise ValueError(
                f"prompts must be ids that the world publishes, got {unknown[0]!r}"
            )
        if np.shape(proposal.logits) != ids.shape or not np.isfinite(proposal.logits).all():
            raise ValueError(f"logits must be {len(ids)} finite numbers, one for each prompt")
        probabilities = np.zeros(self.size)
        np.add.at(probabilities, self.slot_of[ids], softmax(np.asarray(proposal.logits)))
        return box_action(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)))

    def responses(self, action: Any) -> Ints:
        """Return the responses, lead + (B, n), of a solver's action.

        Raises ValueError unless they are integers in 0 ... M-1.
        """
        responses, shape = np.asarray(action), self._responses_shape
        if responses.size != prod(shape) or responses.dtype.kind not in "iu":
            raise ValueError(
                f"responses must be {prod(shape)} integers, got {responses.dtype} of shape "
                f"{responses.shape}"
            )
        limit = self.matrix.shape[1]
        low, high = np.minimum.reduce(responses, None), np.maximum.reduce(responses, None)
        if low < 0 or high >= limit:
            raise ValueError(
                f"responses must be in 0 ... {limit - 1}, got {low if low < 0 else high}"
            )
        return responses.reshape(shape)

    def creator_observation(
        self, left: float, probabilities: Floats | None, last: Round | None
    ) -> Floats:
        """Return the creator's observation, lead + (1 + 3 slots,) in [0, 1].

        It holds the share of rounds left; then by slot the last published distribution, and the
        mean reward and the signal in the last batch, 0 for slots that were not drawn. A world's
        mean rewards lie in [0, 1]; values outside, from noise or another signal than regret,
        are clipped. A prompt without a scored response, or without a signal, shows 0.
        """
        size = self.size
        observation = np.zeros((*self.lead, 1 + 3 * size), np.float32)
        observation[..., 0] = left
        if probabilities is not None:
            observation[..., 1 : 1 + size] = probabilities
        if last is not None:
            rewards, signal = last.for_other_player().rewards, last.signal
            means = np.add.reduce(rewards, -1) / self.samples
            if has_missing(means):
                means, signal = np.nan_to_num(prompt_means(rewards)), np.nan_to_num(signal)
            slots = self._flat(last.prompts)
            counts = np.maximum(self._sums(slots), 1)
            # A view: writing to it fills the observation.
            outcome = observation[..., 1 + size :]
            outcome[..., :size] = self._sums(slots, means) / counts
            outcome[..., size:] = self._sums(slots, signal) / counts
            np.minimum(np.maximum(outcome, 0, out=outcome), 1, out=outcome)  # a fast np.clip
        return observation

    def solver_observation(self, left: float, prompts: Ints | None) -> Floats:
        """Return the solver's observation, lead + (1 + B * slots,) in [0, 1].

        It holds the share of rounds left, and the prompts of the batch, one-hot.
        """
        width = 1 + self.batch_size * self.size
        observation = np.zeros(prod(self.lead) * width, np.float32)
        if prompts is not None:
            observation[self.slot_of[prompts] + self._places] = 1
        observation = observation.reshape(*self.lead, width)
        observation[..., 0] = left
        return observation

    def state(
        self,
        left: float,
        probabilities: Floats | None,
        prompts: Ints | None,
        last: Round | None,
    ) -> Floats:
        """Return the global state, lead + (1 + 4 slots,) in [0, 1].

        It holds the creator's observation, and each slot's share of the batch.
        """
        batch = np.zeros((*self.lead, self.size), np.float32)
        if prompts is not None:
            shares = np.full(prompts.shape, 1 / self.batch_size)
            batch[...] = self._sums(self._flat(prompts), shares)
        observation = self.creator_observation(left, probabilities, last)
        return np.concatenate([observation, batch], -1)

    # Default opponents of the single-agent environments

    def uniform_creator(self, observation: Floats, rng: Uniforms) -> Floats:
        """Return the action of the uniform distribution, lead + (slots,)."""
        return np.zeros((*self.lead, self.size), np.float32)

    def reference_solver(self, observation: Floats, rng: Uniforms) -> Ints:
        """Draw responses lead + (B * n,) from the world's reference policy."""
        shape = (self.batch_size, self.samples)
        batch = observation[..., 1:].reshape(*self.lead, self.batch_size, self.size)
        cdf = self._reference_cdf[batch.argmax(-1)][..., None, :]
        responses = (cdf <= np.asarray(rng.random(shape))[..., None]).sum(-1)
        return responses.reshape(*self.lead, -1)

    @cached_property
    def _reference_cdf(self) -> Floats:
        cdf = softmax(self.world.reference_logits[self.prompts]).cumsum(-1)
        cdf[:, -1] = 1.0
        return cdf

    @cached_property
    def _responses_shape(self) -> tuple[int, ...]:
        return (*self.lead, self.batch_size, self.samples)

    @cached_property
    def _by_slot(self) -> tuple[int, ...]:
        return (*self.lead, self.size)

    @cached_property
    def _all_slots(self) -> int:
        """Number of slots in all games together."""
        return prod(self._by_slot)

    @cached_property
    def _places(self) -> Ints:
        """Index, in the flattened solver observations, where each one-hot vector begins."""
        starts = np.arange(self.batch_size) * self.size + 1
        games = np.arange(prod(self.lead)).reshape(*self.lead, 1)
        return games * (1 + self.batch_size * self.size) + starts

    @cached_property
    def _offsets(self) -> Any:
        """Index of each game's first slot among the slots of all games, lead + (1,)."""
        return np.arange(prod(self.lead)).reshape(*self.lead, 1) * self.size

    def _flat(self, prompts: Any) -> Ints:
        """Return the slots of prompts as indices among the slots of all games, flattened."""
        slots = self.slot_of[prompts]
        return (slots + self._offsets).ravel() if self.lead else slots

    def _sums(self, slots: Ints, values: Floats | None = None) -> Floats:
        """Sum the values by slot, or count the slots if there are none; lead + (slots,)."""
        weights = None if values is None else values.ravel()
        sums: Any = np.bincount(slots, weights, self._all_slots)
        return sums.reshape(self._by_slot)
