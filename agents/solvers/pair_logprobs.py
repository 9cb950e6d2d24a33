"""Log-probabilities of preferences: the policy's now, the reference's looked up once."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.losses.pairs import Pairs
from agents.policies.base import Policy
from agents.policies.batches import answered_lengths, cut
from agents.solvers.pairs import Preferences
from eva_env.types import Ints


class Found(NamedTuple):
    """The pairs of some items; of each, its number and the place of its item, (P,)."""

    pairs: Pairs
    number: Ints
    place: Tensor


class Lookup:
    """The pairs of some prompts, as losses read them.

    Args:
        policy: what is asked on every call.
        preferences: all the pairs.
        reference: log-probabilities of the answers under the reference model, (I, k) nats.

    ``lengths`` (I,) are the tokens of each prompt with its answers.
    """

    def __init__(self, policy: Policy, preferences: Preferences, reference: Tensor) -> None:
        self.policy, self.preferences, self.reference = policy, preferences, reference
        flat = [answer for row in preferences.answers for answer in row]
        self.sizes = policy.lengths(flat).view(reference.shape).to(reference)
        self.wins = torch.from_numpy(preferences.wins).to(reference)
        self.lengths = answered_lengths(policy, preferences.prompts, preferences.answers)
        self.baseline = reference.new_zeros(())

    def __call__(self, items: Ints) -> Found:
        """The pairs of some prompts (by their place in ``preferences.prompts``) now."""
        known, width = self.preferences, self.reference.shape[1]
        place = np.full(len(known.prompts), -1)
        place[items] = np.arange(len(items))
        number = np.flatnonzero(place[known.item] >= 0)
        row = place[known.item[number]]
        now = self.policy.logprobs(
            [known.prompts[i] for i in items for _ in range(width)],
            [answer for i in items for answer in known.answers[i]],
        )
        tables = (
            now.view(-1, width),
            self.reference[items],
            self.sizes[items],
            self.wins[items],
        )
        sides = (known.better[number], known.worse[number])
        columns = (table[row, side] for table in tables for side in sides)
        pairs = Pairs(*columns, baseline=self.baseline)
        return Found(pairs, number, torch.from_numpy(row).to(now.device))

    @torch.no_grad()
    def measure(
        self, items: Ints, what: Callable[[Pairs], Tensor], budget: int
    ) -> tuple[Tensor, Ints]:
        """A number of each pair of some prompts, without gradients, and the pairs' numbers.

        At most ``budget`` tokens are read at a time.
        """
        parts = [self(items[part]) for part in cut(self.lengths[items], budget)]
        values = torch.cat([what(found.pairs) for found in parts])
        return values, np.concatenate([found.number for found in parts])
