"""Judging players on fixed prompts, and the command that judges checkpoints."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agents.evaluate import bootstrap, evaluate, interval, win_rate, wins
from agents.table import TablePolicy
from eva_env.tabular.world import TabularWorld

REWARDS = hnp.arrays(np.float64, (3, 4), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def test_win_rate_by_hand():
    """Prompt 1: of the pairs (1, 0), (1, 2), (2, 0), (2, 2) two are won, one tied: 5/8.

    Prompt 2: (0, 3) twice and (1, 3) twice are all lost: 0.
    """
    rewards, baseline = np.array([[1, 2], [0, 1]]), np.array([[0, 2], [3, 3]])
    assert wins(rewards, baseline).tolist() == [0.625, 0.0]
    assert win_rate(rewards, baseline) == 0.3125


@given(REWARDS, REWARDS)
def test_win_rates_of_the_two_sides_add_up_to_one(rewards, baseline):
    assert win_rate(rewards, baseline) + win_rate(baseline, rewards) == pytest.approx(1)
    assert win_rate(rewards, rewards) == 0.5
    assert win_rate(rewards + 2, baseline) == 1


def test_coupled_win_rate_leaves_out_the_pairs_of_one_stream():
    """Of the pairs (1, 2) and (2, 0) the second is won; (1, 0) and (2, 2) share a stream."""
    rewards, baseline = np.array([[1, 2]]), np.array([[0, 2]])
    assert win_rate(rewards, baseline, coupled=True) == 0.5
    assert win_rate(rewards, np.array([[3, 0]]), coupled=True) == 0.5
    assert win_rate(rewards, np.array([[1, 0]]), coupled=True) == 1.0


@given(REWARDS)
def test_a_player_is_on_a_par_with_itself(rewards):
    assert win_rate(rewards, rewards, coupled=True) == pytest.approx(0.5)


@given(REWARDS, REWARDS, st.permutations(range(4)))
def test_win_rate_does_not_depend_on_the_order_of_responses(rewards, baseline, order):
    assert win_rate(rewards[:, order], baseline) == win_rate(rewards, baseline)


def test_rewards_of_other_prompts_are_refused():
    with pytest.raises(ValueError, match="got rewards of 2 prompts, baseline of 3"):
        wins(np.zeros((2, 4)), np.zeros((3, 4)))


def test_student_interval_by_hand():
    """1, 2, 3: mean 2, standard error 1/sqrt(3), t(0.975, 2) = 4.302653."""
    mean, half = interval([1, 2, 3])
    assert mean == 2
    assert half == pytest.approx(4.302653 / np.sqrt(3), abs=1e-6)
    assert np.isnan(interval([1])[1])


def test_bootstrap_covers_like_the_normal_interval_of_many_prompts():
    values = np.random.default_rng(0).normal(0.6, 0.2, 400)
    low, high = bootstrap(values, seed=1)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.003)
    assert high == pytest.approx(values.mean() + half, abs=0.003)
    assert bootstrap(values, seed=1) == (low, high)


def test_evaluate_draws_from_its_own_generator_and_reads_gold():
    world = TabularWorld(topics=2, levels=2, variants=2, responses=4)
    policy = TablePolicy(world.reference_logits)
    prompts, gold = world.suites["hard"], world.reward_model("gold")
    first = evaluate(policy, prompts, gold, 6, seed=3)
    assert first.shape == (len(prompts), 6)
    assert (first == evaluate(policy, prompts, gold, 6, seed=3)).all()
    assert (first != evaluate(policy, prompts, gold, 6, seed=4)).any()
    many = evaluate(policy, prompts, gold, 20_000, seed=3).mean(1)
    exact = (policy.probabilities() * world.gold).sum(1)[list(prompts)]
    assert many == pytest.approx(exact, abs=0.02)
