"""Draws of tokens against a full sort, ties included."""

import numpy as np
import pytest
import torch

from agents.policies.choosing import LIKELIEST, choose, from_nucleus
from agents.policies.sampling import Sampling


def by_sort(logits, u, top_p):
    """The draw from the nucleus by numpy, in float64: likeliest first, ties by id.

    Also returns the distance to the next threshold, below which rounding may decide.
    """
    p = np.exp(logits - logits.max())
    p /= p.sum()
    order = np.lexsort((np.arange(len(p)), -logits))
    before = np.cumsum(p[order]) - p[order]
    kept = order[before < top_p]
    cdf = np.cumsum(p[kept])
    place = min(np.searchsorted(cdf, u * cdf[-1], side="right"), len(kept) - 1)
    margin = min(np.abs(before - top_p).min(), np.abs(cdf[:-1] - u * cdf[-1]).min(initial=1))
    return kept[place], np.log(p[kept[place]] / cdf[-1]), margin


@pytest.mark.parametrize("levels", [2, 5, 50, None])
@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.95])
def test_the_draws_are_those_of_a_full_sort(levels, top_p):
    """Few levels of logits give many ties; 8 likeliest tokens are too few for most rows."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(300, 60)) * rng.choice([0.3, 2, 6], size=(300, 1))
    if levels:
        logits = np.round(logits * levels / 6) * 6 / levels
    logits = logits.astype(np.float32)
    u = rng.random(300)
    sorted_fully = from_nucleus(torch.tensor(logits), torch.tensor(u), top_p, LIKELIEST)
    for likeliest in (1, 8, 30):
        choice = from_nucleus(torch.tensor(logits), torch.tensor(u), top_p, likeliest)
        assert torch.equal(choice.token, sorted_fully.token)
        assert torch.equal(choice.logprob, sorted_fully.logprob)
    compared = 0
    for i in range(300):
        token, logprob, margin = by_sort(logits[i].astype(np.float64), u[i], top_p)
        if margin > 1e-5:
            compared += 1
            assert sorted_fully.token[i] == token
            assert sorted_fully.logprob[i].item() == pytest.approx(logprob, abs=1e-4)
    assert compared > 150


def test_a_sort_is_made_only_for_rows_that_need_it(monkeypatch):
    sorted_rows = []
    original = torch.Tensor.sort

    def count(values, *arguments, **settings):
        sorted_rows.append(tuple(values.shape))
        return original(values, *arguments, **settings)

    monkeypatch.setattr(torch.Tensor, "sort", count)
    logits = torch.randn(6, 5000, generator=torch.Generator().manual_seed(0))
    logits[:4] *= 10  # four sharp rows, two flat ones
    from_nucleus(logits, torch.rand(6).double(), 0.9)
    assert {shape for shape in sorted_rows if shape[-1] == 5000} == {(2, 5000)}


@pytest.mark.parametrize("size", [7, 511, 512, 5003])
def test_without_a_nucleus_the_draw_is_the_inverse_cdf(size):
    """Vocabularies of any size; tokens without probability are never drawn."""
    rng = np.random.default_rng(size)
    logits = (3 * rng.normal(size=(400, size))).astype(np.float32)
    logits[:, rng.random(size) < 0.3] = -np.inf
    logits[:, 3] = 1.0
    u = np.concatenate([rng.random(398), [0.0, 1 - 2**-53]])
    choice = choose(torch.tensor(logits), torch.tensor(u), Sampling(temperature=0.7))
    p = np.exp(logits.astype(np.float64) / 0.7)
    p /= p.sum(1, keepdims=True)
    cdf = p.cumsum(1)
    for i in range(400):
        token = int(choice.token[i])
        assert p[i, token] > 0
        assert cdf[i, token] - p[i, token] - 1e-6 <= u[i] <= cdf[i, token] + 1e-6
    drawn = np.log(p[np.arange(400), choice.token.numpy()])
    assert np.allclose(choice.logprob.numpy(), drawn, atol=1e-4)


def test_temperature_0_takes_the_first_of_the_likeliest():
    logits = torch.tensor([[1.0, 3.0, 3.0], [5.0, 1.0, 1.0]])
    choice = choose(logits, torch.tensor([0.9, 0.9]).double(), Sampling(temperature=0.0))
    assert choice.token.tolist() == [1, 0]
    assert choice.logprob.tolist() == [0, 0]
