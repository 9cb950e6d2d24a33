"""Losses on (chosen, rejected) pairs: pure functions of log-probabilities, (P,) nats each.

Each returns the loss of every pair, (P,), so that pairs can be weighted, or enumerated with
their probabilities for the expectation. m is ``Pairs.margin``, d_w and d_l are the log-ratios
of the chosen and the rejected response to the reference, pi-bar is a probability per token
(geometric mean). Losses that never read ``reference_*`` need no reference model.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from agents.losses.precision import widen_fields

ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


@dataclass(frozen=True, slots=True)
class Pairs:
    """P (chosen, rejected) pairs, (P,) each; fields that a loss does not read may be left out.

    ``chosen`` and ``rejected`` are sequence log-probabilities under the policy,
    ``reference_*`` the same under the reference model, nats; ``*_lengths`` their tokens;
    ``*_wins`` the probability in [0, 1] that the response beats another sample of the prompt;
    ``baseline`` the log-ratio to the reference, nats, from which gains and losses count.
    Fields of a type below float32 become float32.
    """

    chosen: Tensor
    rejected: Tensor
    reference_chosen: Tensor = ZERO
    reference_rejected: Tensor = ZERO
    chosen_lengths: Tensor = ONE
    rejected_lengths: Tensor = ONE
    chosen_wins: Tensor = ONE
    rejected_wins: Tensor = ZERO
    baseline: Tensor = ZERO

    def __post_init__(self) -> None:
        widen_fields(self)

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

    @property
    def chosen_mean(self) -> Tensor:
        """Mean log-probability of the chosen response's tokens, (P,) nats."""
        return self.chosen / self.chosen_lengths

    @property
    def rejected_mean(self) -> Tensor:
        """Mean log-probability of the rejected response's tokens, (P,) nats."""
        return self.rejected / self.rejected_lengths


def dpo(pairs: Pairs, beta: float) -> Tensor:
    """-log sigmoid(beta * m); Rafailov et al. 2023 (arXiv 2305.18290), Eq. 7."""
    return -logsigmoid(beta * pairs.margin)


def ipo(pairs: Pairs, tau: float, length_averaged: bool = False) -> Tensor:
    """(m - 1 / (2 tau))^2; Azar et al. 2023 (arXiv 2310.12036), Eq. 17.

    With ``length_averaged``, m is that of log-ratios per token, as in the code of eva and TRL.
    """
    margin = pairs.margin
    if length_averaged:
        margin = pairs.chosen_ratio / pairs.chosen_lengths
        margin = margin - pairs.rejected_ratio / pairs.rejected_lengths
    return (margin - 1 / (2 * tau)) ** 2


def hinge(pairs: Pairs, beta: float) -> Tensor:
    """max(0, 1 - beta * m); SLiC's loss on log-ratios, Liu et al. 2023 (arXiv 2309.06657)."""
    return (1 - beta * pairs.margin).relu()


def robust_dpo(pairs: Pairs, beta: float, label_smoothing: float) -> Tensor:
    """((1 - e) l(m) - e l(-m)) / (1 - 2 e), DPO's l, e = ``label_smoothing`` in [0, 1/2).

    If labels are flipped with probability e, its expectation is DPO's loss of the true labels;
    Chowdhury et al. 2024 (arXiv 2403.00409).
    """
    kept, flipped = -logsigmoid(beta * pairs.margin), -logsigmoid(-beta * pairs.margin)
    return ((1 - label_smoothing) * kept - label_smoothing * flipped) / (
        1 - 2 * label_smoothing
    )


def rpo(pairs: Pairs, beta: float, alpha: float) -> Tensor:
    """-log sigmoid(beta m) - alpha log pi-bar(chosen); Pang et al. 2024 (arXiv 2404.19733)."""
    return dpo(pairs, beta) - alpha * pairs.chosen_mean


def sppo(pairs: Pairs, eta: float) -> Tensor:
    """1/2 [(d_w - eta (P_w - 1/2))^2 + (d_l - eta (P_l - 1/2))^2].

    P are win rates against the samples of the prompt (``*_wins``); Wu et al. 2024 (arXiv
    2405.00675), Eq. 4.7, with the 1/2 of the authors' code. TRL's ``sppo_hard`` is twice
    this loss at P = 1 and 0, and its beta 1 / eta.
    """
    chosen = pairs.chosen_ratio - eta * (pairs.chosen_wins - 0.5)
    rejected = pairs.rejected_ratio - eta * (pairs.rejected_wins - 0.5)
    return (chosen**2 + rejected**2) / 2


