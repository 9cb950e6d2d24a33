"""The game loop: one generator of rounds for training, evaluation, tournaments and notebooks.

It drives the real PettingZoo AEC environment, so the rules exist once.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from pettingzoo import AECEnv

from agents.base import Budget, Creator, Replay, Solver
from agents.evolution.writing import Written
from eva_env.missing import mean_reward, with_signal
from eva_env.types import Proposal, Round


def play(
    env: AECEnv,
    creator: Creator,
    solver: Solver,
    rngs: tuple[np.random.Generator, np.random.Generator],
    budget: Budget | None = None,
) -> Iterator[Round]:
    """Play an environment that has been reset until it ends; yield each round when learned.

    ``rngs`` are the generators of the creator and the solver; the environment has its own.
    What is spent is added to ``budget``.
    """
    base_env: Any = env.unwrapped
    game = base_env.game
    budget = Budget() if budget is None else budget
    creator_rng, solver_rng = rngs
    creator.on_start(solver)
    while not game.done:
        # 1. The creator proposes, and the environment draws the prompts.
        written = Written.of(base_env.task)
        proposal = creator.propose(base_env.task, base_env.proposals, creator_rng)
        if not isinstance(proposal, Proposal):
            raise ValueError(
                f"{type(creator).__name__}.propose must return an eva_env.Proposal, got "
                f"{type(proposal).__name__}"
            )
        env.step(base_env.creator_action(proposal))
        replay = Replay(game.fork(), proposal, solver, solver_rng, budget)
        # 2. The solver responds, and the environment scores the responses.
        tokens, calls = solver.tokens, solver.reward_calls
        responses = solver.respond(game.prompts, game.samples, solver_rng)
        env.step(base_env.solver_action(responses))
        round = replace(game.last, proposal=proposal)
        budget.add(prompts=game.batch_size, responses=round.rewards.size)
        # 3. The solver learns. Some methods sample, and have samples scored, while they do.
        #    Without a single reward there is nothing to learn.
        creator_round = round.for_other_player()
        train = creator.should_train_solver(creator_round)
        train = train and mean_reward(round.rewards) is not None
        logs = dict(solver.learn(round, solver_rng)) if train else {}
        budget.add(gradient_steps=int(logs.get("gradient_steps", 0)))
        budget.add(tokens=solver.tokens - tokens)
        budget.add(reward_calls=game.reward_calls + solver.reward_calls - calls)
        # 4. The creator learns from the prompts that have a signal, if there are any.
        observed = with_signal(creator.observe_round(creator_round, replay, creator_rng))
        if len(observed.prompts):
            logs |= creator.learn(observed, creator_rng)
        # 5. Rewrites and ratings by a language model are counted, and how many failed.
        written = Written.of(base_env.task) - written
        budget.add(creator_tokens=written.tokens)
        logs |= written.logs()
        yield replace(round, logs=logs)
