"""Methods on pairs whose loss is in log-ratios to a reference model; m is their margin."""

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from agents.base import THREES
from agents.losses import pairs as losses
from agents.losses.pairs import Pairs
from agents.solvers.base import Reference
from agents.solvers.offline import Offline
from eva_env.require import require
from eva_env.types import Floats, Round


@dataclass(frozen=True)
class DPO(Offline):
    """Direct preference optimisation; Rafailov et al. 2023 (arXiv 2305.18290).

    The paper of eva has lr 5e-7, beta 0.05, 2 epochs, batch 8 for a 9 B model; the defaults
    here were tuned on the wordlist world with the creator ``Fresh`` alone.
    """

    grid = Offline.grid | {"beta": THREES}

    reference: Reference = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""
    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "beta")

    def gap(self, pairs: Pairs) -> Tensor:
        """Return beta times the margin."""
        return self.beta * pairs.margin

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.dpo(pairs, self.beta)


@dataclass(frozen=True)
class SGPO(Offline):
    """DPO against the worst case in a Wasserstein ball; Chu et al. 2025 (arXiv 2502.18099).

    The follower of their Stackelberg game re-weights the pairs (``losses.robust``), here the
    pairs of an update, which take the place of their groups of 100. Their self-annotating
    solver is what every solver of this game is. The radius is theirs; the rest is DPO's,
    untuned. Where the labels of a pair conflict and its gap is within the radius of 0, the
    follower keeps it there: 0 is a fixed point, in addition to the one near DPO's.
    """

    grid = Offline.grid | {"beta": THREES, "radius": THREES}

    radius: float = 0.01
    """Radius of the ball, in units of beta * m; 0 is DPO. Every other method has it as well."""
    reference: Reference = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""
    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "beta")

    def gap(self, pairs: Pairs) -> Tensor:
        """Return beta times the margin."""
        return self.beta * pairs.margin

    def loss(self, pairs: Pairs) -> Tensor:
        """Return DPO's loss of each pair; the family base weighs the pairs by ``radius``."""
        return losses.dpo(pairs, self.beta)


@dataclass(frozen=True)
class RobustDPO(Offline):
    """DPO without the bias of flipped labels; Chowdhury et al. 2024 (arXiv 2403.00409).

    Tuned roughly: lr, ``label_smoothing``.
    """

    grid = Offline.grid | {"beta": THREES, "label_smoothing": THREES}

    reference: Reference = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""
    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""
    label_smoothing: float = 0.1
    """Share of pairs, in [0, 1/2), whose label is taken to be flipped; 0 is DPO."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "beta")
        require(self, "[0, 0.5)", "label_smoothing")

    def gap(self, pairs: Pairs) -> Tensor:
        """Return beta times the margin."""
        return self.beta * pairs.margin

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.robust_dpo(pairs, self.beta, self.label_smoothing)


@dataclass(frozen=True)
class RPO(Offline):
    """DPO and likelihood of the chosen response; Pang et al. 2024 (arXiv 2404.19733).

    eva's code has beta 0.1, alpha 1, lr 5e-7; there the second term is divided once more by the
    tokens of the micro-batch, which nearly removes it. Here it is not. Tuned roughly: lr,
    ``alpha``.
    """

    grid = Offline.grid | {"beta": THREES, "alpha": THREES}

    lr: float = 1.2e-3
    """Peak learning rate of AdamW."""
    reference: Reference = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""
    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""
    alpha: float = 1.0
    """Weight of the negative log-likelihood per token of the chosen response."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "beta")
        require(self, "[0, inf)", "alpha")

    def gap(self, pairs: Pairs) -> Tensor:
        """Return beta times the margin."""
        return self.beta * pairs.margin

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.rpo(pairs, self.beta, self.alpha)


@dataclass(frozen=True)
class Hinge(Offline):
    """SLiC's hinge on log-ratios, as in RSO; Liu et al. 2023 (arXiv 2309.06657).

    ``SLiC`` is the loss of SLiC-HF (arXiv 2305.10425), which has no reference model. Tuned
    roughly: lr, ``beta``.
    """

    grid = Offline.grid | {"beta": THREES}

    reference: Reference = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""
    beta: float = 0.3
    """Strength of the tie to the reference, per nat."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "beta")

    def gap(self, pairs: Pairs) -> Tensor:
        """Return beta times the margin."""
        return self.beta * pairs.margin

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.hinge(pairs, self.beta)


@dataclass(frozen=True)
class IPO(Offline):
    """Identity preference optimisation; Azar et al. 2023 (arXiv 2310.12036).

    eva's code has tau 0.6 on log-ratios per token, lr 5e-7. Tuned roughly: lr, ``tau``.
    """

    grid = Offline.grid | {"tau": THREES}

    reference: Reference = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""
    tau: float = 0.1
    """Regularisation: the margin is drawn to 1 / (2 tau) nats."""
    length_averaged: bool = False
    """Take the margin of log-ratios per token, as in the code of eva and TRL, instead of the
    margin of their sums."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "tau")

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        return losses.ipo(pairs, self.tau, self.length_averaged)


@dataclass(frozen=True)
class SPPO(Offline):
    """Self-play preference optimisation; Wu et al. 2024 (arXiv 2405.00675).

    The paper of eva has eta 1000, lr 5e-7 by RMSprop with a linear schedule, 6 epochs of
    batch 8. Tuned roughly: lr, ``eta``. The best ``eta`` depends on the scale of the rewards,
    as win rates do: a gold reward in [0, 1] leaves them near 1/2. ``hard`` needs eta near 10.
    """

    grid = Offline.grid | {"eta": THREES}

    lr: float = 1.2e-3
    """Peak learning rate of AdamW."""
    reference: Reference = "round"
    """Reference model: the policy at the start of the round (the paper's), or of the run."""
    eta: float = 100.0
    """Nats by which a win rate of 1 moves the log-ratio against one of 0; 1 / beta of eva."""
    hard: bool = False
    """Use win rates of 1 and 0 for chosen and rejected, as TRL does (its sppo_hard is twice the
    loss), instead of the win rates against the n samples, which are the paper's."""
    pairwise: bool = False
    """The rewards are win rates already, as reward-model:pairwise-win-rate gives them. If off,
    win rates are computed from the rewards by Bradley-Terry."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "eta")

    def wins(self, round: Round) -> Floats:
        """Return win rates; ValueError if ``pairwise`` and the rewards leave [0, 1]."""
        if not self.pairwise:
            return super().wins(round)
        scored = round.rewards[~np.isnan(round.rewards)]
        if scored.size and (scored.min() < 0 or scored.max() > 1):
            raise ValueError(
                f"pairwise needs rewards that are win rates in [0, 1], got "
                f"{scored.min():.3g} ... {scored.max():.3g}; leave it off"
            )
        return round.rewards

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of each pair."""
        if self.hard:
            pairs = replace(pairs, chosen_wins=losses.ONE, rejected_wins=losses.ZERO)
        return losses.sppo(pairs, self.eta)
