"""Eva's noise floor, the rounds that it observes, and eva-lite."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from agents.base import Budget, Replay
from agents.creators import Eva, EvaLite, UniformLite
from eva_env.game import Game
from eva_env.tabular.world import TabularWorld
from eva_env.types import Round
from tests.support.creators import Random, game_for, play
from tests.support.tiny_task import Tiny

RANGE_OF_FOUR = 2.0588
"""Expected range of four standard normals (the d_2 of control charts)."""


def learned(creator, rewards):
    """The creator after one round of Tiny with these rewards."""
    rng = np.random.default_rng(0)
    proposal = creator.propose(Tiny(), len(rewards), rng)
    signal = np.zeros(len(rewards))
    creator.learn(Round(0, proposal, proposal.prompts, None, rewards, signal, {}), rng)
    return creator


def test_the_expected_range_of_known_noise_is_subtracted_from_the_signal():
    rewards = np.array([[0.0, 1, 2, 3], [5, 5, 5, 6], [1, 1, 1, 1]])
    np.testing.assert_allclose(learned(Eva(noise=0.0), rewards).values, [3, 1, 0])
    corrected = learned(Eva(noise=1.0), rewards).values
    np.testing.assert_allclose(corrected, [3 - RANGE_OF_FOUR, 0, 0], atol=1e-4)
    half = learned(Eva(noise=0.25), rewards).values
    np.testing.assert_allclose(half[1], 1 - RANGE_OF_FOUR / 4, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"signal": "mean", "noise": 0.1}, "signal 'mean' has no noise floor; choose"),
        ({"signal": "payoff", "noise": "estimate"}, "signal 'payoff' has no noise floor"),
        ({"noise": -0.5}, "std must not be negative or NaN, got -0.5"),
    ],
)
def test_noise_that_cannot_be_subtracted_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Eva(**settings)


def rounds(creator, world, count, rng, game=None):
    """Rounds of a world in which the solver gives six responses, at random."""
    if game is None:
        game = Game(
            world.reward_model(),
            batch_size=48,
            samples=8,
            rounds=count,
            signal="a_star_avg",
            valid=world.valid,
        )
        game.reset(0)
    for _ in range(count):
        game.propose(creator.propose(world, 48, rng))
        round = game.respond(rng.integers(6, size=(48, 8)))
        creator.learn(round, rng)
    return round


def test_noise_is_estimated_by_topic_from_responses_given_twice():
    world = TabularWorld(noise=0.3, noisy_topics=2)
    creator = Eva(noise="estimate")
    round = rounds(creator, world, 30, np.random.default_rng(0))
    names = [f"topic{k}" for k in range(world.topics)]
    truth = [0.0] * 4 + [0.3] * 2
    np.testing.assert_allclose(creator.estimated.std(names), truth, rtol=0.1, atol=1e-9)

    prompts = np.array(round.prompts)
    noisy = world.noise_std[prompts] > 0
    plain = Eva().measure(round)
    corrected = creator.measure(round)
    np.testing.assert_allclose(corrected[~noisy], plain[~noisy])
    assert (corrected[noisy] < plain[noisy] - 0.5).all()


def test_nothing_is_subtracted_if_no_response_occurs_twice():
    creator, rng = Eva(noise="estimate"), np.random.default_rng(0)
    proposal = creator.propose(Tiny(), 3, rng)
    rewards = rng.random((3, 4))
    responses = np.arange(12).reshape(3, 4)
    round = Round(0, proposal, proposal.prompts, responses, rewards, rewards[:, 0], {})
    creator.learn(round, rng)
    np.testing.assert_array_equal(creator.measure(round), np.ptp(rewards, axis=1))


def test_an_estimate_of_the_noise_is_saved():
    world = TabularWorld(noise=0.3)
    creator, rng = Eva(noise="estimate"), np.random.default_rng(1)
    rounds(creator, world, 3, rng)
    state, saved = pickle.loads(pickle.dumps((creator.state_dict(), rng)))
    twin = Eva(noise="estimate")
    twin.load_state_dict(state)
    assert twin.estimated == creator.estimated != Eva().estimated
    rounds(creator, world, 3, rng)
    rounds(twin, world, 3, saved)
    assert twin.estimated == creator.estimated
    np.testing.assert_array_equal(twin.values, creator.values)


class Replayed:
    """Plays a round again, and gives log-probabilities that identify the round."""

    def __init__(self, again):
        self.again = again

    def __call__(self):
        return self.again

    def logprobs(self, round):
        return np.full(round.rewards.shape, float(round.index))


@pytest.mark.parametrize("resample", [True, False])
def test_log_probabilities_are_those_of_the_round_that_is_learned_from(resample):
    rng = np.random.default_rng(0)
    proposal = Eva().propose(Tiny(), 2, rng)
    round = Round(1, proposal, proposal.prompts, None, np.eye(2), np.ones(2), {})
    replay = Replayed(replace(round, index=2))
    seen = Eva(signal="alignment_potential", resample=resample).observe_round(
        round, replay, rng
    )
    assert seen.index == 1 + resample
    np.testing.assert_array_equal(seen.logprobs, np.full((2, 2), 1.0 + resample))
    assert Eva(resample=resample).observe_round(round, replay, rng).logprobs is None


# eva-lite


def spent(creator):
    """The responses of six rounds, with those of replays."""
    solver, game = Random(), game_for(Tiny(), 16, 16)
    rng, budget = np.random.default_rng(0), Budget()
    for _ in range(6):
        proposal = creator.propose(Tiny(), 16, rng)
        game.propose(proposal)
        replay = Replay(game.fork(), proposal, solver, rng, budget)
        round = game.respond(solver.respond(game.prompts, game.samples, rng))
        budget.add(responses=round.rewards.size)
        creator.learn(creator.observe_round(round, replay, rng), rng)
    return budget.responses


def test_eva_lite_spends_half_the_responses_of_eva():
    assert spent(Eva()) == 2 * 6 * 16 * 4
    assert spent(EvaLite()) == spent(UniformLite()) == 6 * 16 * 4


def test_eva_lite_is_eva_with_two_settings_changed():
    lite = [round.proposal.prompts for round in play(EvaLite(), Tiny(), 16, 5)]
    set_by_hand = Eva(resample=False, old_from="history")
    assert lite == [round.proposal.prompts for round in play(set_by_hand, Tiny(), 16, 5)]


def test_eva_lite_and_uniform_lite_publish_the_same_where_the_signal_is_flat():
    flat = [round.proposal for round in play(EvaLite(signal="uniform"), Tiny(), 16, 5)]
    uniform = [round.proposal for round in play(UniformLite(), Tiny(), 16, 5)]
    assert [p.prompts for p in flat] == [p.prompts for p in uniform]
