"""Weights of pairs in the worst case of their distribution, for any loss."""

import torch
from torch import Tensor

ROUNDING = 1e-5
"""Gaps within this are equal: they are sums of float32 log-probabilities."""


def worst_case(gaps: Tensor, radius: float) -> Tensor:
    """Return weights (P,) of mean 1 that SGPO's follower puts on pairs of implicit reward gap.

    The distribution that minimises E log sigmoid(gap) in a Wasserstein-1 ball of ``radius``, in
    units of the gaps, around the P given ones, with their range as support. Chu et al. 2025
    (arXiv 2502.18099) bound -log sigmoid by K = 6 tangents and solve a linear program for
    groups of 100 pairs (finite by Mohajerin Esfahani and Kuhn 2018, arXiv 1505.05116). No
    program is needed: -log sigmoid is convex and decreasing, so mass, if it moves at all, gains
    most by moving to the smallest gap, and gains most per unit of distance from the nearest
    one. So the pairs are emptied into the worst one, the nearest first, until the radius is
    spent. This holds for every convex decreasing loss. Pairs whose gaps differ by at most
    ``ROUNDING`` are treated as equal, so that chance does not decide at the start of a round,
    where all gaps are 0.
    """
    # 1. Sort, and number the levels of equal gaps; level 0 has the worst pairs.
    ordered, order = gaps.sort()
    level = torch.cat([order.new_zeros(1), (ordered.diff() > ROUNDING).cumsum(0)])
    # 2. The cost of moving all mass of a level to the worst pair, and the share of it that the
    #    radius pays for once the nearer levels have moved.
    cost = torch.zeros_like(gaps).index_add(0, level, (ordered - ordered[0]) / len(gaps))
    share = ((radius - (cost.cumsum(0) - cost)) / cost).clamp(0, 1)
    # 3. The worst pairs share what the others lose.
    moved = torch.where(level > 0, share[level], 0.0)
    weights = torch.where(level > 0, 1 - moved, 1 + moved.sum() / (level == 0).sum())
    return torch.empty_like(gaps).scatter(0, order, weights)
