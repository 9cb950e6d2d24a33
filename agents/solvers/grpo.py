"""GRPO and its kin: advantages within a group, ratios by token, a KL penalty in the loss."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from agents.base import THREES
from agents.losses import advantages as weigh
from agents.losses import samples as losses
from agents.losses.samples import Samples
from agents.policies.base import Policy
from agents.solvers.base import GradientMethod, PolicySolver
from agents.solvers.online import Online
from eva_env.types import Floats, Round


@dataclass(frozen=True)
class GroupRelative(Online):
    """What GRPO and its kin share.

    With a KL penalty in the loss, groups of equal reward have a gradient as well; they're
    skipped only if no group of the round differs.
    """

    def useful(self, advantages: Tensor) -> Tensor:
        """All groups if there is a KL term to take from them, else those that differ."""
        differ = super().useful(advantages)
        return torch.full_like(differ, True) if self.beta and differ.any() else differ

    def ratio(self, samples: Samples) -> Tensor:
        """The ratio of each token."""
        return losses.token_ratio(samples)


@dataclass(frozen=True)
class GRPO(GroupRelative):
    """Group relative policy optimisation; Shao et al. 2024 (DeepSeekMath, arXiv 2402.03300).

    The KL penalty is in the loss, so the group's standard deviation doesn't divide it. Its
    gradient is on average that of KL(reference || policy) (see ``losses.samples.k3``), hence
    the fixed point isn't reference * exp(r / beta): for rewards 0 and 1 the pass rate p is
    p_reference + c_n(p) / beta, c_n(p) = E sqrt(k (n - k)) / n with k of n passing.
    """

    ddof: Literal[0, 1] = 0
    """Of a group's standard deviation: 0 is the paper's, 1 that of TRL."""
    eps: float = 1e-4
    """Added to the standard deviation, in reward-model units: noise below it teaches little."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ddof not in (0, 1):
            raise ValueError(f"ddof must be 0 or 1, got {self.ddof}")
        if not self.eps >= 0:
            raise ValueError(f"eps must not be negative, got {self.eps}")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Rewards standardised within their group."""
        return weigh.standardised(rewards, self.ddof, self.eps)

    def loss(self, samples: Samples) -> Tensor:
        """Mean over a response's tokens."""
        return losses.grpo(samples, self.clip, self.beta)


@dataclass(frozen=True)
class DrGRPO(GroupRelative):
    """GRPO done right; Liu et al. 2025 (arXiv 2503.20783).

    No division by the group's standard deviation, which favours prompts of a pass rate near 0
    or 1, nor by the response's own length, which favours long wrong responses. With a KL
    penalty the fixed point is pi = reference / (1 - (n - 1) / n (r - V) / beta).
    """

    grid = GradientMethod.grid | {"clip": THREES}

    beta: float = 0.0
    """Weight of the KL penalty in the loss, in reward units per nat; the paper has none."""
    length: float = 16.0
    """What the sum over a response's tokens is divided by: the most tokens of a response."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.length > 0:
            raise ValueError(f"length must be positive, got {self.length}")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Rewards minus the mean of their group."""
        return weigh.centred(rewards)

    def loss(self, samples: Samples) -> Tensor:
        """Sum over a response's tokens, over a constant."""
        return losses.dr_grpo(samples, self.clip, self.beta, self.length)


@dataclass(frozen=True)
class ClipHigher(GRPO):
    """What DAPO and GSPO share: bounds of the ratio that differ, and no KL penalty."""

    grid = GradientMethod.grid | {"clip_high": THREES}

    beta: float = 0.0
    """Weight of the KL penalty in the loss, in reward units per nat; the paper has none."""
    clip_high: float = 0.28
    """Upper bound of the probability ratio, 1 + clip_high; ``clip`` is for the lower one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.clip_high > 0:
            raise ValueError(f"clip_high must be positive, got {self.clip_high}")

    def bounds(self) -> tuple[float, float]:
        """``clip`` and ``clip_high``."""
        return self.clip, self.clip_high


@dataclass(frozen=True)
class DAPO(ClipHigher):
    """GRPO with a higher upper clip and a mean over tokens; Yu et al. 2025 (arXiv 2503.14476).

    Their dynamic sampling draws new prompts for those whose responses are all alike. Here the
    game draws the prompts, so such groups are left out: ``no_gradient`` in the logs is their
    share. Their length penalty is a matter of the reward model and isn't here.
    """

    def weights(self, policy: Policy, answers: list[list]) -> Floats:
        """A group counts for its tokens."""
        sizes = policy.lengths([one for row in answers for one in row])
        return sizes.view(len(answers), -1).sum(1).cpu().double().numpy()

    def loss(self, samples: Samples) -> Tensor:
        """Sum over a response's tokens; the update divides by all its tokens."""
        return losses.dapo(samples, self.clip, self.clip_high, self.beta)


@dataclass(frozen=True)
class GSPO(ClipHigher):
    """Group sequence policy optimisation; Zheng et al. 2025 (arXiv 2507.18071).

    The ratio is that of a response, per token. The paper clips at 3e-4 and 4e-4, for long
    responses and small steps; these bounds fit a few tokens and large ones.
    """

    clip: float = 0.1
    """Lower bound of the ratio, 1 - clip."""
    clip_high: float = 0.14
    """Upper bound of the ratio, 1 + clip_high."""

    def ratio(self, samples: Samples) -> Tensor:
        """The geometric mean of a response's token ratios."""
        return losses.mean_ratio(samples)

    def loss(self, samples: Samples) -> Tensor:
        """Of whole responses."""
        return losses.gspo(samples, self.clip, self.clip_high, self.beta)
