"""alpha-Rank against OpenSpiel's, closed forms, and games on which others raise."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_spiel.python.egt import alpharank
from scipy.special import softmax

from eva_env.solving.alpha_rank import (
    alpha_rank,
    alpha_rank_profiles,
    log_fixation,
    log_stationary,
)
from tests.support.matrices import PENNIES, ROCK_PAPER_SCISSORS, TRANSITIVE


def spiel(tables, **options):
    """Return OpenSpiel's mass, (R, C) for two populations."""
    mass = alpharank.compute(tables, **options)[2]
    return mass.reshape(tables[0].shape) if len(tables) > 1 else mass


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.5])
def test_openspiel_ranks_the_same(seed, alpha):
    rng = np.random.default_rng(seed)
    payoffs, theirs = rng.normal(size=(2, 3, 4))
    symmetric = rng.normal(size=(5, 5))
    for m in (2, 50):
        options = {"alpha": alpha, "m": m}
        np.testing.assert_allclose(
            alpha_rank(symmetric, alpha, m), spiel([symmetric], **options), atol=1e-9
        )
        np.testing.assert_allclose(
            alpha_rank_profiles(payoffs, None, alpha, m),
            spiel([payoffs, -payoffs], **options),
            atol=1e-9,
        )
        np.testing.assert_allclose(
            alpha_rank_profiles(payoffs, theirs, alpha, m),
            spiel([payoffs, theirs], **options),
            atol=1e-9,
        )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("epsilon", [0.01, 0.2])
def test_openspiel_ranks_the_same_at_infinite_alpha(seed, epsilon):
    rng = np.random.default_rng(seed)
    payoffs = rng.integers(-2, 3, size=(3, 4)).astype(float)
    symmetric = rng.integers(-2, 3, size=(5, 5)).astype(float)
    options = {"use_inf_alpha": True, "inf_alpha_eps": epsilon}
    np.testing.assert_allclose(
        alpha_rank(symmetric, np.inf, epsilon=epsilon),
        spiel([symmetric], **options),
        atol=1e-9,
    )
    np.testing.assert_allclose(
        alpha_rank_profiles(payoffs, alpha=np.inf, epsilon=epsilon),
        spiel([payoffs, -payoffs], **options),
        atol=1e-9,
    )


@pytest.mark.parametrize("seed", range(5))
def test_epsilon_zero_is_the_limit(seed):
    payoffs = np.random.default_rng(seed).integers(-1, 2, size=(3, 3)).astype(float)
    for rank in (
        alpha_rank,
        lambda x, a, epsilon=0.0: alpha_rank_profiles(x, -x.T, a, 9, epsilon),
    ):
        limit = rank(payoffs, np.inf)
        np.testing.assert_allclose(rank(payoffs, np.inf, epsilon=1e-9), limit, atol=1e-6)
        assert limit.sum() == pytest.approx(1)


@pytest.mark.parametrize("alpha", [0.1, 10.0, 1e3, np.inf])
def test_a_cycle_has_no_winner(alpha):
    """T21."""
    np.testing.assert_allclose(alpha_rank(ROCK_PAPER_SCISSORS, alpha), 1 / 3, atol=1e-12)
    np.testing.assert_allclose(alpha_rank_profiles(PENNIES, alpha=alpha), 1 / 4, atol=1e-12)


@pytest.mark.parametrize("alpha", [10.0, 1e3, np.inf])
def test_a_dominant_strategy_wins(alpha):
    """T21; in this game the column player has the same dominant strategy."""
    np.testing.assert_allclose(alpha_rank(TRANSITIVE, alpha), [1, 0, 0], atol=1e-6)
    pairs = alpha_rank_profiles(TRANSITIVE, alpha=alpha)
    assert pairs[0, 0] == pytest.approx(1, abs=1e-6)
    worst = alpha_rank_profiles(TRANSITIVE, TRANSITIVE, alpha=alpha)
    assert worst[0, 2] == pytest.approx(1, abs=1e-6)


