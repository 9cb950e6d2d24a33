"""All reward-model wrappers: the contract, bit-exactness, settings."""

import math
import pickle
from typing import Any, get_args

import gymnasium
import numpy as np
import pytest

from eva_env import tabular_v0
from eva_env.game import Game
from eva_env.rewards import (
    AnyRewardModel,
    Drifting,
    Ensemble,
    LengthBiased,
    Noisy,
    PairwiseWinRate,
    Plain,
    Retrained,
    Wrapper,
)
from eva_env.tabular.reward import TabularReward
from eva_env.testing import check_reward_model
from eva_env.types import Advances, KnowsBest, Proposal, offers
from eva_env.wordlist import Gold, Wordlist
from experiments.run.rewards import training_reward
from tests.support.reward_cases import IDS, PROMPTS, TABLE, WORDS, WORLD, played

SMALL = {Ensemble: {"members": 2, "comparisons": 40}, Retrained: {"every": 1}}
KINDS = get_args(AnyRewardModel)


def in_play(kind, task) -> Any:
    return training_reward(task, "proxy", kind(**SMALL.get(kind, {})))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("world", ["tabular", "wordlist"])
def test_every_reward_model_keeps_the_contract_now_and_in_the_next_rounds(kind, world):
    tabular = world == "tabular"
    task, prompts, responses = (
        (WORLD, [1, 3, 5, 7], IDS) if tabular else (Wordlist(), PROMPTS, WORDS)
    )
    model = in_play(kind, task)
    knows_best = offers(model, KnowsBest)
    assert knows_best == (tabular and kind is not PairwiseWinRate)
    for index in range(3):
        check_reward_model(model, prompts, responses, noisy=kind is Noisy)
        assert offers(model, KnowsBest) == knows_best
        model = pickle.loads(pickle.dumps(model))
        if offers(model, Advances):
            model = model.advance(played(prompts, responses, index))


def turns(game, count, responses):
    """Play rounds with given responses; the rewards of each."""
    proposal = Proposal((1, 3, 5, 7), np.zeros(4))
    rewards = []
    for _ in range(count):
        game.propose(proposal)
        rewards.append(game.respond(responses).rewards)
    return np.array(rewards)


@pytest.mark.parametrize("kind", KINDS)
def test_forks_and_resumed_games_continue_bit_for_bit(kind):
    model = in_play(kind, WORLD)
    signal = "regret" if offers(model, KnowsBest) else "variance"
    game, resumed = (
        Game(model, batch_size=4, samples=6, rounds=9, signal=signal) for _ in range(2)
    )
    game.reset(0)
    first = turns(game, 2, IDS)
    fork = game.fork()
    resumed.load_state_dict(pickle.loads(pickle.dumps(game.state_dict())))
    rest = turns(game, 3, IDS)
    assert (turns(fork, 3, IDS) == rest).all()
    assert (turns(resumed, 3, IDS) == rest).all()
    game.reset(0)
    assert (turns(game, 2, IDS) == first).all()
    moves = kind in (Noisy, Drifting, Retrained)
    assert (game.reward_model is not model) == moves


@pytest.mark.parametrize("kind", KINDS)
def test_env_plays_it_and_its_matrix_is_the_mean_of_the_rewards(kind):
    model = in_play(kind, WORLD)
    env: Any = tabular_v0.env(world=WORLD, reward=model, signal="variance", samples=6)
    env.reset(seed=0)
    assert env.unwrapped.game.reward_model is model
    if kind is PairwiseWinRate:
        return
    every = np.broadcast_to(np.arange(6), (8, 6))
    tolerance = 0.03 if kind is Noisy else 1e-12
    copies = [model]
    while kind is Noisy and len(copies) < 400:
        copies.append(copies[-1].advance(played(range(8), every, len(copies))))
    mean = np.mean([copy(range(8), every) for copy in copies], 0)
    assert np.abs(mean - model.matrix).max() < tolerance
    assert (model.best([3, 1]) == model.matrix.max(-1)[[3, 1]]).all()


def test_a_wrapper_without_a_base_says_so():
    with pytest.raises(ValueError, match="has no base yet"):
        Noisy()(PROMPTS, WORDS)
    assert not hasattr(Noisy(), "best")
    assert Plain().over(TABLE) is TABLE


def test_a_verifier_with_noise_knows_the_best_reward_but_not_with_a_length_bias():
    assert Noisy().over(Gold()).best(PROMPTS).tolist() == [1, 1, 1, 1]
    for model in (LengthBiased(), Drifting(), Noisy(fixed=True), PairwiseWinRate()):
        assert not hasattr(model.over(Gold()), "best")


def test_wrappers_nest():
    model = LengthBiased(bias=0.1).over(Noisy(std=0.5).over(TABLE))
    assert model.matrix.tolist() == (TABLE.matrix + np.array([0, 0.1, 0.2])).tolist()
    later = model.advance(played([0, 1], [[0, 0], [1, 1]], 4))
    assert (model.base.index, later.base.index) == (0, 5)
    assert Retrained(every=1).over(TABLE, TABLE).advance(played([0], [[0, 1]])).base is TABLE


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: Noisy(std=-1.0), "std must be at least 0 and finite, got -1.0"),
        (lambda: Noisy(seed=-1), "seed must be at least 0 and finite, got -1"),
        (lambda: LengthBiased(bias=math.inf), "bias must be finite"),
        (lambda: Drifting(std=math.nan), "std must be at least 0 and finite, got nan"),
        (
            lambda: PairwiseWinRate(temperature=0.0),
            "temperature must be positive and finite, got 0.0",
        ),
        (lambda: PairwiseWinRate(position_bias=math.inf), "position_bias must be finite"),
        (lambda: Ensemble(members=1), "members must be at least 2, got 1"),
        (
            lambda: Ensemble(coefficient=-1.0),
            "coefficient must be at least 0 and finite, got -1.0",
        ),
        (lambda: Retrained(every=0), "every must be at least 1, got 0"),
        (lambda: Retrained(tie=0.0), "tie must be positive and finite, got 0.0"),
        (lambda: Retrained(comparisons=0), "comparisons must be at least 1"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        settings()


def test_bound_models_equal_their_settings():
    for kind in set(KINDS) - {Plain}:
        assert isinstance(kind(), Wrapper)
        assert kind().changed(base=TABLE) == kind()
        assert hash(kind()) == hash(kind().changed(base=TABLE))


def test_the_vector_engine_says_that_it_plays_only_tables():
    with pytest.raises(ValueError, match="a table, not Noisy; give vectorization_mode='sync'"):
        gymnasium.make_vec("eva/TabularSolver-v0", reward=Noisy().over(TABLE))
    world = tabular_v0.raw_env().task
    for reward in (world.reward_model("gold"), Noisy().over(world.reward_model())):
        mode = None if isinstance(reward, TabularReward) else "sync"
        envs = gymnasium.make_vec(
            "eva/TabularSolver-v0", num_envs=2, vectorization_mode=mode, reward=reward
        )
        envs.reset(seed=0)
        assert np.isfinite(envs.step(envs.action_space.sample())[1]).all()