def kto(pairs: Pairs, beta: float, desirable: float, undesirable: float) -> Tensor:
    """1/2 [D (1 - sigmoid(beta (d_w - z))) + U (1 - sigmoid(beta (z - d_l)))].

    Ethayarajh et al. 2024 (arXiv 2402.01306); z is the ``baseline``. It is the mean loss of two
    examples: the chosen one, desirable (weight D), and the rejected one, undesirable (U).
    """
    gain = torch.sigmoid(beta * (pairs.chosen_ratio - pairs.baseline))
    loss = torch.sigmoid(beta * (pairs.baseline - pairs.rejected_ratio))
    return (desirable * (1 - gain) + undesirable * (1 - loss)) / 2


def slic(pairs: Pairs, delta: float, weight: float) -> Tensor:
    """max(0, delta - log pi(chosen) + log pi(rejected)) - weight log pi(chosen).

    Zhao et al. 2023 (SLiC-HF, arXiv 2305.10425), with the chosen response as target.
    """
    return (delta - pairs.chosen + pairs.rejected).relu() - weight * pairs.chosen


def simpo(pairs: Pairs, beta: float, gamma: float) -> Tensor:
    """-log sigmoid(beta (log pi-bar(chosen) - log pi-bar(rejected)) - gamma).

    Meng et al. 2024 (arXiv 2405.14734).
    """
    return -logsigmoid(beta * (pairs.chosen_mean - pairs.rejected_mean) - gamma)


def repo(pairs: Pairs, gamma: float) -> Tensor:
    """max(0, gamma - log pi-bar(chosen) + log pi-bar(rejected)).

    Wu et al. 2025 (arXiv 2503.07426): the limit for beta to infinity of SimPO's loss, with
    gamma * beta in place of gamma, divided by beta.
    """
    return (gamma - pairs.chosen_mean + pairs.rejected_mean).relu()


def cpo(pairs: Pairs, beta: float, alpha: float) -> Tensor:
    """-log sigmoid(beta (log pi(chosen) - log pi(rejected))) - alpha log pi-bar(chosen).

    Xu et al. 2024 (arXiv 2401.08417). The second term is per token in the authors' code and a
    sum in the paper.
    """
    difference = pairs.chosen - pairs.rejected
    return -logsigmoid(beta * difference) - alpha * pairs.chosen_mean


def orpo(pairs: Pairs, weight: float) -> Tensor:
    """-log pi-bar(chosen) - weight log sigmoid(log odds(chosen) - log odds(rejected)).

    odds = pi-bar / (1 - pi-bar); Hong et al. 2024 (arXiv 2403.07691), Eqs. 4 to 7. The
    likelihood is that of the response; in TRL it includes the prompt's tokens, and its gradient
    is NaN at a likelihood of 1.
    """
    difference = _log_odds(pairs.chosen_mean) - _log_odds(pairs.rejected_mean)
    return -pairs.chosen_mean - weight * logsigmoid(difference)


def xpo(pairs: Pairs, explored: Tensor, beta: float, alpha: float) -> Tensor:
    """-log sigmoid(beta * m) + alpha log pi(explored), the response of the reference (P,).

    Xie et al. 2024 (arXiv 2405.21046), Alg. 1.
    """
    return dpo(pairs, beta) + alpha * explored


def _log_odds(logprob: Tensor) -> Tensor:
    """Return log(p / (1 - p)) of log p, without cancellation near p = 1.

    At p = 1 it is infinite. A log p above -eps^2 of its type counts as -eps^2, with a slope of
    1 in log p, so that the odds are finite and the gradient is large but has its sign.
    """
    highest = -(torch.finfo(logprob.dtype).eps ** 2)
    saturated = logprob - logprob.detach() + highest
    logprob = torch.where(logprob < highest, logprob, saturated)
    return logprob - torch.log(-torch.expm1(logprob))
