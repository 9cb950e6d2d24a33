"""Newton's method for many small logistic regressions at once."""

from collections.abc import Callable

import numpy as np

from eva_env.types import Floats

Derivatives = Callable[[Floats], tuple[Floats, Floats]]
"""Coefficients (..., k) -> gradient (..., k) and information (..., k, k)."""

LIMIT = 1000
"""Largest number of iterations."""


def newton(derivatives: Derivatives, start: Floats) -> Floats:
    """Return the maximum-likelihood coefficients (..., k), to about 1e-12 nats.

    The information, minus the second derivative of the log-likelihood, must be positive
    definite. No coefficient moves by more than 1/2 per step: if that changes no logit by more
    than 1, the curvature grows at most e-fold within the step, and the step raises the
    likelihood. RuntimeError if there is no convergence.
    """
    coefficients = start
    for _ in range(LIMIT):
        gradient, information = derivatives(coefficients)
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        largest = np.abs(step).max(-1, keepdims=True)
        coefficients = coefficients + step / np.maximum(1, 2 * largest)
        # Convergence is quadratic: the next step would be of the order of this one's square.
        if (largest < 1e-6).all():
            return coefficients
    raise RuntimeError(f"no convergence in {LIMIT} steps of Newton's method")
