"""Losses on (chosen, rejected) pairs: pure functions of log-probabilities, (P,) nats each."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


@dataclass(frozen=True, slots=True)
class Pairs:
    """P (chosen, rejected) pairs, (P,) each; what a loss does not read may be left out.

    ``chosen`` and ``rejected`` are sequence log-probabilities under the policy,
    ``reference_*`` the same under the reference model, nats; ``*_lengths`` their tokens;
    ``*_wins`` the probability in [0, 1] that the response beats another sample of the prompt.
    """

    chosen: Tensor
    rejected: Tensor
    reference_chosen: Tensor = ZERO
    reference_rejected: Tensor = ZERO
    chosen_lengths: Tensor = ONE
    rejected_lengths: Tensor = ONE
    chosen_wins: Tensor = ONE
    rejected_wins: Tensor = ZERO

    @property
    def chosen_ratio(self) -> Tensor:
        """Log-ratio of the chosen response to the reference, (P,) nats."""
        return self.chosen - self.reference_chosen

    @property
    def rejected_ratio(self) -> Tensor:
        """Log-ratio of the rejected response to the reference, (P,) nats."""
        return self.rejected - self.reference_rejected

    @property
    def margin(self) -> Tensor:
        """Chosen minus rejected log-ratio to the reference, (P,) nats."""
        return self.chosen_ratio - self.rejected_ratio


def dpo(pairs: Pairs, beta: float) -> Tensor:
    """-log sigmoid(beta * margin); Rafailov et al. 2023 (arXiv 2305.18290), Eq. 7."""
    return -logsigmoid(beta * pairs.margin)
