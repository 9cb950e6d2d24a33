"""The tabular environments: moves, observations and actions on hand-worked numbers."""

import numpy as np
import pytest

from eva_env import tabular_v0
from eva_env.envs.spaces import SCALE
from eva_env.game import softmax
from eva_env.tabular.world import TabularWorld
from eva_env.types import CREATOR, SOLVER, Proposal

WORLD = TabularWorld(topics=2, levels=4, variants=2, responses=4)


def env(**kwargs):
    raw = tabular_v0.raw_env(world=WORLD, **kwargs)
    raw.reset(seed=0)
    return raw


def test_observations_of_a_round_by_hand():
    raw = env(batch_size=3, samples=2, max_cycles=4)
    assert raw.proposals == 8
    assert raw.encoding.prompts.tolist() == [1, 3, 5, 7, 9, 11, 13, 15]
    assert raw.observe(CREATOR).tolist() == [1.0] + [0.0] * 24
    action = np.full(8, -1, np.float32)
    action[2] = 1  # slot 2 is prompt 5, and is drawn three times
    raw.step(action)
    batch = raw.observe(SOLVER)
    assert batch[0] == 1.0
    assert batch[1:].reshape(3, 8).argmax(1).tolist() == [2, 2, 2]
    assert batch[1:].sum() == 3
    raw.step(np.array([0, 1, 2, 3, 0, 0]))
    rewards = WORLD.proxy[5]
    mean = (2 * rewards[0] + rewards.sum()) / 6
    seen = raw.observe(CREATOR)
    assert seen[0] == 0.75
    assert seen[1:9] == pytest.approx(softmax(SCALE * action))
    expected_mean, expected_regret = np.zeros(8), np.zeros(8)
    expected_mean[2], expected_regret[2] = mean, rewards.max() - mean
    assert seen[9:17] == pytest.approx(expected_mean)
    assert seen[17:] == pytest.approx(expected_regret, abs=1e-6)
    assert raw.state()[:25] == pytest.approx(seen)
    assert raw.state()[25:].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert raw.rewards == pytest.approx({CREATOR: rewards.max() - mean, SOLVER: mean})


def test_mean_and_signal_by_slot_average_over_the_drawn_copies():
    raw = env(batch_size=40, samples=3)
    raw.step(np.zeros(8, np.float32))
    raw.step(np.arange(120) % 4)
    last = raw.game.last
    for slot, prompt in enumerate(raw.encoding.prompts):
        drawn = np.asarray(last.prompts) == prompt
        seen = raw.observe(CREATOR)
        assert seen[9 + slot] == pytest.approx(last.rewards[drawn].mean())
        assert seen[17 + slot] == pytest.approx(last.signal[drawn].mean())
        assert raw.state()[25 + slot] == pytest.approx(drawn.mean())


def test_creator_action_publishes_the_proposal():
    raw = env(batch_size=1)
    proposal = Proposal([3, 9, 3], np.log([0.2, 0.5, 0.3]) + 7)
    action = raw.creator_action(proposal)
    assert raw.action_space(CREATOR).contains(action)
    raw.step(action)
    expected = np.zeros(8)
    expected[[1, 4]] = 0.5  # prompt 3 occurs twice, its probabilities add
    assert raw.game.probabilities == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("prompts", "logits", "message"),
    [
        ([1, 0], [0, 0], "ids that the world publishes, got 0"),
        ([1, 16], [0, 0], "ids that the world publishes, got 16"),
        (["1"], [0], "ids that the world publishes, got '1'"),
        ([1] * 9, [0] * 9, r"must hold 1 \.\.\. 8 prompts, got 9"),
        ([], [], r"must hold 1 \.\.\. 8 prompts, got 0"),
        ([1], [np.nan], "logits must be 1 finite numbers"),
        ([1], [0, 0], "logits must be 1 finite numbers"),
    ],
)
def test_proposals_that_have_no_action(prompts, logits, message):
    with pytest.raises(ValueError, match=message):
        env().creator_action(Proposal(prompts, np.array(logits, dtype=float)))


def test_solver_action_holds_the_responses_row_by_row():
    raw = env(batch_size=2, samples=3)
    action = raw.solver_action([[0, 1, 2], [3, 2, 1]])
    assert raw.action_space(SOLVER).contains(action)
    assert action.tolist() == [0, 1, 2, 3, 2, 1]
    with pytest.raises(ValueError, match=r"2 rows of 3, .* lengths \[2, 2, 2\]"):
        raw.solver_action(np.zeros((3, 2), int))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.array([0, 4] * 4), r"must be in 0 \.\.\. 3, got 4"),
        (np.array([0, -1] * 4), r"must be in 0 \.\.\. 3, got -1"),
        (np.zeros(7, int), "must be 8 integers, got int64 of shape .7,."),
        (np.zeros(8), "must be 8 integers, got float64"),
    ],
)
def test_raw_env_refuses_bad_responses_and_then_accepts_legal_ones(action, message):
    raw = env()
    raw.step(np.zeros(8, np.float32))
    with pytest.raises(ValueError, match=message):
        raw.step(action)
    assert raw.agent_selection == SOLVER
    raw.step(np.zeros(8, int))
    assert raw.game.index == 1


def test_wrapped_env_asserts_legal_actions():
    wrapped = tabular_v0.env()
    wrapped.reset(seed=0)
    with pytest.raises(AssertionError, match="not in action space"):
        wrapped.step(np.full(8, 1.5, np.float32))
    with pytest.raises(AssertionError, match="not in action space"):
        wrapped.step(np.zeros(8))  # float64: cast to float32
    wrapped.step(np.zeros(8, np.float32))


def test_noise_and_unbounded_signals_are_clipped_to_the_observation_space():
    world = TabularWorld(topics=2, levels=4, variants=2, responses=4, noise=5.0)
    raw = tabular_v0.raw_env(world=world, signal=lambda rewards: 9 * rewards[:, 0])
    raw.reset(seed=0)
    raw.step(np.zeros(8, np.float32))
    raw.step(np.zeros(8, int))
    assert np.abs(raw.game.last.rewards).max() > 1
    assert raw.observation_space(CREATOR).contains(raw.observe(CREATOR))
    assert raw.state_space.contains(raw.state())


@pytest.mark.parametrize("reward", ["proxy", "gold"])
def test_rewards_are_those_of_the_chosen_matrix(reward):
    world = TabularWorld(topics=1, levels=3, responses=6, hackable=2)
    raw = tabular_v0.raw_env(world=world, reward=reward, batch_size=1, samples=2)
    raw.reset(seed=0)
    raw.step(np.zeros(raw.proposals, np.float32))
    raw.step(np.array([5, 5]))
    assert raw.rewards[SOLVER] == (1.0 if reward == "proxy" else 0.0)
    assert raw.rewards[CREATOR] == pytest.approx(
        0.0 if reward == "proxy" else world.gold[raw.game.last.prompts[0]].max()
    )


def test_uniform_and_reference_opponents():
    raw = env(batch_size=2, samples=20_000)
    raw.step(raw.encoding.uniform_creator(raw.observe(CREATOR), None))
    assert raw.game.probabilities == pytest.approx(np.full(8, 1 / 8))
    answers = raw.encoding.reference_solver(raw.observe(SOLVER), np.random.default_rng(0))
    assert raw.action_space(SOLVER).contains(answers)
    for prompt, row in zip(raw.game.prompts, answers.reshape(2, -1), strict=True):
        shares = np.bincount(row, minlength=4) / 20_000
        assert shares == pytest.approx(softmax(WORLD.reference_logits[prompt]), abs=0.015)
