"""Worlds with hidden coordinates or a low rank, and the policies they train."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.policies.table import TablePolicy
from agents.solvers import DPO, RLOO
from eva_env.tabular import ladder
from eva_env.tabular.partial_observability import BLIND, low_rank, mixed_logits
from eva_env.tabular.world import TabularWorld
from experiments.run.setup import load_policy
from tests.support.regret_games import train

SMALL = dict(topics=3, levels=4, variants=2, responses=5)
BY_BLIND = {
    "nothing": list(range(24)),
    "variant": [x // 2 for x in range(24)],
    "level": [x // 8 for x in range(24)],
    "all": [0] * 24,
}


@pytest.mark.parametrize("blind", BLIND)
def test_information_sets_by_hand(blind):
    world = TabularWorld(**SMALL, blind=blind)
    assert world.information_set.tolist() == BY_BLIND[blind]
    topic, level, variant = world.coordinates
    seen = {"nothing": (topic, level, variant), "variant": (topic, level), "level": (topic,)}
    for x in range(world.size):
        same_set = np.all([at == at[x] for at in seen.get(blind, ())] or [np.ones(24)], axis=0)
        assert ((world.information_set == world.information_set[x]) == same_set).all()


@pytest.mark.parametrize("blind", BLIND)
def test_on_an_information_set_the_reference_is_the_mixture_and_features_are_equal(blind):
    world, fully_informed = (
        TabularWorld(**SMALL, blind=blind, hackable=1),
        TabularWorld(**SMALL, hackable=1),
    )
    policies = np.exp(fully_informed.reference_logits)
    for information_set in set(world.information_set.tolist()):
        inside = np.flatnonzero(world.information_set == information_set)
        for x in inside:
            policy = np.exp(world.reference_logits[x])
            np.testing.assert_allclose(policy, policies[inside].mean(0), atol=1e-14)
            assert (world.features[x] == world.features[inside[0]]).all()
    np.testing.assert_allclose(np.exp(world.reference_logits[:, -1]), ladder.HACK_MASS)
    assert (world.gold == fully_informed.gold).all()
    assert (world.trainable == fully_informed.trainable).all()


def test_the_mixture_is_the_optimum_of_imitation_on_an_information_set():
    """It has the lowest sum of KL(policy || it): the slope along any change is 0."""
    rng = np.random.default_rng(0)
    policies = rng.dirichlet(np.ones(4), 6)
    mixed = np.exp(mixed_logits(np.log(policies), 2))[[0, 3]]
    for mixture, policy in zip(mixed, (policies[:3], policies[3:]), strict=True):
        slope = -(policy / mixture).sum(0)
        np.testing.assert_allclose(slope, slope[0])


@pytest.mark.parametrize("blind", BLIND)
def test_learning_carries_fully_across_hidden_coordinates(blind):
    world = TabularWorld(**SMALL, blind=blind, lengthscale=2.0)
    topic, level, variant = world.coordinates
    hidden = BLIND.index(blind)
    expected = np.where(np.not_equal.outer(variant, variant) & (hidden < 1), 0.9, 1.0)
    if hidden < 2:
        expected *= np.exp(-np.abs(np.subtract.outer(level, level)) / 2.0)
    if hidden < 3:
        expected *= np.where(np.not_equal.outer(topic, topic), 0.3, 1.0)
    np.testing.assert_allclose(world.features @ world.features.T, expected, atol=1e-12)
    assert world.features.shape == (24, max(BY_BLIND[blind]) + 1)


@pytest.mark.parametrize("rank", [1, 3, 8, 12])
def test_rank_is_the_best_approximation_of_the_kernel(rank):
    """Eckart and Young: the error is the smallest eigenvalues; no nearby kernel is closer."""
    world, whole = (TabularWorld(**SMALL, blind="variant", rank=r) for r in (rank, None))
    assert world.features.shape == (24, rank)
    kernel = whole.features @ whole.features.T
    lost = np.sort(np.linalg.eigvalsh(kernel))[: 24 - rank]
    error = np.linalg.norm(kernel - world.features @ world.features.T) ** 2
    assert error == pytest.approx((lost**2).sum(), abs=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = world.features + 0.01 * rng.normal(size=world.features.shape)
        assert np.linalg.norm(kernel - other @ other.T) ** 2 > error
    assert (world.reference_logits == whole.reference_logits).all()


def test_low_rank_by_hand():
    features = low_rank(np.diag([1.0, 3.0, 2.0]), 2)
    np.testing.assert_allclose(features @ features.T, np.diag([0, 9, 4]), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(BLIND),
    st.floats(0, 100),
    st.integers(0, 2),
    st.integers(1, 3),
    st.integers(0, 99),
)
def test_every_restricted_world_has_sound_tables(blind, slope, hackable, rank, seed):
    rank = None if blind == "all" else rank
    fields = dict(slope=slope, hackable=hackable, world_seed=seed, blind=blind, rank=rank)
    world = TabularWorld(**SMALL, **fields)
    np.testing.assert_allclose(np.exp(world.reference_logits).sum(-1), 1, atol=1e-12)
    assert len(np.unique(world.features, axis=0)) <= max(BY_BLIND[blind]) + 1
    assert np.isfinite(world.features).all()
    for name in ("features", "information_set", "reference_logits"):
        assert (
            getattr(world, name).tobytes()
            == getattr(TabularWorld(**SMALL, **fields), name).tobytes()
        )
        with pytest.raises(ValueError, match="read-only"):
            getattr(world, name)[...] = 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            dict(blind="colour"),
            "blind must be one of nothing, variant, level, all, got 'colour'",
        ),
        (dict(rank=0), r"rank must lie in \[1, 144\], got 0"),
        (dict(rank=7, blind="level"), r"rank must lie in \[1, 6\], got 7"),
        (dict(rank=2, blind="all"), r"rank must lie in \[1, 1\], got 2"),
    ],
)
def test_impossible_restrictions_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        TabularWorld(**fields)


@pytest.mark.parametrize("method", [DPO(lr=1.0), RLOO(lr=1.0)])
@pytest.mark.parametrize("blind", BLIND)
def test_a_learned_policy_is_the_same_on_all_prompts_of_an_information_set(method, blind):
    world = TabularWorld(**SMALL, blind=blind)
    policy = train(world, method)
    first = np.array(
        [BY_BLIND[blind].index(information_set) for information_set in world.information_set]
    )
    np.testing.assert_allclose(policy, policy[first], atol=1e-12)
    assert len(np.unique(policy.round(6), axis=0)) == max(BY_BLIND[blind]) + 1
    assert np.abs(policy - np.exp(world.reference_logits)).max() > 0.05


@pytest.mark.parametrize("method", [DPO(lr=1.0), RLOO(lr=1.0)])
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_a_learned_table_has_low_rank(method, rank):
    """Logits minus the reference's, centred over responses, since a constant has no effect."""
    world = TabularWorld(**SMALL, rank=rank)
    moved = np.log(train(world, method)) - world.reference_logits
    moved -= moved.mean(-1, keepdims=True)
    scale = np.linalg.svd(moved)[1]
    assert (scale > 1e-2).sum() == rank
    assert (scale > 1e-9).sum() == rank


def test_a_table_of_full_rank_is_the_default():
    world = TabularWorld(**SMALL)
    assert world == TabularWorld(**SMALL, blind="nothing", rank=None)
    assert np.linalg.matrix_rank(world.features) == 24
    carry = math.exp(-1 / 2)
    factor = ladder.correlation_factor((3, 4, 2), 0.3, carry, 0.9)
    assert world.features.tobytes() == factor.tobytes()
    policy = TablePolicy(world.reference_logits, world.features)
    assert (load_policy(world).probabilities() == policy.probabilities()).all()
