"""The loop: one generator of Rounds, for training, evaluation, tournaments and notebooks.

It drives the real PettingZoo AEC environment, so that the rules exist once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pettingzoo import AECEnv

from agents.base import Creator, Solver
from eva_env.types import Round


@dataclass
class Budget:
    """What a run has spent; comparisons are made at equal budget."""

    prompts: int = 0
    responses: int = 0
    tokens: int = 0
    reward_calls: int = 0
    gradient_steps: int = 0


def play(
    env: AECEnv,
    creator: Creator,
    solver: Solver,
    rngs: tuple[np.random.Generator, np.random.Generator],
    budget: Budget | None = None,
) -> Iterator[Round]:
    """Play an environment that has been reset to its end, yielding each learned-from Round.

    ``rngs`` are the creator's and the solver's generators; the environment has its own.
    ``budget`` is metered in place.
    """
    face: Any = env.unwrapped
    game = face.game
    budget = Budget() if budget is None else budget
    creator_rng, solver_rng = rngs
    while not game.done:
        proposal = creator.propose(face.task, face.proposals, creator_rng)
        env.step(face.creator_action(proposal))
        drawn = game.fork()
        tokens = solver.tokens
        responses = solver.respond(game.prompts, game.samples, solver_rng)
        env.step(face.solver_action(responses))
        round = replace(game.last, proposal=proposal)
        logs = dict(solver.learn(round, solver_rng))
        seen, answered = round, 1
        if creator.resample:
            again = solver.respond(game.prompts, game.samples, solver_rng)
            seen, answered = replace(drawn.respond(again), proposal=proposal), 2
        logs |= creator.learn(seen, creator_rng)
        budget.prompts += game.batch_size
        budget.responses += answered * game.batch_size * game.samples
        budget.reward_calls += answered * game.batch_size * game.samples
        budget.tokens += solver.tokens - tokens
        budget.gradient_steps += int(logs.get("gradient_steps", 0))
        yield replace(round, logs=logs)
