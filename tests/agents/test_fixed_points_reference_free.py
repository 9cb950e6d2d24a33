"""Fixed points of the methods on pairs without a reference model, and of hinges."""

import numpy as np
import pytest
from scipy.optimize import linprog, minimize, root
from scipy.special import expit, logit, softmax

from agents.solvers import CPO, ORPO, Hinge, RePO, SimPO, SLiC
from tests.support.pair_population import (
    SHARES,
    WON,
    M,
    P,
    Population,
    R,
    check,
    gibbs,
    margins,
    resting,
    settled_for_two,
)


def test_cpo_is_rpo_of_a_uniform_reference():
    """g_a as for RPO, m without a reference; alpha 0 gives pi ~ exp(r / beta)."""

    def g(pi):
        return -0.4 * (SHARES * (P - expit(0.4 * margins(pi)))).sum(1) - 0.3 * WON

    check(CPO(beta=0.4, alpha=0.3), resting(g))
    check(CPO(beta=0.4, alpha=0.0), softmax(R / 0.4))


def test_simpo_rests_where_the_shifted_logistics_balance():
    """g_a = -beta sum_b w_ab (p_ab f_ab - p_ba f_ba), f_ab = sigmoid(gamma - beta m_ab).

    For gamma 0 that is DPO's with a uniform reference. For two responses x = exp(beta m) solves
    (1 - p) e^-gamma x^2 - (2 p - 1) x - p e^-gamma = 0: a margin spreads the policy further.
    """
    beta, gamma = 0.8, 0.5

    def g(pi):
        m = beta * margins(pi)
        return -beta * (SHARES * (P * expit(gamma - m) - P.T * expit(gamma + m))).sum(1)

    check(SimPO(beta=beta, gamma=gamma), resting(g))
    check(SimPO(beta=beta, gamma=0.0), softmax(R / beta))
    p, small = 0.8, np.exp(-gamma)
    x = (2 * p - 1 + np.sqrt((2 * p - 1) ** 2 + 4 * p * (1 - p) * small**2)) / (
        2 * (1 - p) * small
    )
    two = settled_for_two(SimPO(beta=beta, gamma=gamma), p)
    assert logit(two[0]) == pytest.approx(np.log(x) / beta, abs=1e-6)
    assert two[0] > expit(logit(p) / beta)


def test_orpo_rests_between_the_winners_and_log_odds_of_reward():
    """With o = log odds, whose derivative by log pi is 1 / (1 - pi):

    g_a = -W_a - weight / (1 - pi_a) sum_b w_ab (p_ab - sigmoid(o_a - o_b)). A heavy weight
    leads to o_a = r_a + c, with the c that makes a distribution.
    """

    def g(pi, weight):
        odds = logit(pi)
        won = SHARES * (P - expit(odds[:, None] - odds))
        return -WON - weight * won.sum(1) / (1 - pi)

    check(ORPO(weight=0.5), resting(lambda pi: g(pi, 0.5)))
    shift = root(lambda c: expit(R + c).sum() - 1, -1.0).x
    heavy = Population(ORPO(weight=1e4)).settle()
    np.testing.assert_allclose(heavy, expit(R + shift), atol=1e-3)
    light = Population(ORPO(weight=1e-6)).settle()
    np.testing.assert_allclose(light, WON / WON.sum(), atol=1e-4)


def hinge_program(scale, shares=SHARES, chance=P):
    """min sum w_ab p_ab xi_ab with xi_ab >= scale - (s_a - s_b), xi >= 0: value and s (M,)."""
    better, worse = np.nonzero(shares)
    n, size = len(better), len(shares)
    rows = np.zeros((n, size + n))
    rows[np.arange(n), better], rows[np.arange(n), worse] = -1, 1
    rows[np.arange(n), size + np.arange(n)] = -1
    cost = np.concatenate([np.zeros(size), (shares * chance)[better, worse]])
    bounds = [(0, 0)] + [(None, None)] * (size - 1) + [(0, None)] * n
    solution = linprog(cost, A_ub=rows, b_ub=np.full(n, -scale), bounds=bounds)
    return solution.fun, solution.x[:size]


@pytest.mark.parametrize(
    ("method", "target", "scale"),
    [(Hinge(beta=0.5), lambda s: gibbs(s / 0.5), 1.0), (RePO(gamma=0.7), softmax, 0.7)],
)
def test_hinges_rest_at_the_solution_of_a_linear_program(method, target, scale):
    """Convex and piecewise linear in log pi up to a constant, so a linear program solves it.

    For two responses the likelier winner has the full margin, 1 / beta or RePO's gamma, however
    likely it is, since p hinge(m) + (1 - p) hinge(-m) falls by 2 p - 1 a nat up to there.
    """
    value, scores = hinge_program(scale)
    population = Population(method)
    population.slope(target(scores))
    assert population.loss().item() == pytest.approx(value, abs=1e-9)
    assert Population(method).loss().item() > value + 0.01
    trained = Population(method)
    trained.train()
    assert trained.loss().item() == pytest.approx(value, abs=1e-4)
    for p in (0.6, 0.9):
        two = settled_for_two(method, p, "train")
        assert logit(two[0]) == pytest.approx(
            scale if isinstance(method, RePO) else 2, abs=1e-2
        )


def test_slic_rests_at_a_full_margin_or_where_likelihood_stops_it():
    """Two responses, u = log pi_1 - log pi_2 < delta: 1 - 2 p = weight (p - sigmoid(u)).

    So sigmoid(u) = p + (2 p - 1) / weight, or the full margin delta if that is less. For more
    responses a program with slacks for the hinges, solved by scipy, has the same value.
    """
    for p, weight, delta in ((0.6, 2.0, 1.0), (0.6, 0.5, 3.0), (0.7, 5.0, 3.0)):
        two = settled_for_two(SLiC(delta=delta, weight=weight), p, "train")
        inner = p + (2 * p - 1) / weight
        expected = min(delta, logit(inner)) if inner < 1 else delta
        assert logit(two[0]) == pytest.approx(expected, abs=1e-2)

    delta, weight = 1.0, 0.5
    better, worse = np.nonzero(SHARES)
    chances = (SHARES * P)[better, worse]

    def value(x):
        logpi = x[:M] - np.logaddexp.reduce(x[:M])
        return chances @ x[M:] - weight * WON @ logpi

    slack = {"type": "ineq", "fun": lambda x: x[M:] - delta + x[:M][better] - x[:M][worse]}
    start = np.concatenate([np.zeros(M), np.full(len(better), delta)])
    bounds = [(None, None)] * M + [(0, None)] * len(better)
    oracle = minimize(value, start, bounds=bounds, constraints=[slack], tol=1e-10)
    population = Population(SLiC(delta=delta, weight=weight))
    population.train()
    assert population.loss().item() == pytest.approx(oracle.fun, abs=1e-4)
