"""Methods that read a pair as two responses, a desirable and an undesirable one."""

from dataclasses import dataclass

from torch import Tensor

from agents.base import THREES
from agents.losses import pairs as losses
from agents.losses.pairs import Pairs
from agents.solvers.base import PolicySolver
from agents.solvers.offline import Baseline, ReferenceBased
from agents.solvers.pair_logprobs import Lookup
from agents.solvers.pairs import Preferences
from eva_env.types import Ints


@dataclass(frozen=True)
class KTO(ReferenceBased):
    """Kahneman-Tversky optimisation; Ethayarajh et al. 2024 (arXiv 2402.01306).

    The reference point z is an estimate of the KL to the reference, made before every update
    from responses to other prompts (one forward more); no gradient goes through it.
    Tuned roughly: lr, ``beta``.
    """

    grid = ReferenceBased.grid | {"beta": THREES}

    beta: float = 1.0
    """Scale of the log-ratios, per nat."""
    desirable: float = 1.0
    """Weight of the chosen responses."""
    undesirable: float = 1.0
    """Weight of the rejected responses."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._positive("beta", "desirable", "undesirable")

    def gap(self, pairs: Pairs) -> Tensor:
        """Beta times the margin."""
        return self.beta * pairs.margin

    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair."""
        return losses.kto(pairs, self.beta, self.desirable, self.undesirable)

    def baseline(self, solver: PolicySolver, preferences: Preferences) -> Baseline:
        """Mean log-ratio of the next prompt's responses to each prompt, at least 0."""
        strange = preferences.mismatched()
        lookup = Lookup(solver.policy, strange, self.reference_logprobs(solver, strange))

        def kl(items: Ints) -> Tensor:
            ratios, _ = lookup.measure(items, _mean_ratio, self.micro_batch_tokens)
            return ratios.mean().clamp(min=0)

        return kl


def _mean_ratio(pairs: Pairs) -> Tensor:
    return (pairs.chosen_ratio + pairs.rejected_ratio) / 2