@given(st.integers(0, 10**6), st.floats(0.01, 1e3), st.integers(2, 60))
@settings(deadline=None, max_examples=40)
def test_games_with_a_potential_in_closed_form(seed, alpha, m):
    """Detailed balance, as rho(u) / rho(-u) = e^((m-1) u): softmax of (m-1) alpha potential."""
    rng = np.random.default_rng(seed)
    shared, height = rng.normal(size=(3, 4)), rng.normal(size=6)
    np.testing.assert_allclose(
        alpha_rank_profiles(shared, shared, alpha, m),
        softmax((m - 1) * alpha * shared),
        atol=1e-9,
    )
    transitive = np.subtract.outer(height, height) / 2
    np.testing.assert_allclose(
        alpha_rank(transitive, alpha, m), softmax((m - 1) * alpha * height), atol=1e-9
    )


@pytest.mark.filterwarnings("ignore:overflow")  # in OpenSpiel
def test_several_absorbing_classes_have_a_distribution():
    """Coordination: OpenSpiel finds two stationary distributions and raises."""
    even, uneven = np.eye(2), np.diag([2.0, 1.0])
    with pytest.raises(ValueError, match="found 2"):
        spiel([even, even], alpha=100)
    half = np.diag([0.5, 0.5])
    np.testing.assert_allclose(alpha_rank_profiles(even, even, 100.0), half, atol=1e-12)
    np.testing.assert_allclose(alpha_rank_profiles(even, even, np.inf), half, atol=1e-12)
    # One step against selection leaves either pair; the step away from the first costs more.
    np.testing.assert_allclose(alpha_rank_profiles(uneven, uneven, np.inf), half, atol=1e-12)
    np.testing.assert_allclose(
        alpha_rank_profiles(uneven, uneven, 10.0), np.diag([1.0, 0.0]), atol=1e-12
    )
    three = np.eye(3)
    np.testing.assert_allclose(alpha_rank_profiles(three, three, np.inf), three / 3, atol=1e-12)


def test_nothing_overflows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rng = np.random.default_rng(0)
        payoffs = rng.normal(size=(5, 5)) * 1e3
        for mass in (
            alpha_rank(payoffs, 1e3),
            alpha_rank_profiles(payoffs, alpha=1e3),
            alpha_rank(np.zeros((4, 4)), 1e3),
        ):
            assert mass.sum() == pytest.approx(1)
        np.testing.assert_allclose(alpha_rank(np.zeros((4, 4))), 1 / 4)
        assert alpha_rank([[3.0]]).tolist() == [1]
        assert alpha_rank_profiles([[3.0]]).tolist() == [[1]]


def test_the_diagonal_and_a_shift_do_not_matter():
    payoffs = np.random.default_rng(1).random((4, 4))
    mass = alpha_rank(payoffs)
    np.fill_diagonal(payoffs, np.nan)
    np.testing.assert_allclose(alpha_rank(payoffs + 7), mass, atol=1e-12)


def test_fixation_by_hand():
    """A neutral mutant among m takes over with 1/m; u = log 2, m = 2: (1/2) / (3/4)."""
    probabilities = np.exp(log_fixation(np.array([0.0, np.log(2), -np.log(2), 1e-17]), 2))
    np.testing.assert_allclose(probabilities, [1 / 2, 2 / 3, 1 / 3, 1 / 2])
    assert log_fixation(np.array([-1e6]), 50) == -49e6


def test_stationary_distribution_of_a_chain():
    """A random chain satisfies global balance; two states have the ratio of their rates."""
    rates = np.random.default_rng(0).random((6, 6))
    mass = np.exp(log_stationary(np.log(rates)))
    np.fill_diagonal(rates, 0)
    np.testing.assert_allclose(mass @ rates, mass * rates.sum(1), atol=1e-14)
    extreme = log_stationary(np.array([[0, -1e8], [-3e8, 0]]))
    assert extreme.tolist() == [-0.0, -1e8 + 3e8] or extreme.tolist() == [-2e8, 0]


def test_settings_are_checked():
    for options, message in (
        ({"alpha": 0}, "alpha must be positive, got 0"),
        ({"alpha": np.nan}, "alpha must be positive, got nan"),
        ({"population": 1}, "population must be at least 2, got 1"),
        ({"alpha": np.inf, "epsilon": 0.5}, r"epsilon must lie in \[0, 0.5\), got 0.5"),
    ):
        for rank in (alpha_rank, alpha_rank_profiles):
            with pytest.raises(ValueError, match=message):
                rank(TRANSITIVE, **options)
