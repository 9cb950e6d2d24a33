"""What another n would give, for rewards that pass or fail.

A prompt's pass rate p follows a Beta(a, b) over prompts, and k of its n responses pass. So k
follows the beta-binomial distribution, and everything about a signal that depends only on k has
a closed form.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from eva_env.signals import Signal, signal_of
from eva_env.types import Floats

BOUNDS = (0.01, 100.0)
"""Range of a and b: beyond it a distribution is indistinguishable from its limit."""

LARGEST = 128
"""The largest n that ``samples_needed`` tries."""


class PassRates(NamedTuple):
    """The distribution Beta(a, b) of the prompts' pass rates."""

    a: float
    b: float

    @classmethod
    def fit(cls, passes: Floats, scored: Floats) -> "PassRates":
        """Return the distribution of highest likelihood, given passes of scored responses.

        Both are (P,). The likelihood of a prompt is the beta-binomial one.
        """

        def loss(log_parameters: Floats) -> float:
            a, b = np.exp(log_parameters)
            return -float((betaln(a + passes, b + scored - passes) - betaln(a, b)).sum())

        bounds = [tuple(np.log(BOUNDS))] * 2
        starts = [np.log((a, b)) for a in (0.1, 1.0, 5.0) for b in (0.1, 1.0, 5.0)]
        fits = [minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
        best = min(fits, key=lambda fit: fit.fun)
        a, b = np.exp(best.x)
        return cls(float(a), float(b))

    def reliability(self, signal: Signal, n: int) -> float:
        """Return the correlation of a signal between two groups of n responses to a prompt.

        With s_k the signal of k passes and M_kj the probability of k passes in one group and j
        in the other, it is (s' M s - (m's)^2) / (m's^2 - (m's)^2), m the margin of M. NaN for a
        signal that does not vary.
        """
        values, both = signals_by_passes(signal, n), self._joint(n)
        margin = both.sum(1)
        mean = margin @ values
        spread = margin @ values**2 - mean**2
        return float((values @ both @ values - mean**2) / spread) if spread > 1e-12 else np.nan

    def samples_needed(self, signal: Signal, target: float) -> int | None:
        """Return the smallest n whose reliability reaches the target; None up to LARGEST."""
        reached = (n for n in range(2, LARGEST + 1) if self.reliability(signal, n) >= target)
        return next(reached, None)

    def _joint(self, n: int) -> Floats:
        """The probabilities of k and j passes in two groups of n responses, (n + 1, n + 1)."""
        k = np.arange(n + 1)
        choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        passes = k[:, None] + k
        log_probability = choose[:, None] + choose - betaln(self.a, self.b)
        return np.exp(log_probability + betaln(self.a + passes, self.b + 2 * n - passes))


def signals_by_passes(signal: Signal, n: int, low: float = 0.0, high: float = 1.0) -> Floats:
    """Return the signal of n responses of which 0, 1, ..., n get the reward ``high``, (n + 1,).

    The others get ``low``.
    """
    rewards = np.where(np.arange(n) < np.arange(n + 1)[:, None], high, low)
    return np.asarray(signal_of(signal, rewards), dtype=np.float64)
