"""The policy that a match starts from, once for all who compare with it."""

from collections.abc import Callable

from agents.policies.adapters import AdaptedLM
from agents.policies.base import Policy
from agents.policies.causal_lm import CausalLM

SMALL_BYTES = 1 << 26
"""A model of at most this size is copied: reading its files takes longer than a copy."""


class Start:
    """The frozen starting policy, which the solver and the evaluator share.

    It is kept in memory where the method reads it every round, and where a copy costs next to
    nothing: an adapter, a table or a small model. Otherwise it is read from its files when an
    evaluation needs it, and dropped afterwards, so that a reference-free method trains with one
    copy of the weights.

    Args:
        policy: the policy before its first update.
        read: reads it again from its files; None for a policy that has none.
        needed: True if the method reads it every round.
    """

    def __init__(
        self, policy: Policy, read: Callable[[], Policy] | None, needed: bool = True
    ) -> None:
        self.has_files = read is not None
        self._read = read
        self._kept = needed or read is None or _is_cheap(policy)
        self._policy: Policy | None = policy.frozen() if self._kept else None

    def __call__(self) -> Policy:
        """Return the policy, without gradients."""
        if self._policy is None:
            assert self._read is not None
            self._policy = _without_gradients(self._read())
        return self._policy

    def release(self) -> None:
        """Drop the policy until it is needed again, unless it is kept."""
        if not self._kept:
            self._policy = None


def _is_cheap(policy: Policy) -> bool:
    """True if a frozen copy takes little memory."""
    if not isinstance(policy, CausalLM) or isinstance(policy, AdaptedLM):
        return True
    weights = policy.model.parameters()
    return sum(weight.numel() * weight.element_size() for weight in weights) <= SMALL_BYTES


def _without_gradients(policy: Policy) -> Policy:
    for parameter in policy.parameters():
        parameter.requires_grad_(False)
    return policy
