"""A signal of your own: one outlier among the rewards changes it less than A*_min.

Use it with:

    eva train creator:eva --creator.signal experiments/examples/own_signal.py:half_gap
    eva compare --creators fresh "eva:signal='experiments/examples/own_signal.py:half_gap'"
"""

import numpy as np

from eva_env.types import Floats


def half_gap(rewards: Floats) -> Floats:
    """Mean of the upper half of the rewards (B, n) minus mean of the lower half, (B,)."""
    ordered, half = np.sort(rewards), rewards.shape[-1] // 2
    return ordered[..., -half:].mean(-1) - ordered[..., :half].mean(-1)
