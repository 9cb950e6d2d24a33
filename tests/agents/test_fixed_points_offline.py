"""Fixed points of the methods on pairs that have a reference model (``pair_population``)."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, root_scalar
from scipy.special import expit, logit, softmax

from agents.policies.table import TablePolicy
from agents.solvers import (
    DPO,
    IPO,
    KTO,
    RPO,
    SGPO,
    SPPO,
    PolicySolver,
    RobustDPO,
)
from eva_env import distributions
from eva_env.tabular import exact
from eva_env.types import Proposal, Round
from tests.support.pair_population import (
    REFERENCE,
    SHARES,
    SHOWN,
    WINS,
    WON,
    M,
    P,
    Population,
    R,
    check,
    gibbs,
    margins,
    resting,
)


def test_first_step_of_dpo_is_from_the_worst_to_the_best():
    """T9: at pi_ref every pair has slope beta / 2, so the ascent is beta / 2 (best - worst)."""
    shares = exact.pair_distribution(REFERENCE[None], R[None], 6)[0] * (1 - np.eye(M))
    population = Population(DPO(beta=0.2), shares=shares, chance=np.ones((M, M)))
    best, worst = (
        f(REFERENCE[None], R[None], 6)[0] for f in (exact.best_of_n, exact.worst_of_n)
    )
    np.testing.assert_allclose(population.slope(REFERENCE), -0.1 * (best - worst), atol=1e-12)


@pytest.mark.parametrize("method", [DPO(beta=0.4), RPO(beta=0.4, alpha=0.0)])
def test_dpo_rests_at_the_gibbs_policy(method):
    """T12: g_a = -beta sum_b w_ab (p_ab - sigmoid(beta m_ab)), 0 at beta m_ab = r_a - r_b."""
    check(method, gibbs(R / 0.4))


def test_robust_dpo_rests_at_the_gibbs_policy_of_the_true_labels():
    """Labels flipped with probability e: its expectation is DPO's loss of the true ones."""
    flips = 0.2
    seen = (1 - flips) * P + flips * P.T
    check(RobustDPO(beta=0.4, label_smoothing=flips), gibbs(R / 0.4), chance=seen)
    naive = Population(DPO(beta=0.4), chance=seen).settle()
    assert np.abs(naive - gibbs(R / 0.4)).max() > 0.05


@pytest.mark.parametrize("length_averaged", [False, True])
def test_ipo_rests_at_the_gibbs_policy_of_the_preference(length_averaged):
    """T13: for pairs of independent draws from mu, pi ~ pi_ref exp(p*(y > mu) / tau)."""
    mu, tau = softmax(np.random.default_rng(2).normal(size=M)), 0.3
    expected = gibbs(P @ mu / tau)
    method = IPO(tau=tau, length_averaged=length_averaged)
    check(method, expected, shares=np.outer(mu, mu) * (1 - np.eye(M)))


def test_ipo_rests_at_the_least_squares_fit_for_any_pairs():
    """g_a = 2 sum_b w_ab (m_ab - (2 p_ab - 1) / (2 tau)): equations of a graph Laplacian."""
    tau = 0.3
    laplacian = np.diag(SHOWN) - SHARES
    target = (SHARES * (2 * P - 1)).sum(1) / (2 * tau)
    check(IPO(tau=tau), gibbs(np.linalg.pinv(laplacian) @ target))


def test_sppo_on_its_own_samples_rests_at_the_gibbs_policy_of_the_win_rate():
    """g_a = nu_a e_a, e = log pi / pi_ref - eta (P - 1/2), nu the training distribution.

    At nu = pi, g = pi sum g needs the same e for all responses, which the normaliser absorbs:
    pi ~ pi_ref exp(eta P), the multiplicative-weights step of the paper's Eq. 4.1 that the loss
    is made from. (It has 1/2 in place of the log-normaliser over eta, so that e is not 0.)
    """
    eta = 2.0
    expected = gibbs(eta * WINS)
    shares = np.outer(expected, expected)
    population = Population(SPPO(eta=eta), shares=shares, chance=np.ones((M, M)))
    assert np.abs(population.slope(REFERENCE)).max() > 0.01
    np.testing.assert_allclose(population.slope(expected), 0, atol=1e-12)
    error = np.log(expected / REFERENCE) - eta * (WINS - 0.5)
    assert np.abs(error).min() > 0.01


@pytest.mark.parametrize("hard", [False, True])
def test_sppo_on_given_pairs_rests_where_errors_are_in_proportion(hard):
    """g_a = nu_a e_a as above, so that at rest e_a nu_a / pi_a is the same for all responses.

    Hard win rates are 1 and 0 by label: their mean for a is W_a / nu_a, which takes P's place.
    """
    eta = 1.5
    wins = WON / SHOWN if hard else WINS

    def g(pi):
        return SHOWN * (np.log(pi / REFERENCE) - eta * (wins - 0.5))

    expected = resting(g)
    check(SPPO(eta=eta, hard=hard), expected)
    assert np.ptp(g(expected) / expected) < 1e-8
    assert np.argmax(expected / REFERENCE) == np.argmax(wins)


