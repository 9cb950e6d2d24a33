"""Many small logistic regressions at once, by Newton's method."""

from collections.abc import Callable

import numpy as np

from eva_env.types import Floats

Derivatives = Callable[[Floats], tuple[Floats, Floats]]
"""Coefficients (..., k) -> gradient (..., k) and information (..., k, k)."""

LIMIT = 1000


def newton(derivatives: Derivatives, start: Floats) -> Floats:
    """Coefficients (..., k) of the greatest log-likelihood, to about 1e-12 nats.

    ``information`` is minus its second derivative, and must be positive definite. No
    coefficient moves by more than 1/2 at a time: as long as that changes no logit by more than
    1, a step raises the likelihood of a logistic regression, since within it the curvature at
    most grows e-fold. RuntimeError if there is no convergence.
    """
    coefficients = start
    for _ in range(LIMIT):
        gradient, information = derivatives(coefficients)
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        largest = np.abs(step).max(-1, keepdims=True)
        coefficients = coefficients + step / np.maximum(1, 2 * largest)
        # The next step, which is not taken, would be of the order of this one's square.
        if (largest < 1e-6).all():
            return coefficients
    raise RuntimeError(f"no convergence in {LIMIT} steps of Newton's method")
