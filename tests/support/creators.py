"""Every registered creator, small, and the loop that plays one without an environment."""

from typing import get_args

from agents.creators import AnyCreator, EvaOnline, Gibbs, MirrorDescent, PolicyGradient
from agents.testing.creators import RandomSolver as Random
from agents.testing.creators import game_for as game_for
from agents.testing.creators import play_rounds as play

__all__ = ["CREATORS", "POOLED", "SMALL", "Random", "game_for", "make", "play"]

CREATORS = get_args(AnyCreator)


SMALL = {EvaOnline: {"capacity": 40, "human_prompts": 60}}
POOLED = {PolicyGradient, Gibbs, MirrorDescent}
for pooled in POOLED:
    SMALL[pooled] = {"pool": 96}


def make(cls):
    return cls(**SMALL.get(cls, {}))
