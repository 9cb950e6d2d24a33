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


def check(payoffs, expansion, tolerance=1e-9):
    """T19: the LP value, within R + C iterations, between bounds at each of them."""
    value = nash(payoffs).value
    assert expansion.converged
    assert len(expansion.history) <= sum(payoffs.shape)
    for step in expansion.history:
        assert step.lower - tolerance <= value <= step.upper + tolerance
    last = expansion.history[-1]
    assert last.upper - last.lower == pytest.approx(0, abs=tolerance)
    assert expansion.equilibrium.value == pytest.approx(value, abs=tolerance)
    mixed = expansion.equilibrium.row, expansion.equilibrium.column
    assert nash_conv(payoffs, *mixed) == pytest.approx(0, abs=tolerance)


@pytest.mark.parametrize("seed", range(3))
def test_double_oracle_reaches_the_value_with_few_strategies(seed):
    for payoffs in (regret_game(seed), np.random.default_rng(seed).random((20, 12))):
        expansion = double_oracle(payoffs)
        check(payoffs, expansion)
        assert expansion.history[0].shape == (1, 1)
        assert len(expansion.history) > 3
        assert len(expansion.rows) < len(payoffs)
        np.testing.assert_array_equal(
            expansion.payoffs, payoffs[np.ix_(expansion.rows, expansion.columns)]
        )
        gaps = np.array([step.upper - step.lower for step in expansion.history])
        assert gaps[0] > 0.1


@given(PAYOFFS, st.integers(0, 99))
@settings(deadline=None)
def test_double_oracle_from_any_pair_of_any_game(payoffs, seed):
    rng = np.random.default_rng(seed)
    start = tuple(int(rng.integers(size)) for size in payoffs.shape)
    expansion = double_oracle(payoffs, start)
    check(payoffs, expansion, 1e-8)
    assert (expansion.rows[0], expansion.columns[0]) == start
    assert len(set(expansion.rows)) == len(expansion.rows)
    assert len(set(expansion.columns)) == len(expansion.columns)


def test_double_oracle_by_hand():
    """From rock against rock both add paper, then scissors, and the game is solved."""
    expansion = double_oracle(ROCK_PAPER_SCISSORS)
    assert expansion.rows == expansion.columns == (0, 1, 2)
    assert [step.shape for step in expansion.history] == [(1, 1), (2, 2), (3, 3)]
    assert [step.upper for step in expansion.history[:2]] == [1, 1]
    assert [step.lower for step in expansion.history[:2]] == [-1, -1]
    np.testing.assert_allclose(expansion.equilibrium.row, 1 / 3)
    best = double_oracle(TRANSITIVE, (2, 1))
    assert best.rows == (2, 0)
    assert best.columns == (1, 0)
    np.testing.assert_array_equal(best.equilibrium.row, [1, 0, 0])


def test_missing_entries_and_a_start_at_one():
    payoffs = np.array([[NAN, NAN, 1.0], [0.0, 2.0, 3.0], [4.0, 1.0, 2.0]])
    expansion = double_oracle(payoffs)
    assert expansion.rows[0] == 1
    check(payoffs[1:], double_oracle(payoffs[1:]))
    np.testing.assert_array_equal(expansion.equilibrium.row[1:], nash(payoffs[1:]).row)
    assert np.isnan(expansion.equilibrium.row[0])
    with pytest.raises(ValueError, match=r"start must be .*, got \(0, 1\)"):
        double_oracle(payoffs, (0, 1))


def test_best_responses_may_be_callables_over_anything():
    """Hide and seek on [0, 1]: the row player gets (x - y)^2 and plays the ends; value 1/4."""

    def flee(others, mixed):
        return max((0.0, 1.0), key=lambda x: mixed @ (x - np.array(others)) ** 2)

    def follow(others, mixed):
        return float(mixed @ np.array(others))

    def paid(x, y):
        return (x - y) ** 2

    expansion = psro(paid, (flee, follow), (0.3, 0.9))
    assert expansion.converged
    assert expansion.equilibrium.value == pytest.approx(0.25, abs=1e-9)
    mass = dict(zip(expansion.rows, expansion.equilibrium.row, strict=True))
    assert mass[0.0] == pytest.approx(0.5, abs=1e-4)
    assert mass[1.0] == pytest.approx(0.5, abs=1e-4)
    for step in expansion.history:
        assert step.lower - 1e-12 <= 0.25 <= step.upper + 1e-12
    assert expansion.payoffs.shape == (len(expansion.rows), len(expansion.columns))
    cut = psro(paid, (flee, follow), (0.3, 0.9), iterations=2)
    assert not cut.converged
    assert len(cut.history) == 2
    assert cut.equilibrium.row.shape == (len(cut.rows),)


def test_the_gap_of_trained_responses_is_a_lower_bound_on_nash_conv():
    payoffs = regret_game(3)
    rng = np.random.default_rng(0)

    def trained(ours):
        """Return an oracle that finds the best of three random strategies."""

        def respond(others, mixed):
            tried = rng.choice(len(ours), 3, replace=False)
            return int(tried[(ours[np.ix_(tried, others)] @ mixed).argmax()])

        return respond

    oracles = trained(payoffs), trained(-payoffs.T)
    expansion = psro(lambda i, j: payoffs[i, j], oracles, (0, 0), iterations=8)
    rows, columns = [0], [0]
    for step in expansion.history:
        rows, columns = expansion.rows[: step.shape[0]], expansion.columns[: step.shape[1]]
        row, column = np.zeros(len(payoffs)), np.zeros(len(payoffs.T))
        row[list(rows)], column[list(columns)] = step.equilibrium.row, step.equilibrium.column
        assert step.upper - step.lower <= nash_conv(payoffs, row, column) + 1e-12


def test_restricted_games_may_have_another_solver():
    payoffs = regret_game(4)
    expansion = double_oracle(
        payoffs, solve=lambda restricted: fictitious_play(restricted, 20_000)
    )
    assert expansion.equilibrium.value == pytest.approx(nash(payoffs).value, abs=1e-3)

    def uniform(restricted):
        rows, columns = restricted.shape
        return Equilibrium(
            restricted.mean(), np.full(rows, 1 / rows), np.full(columns, 1 / columns)
        )

    drifting = double_oracle(payoffs, solve=uniform)
    value = nash(payoffs).value
    assert all(step.lower <= value <= step.upper for step in drifting.history)


def test_payoffs_of_callables_must_be_finite():
    oracles = (lambda others, mixed: "b", lambda others, mixed: "y")
    with pytest.raises(ValueError, match=r"payoff\('b', 'x'\) must be finite, got nan"):
        psro(lambda row, column: 0.0 if row == "a" else NAN, oracles, ("a", "x"))
