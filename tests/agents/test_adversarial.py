"""PAIRED and the minimax adversary: their payoffs, and the prompts that these lead to."""

import pickle
from itertools import islice

import numpy as np
import pytest

from agents.base import Budget, Replay, Solver
from agents.creators import PAIRED, Minimax
from agents.play import play
from agents.policies.table import TablePolicy
from agents.solvers import DPO, PolicySolver
from eva_env import tabular_v0
from eva_env.game import Game
from eva_env.tabular.reward import TabularReward
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal

REWARDS = np.array([[0.1, 0.1], [1.0, 0.0]])
"""On prompt 0 every policy is optimal; on prompt 1 the policy decides everything."""


class Always(Solver):
    def __init__(self, answer):
        self.answer, self.learned = answer, []

    def respond(self, prompts, n, rng):
        return np.full((len(prompts), n), self.answer)

    def learn(self, round, rng):
        self.learned.append(round)
        return {"gradient_steps": 3}


def game():
    game = Game(TabularReward(REWARDS), batch_size=2, samples=2, rounds=9, signal="regret")
    game.reset(0)
    game.rng = np.random.default_rng(1)
    while set(np.asarray(game.propose(PROPOSAL)).tolist()) != {0, 1}:
        game.proposal = None
    return game


PROPOSAL = Proposal(np.array([0, 1]), np.zeros(2))


def watched(creator, protagonist, antagonist):
    """The signal of a creator when each solver always gives one response."""
    table, rng, budget = game(), np.random.default_rng(0), Budget()
    drawn = table.fork()
    round = table.respond(protagonist.respond(table.prompts, 2, rng))
    creator.antagonist = antagonist
    seen = creator.observe_round(round, Replay(drawn, PROPOSAL, protagonist, rng, budget), rng)
    return dict(zip(round.prompts.tolist(), creator.measure(seen), strict=True)), budget


@pytest.mark.parametrize("reward", ["max", "mean"])
def test_paired_is_paid_the_antagonists_lead(reward):
    antagonist = Always(0)
    measured, budget = watched(PAIRED(antagonist_reward=reward), Always(1), antagonist)
    assert measured == pytest.approx({0: 0.0, 1: 1.0})
    assert [r.rewards.sum() for r in antagonist.learned] == pytest.approx([2.2])
    assert (budget.responses, budget.reward_calls, budget.gradient_steps) == (4, 4, 3)
    measured, _ = watched(PAIRED(antagonist_reward=reward), Always(0), Always(1))
    assert measured == pytest.approx({0: 0.0, 1: -1.0})


class Both(Always):
    """Gives one answer of each kind."""

    def respond(self, prompts, n, rng):
        return np.tile(np.arange(n), (len(prompts), 1))


@pytest.mark.parametrize(("reward", "lead"), [("max", 1.0), ("mean", 0.5)])
def test_the_antagonists_best_answer_counts_or_their_mean(reward, lead):
    measured, _ = watched(PAIRED(antagonist_reward=reward), Always(1), Both(0))
    assert measured == pytest.approx({0: 0.0, 1: lead})
    measured, _ = watched(PAIRED(antagonist_reward=reward), Both(0), Always(1))
    assert measured == pytest.approx({0: 0.0, 1: -0.5})


@pytest.mark.parametrize(
    ("creator", "solver", "chosen"),
    [(Minimax(), Always(0), 0), (Minimax(), Both(0), 0), (PAIRED(), Always(1), 1)],
)
def test_minimax_sits_where_every_policy_is_optimal_and_paired_does_not(
    creator, solver, chosen
):
    """Minimax evolves prompt 0 as long as the solver gets more than 0.1 on prompt 1."""
    table, rng = game(), np.random.default_rng(0)
    creator.antagonist = Always(0)
    drawn = table.fork()
    round = table.respond(solver.respond(table.prompts, 2, rng))
    replay = Replay(drawn, PROPOSAL, solver, rng, Budget())
    creator.learn(creator.observe_round(round, replay, rng), rng)
    parents = [creator.answered[creator.select(TabularWorld(), 1, rng)[0]] for _ in range(50)]
    assert set(parents) == {chosen}


def theta(state):
    return state["pending"]["policy"]["theta"].numpy()


def test_a_saved_paired_creator_and_its_antagonist_continue_identically():
    world = TabularWorld(topics=2, levels=4, variants=2, responses=4)

    def match():
        env = tabular_v0.env(world=world, batch_size=16, samples=4, max_cycles=6)
        env.reset(seed=0)
        policy = TablePolicy(world.reference_logits, world.features)
        return env, PAIRED(), PolicySolver(policy, DPO(lr=0.05)), Budget()

    def go(env, creator, solver, budget, rngs, rounds):
        return islice(play(env, creator, solver, rngs, budget), rounds)

    rngs = np.random.default_rng(1), np.random.default_rng(2)
    env, creator, solver, budget = match()
    list(go(env, creator, solver, budget, rngs, 3))
    saved = pickle.dumps(
        (creator.state_dict(), solver.state_dict(), env.unwrapped.state_dict(), rngs)
    )
    live = creator.state_dict()
    rest = [r.rewards for r in go(env, creator, solver, budget, rngs, 3)]
    assert len(rest) == 3
    states = pickle.loads(saved)
    np.testing.assert_equal(theta(live), theta(states[0]), "playing on changed the state")
    env, twin, solver, budget = match()
    env.unwrapped.load_state_dict(states[2])
    twin.load_state_dict(live)
    solver.load_state_dict(states[1])
    again = [r.rewards for r in go(env, twin, solver, budget, states[3], 3)]
    np.testing.assert_array_equal(again, rest)
    np.testing.assert_equal(theta(live), theta(states[0]), "the twin changed the state")
    before, after = creator.antagonist, twin.antagonist
    assert np.array_equal(before.policy.probabilities(), after.policy.probabilities())
    assert not np.array_equal(before.policy.probabilities(), solver.policy.probabilities())
    assert budget.responses == 3 * 2 * 16 * 4


def test_the_antagonist_is_the_solver_as_it_was_before_it_learned():
    world = TabularWorld(topics=2, levels=4, variants=2, responses=4)
    env = tabular_v0.env(world=world, batch_size=16, samples=4, max_cycles=1)
    env.reset(seed=0)
    learner = PolicySolver(TablePolicy(world.reference_logits), DPO(lr=0.05))
    start, seen = learner.policy.probabilities(), []

    class Spied(PAIRED):
        def observe_round(self, round, replay, rng):
            seen.append(self.antagonist.policy.probabilities())
            return super().observe_round(round, replay, rng)

    rngs = np.random.default_rng(1), np.random.default_rng(2)
    list(play(env, Spied(), learner, rngs))
    assert np.array_equal(seen[0], start)
    assert not np.array_equal(learner.policy.probabilities(), start)
