"""A scripted language model and a task of real text, for the tests of LM operators."""

import re
from dataclasses import dataclass

import numpy as np

from agents.evolution.lm_operators import MARKER, LMRewriter, RewrittenTask
from eva_env.game import Game


class Scripted:
    """A policy whose reply to a prompt is a function of it and of the generator."""

    def __init__(self, reply):
        self.reply, self.calls = reply, []

    def sample(self, prompts, n, rng):
        assert n == 1
        self.calls.append(list(prompts))
        return [[self.reply(prompt, rng)] for prompt in prompts]


def old(ask):
    return re.search(r"Old prompt:\n(.*)\n\nNew prompt:", ask, re.DOTALL)[1]


def longer(ask, rng):
    return f"Sure.\n{MARKER} {old(ask)} w{rng.integers(10**9)}"


@dataclass(frozen=True)
class Questions:
    """A task of text that has no operators of its own."""

    operators = ()
    suites = {"hard": ("Why is there anything?",)}

    def seed(self, n, rng, distribution="human"):
        return [f"What is {{{k}}}?" for k in rng.integers(10**6, size=n)]

    def mutate(self, prompt, operator, rng):
        raise ValueError("no operators")

    def valid(self, prompt):
        return prompt not in self.suites["hard"] and "bad" not in prompt

    def topic(self, prompt):
        return "questions"


def rewritten(reply=longer, judge=None):
    policy = Scripted(reply)
    return RewrittenTask(Questions(), LMRewriter(policy), judge), policy


def game_of(task, n):
    game = Game(
        lambda prompts, responses: np.asarray(responses),
        batch_size=n,
        samples=3,
        rounds=9,
        signal="a_star_avg",
        replacement=False,
        valid=task.valid,
    )
    game.reset(0)
    return game


def rounds(creator, task, n=12, count=4):
    """Rounds against a solver whose rewards are random."""
    game, rng = game_of(task, n), np.random.default_rng(0)
    for _ in range(count):
        proposal = creator.propose(task, n, rng)
        game.propose(proposal)
        creator.learn(game.respond(rng.random((n, 3))), rng)
        yield proposal
