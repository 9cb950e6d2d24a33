"""The worst case of a preference distribution: weights of pairs, a stage before any loss."""

import torch
from torch import Tensor

ROUNDING = 1e-5
"""Gaps are sums of float32 log-probabilities."""


def worst_case(gaps: Tensor, radius: float) -> Tensor:
    """Weights (P,) of mean 1 that the follower of SGPO puts on pairs of implicit reward gap.

    The law that minimises E log sigmoid(gap) in a Wasserstein-1 ball of ``radius``, in units
    of the gaps, around the P given ones, with their range as support. Chu et al. 2025 (arXiv
    2502.18099) bound -log sigmoid by K = 6 tangents and solve a linear program for groups of
    100 pairs (finite by Mohajerin Esfahani and Kuhn 2018, arXiv 1505.05116). No program is
    needed: -log sigmoid is convex and falls, so that mass, if it moves at all, gains most by
    moving to the smallest gap, and gains most by unit of distance from where it is nearest.
    So the pairs are emptied into the worst one, the nearest first, until the radius is spent,
    whatever convex falling loss it is. Pairs whose gaps differ by ``ROUNDING`` at most are
    treated alike, so that the start of a round, where all are 0, is not left to chance.
    """
    ordered, order = gaps.sort()
    alike = torch.cat([order.new_zeros(1), (ordered.diff() > ROUNDING).cumsum(0)])
    cost = torch.zeros_like(gaps).index_add(0, alike, (ordered - ordered[0]) / len(gaps))
    share = ((radius - (cost.cumsum(0) - cost)) / cost).clamp(0, 1)
    moved = torch.where(alike > 0, share[alike], 0.0)
    weights = torch.where(alike > 0, 1 - moved, 1 + moved.sum() / (alike == 0).sum())
    return torch.empty_like(gaps).scatter(0, order, weights)
