"""The loop: one generator of Rounds, for training, evaluation, tournaments and notebooks.

It drives the real PettingZoo AEC environment, so that the rules exist once.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from pettingzoo import AECEnv

from agents.base import Budget, Creator, Replay, Solver
from eva_env.types import Round


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
    base: Any = env.unwrapped
    game = base.game
    budget = Budget() if budget is None else budget
    creator_rng, solver_rng = rngs
    creator.on_start(solver)
    while not game.done:
        proposal = creator.propose(base.task, base.proposals, creator_rng)
        env.step(base.creator_action(proposal))
        replay = Replay(game.fork(), proposal, solver, solver_rng, budget)
        tokens, calls = solver.tokens, solver.reward_calls
        env.step(base.solver_action(solver.respond(game.prompts, game.samples, solver_rng)))
        round = replace(game.last, proposal=proposal)
        budget.add(prompts=game.batch_size, responses=round.rewards.size)
        logs = (
            dict(solver.learn(round, solver_rng)) if creator.should_train_solver(round) else {}
        )
        budget.add(gradient_steps=int(logs.get("gradient_steps", 0)))
        # Some methods sample, and have samples scored, while they learn.
        budget.add(tokens=solver.tokens - tokens)
        budget.add(reward_calls=round.rewards.size + solver.reward_calls - calls)
        logs |= creator.learn(creator.observe_round(round, replay, creator_rng), creator_rng)
        yield replace(round, logs=logs)
