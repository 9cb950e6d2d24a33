"""Figures: a mean over seeds with its 95 % interval, as plain JSON."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eva_env.statistics import intervals
from eva_env.types import Floats

Draws = tuple[Floats, Floats]
"""Of a figure, with the seeds drawn anew alone, and with the prompts."""

Figure = dict[str, Any]
"""``mean``, ``low``, ``high`` and ``values`` by seed; None for what is not known."""


def figure(values: ArrayLike, seeds: Sequence[int]) -> Figure:
    """Of scores (S, P), or (S,) if the prompts are fixed: both are samples, if given."""
    table = np.asarray(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    found = intervals.mean_interval(table)
    return _figure(float(found.mean), float(found.low), float(found.high)) | {
        "values": {str(seed): known(row.mean()) for seed, row in zip(seeds, table, strict=True)}
    }


def drawn_figure(estimate: float, draws: Draws, sizes: tuple[int, int]) -> Figure:
    """Of a figure that is no mean, by its bootstrap draws (D,); ``sizes`` are S and P."""
    low, high = intervals.interval(estimate, *draws, sizes)
    return _figure(estimate, float(low), float(high))


def matrix(values: Floats) -> dict[str, Any]:
    """Means (R, C) of scores (S, R, C, P) with intervals, as nested lists."""
    found = intervals.mean_interval(values)
    return {name: nested(getattr(found, name)) for name in ("mean", "low", "high")}


def drawn_matrix(estimate: Floats, draws: Draws, sizes: tuple[Any, int]) -> dict[str, Any]:
    """The same of a matrix that is no mean, by its bootstrap draws (D, R, C); S by cell."""
    low, high = intervals.interval(estimate, *draws, sizes)
    return {"mean": nested(estimate), "low": nested(low), "high": nested(high)}


def nested(values: Floats) -> Any:
    """An array as lists, None for NaN."""
    if values.ndim:
        return [nested(row) for row in values]
    return known(float(values))


def known(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else float(value)


def _figure(mean: float, low: float, high: float) -> Figure:
    return {"mean": known(mean), "low": known(low), "high": known(high)}