def test_rpo_rests_between_dpo_and_the_winners():
    """g_a = -beta sum_b w_ab (p_ab - sigmoid(beta m_ab)) - alpha W_a."""

    def g(pi, alpha, beta=0.4):
        won = SHARES * (P - expit(beta * margins(pi, REFERENCE)))
        return -beta * won.sum(1) - alpha * WON

    check(RPO(beta=0.4, alpha=0.3), resting(lambda pi: g(pi, 0.3)))
    np.testing.assert_allclose(resting(lambda pi: g(pi, 1e5)), WON / WON.sum(), atol=1e-4)


def test_kto_empties_what_loses_more_than_it_wins():
    """g_a = -beta / 2 s_a (1 - s_a) c_a with s = sigmoid(beta (log pi / pi_ref - z)), given z.

    c_a = D W_a - U (nu_a - W_a); the objective is a constant minus 1/2 sum c_a s_a. Where c_a
    is negative the likelihood of a response can fall without end, so no fixed point is inside
    the simplex. The limit has all mass on c > 0, where it maximises sum c_a s_a.
    """
    beta, good_weight, bad_weight = 1.0, 1.2, 0.9
    surplus = good_weight * WON - bad_weight * (SHOWN - WON)
    good = surplus > 0
    assert 2 <= good.sum() < M

    def negative(logits):
        pi = softmax(logits)
        return -(surplus[good] * expit(beta * np.log(pi / REFERENCE[good]))).sum()

    oracle = minimize(negative, np.zeros(good.sum()), tol=1e-12)
    population = Population(KTO(beta=beta, desirable=good_weight, undesirable=bad_weight))
    settled = population.train(steps=800, lr=0.3)
    assert settled[~good].max() < 1e-3
    np.testing.assert_allclose(settled[good], softmax(oracle.x), atol=5e-3)
    infimum = good_weight * WON.sum() / 2 + oracle.fun / 2
    assert population.loss().item() == pytest.approx(infimum, abs=2e-3)
    assert population.loss().item() >= infimum


def settled_sgpo(start, share, radius, beta=0.5):
    """Margin of SGPO on 100 pairs of two responses, of which a share chose the first."""
    method = SGPO(
        lr=0.05,
        beta=beta,
        radius=radius,
        reference="initial",
        epochs=300,
        batch_size=100,
        schedule="linear",
    )
    solver = PolicySolver(TablePolicy(np.zeros((1, 2))), method)
    with torch.no_grad():
        solver.policy.theta[0, 0] += start
    prompts, responses = np.zeros(100, int), np.tile([0, 1], (100, 1))
    rewards = np.where(np.arange(100)[:, None] < 100 * share, [1.0, 0.0], [0.0, 1.0])
    proposal = Proposal(prompts, np.zeros(100))
    round = Round(0, proposal, prompts, responses, rewards, rewards[0], {})
    solver.learn(round, np.random.default_rng(0))
    return logit(solver.policy.probabilities()[0, 0])


def test_sgpo_rests_at_a_more_cautious_margin():
    """Two responses, a share p of pairs for the first: the gaps are u = beta m and -u.

    The follower moves a mass of radius / (2 u) from the former to the latter, so that DPO's
    sigmoid(u) = p becomes sigmoid(u) = p - radius / (2 u), whose larger root is stable. So is
    0, since the ball there contains the distribution with all pairs at -u: conflicting labels
    trap the margin.
    """
    share, radius, beta = 0.8, 0.1, 0.5
    balance = root_scalar(lambda u: share - radius / (2 * u) - expit(u), bracket=(0.7, 3))
    margin = settled_sgpo(1.5, share, radius)
    assert margin == pytest.approx(balance.root / beta, abs=1e-3)
    assert margin < logit(share) / beta - 0.1
    assert settled_sgpo(0.0, share, radius) == pytest.approx(0, abs=1e-3)
    assert settled_sgpo(0.0, share, 0.0) == pytest.approx(logit(share) / beta, abs=1e-3)


def test_dpo_comes_to_rest_in_play():
    """Two samples, whose rewards have Gumbel noise: the difference of two is logistic, so that
    the better one is a Bradley-Terry label. T12 with samples in place of the distribution."""
    rewards, beta = np.array([[0.0, 1.0, 0.3], [0.9, 0.1, 0.5]]), 0.5
    method = DPO(lr=0.02, beta=beta, reference="initial", epochs=1, batch_size=256)
    solver = PolicySolver(TablePolicy(np.zeros((2, 3))), method)
    rng, late = np.random.default_rng(0), []
    for i in range(120):
        prompts = np.arange(512) % 2
        responses = solver.respond(prompts, 2, rng)
        seen = rewards[prompts[:, None], responses] + rng.gumbel(size=(512, 2))
        proposal = Proposal(prompts, np.zeros(512))
        solver.learn(Round(i, proposal, prompts, responses, seen, seen[:, 0], {}), rng)
        if i >= 60:
            late.append(solver.policy.probabilities())
    optimum = distributions.optimal_policy(rewards, np.full((2, 3), 1 / 3), beta)
    assert np.abs(np.mean(late, axis=0) - optimum).max() < 0.03
