"""Games grown by best responses: the whole game's equilibrium, bounds, callables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eva_env.solving.double_oracle import double_oracle, psro
from eva_env.solving.learning import fictitious_play
from eva_env.solving.matrices import Equilibrium
from eva_env.solving.zero_sum import nash, nash_conv
from tests.support.matrices import NAN, PAYOFFS, ROCK_PAPER_SCISSORS, TRANSITIVE, regret_game


def check(payoffs, found, tolerance=1e-9):
    """T19: the LP value, within R + C iterations, between bounds at each of them."""
    value = nash(payoffs).value
    assert found.converged
    assert len(found.history) <= sum(payoffs.shape)
    for step in found.history:
        assert step.lower - tolerance <= value <= step.upper + tolerance
    last = found.history[-1]
    assert last.upper - last.lower == pytest.approx(0, abs=tolerance)
    assert found.equilibrium.value == pytest.approx(value, abs=tolerance)
    mixed = found.equilibrium.row, found.equilibrium.column
    assert nash_conv(payoffs, *mixed) == pytest.approx(0, abs=tolerance)


@pytest.mark.parametrize("seed", range(3))
def test_double_oracle_reaches_the_value_and_looks_at_a_part(seed):
    for payoffs in (regret_game(seed), np.random.default_rng(seed).random((20, 12))):
        found = double_oracle(payoffs)
        check(payoffs, found)
        assert found.history[0].shape == (1, 1)
        assert len(found.history) > 3
        assert len(found.rows) < len(payoffs)
        np.testing.assert_array_equal(found.payoffs, payoffs[np.ix_(found.rows, found.columns)])
        gaps = np.array([step.upper - step.lower for step in found.history])
        assert gaps[0] > 0.1


@given(PAYOFFS, st.integers(0, 99))
@settings(deadline=None)
def test_double_oracle_from_any_pair_of_any_game(payoffs, seed):
    rng = np.random.default_rng(seed)
    start = tuple(int(rng.integers(size)) for size in payoffs.shape)
    found = double_oracle(payoffs, start)
    check(payoffs, found, 1e-8)
    assert (found.rows[0], found.columns[0]) == start
    assert len(set(found.rows)) == len(found.rows)
    assert len(set(found.columns)) == len(found.columns)


def test_double_oracle_by_hand():
    """From rock against rock: both add paper, then both scissors, and then it is solved."""
    found = double_oracle(ROCK_PAPER_SCISSORS)
    assert found.rows == found.columns == (0, 1, 2)
    assert [step.shape for step in found.history] == [(1, 1), (2, 2), (3, 3)]
    assert [step.upper for step in found.history[:2]] == [1, 1]
    assert [step.lower for step in found.history[:2]] == [-1, -1]
    np.testing.assert_allclose(found.equilibrium.row, 1 / 3)
    best = double_oracle(TRANSITIVE, (2, 1))
    assert best.rows == (2, 0)
    assert best.columns == (1, 0)
    np.testing.assert_array_equal(best.equilibrium.row, [1, 0, 0])


def test_gaps_in_the_matrix_and_starts_there():
    payoffs = np.array([[NAN, NAN, 1.0], [0.0, 2.0, 3.0], [4.0, 1.0, 2.0]])
    found = double_oracle(payoffs)
    assert found.rows[0] == 1
    check(payoffs[1:], double_oracle(payoffs[1:]))
    np.testing.assert_array_equal(found.equilibrium.row[1:], nash(payoffs[1:]).row)
    assert np.isnan(found.equilibrium.row[0])
    with pytest.raises(ValueError, match=r"start must be .*, got \(0, 1\)"):
        double_oracle(payoffs, (0, 1))


def test_best_responses_may_be_callables_over_anything():
    """Hide and seek on [0, 1]: the row is paid (x - y)^2, and flees to the ends; value 1/4."""

    def flee(others, mixed):
        return max((0.0, 1.0), key=lambda x: mixed @ (x - np.array(others)) ** 2)

    def follow(others, mixed):
        return float(mixed @ np.array(others))

    def paid(x, y):
        return (x - y) ** 2

    found = psro(paid, (flee, follow), (0.3, 0.9))
    assert found.converged
    assert found.equilibrium.value == pytest.approx(0.25, abs=1e-9)
    mass = dict(zip(found.rows, found.equilibrium.row, strict=True))
    assert mass[0.0] == pytest.approx(0.5, abs=1e-4)
    assert mass[1.0] == pytest.approx(0.5, abs=1e-4)
    for step in found.history:
        assert step.lower - 1e-12 <= 0.25 <= step.upper + 1e-12
    assert found.payoffs.shape == (len(found.rows), len(found.columns))
    cut = psro(paid, (flee, follow), (0.3, 0.9), iterations=2)
    assert not cut.converged
    assert len(cut.history) == 2
    assert cut.equilibrium.row.shape == (len(cut.rows),)


def test_the_gap_of_trained_responses_is_a_lower_bound_on_nash_conv():
    payoffs = regret_game(3)
    rng = np.random.default_rng(0)

    def trained(ours):
        """The best of three strategies that happened to be tried."""

        def respond(others, mixed):
            tried = rng.choice(len(ours), 3, replace=False)
            return int(tried[(ours[np.ix_(tried, others)] @ mixed).argmax()])

        return respond

    oracles = trained(payoffs), trained(-payoffs.T)
    found = psro(lambda i, j: payoffs[i, j], oracles, (0, 0), iterations=8)
    rows, columns = [0], [0]
    for step in found.history:
        rows, columns = found.rows[: step.shape[0]], found.columns[: step.shape[1]]
        row, column = np.zeros(len(payoffs)), np.zeros(len(payoffs.T))
        row[list(rows)], column[list(columns)] = step.equilibrium.row, step.equilibrium.column
        assert step.upper - step.lower <= nash_conv(payoffs, row, column) + 1e-12


def test_restricted_games_may_be_solved_otherwise():
    payoffs = regret_game(4)
    found = double_oracle(payoffs, solve=lambda cells: fictitious_play(cells, 20_000))
    assert found.equilibrium.value == pytest.approx(nash(payoffs).value, abs=1e-3)

    def uniform(cells):
        rows, columns = cells.shape
        return Equilibrium(cells.mean(), np.full(rows, 1 / rows), np.full(columns, 1 / columns))

    drifting = double_oracle(payoffs, solve=uniform)
    value = nash(payoffs).value
    assert all(step.lower <= value <= step.upper for step in drifting.history)


def test_payoffs_of_callables_must_be_finite():
    oracles = (lambda others, mixed: "b", lambda others, mixed: "y")
    with pytest.raises(ValueError, match=r"payoff\('b', 'x'\) must be finite, got nan"):
        psro(lambda row, column: 0.0 if row == "a" else NAN, oracles, ("a", "x"))
