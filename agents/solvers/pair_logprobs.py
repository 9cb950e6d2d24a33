"""Log-probabilities of pairs: under the policy now, and under a reference looked up once."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.losses.pairs import Pairs
from agents.losses.precision import at_least_float32
from agents.policies.base import Policy
from agents.policies.batches import cut, exchange_lengths
from agents.solvers.nonfinite import UNDER_POLICY
from agents.solvers.pairs import Preferences
from eva_env.types import Ints


class SelectedPairs(NamedTuple):
    """All pairs of some selected items (prompts), P in number.

    ``pair`` (P,) are the pairs' places in ``Preferences``; ``item`` (P,) is the place of each
    pair's prompt among the selected ones.
    """

    pairs: Pairs
    pair: Ints
    item: Tensor


class PairLogprobs:
    """Maps prompts to their pairs with log-probabilities, as losses read them.

    Args:
        policy: reads the responses again on every call.
        preferences: all the pairs.
        reference: log-probabilities of the responses under the reference model, (I, k) nats.

    ``lengths`` (I,) are the tokens of each prompt with its responses. ``baseline``, nats, is
    handed to every pair; methods that have one set it before an update.
    """

    def __init__(self, policy: Policy, preferences: Preferences, reference: Tensor) -> None:
        self.policy, self.preferences = policy, preferences
        # At least float32: bfloat16 would round lengths above 256.
        reference = at_least_float32(reference)
        self.reference = reference
        flat = [response for row in preferences.responses for response in row]
        self.sizes = policy.lengths(flat).clamp(min=1).view(reference.shape).to(reference)
        self.wins = torch.from_numpy(preferences.wins).to(reference)
        self.lengths = exchange_lengths(policy, preferences.prompts, preferences.responses)
        self.baseline = reference.new_zeros(())

    def __call__(self, items: Ints) -> SelectedPairs:
        """Return the pairs of some prompts (places in ``preferences.prompts``) now."""
        preferences, k = self.preferences, self.reference.shape[1]
        # 1. Pairs name prompts by their place in ``preferences``; ``row`` gives the place among
        #    the selected prompts, so that the pairs of the others drop out.
        place = np.full(len(preferences.prompts), -1)
        place[items] = np.arange(len(items))
        pair = np.flatnonzero(place[preferences.item] >= 0)
        row = place[preferences.item[pair]]
        # 2. The policy reads each response once, however many pairs it is in.
        now = self.policy.logprobs(
            [preferences.prompts[i] for i in items for _ in range(k)],
            [response for i in items for response in preferences.responses[i]],
        ).view(-1, k)
        # 3. A pair takes two entries of each (items, k) table, in the order of Pairs' fields:
        #    the chosen response's column, then the rejected one's.
        chosen, rejected = preferences.better[pair], preferences.worse[pair]
        columns: list[Tensor] = []
        for table in (now, self.reference[items], self.sizes[items], self.wins[items]):
            columns += [table[row, chosen], table[row, rejected]]
        pairs = Pairs(*columns, baseline=self.baseline)
        return SelectedPairs(pairs, pair, torch.from_numpy(row).to(now.device))

    def inputs(self, items: Ints) -> dict[str, Tensor]:
        """Return the numbers that the loss of some prompts' pairs is made of, by name."""
        pairs = self(items).pairs
        columns = {
            UNDER_POLICY: (pairs.chosen, pairs.rejected),
            "under the reference": (pairs.reference_chosen, pairs.reference_rejected),
        }
        named = {"baseline": pairs.baseline}
        for model, (chosen, rejected) in columns.items():
            named[f"log-probability of the chosen response {model}"] = chosen
            named[f"log-probability of the rejected response {model}"] = rejected
        return named

    @torch.no_grad()
    def evaluate(
        self, items: Ints, function: Callable[[Pairs], Tensor], max_tokens: int
    ) -> tuple[Tensor, Ints]:
        """Apply a function of pairs to all pairs of some prompts, without gradients.

        Returns its values (P,) and the pairs' places in ``preferences`` (P,). At most
        ``max_tokens`` tokens are read at a time.
        """
        parts = [self(items[part]) for part in cut(self.lengths[items], max_tokens)]
        values = torch.cat([function(selected.pairs) for selected in parts])
        return values, np.concatenate([selected.pair for selected in parts])
