"""The maximum-entropy equilibrium, and Nash averaging: examples, certificates, copies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from eva_env.solving.averaging import centred, log_odds, nash_averaging, task_averaging
from eva_env.solving.max_entropy import max_entropy_nash
from eva_env.solving.zero_sum import PRECISION, nash, nash_conv
from tests.support.matrices import COARSE, ROCK_PAPER_SCISSORS, TIES, TRANSITIVE

SQUARES = hnp.arrays(
    np.float64, st.integers(1, 7).map(lambda n: (n, n)), elements=st.integers(-1, 1)
)
ANTISYMMETRIC = SQUARES.map(lambda a: a - a.T)


def certify(gains, x, tolerance=1e-6):
    """Assert that x has the highest entropy of {q in the simplex: q @ gains >= 0}.

    By linear programs: entropy is concave, so x is best if and only if -q @ log x <= H(x) for
    all q of the set, and no q has mass where x has none.
    """
    played = x > 0
    n, k = gains.shape
    for objective in (np.where(played, np.log(np.where(played, x, 1)), 0), -1.0 * ~played):
        equilibrium = linprog(
            objective,
            -gains.T,
            np.full(k, 1e-10),
            np.ones((1, n)),
            [1.0],
            bounds=(0, 1),
            options=PRECISION | {"presolve": False},
        )
        assert equilibrium.success
        assert -equilibrium.fun <= -(objective @ x) + tolerance


def copied(payoffs, rows, columns):
    return payoffs[np.ix_(rows, columns)]


@given(TIES)
@settings(deadline=None, max_examples=60)
def test_no_equilibrium_has_higher_entropy(payoffs):
    distinct = np.unique(np.unique(payoffs, axis=0), axis=1)
    equilibrium = max_entropy_nash(distinct)
    value = nash(distinct).value
    assert nash_conv(distinct, equilibrium.row, equilibrium.column) == pytest.approx(
        0, abs=1e-7
    )
    certify(distinct - value, equilibrium.row)
    certify(value - distinct.T, equilibrium.column)


@given(COARSE, st.data())
@settings(deadline=None, max_examples=60)
def test_a_copy_changes_nothing_for_the_others(payoffs, data):
    i = data.draw(st.integers(0, len(payoffs) - 1))
    j = data.draw(st.integers(0, len(payoffs.T) - 1))
    rows, columns = [*range(len(payoffs)), i], [*range(len(payoffs.T)), j]
    once, twice = max_entropy_nash(payoffs), max_entropy_nash(copied(payoffs, rows, columns))
    for matrix, plain, more, k in (
        (payoffs, once.row, twice.row, i),
        (payoffs.T, once.column, twice.column, j),
    ):
        is_copy = (matrix - matrix[k] == 0).all(1)
        np.testing.assert_allclose(more[:-1][~is_copy], plain[~is_copy], atol=1e-6)
        assert more[:-1][is_copy].sum() + more[-1] == pytest.approx(
            plain[is_copy].sum(), abs=1e-6
        )
        assert more[-1] == pytest.approx(more[k], abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_unique_equilibrium_is_found(seed):
    payoffs = np.random.default_rng(seed).normal(size=(9, 7))
    equilibrium, unique = max_entropy_nash(payoffs), nash(payoffs)
    np.testing.assert_allclose(equilibrium.row, unique.row, atol=1e-9)
    np.testing.assert_allclose(equilibrium.column, unique.column, atol=1e-9)
    assert equilibrium.value == pytest.approx(unique.value, abs=1e-12)


def test_rock_paper_scissors_and_a_copy_of_scissors():
    """The example of Balduzzi et al.: win rates of 0.99, log-odds 4.6."""
    wins = 0.5 + 0.49 * ROCK_PAPER_SCISSORS
    average = nash_averaging(log_odds(wins))
    assert log_odds(wins).max() == pytest.approx(4.595, abs=1e-3)
    np.testing.assert_allclose(average.probabilities, 1 / 3)
    more = nash_averaging(log_odds(copied(wins, [0, 1, 2, 2], [0, 1, 2, 2])))
    np.testing.assert_allclose(more.probabilities, [1 / 3, 1 / 3, 1 / 6, 1 / 6])
    np.testing.assert_allclose(more.skills, 0, atol=1e-12)


def test_ties_share_mass_and_dominated_agents_get_none():
    np.testing.assert_allclose(nash_averaging(np.zeros((3, 3))).probabilities, 1 / 3)
    champion = nash_averaging(TRANSITIVE)
    np.testing.assert_allclose(champion.probabilities, [1, 0, 0])
    np.testing.assert_allclose(champion.skills, [0, -1, -2])
    # Two champions draw; the third loses by 1 to one, by 3 to the other.
    draw = np.array([[0.0, 0, 1], [0, 0, 3], [-1, -3, 0]])
    average = nash_averaging(draw)
    np.testing.assert_allclose(average.probabilities, [0.5, 0.5, 0], atol=1e-9)
    np.testing.assert_allclose(average.skills, [0, 0, -2], atol=1e-9)
    more = nash_averaging(copied(draw, [0, 1, 2, 0], [0, 1, 2, 0]))
    np.testing.assert_allclose(more.probabilities, [0.25, 0.5, 0, 0.25], atol=1e-9)
    np.testing.assert_allclose(more.skills, [0, 0, -2, 0], atol=1e-9)
    # The third beats the second by 3 and loses to the first by 1: at most 1/4 for the second.
    bounded = nash_averaging(np.array([[0.0, 0, 1], [0, 0, -3], [-1, 3, 0]]))
    np.testing.assert_allclose(bounded.probabilities, [0.75, 0.25, 0], atol=1e-7)
    np.testing.assert_allclose(bounded.skills, 0, atol=1e-7)


@given(ANTISYMMETRIC, st.data())
@settings(deadline=None, max_examples=60)
def test_nash_averages_are_an_equilibrium_and_ignore_copies(payoffs, data):
    average = nash_averaging(payoffs)
    assert average.skills.max() <= 1e-6
    np.testing.assert_allclose(average.skills[average.probabilities > 1e-6], 0, atol=1e-6)
    np.testing.assert_allclose(payoffs @ average.probabilities, average.skills, atol=1e-12)
    n = len(payoffs)
    agents = [*range(n), data.draw(st.integers(0, n - 1))]
    more = nash_averaging(copied(payoffs, agents, agents))
    np.testing.assert_allclose(more.skills[:-1], average.skills, atol=1e-6)
    order = data.draw(st.permutations(range(n)))
    shuffled = nash_averaging(copied(payoffs, order, order))
    np.testing.assert_allclose(shuffled.probabilities, average.probabilities[order], atol=1e-6)


def test_uninformative_tasks_do_not_count():
    """Agents 0 and 1 beat each other on tasks 0 and 1; task 2 is easy, agent 2 weak."""
    scores = np.array([[0.9, 0.1, 1.0], [0.3, 0.7, 1.0], [0.2, 0.05, 0.9]])
    average = task_averaging(scores)
    np.testing.assert_allclose(average.tasks, [0.5, 0.5, 0], atol=1e-9)
    np.testing.assert_allclose(average.agents, [1 / 3, 2 / 3, 0], atol=1e-9)
    np.testing.assert_allclose(average.skills, [0.5, 0.5, 0.125], atol=1e-9)
    np.testing.assert_allclose(average.difficulties, [-0.5, -0.5, -1], atol=1e-9)
    assert average.value == pytest.approx(0.5)
    agents, tasks = [0, 1, 2, 2, 0], [0, 1, 2, 2, 1, 1]
    more = task_averaging(copied(scores, agents, tasks))
    np.testing.assert_allclose(more.skills, average.skills[agents], atol=1e-9)
    np.testing.assert_allclose(more.difficulties, average.difficulties[tasks], atol=1e-9)


def test_win_rates_as_payoffs():
    wins = np.array([[np.nan, 0.8], [0.2, 0.5]])
    np.testing.assert_allclose(log_odds(wins)[0, 1], np.log(4))
    np.testing.assert_allclose(centred(wins)[:, 1], [0.6, 0])
    np.testing.assert_allclose(nash_averaging(centred(wins)).probabilities, [1, 0])
    certain = log_odds(np.array([[0.5, 1.0], [0.0, 0.5]]), 0.2)
    np.testing.assert_allclose(certain, [[0, np.log(4)], [-np.log(4), 0]], atol=1e-15)


def test_rounding_errors_of_equal_players_are_not_refused():
    """Log-odds of draws in which nobody is better are 0 up to the last bits."""
    average = nash_averaging([[0.0, -2.2e-16], [4.4e-16, 0.0]])
    assert average.skills == pytest.approx([0.0, 0.0], abs=1e-12)


def test_what_is_not_antisymmetric_is_refused():
    with pytest.raises(ValueError, match=r"transpose must be 0, got 1.0 at \(0, 1\), 0.0"):
        nash_averaging([[0, 1], [0, 0]])
    with pytest.raises(ValueError, match=r"transpose must be 1, got 0.7 at \(0, 1\), 0.4"):
        centred([[0.5, 0.7], [0.4, 0.5]])
    with pytest.raises(ValueError, match=r"in \[0, 1\], got -0.1 to 1.1"):
        log_odds([[0.5, 1.1], [-0.1, 0.5]])
    with pytest.raises(ValueError, match=r"floor must lie in \(0, 0.5\), got 0"):
        log_odds([[0.5]], 0)
    with pytest.raises(ValueError, match="as many columns as rows"):
        nash_averaging(np.zeros((2, 3)))
