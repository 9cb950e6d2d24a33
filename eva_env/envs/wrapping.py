"""The checks that PettingZoo's wrappers make, around an AEC env and around its copies."""

from copy import copy
from typing import Any, Self

from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, OrderEnforcingWrapper

from eva_env.envs.base import SequentialEnv


class _InBounds(AssertOutOfBoundsWrapper):
    """An env that asserts that each action is in the action space; its forks do too."""

    def fork(self) -> Self:
        """Return an independent copy that continues identically."""
        twin = copy(self)
        twin.env = self.env.fork()  # type: ignore[attr-defined]
        return twin


class CheckedEnv(OrderEnforcingWrapper):
    """An AEC env that checks the order of calls, and that actions are in the action space.

    ``fork`` and ``load_state_dict`` keep the checks; ``unwrapped`` has none.
    """

    def __init__(self, env: SequentialEnv) -> None:
        super().__init__(_InBounds(env))

    def fork(self) -> Self:
        """Return an independent copy, with the same checks, that continues identically."""
        twin = copy(self)
        twin.env = self.env.fork()  # type: ignore[attr-defined]
        return twin

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state_dict()``, without a call of ``reset``."""
        self.env.load_state_dict(state)  # type: ignore[attr-defined]
        self._has_reset = self._has_updated = True

    def __str__(self) -> str:
        return str(self.env)
