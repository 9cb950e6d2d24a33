"""Bootstrap draws of seeds and prompts, and support frequencies over them."""

import numpy as np
import pytest

from eva_env.solving.zero_sum import nash
from eva_env.statistics import bootstrap
from eva_env.statistics.bootstrap import resampled

NAN = np.nan


def test_draws_are_means_over_the_seeds_and_prompts_drawn():
    values = np.random.default_rng(0).normal(size=(3, 2, 2, 5))
    draws = resampled(values, 50, np.random.default_rng(1))
    seeds, prompts = bootstrap.draw_counts(3, 5, 50, np.random.default_rng(1))
    assert (seeds.sum(1) == 2).all()
    assert (prompts.sum(1) == 4).all()
    assert draws.shape == (50, 2, 2)
    for draw, seed_counts, prompt_counts in zip(
        draws, seeds.astype(int), prompts.astype(int), strict=True
    ):
        picked = values[np.repeat(range(3), seed_counts)][
            ..., np.repeat(range(5), prompt_counts)
        ]
        assert draw == pytest.approx(picked.mean((0, -1)))


def test_draws_vary_as_means_of_samples_do():
    """Their variance is not (n - 1) / n of it, which matters with three seeds."""
    values = np.array([0.0, 1.0, 5.0])
    draws = resampled(values[:, None], 40_000, np.random.default_rng(0))
    assert draws.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.03)
    assert draws.mean() == pytest.approx(2.0, abs=0.03)
    assert (resampled(values[:1, None], 3, np.random.default_rng(0)) == 0).all()


def test_support_frequencies_by_hand():
    """Three draws in which the first row dominates, one in which the second does."""
    first = np.array([[1.0, 2], [0, 0]])
    draws = np.stack([first, first, first, first[::-1]])
    assert bootstrap.support_frequencies(lambda m: nash(m).row, draws).tolist() == [0.75, 0.25]
    draws[0, 0, 0] = NAN
    assert bootstrap.support_frequencies(lambda m: nash(m).row, draws) == pytest.approx(
        [2 / 3, 1 / 3]
    )
    draws[:, 1, 1] = NAN
    assert len(bootstrap.support_frequencies(lambda m: nash(m).row, draws)) == 2
    with pytest.raises(ValueError, match="take more seeds"):
        bootstrap.support_frequencies(
            lambda m: nash(m).row, np.stack([np.diag([NAN, 1]), np.diag([1, NAN])])
        )
