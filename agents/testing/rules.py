"""How a check fails, and what a log may hold."""

from collections.abc import Mapping

import numpy as np


def require_rule(condition: bool, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def require_finite(logs: Mapping[str, float]) -> None:
    """Raise AssertionError unless all logs are finite numbers."""
    for name, value in logs.items():
        require_rule(
            isinstance(value, int | float | np.number) and bool(np.isfinite(value)),
            f"learn must return finite numbers, got {name}={value!r}",
        )
