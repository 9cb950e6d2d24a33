"""Replicator dynamics: OpenSpiel's, closed forms, and conserved quantities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_spiel.python.egt import dynamics

from eva_env.solving.replicator import (
    replicator,
    replicator_pair,
    simplex_flow,
    trajectory,
    trajectory_pair,
)
from tests.support.matrices import PENNIES, ROCK_PAPER_SCISSORS, TRANSITIVE, mixed


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 5))
@settings(deadline=None)
def test_openspiel_has_the_same_velocity(seed, rows, columns):
    rng = np.random.default_rng(seed)
    symmetric, (ours, theirs) = (
        rng.normal(size=(rows, rows)),
        rng.normal(size=(2, rows, columns)),
    )
    row, column = mixed(seed, rows, columns)
    single = dynamics.SinglePopulationDynamics(
        np.stack([symmetric, symmetric.T]), dynamics.replicator
    )
    np.testing.assert_allclose(replicator(symmetric, row), single(row), atol=1e-12)
    both = dynamics.MultiPopulationDynamics(np.stack([ours, theirs]), dynamics.replicator)
    np.testing.assert_allclose(
        np.concatenate(replicator_pair(ours, row, column, theirs)),
        both(np.concatenate([row, column])),
        atol=1e-12,
    )
    zero_sum = dynamics.MultiPopulationDynamics(np.stack([ours, -ours]), dynamics.replicator)
    np.testing.assert_allclose(
        np.concatenate(replicator_pair(ours, row, column)),
        zero_sum(np.concatenate([row, column])),
        atol=1e-12,
    )


def test_two_strategies_follow_the_logistic_curve():
    """x' = x (1 - x) d if the first strategy always gets d more than the second."""
    times = np.linspace(0, 20, 41)
    shares = trajectory([[1.5, 1.5], [1.0, 1.0]], [0.01, 0.99], times)
    logistic = 1 / (1 + 99 * np.exp(-0.5 * times))
    np.testing.assert_allclose(shares, np.stack([logistic, 1 - logistic], 1), atol=1e-9)


def test_a_coordination_game_follows_its_separatrix():
    """diag(2, 1): the interior fixed point 1/3 separates the basins of the pure equilibria."""
    payoffs = np.diag([2.0, 1.0])
    np.testing.assert_allclose(replicator(payoffs, [1 / 3, 2 / 3]), 0, atol=1e-15)
    for start, end in ((0.34, [1, 0]), (0.32, [0, 1])):
        last = trajectory(payoffs, [start, 1 - start], [0, 60])[-1]
        np.testing.assert_allclose(last, end, atol=1e-9)


def test_cycles_conserve_the_product_of_shares():
    """Rock-paper-scissors in one population, matching pennies in two."""
    times = np.linspace(0, 60, 301)
    shares = trajectory(ROCK_PAPER_SCISSORS, [0.6, 0.3, 0.1], times)
    np.testing.assert_allclose(shares.prod(1), 0.018, rtol=1e-7)
    assert np.ptp(shares, axis=0).min() > 0.3
    row, column = trajectory_pair(PENNIES, [0.8, 0.2], [0.6, 0.4], times)
    np.testing.assert_allclose(row.prod(1) * column.prod(1), 0.16 * 0.24, rtol=1e-7)
    assert min(np.ptp(row[:, 0]), np.ptp(column[:, 0])) > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_paths_have_the_velocity_of_replicator(seed):
    """Central differences, of one population and of two with different payoffs."""
    rng = np.random.default_rng(seed)
    ours, theirs = rng.normal(size=(2, 3, 3))
    row, column = mixed(seed, 3, 3)
    h = 1e-3
    path = trajectory(ours, row, [0, 1, 1 + h, 1 + 2 * h])
    np.testing.assert_allclose(
        (path[3] - path[1]) / (2 * h), replicator(ours, path[2]), atol=1e-5
    )
    rows, columns = trajectory_pair(ours, row, column, [0, h, 2 * h], theirs)
    velocity = replicator_pair(ours, rows[1], columns[1], theirs)
    np.testing.assert_allclose((rows[2] - rows[0]) / (2 * h), velocity[0], atol=1e-5)
    np.testing.assert_allclose((columns[2] - columns[0]) / (2 * h), velocity[1], atol=1e-5)


def test_shares_stay_in_the_simplex_and_zero_stays_zero():
    shares = trajectory(TRANSITIVE * 50, [0.2, 0.3, 0.5], [0, 1, 100, 1000])
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(shares[-1], [1, 0, 0], atol=1e-12)
    absent = trajectory(TRANSITIVE, [0.0, 0.1, 0.9], [0, 50])
    assert absent[-1, 0] == 0
    assert absent[-1, 1] == pytest.approx(1, abs=1e-9)
    row, column = trajectory_pair(TRANSITIVE, [0.0, 0.5, 0.5], [0.0, 0.1, 0.9], [0, 80])
    np.testing.assert_allclose(row[-1], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(column[-1], [0, 1, 0], atol=1e-9)


def test_flow_on_the_simplex():
    points, velocities = simplex_flow(ROCK_PAPER_SCISSORS + 2, 6)
    assert points.shape == velocities.shape == (28, 3)
    assert len(np.unique(points.round(9), axis=0)) == 28
    np.testing.assert_allclose(points.sum(1), 1)
    np.testing.assert_allclose(velocities.sum(1), 0, atol=1e-15)
    for point, velocity in zip(points, velocities, strict=True):
        np.testing.assert_allclose(velocity, replicator(ROCK_PAPER_SCISSORS, point), atol=1e-15)
    assert (velocities[points == 0] == 0).all()
    still = np.abs(velocities).max(1) < 1e-12
    assert still.sum() == 4
    assert np.allclose(points[still].mean(0), 1 / 3)


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match=r"got shape \(2, 2\)"):
        simplex_flow(PENNIES)
    with pytest.raises(ValueError, match="1 entries missing"):
        simplex_flow(np.where(np.eye(3) * [1, 0, 0], np.nan, 1.0))
    with pytest.raises(ValueError, match="resolution must be at least 1, got 0"):
        simplex_flow(ROCK_PAPER_SCISSORS, 0)
    for times in ([0], [0, 0], [1, 0], 3):
        with pytest.raises(ValueError, match="times must be two or more increasing numbers"):
            trajectory(PENNIES, [0.5, 0.5], times)
