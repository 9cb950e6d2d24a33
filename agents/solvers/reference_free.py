"""Methods on pairs that need no reference model; pi-bar is a probability per token."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from agents.base import THREES
from agents.losses import pairs as losses
from agents.losses.pairs import Pairs
from agents.solvers.offline import Offline
from eva_env.require import require


@dataclass(frozen=True)
class SimPO(Offline):
    """Simple preference optimisation; Meng et al. 2024 (arXiv 2405.14734).

    The paper of eva has lr 8e-7, beta 10, gamma 5, 1 epoch, batch 32 for a 9 B model.
    Tuned roughly: lr, ``beta``.
    """

    name: ClassVar[str] = "simpo"

    grid = Offline.grid | {"beta": THREES, "gamma": THREES}

    beta: float = 1.0
    """Scale of the difference in log pi-bar, per nat."""
    gamma: float = 0.5
    """Margin that the scaled difference should exceed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "beta")
        require(self, "[0, inf)", "gamma")

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.simpo(pairs, self.beta, self.gamma)


@dataclass(frozen=True)
class RePO(Offline):
    """ReLU preference optimisation; Wu et al. 2025 (arXiv 2503.07426).

    The limit of SimPO for beta to infinity with gamma / beta fixed to this gamma: pairs past
    the margin have no gradient. The authors have gamma 0.4 and lr 8e-7, 1 epoch, for a 9 B
    model. Tuned roughly: lr, ``gamma``.
    """

    name: ClassVar[str] = "repo"

    grid = Offline.grid | {"gamma": THREES}

    gamma: float = 2.0
    """Margin that the difference in log pi-bar should reach, nats."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "gamma")

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.repo(pairs, self.gamma)


@dataclass(frozen=True)
class ORPO(Offline):
    """Odds-ratio preference optimisation; Hong et al. 2024 (arXiv 2403.07691).

    The paper of eva has lr 5e-7, weight (its lambda) 0.5, 1 epoch, batch 8 for a 9 B model.
    Tuned roughly: lr, ``weight``.
    """

    grid = Offline.grid | {"weight": THREES}

    lr: float = 1.2e-3
    """Peak learning rate of AdamW."""
    weight: float = 1.0
    """Weight of the odds-ratio term against the likelihood of the chosen response."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "weight")

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.orpo(pairs, self.weight)


@dataclass(frozen=True)
class CPO(Offline):
    """Contrastive preference optimisation; Xu et al. 2024 (arXiv 2401.08417).

    Tuned roughly: lr, ``beta``.
    """

    grid = Offline.grid | {"beta": THREES, "alpha": THREES}

    beta: float = 0.3
    """Scale of the difference in log-probability, per nat."""
    alpha: float = 0.1
    """Weight of the negative log-likelihood per token of the chosen response."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "beta")
        require(self, "[0, inf)", "alpha")

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.cpo(pairs, self.beta, self.alpha)


@dataclass(frozen=True)
class SLiC(Offline):
    """Sequence likelihood calibration; Zhao et al. 2023 (SLiC-HF, arXiv 2305.10425).

    Tuned roughly: lr, ``delta``.
    """

    name: ClassVar[str] = "slic"

    grid = Offline.grid | {"delta": THREES, "weight": THREES}

    delta: float = 10.0
    """Margin that the difference in log-probability should reach, nats."""
    weight: float = 0.01
    """Weight of the log-likelihood of the chosen response, which serves as the target."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "delta")
        require(self, "[0, inf)", "weight")

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.slic(pairs, self.delta, self.weight)
