"""Prompts that the model cannot read: refused before a run starts, invalid during it."""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import numpy as np

from agents.policies.base import Policy
from agents.policies.chat import Chat
from eva_env.world import World

TRIED = 64
"""Prompts of ``seed`` that are tried in a world that does not list its prompts."""


class Fitting:
    """A world in which prompts beyond the model's context are invalid.

    Everything else is the world's. So an evolved prompt that has become too long is one more
    invalid prompt of its creator, and the run continues.
    """

    def __init__(self, world: Any, fits: Callable[[Any], bool]) -> None:
        self.world, self.fits = world, fits

    def __getattr__(self, name: str) -> Any:
        """Return the world's attribute."""
        if name in ("world", "fits"):  # a copy has none yet
            raise AttributeError(name)
        return getattr(self.world, name)

    def valid(self, prompt: Any) -> bool:
        """Return True for a valid prompt of the world that the model can read."""
        return self.world.valid(prompt) and self.fits(prompt)


def chat_of(policy: Policy) -> Chat | None:
    """Return the chat of a language model; None for a policy of another kind."""
    chat = getattr(policy, "chat", None)
    return chat if isinstance(chat, Chat) else None


def fits_of(policy: Policy) -> Callable[[Any], bool] | None:
    """Return whether a policy can read a prompt; None if it reads prompts of any length."""
    chat = chat_of(policy)
    return None if chat is None or chat.limit is None else chat.fits


def check_prompts(world: World, policy: Policy) -> None:
    """Raise ValueError for a prompt of the suites or the world that the model cannot read.

    Checked are the suites and the ``training_prompts`` of a world that lists them, otherwise
    some draws of its ``seed``.
    """
    chat = chat_of(policy)
    if chat is None:
        return
    listed: Iterable[Any] | None = getattr(world, "training_prompts", None)
    if listed is None:
        listed = world.seed(TRIED, np.random.default_rng(0))
    prompts = chain(*world.suites.values(), listed)
    chat.encode([prompt for prompt in prompts if isinstance(prompt, str)])
