"""Fixed points of Nash-MD, online DPO and XPO: the zero of their population gradient."""

import pytest
import torch

from agents.losses.pairs import Pairs
from agents.solvers import OAIF, XPO, NashMD
from tests.support.population import BETA, GIBBS, REFERENCE, REWARDS, descend, gradient


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_nash_md_rests_where_its_opponent_makes_it(share):
    """pi ~ reference exp(P(y > opponent) / beta), the opponent being a mixture with pi."""
    beta = 0.1
    method = NashMD(beta=beta, mixture=share)
    settled = descend(lambda policy: gradient(method, policy), steps=300, rate=20.0)
    opponent = ((1 - share) * settled.log() + share * REFERENCE).softmax(0)
    wins = torch.sigmoid(REWARDS[:, None] - REWARDS) @ opponent
    assert torch.allclose(settled, (REFERENCE + wins / beta).softmax(0), atol=1e-4)
    assert gradient(method, settled, n=4).abs().max() < 1e-4  # two of four are the policy's
    assert settled[1] > REFERENCE.exp()[1] + 0.1


def preferences(policy, matrix, reference, share, beta):
    """Nash-MD's ascent direction for a preference that no reward gives."""
    opponent = ((1 - share) * policy.log() + share * reference).softmax(0)
    payoff = matrix @ opponent - 0.5 - beta * (policy.log() - reference)
    return policy * (payoff - policy @ payoff)


def test_nash_md_on_rock_paper_scissors_is_uniform():
    """The Nash equilibrium regularised by a uniform reference, from any start."""
    matrix = torch.tensor([[0.5, 0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1, 0.5]]).double()
    uniform = torch.full((3,), 1 / 3).double()
    for share in (0.0, 0.125, 0.5):
        logits = REFERENCE.clone()
        for _ in range(400):
            logits = logits + preferences(logits.softmax(0), matrix, uniform.log(), share, 0.2)
        assert (logits.softmax(0) - uniform).abs().max() < 1e-6


def test_the_direction_for_a_preference_is_that_of_the_method():
    """The matrix of a reward, sigmoid(r - r'), in place of rock, paper and scissors."""
    policy = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    matrix = torch.sigmoid(REWARDS[:, None] - REWARDS)
    expected = preferences(policy, matrix, REFERENCE, 0.3, 0.1)
    # Half of the responses are the opponent's: the mean counts them, but they have no gradient.
    direction = -2 * gradient(NashMD(beta=0.1, mixture=0.3), policy)
    assert torch.allclose(direction, expected, atol=1e-14)


def pair_gradient(method, policy, shares):
    """Population gradient under Bradley-Terry labels; ``shares`` (M, M) are the pairs'."""
    logits = policy.log().requires_grad_()
    logprobs = logits.log_softmax(0)
    left, right = torch.cartesian_prod(torch.arange(3), torch.arange(3)).T
    wins = torch.sigmoid(REWARDS[left] - REWARDS[right])
    total = torch.zeros((), dtype=torch.float64)
    for first, (a, b), label in ((True, (left, right), wins), (False, (right, left), 1 - wins)):
        pairs = Pairs(logprobs[a], logprobs[b], REFERENCE[a], REFERENCE[b])
        total = total + (shares.flatten() * label) @ method.loss(
            pairs, torch.full_like(a, first).bool()
        )
    return torch.autograd.grad(total, logits)[0]


def on_policy(policy):
    return policy[:, None] * policy


def against_the_reference(policy):
    return policy[:, None] * REFERENCE.exp()


@pytest.mark.parametrize(
    ("method", "shares"),
    [(OAIF(beta=BETA), on_policy), (XPO(beta=BETA, alpha=0.0), against_the_reference)],
)
def test_online_dpo_under_bradley_terry_labels_rests_at_the_gibbs_policy(method, shares):
    assert pair_gradient(method, GIBBS, shares(GIBBS)).abs().max() < 1e-12
    settled = descend(lambda policy: pair_gradient(method, policy, shares(policy)), 100, 8.0)
    assert (settled - GIBBS).abs().max() < 1e-4


def test_the_bonus_of_xpo_leads_away_from_the_reference():
    def rest(alpha):
        method = XPO(beta=BETA, alpha=alpha)

        def slope(policy):
            return pair_gradient(method, policy, against_the_reference(policy))

        return (REFERENCE.exp() @ descend(slope, 100, 8.0).log()).item()

    assert rest(0.0) > rest(0.02) + 0.01
    assert rest(0.02) > rest(0.05) + 0.01
