"""Every creator's mean payoff against its closed form, in the tabular world.

The solver is the reference policy, so a prompt's expected signal is known exactly. A creator's
expected payoff is the sum over prompts of their probability times that.
"""

from typing import get_args

import numpy as np
import pytest
from scipy.stats import chisquare

from agents import creators
from eva_env.distributions import softmax
from eva_env.tabular.exact import expected_signal
from eva_env.types import CREATOR, Proposal
from tests.support.creator_distributions import (
    EVERY,
    HUMAN,
    SAMPLES,
    TABLE,
    WORLD,
    Case,
    all_prompts_are_seen,
    buffered,
    by_operators,
    conjectured,
    edit,
    even,
    evolved,
    gibbs_distribution,
    minmax,
    on,
    parentless,
    pooled,
    replayed,
    rewrites,
    share,
    table,
)

ONE = {"fraction": 1e-6, "rewrites": 1, "old_share": 0.0, "deduplicate": False}
REPLAY = {"distribution": "uniform", "replay": 1.0, "beta": 0.5, "capacity": 64}
OPERATORS = {"old_share": 0.0, "step": 5.0}
FULL = {"n": len(WORLD.trainable), "rounds": 6}

CASES = {
    "Static": Case(creators.Static, lambda creator: even(creator.prompts), n=32),
    "Fresh": Case(creators.Fresh, lambda creator: HUMAN),
    "DomainRandomisation": Case(creators.DomainRandomisation, lambda creator: EVERY),
    "Oracle": Case(creators.Oracle, lambda creator: on([2, 3, 4])),
    "UniformEvolve": Case(
        creators.UniformEvolve, evolved(lambda v: share(np.ones(len(v)))), ONE
    ),
    "UniformLite": Case(creators.UniformLite, evolved(lambda v: share(np.ones(len(v)))), ONE),
    "Eva": Case(creators.Eva, evolved(share), ONE),
    "EvaLite": Case(creators.EvaLite, evolved(share), ONE),
    "Eva, minmax": Case(creators.Eva, evolved(minmax), ONE | {"weighting": "minmax"}),
    "Eva, softmax": Case(
        creators.Eva,
        evolved(lambda v: share(np.exp(v / 0.1))),
        ONE | {"weighting": "softmax", "tau": 0.1},
    ),
    "EvolComplexity": Case(creators.EvolComplexity, evolved(share, {"up": 1}), ONE),
    "EvolQuality": Case(
        creators.EvolQuality, evolved(share, {"up": 1, "breadth_variant": 1}), ONE
    ),
    "SelfInstruct": Case(
        creators.SelfInstruct,
        evolved(share, {"breadth_topic": 1, "breadth_variant": 1}),
        ONE,
    ),
    "TreeBestOfN": Case(creators.TreeBestOfN, evolved(share, tries=3), ONE | {"branches": 3}),
    "Minimax": Case(creators.Minimax, evolved(minmax), ONE),
    "PAIRED": Case(creators.PAIRED, evolved(minmax), ONE),
    "RZero": Case(creators.RZero, evolved(share), ONE | {"passing": 0.6, "band": 0.5}),
    "EvaOnline": Case(
        creators.EvaOnline, buffered, {"human_prompts": 64}, rounds=2, freeze=parentless
    ),
    "PLR": Case(creators.PLR, replayed, REPLAY, rounds=8),
    "RobustPLR": Case(creators.RobustPLR, replayed, REPLAY, rounds=8),
    "ACCEL": Case(creators.ACCEL, replayed, REPLAY, rounds=8, freeze=parentless),
    "ACCEL, edits": Case(
        creators.ACCEL, lambda creator: rewrites(creator.parents[0]), REPLAY, 1, 12, edit
    ),
    "SFL": Case(
        creators.SFL,
        lambda creator: even(creator.kept),
        {"distribution": "uniform", "passing": 0.6, "rho": 1.0, "training": 9, "keep": 0.6},
    ),
    "AZR": Case(creators.AZR, by_operators, OPERATORS | {"passing": 0.6}, rounds=4),
    "STP": Case(
        creators.STP,
        conjectured,
        {"passing": 0.6, "human_share": 0},
        1,
        4,
        all_prompts_are_seen,
    ),
    "OperatorPolicy": Case(creators.OperatorPolicy, by_operators, OPERATORS, rounds=4),
    "OperatorPolicy, by topic": Case(
        creators.OperatorPolicy, by_operators, OPERATORS | {"context": "topic"}, rounds=4
    ),
    "PolicyGradient": Case(creators.PolicyGradient, pooled, **FULL),
    "Gibbs": Case(creators.Gibbs, gibbs_distribution, **FULL),
    "MirrorDescent": Case(creators.MirrorDescent, pooled, **FULL),
}

EXPECTED = expected_signal("a_star_avg", TABLE.probabilities(), WORLD.gold, SAMPLES)
GAMES = 600


def paid(proposals, rng, batch=8):
    """Return the creator's payoffs in games with these proposals."""
    game, payoffs = table(batch), []
    for proposal in proposals:
        game.propose(proposal)
        payoffs.append(game.respond(TABLE.sample(game.prompts, SAMPLES, rng)).payoffs[CREATOR])
    return np.array(payoffs)


def z(payoffs, expected):
    return (payoffs.mean() - expected) / (payoffs.std(ddof=1) / np.sqrt(len(payoffs)))


def test_every_registered_creator_has_a_closed_form():
    missing = {*get_args(creators.AnyCreator)} - {case.cls for case in CASES.values()}
    assert not missing, (
        f"add a Case for each of {sorted(cls.__name__ for cls in missing)} to CASES in "
        f"tests/eva_env/test_creator_payoffs.py: its distribution over prompts "
        f"in a given state; tests/support/creator_distributions.py has the building blocks"
    )


@pytest.mark.parametrize("name", CASES)
def test_the_expected_payoff_agrees_with_its_closed_form(name):
    case = CASES[name]
    creator, rng = case.frozen()
    distribution, state, proposals = case.distribution(creator), creator.state_dict(), []
    for _ in range(GAMES):
        creator.load_state_dict(state)
        proposals.append(creator.propose(WORLD, case.n, rng))
    assert abs(z(paid(proposals, rng), distribution @ EXPECTED)) < 4
    published = sum(
        np.bincount(proposal.prompts, softmax(proposal.logits), WORLD.size)
        for proposal in proposals
    )
    possible = distribution > 0
    assert not published[~possible].any()
    assert chisquare(published[possible], GAMES * distribution[possible]).pvalue > 1e-3


def test_probability_on_invalid_prompts_costs_the_penalty():
    rng, held_out = np.random.default_rng(0), next(k for k in range(99) if not WORLD.valid(k))
    fine = WORLD.trainable[[3, 9]]
    proposal = Proposal(np.array([*fine, held_out]), np.log([0.2, 0.5, 0.3]))
    expected = (0.2 * EXPECTED[fine[0]] + 0.5 * EXPECTED[fine[1]]) / 0.7 - 0.7 * 0.3
    assert abs(z(paid([proposal] * GAMES, rng, 32), expected)) < 4


def test_the_payoff_of_the_policy_gradient_grows():
    climber = Case(creators.PolicyGradient, np.ones, {"alpha": 0.0, "step": 20.0}, rounds=100)
    creator, _ = climber.frozen()
    best, start = EXPECTED[WORLD.trainable].max(), EXPECTED[WORLD.trainable].mean()
    assert creator.mu @ EXPECTED[WORLD.trainable] > start + 0.6 * (best - start)
