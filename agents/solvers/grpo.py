"""GRPO and its variants: advantages within a group, token ratios, a KL penalty in the loss."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from agents.base import THREES
from agents.losses import samples as losses
from agents.losses.advantages import centred, standardised
from agents.losses.samples import Samples
from agents.policies.base import Policy
from agents.solvers.base import PolicySolver
from agents.solvers.online import Online
from agents.solvers.optimise import LR_GRID
from eva_env.require import require
from eva_env.types import Floats, Round


@dataclass(frozen=True)
class GRPO(Online):
    """Group relative policy optimisation; Shao et al. 2024 (DeepSeekMath, arXiv 2402.03300).

    The KL penalty is in the loss, so the group's standard deviation doesn't divide it. Its
    gradient is on average that of KL(reference || policy) (see ``losses.samples.k3``), hence
    the fixed point isn't reference * exp(r / beta): for rewards 0 and 1 the pass rate p is
    p_reference + c_n(p) / beta, c_n(p) = E sqrt(k (n - k)) / n with k of n passing.
    """

    kl_in_loss = True

    ddof: Literal[0, 1] = 0
    """Degrees of freedom of a group's standard deviation: 0 is the paper's, 1 that of TRL."""
    eps: float = 1e-4
    """Added to the standard deviation, in reward-model units: noise below it teaches little."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_deviation(self)

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return rewards standardised within their group."""
        return standardised(rewards, self.ddof, self.eps)

    def ratio(self, samples: Samples) -> Tensor:
        """Return the ratio of each token."""
        return losses.token_ratio(samples)

    def loss(self, samples: Samples) -> Tensor:
        """Return the mean over a response's tokens."""
        return losses.grpo(samples, self.clip, self.beta)


@dataclass(frozen=True)
class DrGRPO(Online):
    """GRPO done right; Liu et al. 2025 (arXiv 2503.20783).

    No division by the group's standard deviation, which favours prompts of a pass rate near 0
    or 1, nor by the response's length, which favours long wrong responses. With a KL penalty
    the fixed point is pi = reference / (1 - (n - 1) / n (r - V) / beta).
    """

    grid = LR_GRID | {"clip": THREES}

    kl_in_loss = True

    beta: float = 0.0
    """Weight of the KL penalty in the loss, in reward units per nat; the paper has none."""
    length: float = 16.0
    """Divisor of the sum over a response's tokens: the most tokens that a response may have."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "(0, inf)", "length")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return rewards minus the mean of their group."""
        return centred(rewards)

    def ratio(self, samples: Samples) -> Tensor:
        """Return the ratio of each token."""
        return losses.token_ratio(samples)

    def loss(self, samples: Samples) -> Tensor:
        """Return the sum over a response's tokens, divided by a constant."""
        return losses.dr_grpo(samples, self.clip, self.beta, self.length)


@dataclass(frozen=True)
class DAPO(Online):
    """GRPO with a higher upper clip and a mean over tokens; Yu et al. 2025 (arXiv 2503.14476).

    Their dynamic sampling draws new prompts for those whose responses all have the same reward.
    Here the game draws the prompts, so such groups are left out: ``no_gradient`` in the logs is
    their share. Their length penalty belongs to the reward model and isn't here.
    """

    grid = LR_GRID | {"clip_high": THREES}

    kl_in_loss = True

    beta: float = 0.0
    """Weight of the KL penalty in the loss, in reward units per nat; the paper has none."""
    ddof: Literal[0, 1] = 0
    """Degrees of freedom of a group's standard deviation: 0 is the paper's, 1 that of TRL."""
    eps: float = 1e-4
    """Added to the standard deviation, in reward-model units: noise below it teaches little."""
    clip_high: float = 0.28
    """Upper bound of the probability ratio, 1 + clip_high; clip gives the lower one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_deviation(self)
        require(self, "(0, inf]", "clip_high")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return rewards standardised within their group."""
        return standardised(rewards, self.ddof, self.eps)

    def ratio(self, samples: Samples) -> Tensor:
        """Return the ratio of each token."""
        return losses.token_ratio(samples)

    def bounds(self) -> tuple[float, float]:
        """Return ``clip`` and ``clip_high``."""
        return self.clip, self.clip_high

    def weights(self, policy: Policy, responses: list[list]) -> Floats:
        """Return the weight of each group: its number of tokens."""
        sizes = policy.lengths([response for row in responses for response in row])
        return sizes.view(len(responses), -1).sum(1).cpu().double().numpy()

    def loss(self, samples: Samples) -> Tensor:
        """Return the sum over a response's tokens; the update divides by all its tokens."""
        return losses.dapo(samples, self.clip, self.clip_high, self.beta)


@dataclass(frozen=True)
class GSPO(Online):
    """Group sequence policy optimisation; Zheng et al. 2025 (arXiv 2507.18071).

    The ratio is that of a response, per token. The paper clips at 3e-4 and 4e-4, for long
    responses and small steps; these bounds fit a few tokens and large steps.
    """

    grid = LR_GRID | {"clip_high": THREES}

    kl_in_loss = True

    beta: float = 0.0
    """Weight of the KL penalty in the loss, in reward units per nat; the paper has none."""
    clip: float = 0.1
    """Lower bound of the ratio, 1 - clip."""
    ddof: Literal[0, 1] = 0
    """Degrees of freedom of a group's standard deviation: 0 is the paper's, 1 that of TRL."""
    eps: float = 1e-4
    """Added to the standard deviation, in reward-model units: noise below it teaches little."""
    clip_high: float = 0.14
    """Upper bound of the ratio, 1 + clip_high."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_deviation(self)
        require(self, "(0, inf]", "clip_high")

    def advantages(
        self, rewards: Tensor, kl: Tensor, round: Round, solver: PolicySolver
    ) -> Tensor:
        """Return rewards standardised within their group."""
        return standardised(rewards, self.ddof, self.eps)

    def ratio(self, samples: Samples) -> Tensor:
        """Return the geometric mean of a response's token ratios."""
        return losses.mean_ratio(samples)

    def bounds(self) -> tuple[float, float]:
        """Return ``clip`` and ``clip_high``."""
        return self.clip, self.clip_high

    def loss(self, samples: Samples) -> Tensor:
        """Return the loss of whole responses."""
        return losses.gspo(samples, self.clip, self.clip_high, self.beta)


def check_deviation(method: GRPO | DAPO | GSPO) -> None:
    """Raise ValueError unless the settings of the group's standard deviation are in range."""
    if method.ddof not in (0, 1):
        raise ValueError(f"ddof must be 0 or 1, got {method.ddof}")
    require(method, "[0, inf)", "eps")
