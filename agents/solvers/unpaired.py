"""Methods that read a pair as two responses, one desirable and one undesirable."""

from dataclasses import dataclass

from torch import Tensor

from agents.base import THREES
from agents.losses import pairs as losses
from agents.losses.pairs import Pairs
from agents.solvers.base import PolicySolver, Reference
from agents.solvers.offline import Baseline, Offline
from agents.solvers.pair_logprobs import PairLogprobs
from agents.solvers.pairs import Preferences
from eva_env.require import require
from eva_env.types import Ints


@dataclass(frozen=True)
class KTO(Offline):
    """Kahneman-Tversky optimisation; Ethayarajh et al. 2024 (arXiv 2402.01306).

    The reference point z is an estimate of the KL to the reference, made before every update
    from responses to other prompts (one more forward pass); it has no gradient.
    Tuned roughly: lr, ``beta``.
    """

    grid = Offline.grid | {"beta": THREES}

    reference: Reference = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""
    beta: float = 1.0
    """Scale of the log-ratios, per nat."""
    desirable: float = 1.0
    """Weight of the chosen responses."""
    undesirable: float = 1.0
    """Weight of the rejected responses."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "beta", "desirable", "undesirable")

    def gap(self, pairs: Pairs) -> Tensor:
        """Return beta times the margin."""
        return self.beta * pairs.margin

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.kto(pairs, self.beta, self.desirable, self.undesirable)

    def baseline(self, solver: PolicySolver, preferences: Preferences) -> Baseline:
        """Return z: the mean log-ratio of each prompt to the next prompt's responses, >= 0."""
        mismatched = preferences.mismatched()
        logprobs = PairLogprobs(
            solver.policy, mismatched, self.reference_logprobs(solver, mismatched)
        )

        def kl(items: Ints) -> Tensor:
            ratios, _ = logprobs.evaluate(items, _mean_ratio, self.micro_batch_tokens)
            return ratios.mean().clamp(min=0)

        return kl


def _mean_ratio(pairs: Pairs) -> Tensor:
    return (pairs.chosen_ratio + pairs.rejected_ratio) / 2
