"""Steps that improve a softmax policy, which the trained creators share.

The policy mu over K items has logits (K,). All steps ascend

    J(mu) = E_mu [payoff] - alpha KL(mu || uniform).
"""

import numpy as np

from eva_env.distributions import softmax
from eva_env.types import Floats, Ints


def gradient_step(
    logits: Floats, drawn: Ints, payoffs: Floats, step: float, alpha: float
) -> Floats:
    """Return the logits after one step along the gradient that the drawn items estimate.

    REINFORCE with a leave-one-out baseline (Williams 1992):
    logits += step * (mean_b (payoff_b - baseline_b) (e_b - mu) - alpha grad KL).
    """
    mu = softmax(logits)
    return logits + step * (reinforce(mu, drawn, payoffs) - alpha * kl_gradient(mu))


def mirror_step(logits: Floats, values: Floats, step: float, alpha: float) -> Floats:
    """Return the logits after log mu += step * (value - alpha log(mu / uniform)).

    Entropic mirror ascent (Beck and Teboulle 2003) with ``values`` (K,), an estimate of the
    payoff of every item; magnetic mirror descent with a uniform magnet (Sokota et al. 2023,
    arXiv 2206.05825).
    """
    log_mu = logits - logits.mean()
    return (1 - step * alpha) * log_mu + step * values


def reinforce(mu: Floats, drawn: Ints, payoffs: Floats) -> Floats:
    """Return an unbiased estimate of grad E_mu [payoff] over the logits, (K,), from B draws.

    Mean over draws of (payoff - mean of the others' payoffs) (e_b - mu); B >= 1.
    """
    size = len(drawn)
    others = (payoffs.sum() - payoffs) / max(size - 1, 1)
    advantage = (payoffs - others) / size
    return np.bincount(drawn, advantage, minlength=len(mu)) - advantage.sum() * mu


def kl_gradient(mu: Floats) -> Floats:
    """Return the gradient of KL(mu || uniform) over the logits, mu (log K mu - KL), (K,)."""
    ratio = np.log(np.maximum(mu, 1e-300) * len(mu))
    return mu * (ratio - (mu * ratio).sum())


def filled(payoffs: Floats) -> Floats:
    """Return the payoffs (K,) with the mean of the others in place of NaN; 0 if all are NaN."""
    finite = payoffs[~np.isnan(payoffs)]
    return np.where(np.isnan(payoffs), finite.mean() if len(finite) else 0.0, payoffs)


def policy_logs(policies: Floats) -> dict[str, float]:
    """Return mean entropy and KL to uniform of policies (P, K), in nats, and exp(entropy)."""
    entropies = -(policies * np.log(np.maximum(policies, 1e-300))).sum(-1)
    entropy = float(entropies.mean())
    return {
        "creator_entropy": entropy,
        "creator_kl": float(np.log(policies.shape[-1])) - entropy,
        "effective_support": float(np.exp(entropy)),
    }
