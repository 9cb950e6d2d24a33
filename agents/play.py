"""The loop: one generator of Rounds, for training, evaluation, tournaments and notebooks.

It drives the real PettingZoo AEC environment, so that the rules exist once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pettingzoo import AECEnv

from agents.base import Creator, Logs, Solver
from eva_env.game import Game
from eva_env.types import Floats, Proposal, Round


@dataclass
class Budget:
    """What a run has spent; comparisons are made at equal budget."""

    prompts: int = 0
    responses: int = 0
    tokens: int = 0
    reward_calls: int = 0
    gradient_steps: int = 0

    def add(self, **spent: int) -> None:
        """Meter what was spent, by name."""
        for name, amount in spent.items():
            setattr(self, name, getattr(self, name) + amount)


@dataclass
class Replay:
    """A round's prompts once more, on a fork of the game, for a creator that wants to look.

    What it spends is metered; the game and its generator are left as they are.
    """

    drawn: Game
    proposal: Proposal
    solver: Solver
    rng: np.random.Generator
    budget: Budget

    def __call__(self, solver: Solver | None = None) -> Round:
        """The round as the solver, or another one, answers its prompts now."""
        solver = self.solver if solver is None else solver
        game = self.drawn.fork()
        tokens, calls = solver.tokens, solver.reward_calls
        responses = solver.respond(game.prompts, game.samples, self.rng)
        round = replace(game.respond(responses), proposal=self.proposal)
        self.budget.add(responses=round.rewards.size, reward_calls=round.rewards.size)
        self.budget.add(tokens=solver.tokens - tokens, reward_calls=solver.reward_calls - calls)
        return round

    def train(self, solver: Solver, round: Round) -> Logs:
        """Let another solver learn from a round; returns what it reports."""
        tokens, calls = solver.tokens, solver.reward_calls
        logs = solver.learn(round, self.rng)
        self.budget.add(gradient_steps=int(logs.get("gradient_steps", 0)))
        self.budget.add(tokens=solver.tokens - tokens, reward_calls=solver.reward_calls - calls)
        return logs

    def logprobs(self, round: Round) -> Floats:
        """Mean log-probability per token of the round's responses now, (B, n) nats."""
        return self.solver.logprobs(round)


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
    creator.meet(solver)
    while not game.done:
        proposal = creator.propose(face.task, face.proposals, creator_rng)
        env.step(face.creator_action(proposal))
        replay = Replay(game.fork(), proposal, solver, solver_rng, budget)
        tokens, calls = solver.tokens, solver.reward_calls
        env.step(face.solver_action(solver.respond(game.prompts, game.samples, solver_rng)))
        round = replace(game.last, proposal=proposal)
        budget.add(prompts=game.batch_size, responses=round.rewards.size)
        logs = dict(solver.learn(round, solver_rng)) if creator.teaches(round) else {}
        budget.add(gradient_steps=int(logs.get("gradient_steps", 0)))
        # Some methods sample, and have samples scored, while they learn.
        budget.add(tokens=solver.tokens - tokens)
        budget.add(reward_calls=round.rewards.size + solver.reward_calls - calls)
        logs |= creator.learn(creator.watch(round, replay, creator_rng), creator_rng)
        yield replace(round, logs=logs)
