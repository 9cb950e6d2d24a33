"""Methods on pairs whose loss is in log-ratios to a reference model; m is their margin."""

from dataclasses import dataclass, replace

from torch import Tensor

from agents.base import THREES
from agents.losses import pairs as losses
from agents.losses.pairs import Pairs
from agents.solvers.offline import ReferenceBased
from eva_env.types import Floats, Round


@dataclass(frozen=True)
class DPO(ReferenceBased):
    """Direct preference optimisation; Rafailov et al. 2023 (arXiv 2305.18290).

    The paper of eva has lr 5e-7, beta 0.05, 2 epochs, batch 8 for a 9 B model; the defaults
    here were tuned on the wordlist world with the creator ``Fresh`` alone.
    """

    grid = ReferenceBased.grid | {"beta": THREES}

    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._positive("beta")

    def gap(self, pairs: Pairs) -> Tensor:
        """Beta times the margin."""
        return self.beta * pairs.margin

    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair."""
        return losses.dpo(pairs, self.beta)


@dataclass(frozen=True)
class SGPO(DPO):
    """DPO against the worst case in a Wasserstein ball; Chu et al. 2025 (arXiv 2502.18099).

    The follower of their Stackelberg game re-weights the pairs (``losses.robust``), here those
    of an update, which stand for their groups of 100. A self-annotating solver is what every
    solver of this game is. Their radius; the rest is DPO's, untuned. Where the
    labels of a pair conflict and its gap is within the radius of 0, the follower keeps it
    there: 0 is a fixed point, besides the one near DPO's.
    """

    grid = DPO.grid | {"radius": THREES}

    radius: float = 0.01
    """Radius of the ball, in units of beta * m; 0 is DPO. Any other method has it as well."""


@dataclass(frozen=True)
class RobustDPO(DPO):
    """DPO that undoes the bias of flipped labels; Chowdhury et al. 2024 (arXiv 2403.00409).

    Tuned roughly: lr, ``label_smoothing``.
    """

    grid = DPO.grid | {"label_smoothing": THREES}

    label_smoothing: float = 0.1
    """Share of pairs, in [0, 1/2), whose label is taken to be flipped; 0 is DPO."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.label_smoothing < 0.5:
            raise ValueError(
                f"label_smoothing must lie in [0, 0.5), got {self.label_smoothing}"
            )

    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair."""
        return losses.robust_dpo(pairs, self.beta, self.label_smoothing)


@dataclass(frozen=True)
class RPO(DPO):
    """DPO and likelihood of the chosen response; Pang et al. 2024 (arXiv 2404.19733).

    eva's code has beta 0.1, alpha 1, lr 5e-7; there the second term is divided by the tokens
    of the micro-batch once more, which all but removes it, here it is not. Tuned roughly: lr,
    ``alpha``.
    """

    grid = DPO.grid | {"alpha": THREES}

    lr: float = 1.2e-3
    """Peak learning rate of AdamW."""
    alpha: float = 1.0
    """Weight of the negative log-likelihood per token of the chosen response."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._not_negative("alpha")

    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair."""
        return losses.rpo(pairs, self.beta, self.alpha)


@dataclass(frozen=True)
class Hinge(DPO):
    """SLiC's hinge on log-ratios, as in RSO; Liu et al. 2023 (arXiv 2309.06657).

    ``SLiC`` is the loss of SLiC-HF itself (arXiv 2305.10425), without a reference
    model. Tuned roughly: lr, ``beta``.
    """

    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair."""
        return losses.hinge(pairs, self.beta)


@dataclass(frozen=True)
class IPO(ReferenceBased):
    """Identity preference optimisation; Azar et al. 2023 (arXiv 2310.12036).

    eva's code has tau 0.6 on log-ratios per token, lr 5e-7. Tuned roughly: lr, ``tau``.
    """

    grid = ReferenceBased.grid | {"tau": THREES}

    tau: float = 0.1
    """Regularisation: the margin is drawn to 1 / (2 tau) nats."""
    length_averaged: bool = False
    """Margin of log-ratios per token, as in the code of eva and TRL, instead of their sums."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._positive("tau")

    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair."""
        return losses.ipo(pairs, self.tau, self.length_averaged)


@dataclass(frozen=True)
class SPPO(ReferenceBased):
    """Self-play preference optimisation; Wu et al. 2024 (arXiv 2405.00675).

    The paper of eva has eta 1000, lr 5e-7 by RMSprop with a linear schedule, 6 epochs of
    batch 8. Tuned roughly: lr, ``eta``, which hangs on the scale of the rewards, since that of
    win rates does: a gold reward in [0, 1] leaves them near 1/2. ``hard`` wants eta near 10.
    """

    grid = ReferenceBased.grid | {"eta": THREES}

    lr: float = 1.2e-3
    """Peak learning rate of AdamW."""
    eta: float = 100.0
    """Nats by which a win rate of 1 moves the log-ratio against one of 0; 1 / beta of eva."""
    hard: bool = False
    """Take win rates of 1 and 0 for chosen and rejected, as TRL does (its ``sppo_hard`` is
    twice the loss), instead of those against the n samples, which are the paper's."""

    pairwise: bool = False
    """The rewards are win rates already, as ``reward-model:pairwise-win-rate`` gives them; else
    win rates are made of them by Bradley-Terry."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._positive("eta")

    def wins(self, round: Round) -> Floats:
        """The rewards themselves, or their win rates; ValueError where they are none."""
        if not self.pairwise:
            return super().wins(round)
        if round.rewards.min() < 0 or round.rewards.max() > 1:
            raise ValueError(
                f"pairwise needs rewards that are win rates in [0, 1], got "
                f"{round.rewards.min():.3g} ... {round.rewards.max():.3g}; leave it off"
            )
        return round.rewards

    def loss(self, pairs: Pairs) -> Tensor:
        """Loss of each pair."""
        if self.hard:
            pairs = replace(pairs, chosen_wins=losses.ONE, rejected_wins=losses.ZERO)
        return losses.sppo(pairs, self.eta)
