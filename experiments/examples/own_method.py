"""A method of your own: DPO with AdaBoost's exponential loss instead of the logistic one.

Use it with:

    eva train solver:experiments/examples/own_method.py:Exponential --solver.beta 0.5
    eva compare --creators fresh --solvers dpo experiments/examples/own_method.py:Exponential
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from agents.losses.pairs import Pairs
from agents.solvers import Offline


@dataclass(frozen=True)
class Exponential(Offline):
    """Minimise exp(-beta m) of the margin m, in nats, between chosen and rejected response."""

    beta: float = 0.3
    """Scale of the margin, per nat."""
    reference: Literal["round", "initial"] = "round"
    """The margin is measured from the policy at the start of the round, or of the run."""

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair, (P,)."""
        return (-self.beta * pairs.margin).exp()
