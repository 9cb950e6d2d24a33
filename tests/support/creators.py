"""Every creator, small, and a loop that plays one without an environment."""

from dataclasses import replace
from typing import get_args

import numpy as np

from agents.base import Budget, Replay, Solver
from agents.creators import AnyCreator, EvaOnline, Gibbs, MirrorDescent, PolicyGradient
from eva_env.game import Game

CREATORS = get_args(AnyCreator)


SMALL = {EvaOnline: {"capacity": 40, "human_prompts": 60}}
POOLED = {PolicyGradient, Gibbs, MirrorDescent}
for pooled in POOLED:
    SMALL[pooled] = {"pool": 96}


class Random(Solver):
    """Answers by its rewards."""

    def respond(self, prompts, n, rng):
        return rng.random((len(prompts), n))

    def logprobs(self, round):
        return -np.asarray(round.rewards)


def make(cls):
    return cls(**SMALL.get(cls, {}))


def game_for(task, n, batch, seed=0):
    game = Game(
        lambda prompts, responses: np.asarray(responses),
        batch_size=batch,
        samples=4,
        rounds=100,
        signal="a_star_avg",
        replacement=batch < n,
        valid=task.valid,
    )
    game.reset(seed)
    return game


def play(creator, task, n, rounds, game=None, rng=None, solver=None):
    """Rounds against a solver, by default one whose rewards are random."""
    solver = solver or Random()
    game = game or game_for(task, n, n)
    rng = rng or np.random.default_rng(0)
    for _ in range(rounds):
        proposal = creator.propose(task, n, rng)
        game.propose(proposal)
        replay = Replay(game.fork(), proposal, solver, rng, Budget())
        round = game.respond(solver.respond(game.prompts, game.samples, rng))
        logs = creator.learn(creator.observe_round(round, replay, rng), rng)
        yield replace(round, logs=logs)
