"""The vector engine against the scalar game, bit for bit."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv

from eva_env import tabular_v0
from eva_env.envs.lockstep import Streams
from eva_env.envs.spaces import SCALE
from eva_env.tabular.reward import TabularReward
from eva_env.tabular.world import TabularWorld

WIDE = TabularWorld(topics=3, levels=5, variants=3, responses=9)
NOISY = TabularWorld(topics=2, levels=3, variants=2, responses=5, noise=0.3)
VARIANTS = {
    "default": {},
    "wide": {"world": WIDE, "batch_size": 7, "samples": 5},
    "noisy": {"world": NOISY},
    "without replacement": {"replacement": False, "batch_size": 11},
    "signal, zero-sum": {"signal": "a_star_min", "zero_sum": True},
    "signal over the batch": {"signal": "inverse_mean"},
    "gold": {"reward": "gold", "max_cycles": 1},
}
IDS = ["eva/TabularCreator-v0", "eva/TabularSolver-v0"]


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("kwargs", VARIANTS.values(), ids=VARIANTS)
def test_vector_equals_scalar_bit_for_bit(id, kwargs):
    games = 5
    vector = gymnasium.make_vec(id, num_envs=games, **kwargs)
    scalar = SyncVectorEnv([lambda: gymnasium.make(id, **kwargs)] * games, copy=True)
    assert vector.observation_space == scalar.observation_space
    assert vector.action_space == scalar.action_space
    vector.action_space.seed(3)
    for seed in (11, None, 12):
        ours, theirs = vector.reset(seed=seed), scalar.reset(seed=seed)
        assert np.array_equal(ours[0], theirs[0])
        for _ in range(40):
            action = vector.action_space.sample()
            ours, theirs = vector.step(action), scalar.step(action)
            for mine, other in zip(ours[:4], theirs[:4], strict=True):
                assert mine.dtype == other.dtype
                assert np.array_equal(mine, other)
            assert vector.observation_space.contains(ours[0])


def test_seeds_may_be_given_one_by_one():
    vector = gymnasium.make_vec(IDS[1], num_envs=3)
    by_list = vector.reset(seed=[7, 8, 9])[0]
    assert np.array_equal(by_list, vector.reset(seed=7)[0])
    assert not np.array_equal(by_list, vector.reset(seed=8)[0])
    with pytest.raises(ValueError, match="seed must be 3 integers, got 2"):
        vector.reset(seed=[1, 2])


@pytest.mark.parametrize("replacement", [True, False])
def test_prompts_are_drawn_from_the_published_distribution(replacement):
    vector = gymnasium.make_vec(IDS[0], num_envs=400, replacement=replacement, batch_size=4)
    vector.reset(seed=5)
    action = np.full(vector.action_space.shape, -1, np.float32)
    action[:, 2], action[:, 5] = 1.0, 1.0 - np.log(3) / SCALE
    vector.step(action)
    engine = vector.unwrapped.engine
    share = (engine.prompts == engine.encoding.prompts[2]).mean()
    # With replacement slot 2 has probability 3/4; without, four draws hold it just once.
    assert share == pytest.approx(0.75 if replacement else 0.25, abs=0.05)


def test_an_opponent_that_works_on_the_last_axes_serves_one_game_and_many():
    def first_prompt(observation, rng):
        action = np.full((*observation.shape[:-1], 8), -1, np.float32)
        action[..., 0] = 1
        return action

    one = gymnasium.make(IDS[1], opponent=first_prompt)
    many = gymnasium.make_vec(IDS[1], num_envs=3, opponent=first_prompt)
    for observation in (one.reset(seed=1)[0], many.reset(seed=1)[0]):
        assert observation[..., 1::8].min() == 1


def test_bad_actions_are_refused_with_the_reason():
    creators = gymnasium.make_vec(IDS[0], num_envs=2)
    creators.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions must be .* shape \(2, 8\), .* got \(3, 8\)"):
        creators.step(np.zeros((3, 8), np.float32))
    solvers = gymnasium.make_vec(IDS[1], num_envs=2)
    solvers.reset(seed=0)
    with pytest.raises(ValueError, match=r"responses must be in 0 \.\.\. 3, got -1"):
        solvers.step(np.full((2, 8), -1))
    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        gymnasium.make_vec(IDS[1], num_envs=0)


def test_streams_drawn_ahead_are_the_uniforms_of_the_generators():
    seeds, sizes = (1, 2, 3), [4, (2, 3), 4, 1, (5, 20), 3] * 12
    streams = Streams([np.random.default_rng(seed) for seed in seeds])
    plain = [np.random.default_rng(seed) for seed in seeds]
    for size in sizes:
        expected = np.stack([generator.random(size) for generator in plain])
        assert np.array_equal(streams.random(size), expected)


class Misshapen(TabularReward):
    def __call__(self, prompts, responses):
        return super().__call__(prompts, responses)[:, :1]


class Hollow(TabularReward):
    def best(self, prompts):
        return np.full(np.shape(prompts), np.nan)


MATRIX = tabular_v0.raw_env().task.proxy
INFINITE = np.where(np.arange(len(MATRIX))[:, None] == 3, np.inf, MATRIX)
REFUSED = {
    "an infinite reward": (
        {"reward": TabularReward(INFINITE, noise_std=None)},
        "TabularReward returned inf for .* of 64 responses, .* response [12] to prompt 3; fix",
    ),
    "rewards of one response": (
        {"reward": Misshapen(MATRIX, noise_std=np.ones(len(MATRIX)))},
        r"Misshapen must return rewards of shape \(8, 4, 2\), got \(8, 4, 1\)",
    ),
    "best that is NaN": (
        {"reward": Hollow(MATRIX)},
        r"Hollow.best must return finite numbers of shape \(8, 4\), .* got nan",
    ),
    "signal with an infinity": (
        {"signal": lambda rewards: rewards.mean(-1) / np.zeros(rewards.shape[-2])},
        r"signal <lambda> must return finite numbers of shape \(8, 4\), .* got (inf|nan)",
    ),
    "signal of the game": (
        {"signal": lambda rewards: rewards.mean((-1, -2))},
        r"numbers of shape \(8, 4\), one for each prompt, got \(8,\)",
    ),
}


@pytest.mark.parametrize(("kwargs", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning")
def test_bad_rewards_and_signals_are_refused_and_the_round_is_still_to_be_played(
    kwargs, message
):
    vector = gymnasium.make_vec(IDS[0], num_envs=8, **kwargs)
    vector.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        vector.step(np.zeros((8, 8), np.float32))
    assert vector.unwrapped.engine.index == 0
    assert vector.unwrapped.engine.last is None


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("limit", [3, 16, -1])
def test_max_episode_steps_truncates_as_gymnasium_does(id, limit):
    vector = gymnasium.make_vec(id, num_envs=2, max_episode_steps=limit)
    scalar = gymnasium.make_vec(
        id, num_envs=2, max_episode_steps=limit, vectorization_mode="sync"
    )
    vector.action_space.seed(0)
    assert np.array_equal(vector.reset(seed=4)[0], scalar.reset(seed=4)[0])
    ends = []
    for _ in range(20):
        action = vector.action_space.sample()
        ours, theirs = vector.step(action), scalar.step(action)
        for mine, other in zip(ours[:4], theirs[:4], strict=True):
            assert np.array_equal(mine, other)
        ends.append((bool(ours[2].all()), bool(ours[3].all())))
    assert ends.index((limit == 16 or limit == -1, limit != -1)) == (2 if limit == 3 else 15)
    with pytest.raises(ValueError, match="max_episode_steps must be at least 1, got 0"):
        gymnasium.make_vec(id, num_envs=2, max_episode_steps=0)


def test_a_reset_mask_of_all_games_is_a_reset_and_others_are_refused():
    vector, twin = (gymnasium.make_vec(IDS[0], num_envs=3) for _ in range(2))
    everything = {"reset_mask": np.ones(3, bool)}
    assert np.array_equal(
        vector.reset(seed=1, options=everything)[0], twin.reset(seed=1, options={})[0]
    )
    assert list(everything) == ["reset_mask"]
    action = np.zeros((3, 8), np.float32)
    for mask, error, message in (
        (np.array([True, False, True]), ValueError, r"True for all 3 .* with 2 True; give vec"),
        (np.zeros(3, bool), ValueError, "with 0 True"),
        (np.ones(2, bool), ValueError, r"got shape \(2,\)"),
        ([True] * 3, TypeError, "must be an array of booleans"),
        (np.ones(3), TypeError, "must be an array of booleans"),
    ):
        with pytest.raises(error, match=message):
            vector.reset(seed=9, options={"reset_mask": mask})
        # What is refused has not reset anything.
        assert np.array_equal(vector.step(action)[0], twin.step(action)[0])
    for options in ({"mask": 1}, everything | {"mask": 1}):
        with pytest.raises(ValueError, match="reset has no option 'mask'; leave it out"):
            vector.reset(options=options)


@pytest.mark.parametrize("replacement", [True, False])
def test_a_step_that_fails_later_is_taken_back_with_its_draws(replacement):
    calls = []

    def sometimes(rewards):
        calls.append(len(rewards))
        return rewards.max(-1) + (np.nan if len(calls) % 3 == 0 else 0.0)

    options = {"num_envs": 3, "replacement": replacement}
    vector = gymnasium.make_vec(IDS[0], signal=sometimes, **options)
    twin = gymnasium.make_vec(IDS[0], signal=lambda rewards: rewards.max(-1), **options)
    for env in (vector, twin):
        env.reset(seed=2)
        env.action_space.seed(0)
    failures = 0
    for _ in range(100):  # more draws than are made ahead at once
        action = twin.action_space.sample()
        try:
            ours = vector.step(action)
        except ValueError:
            failures += 1
            ours = vector.step(action)
        for mine, other in zip(ours[:4], twin.step(action)[:4], strict=True):
            assert np.array_equal(mine, other)
    assert failures > 30
