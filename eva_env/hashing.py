"""SplitMix64, the hash behind random numbers that depend on a key and not on call order.

Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", Fig. 16.
"""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint64]

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""Step of the generator's counter: 2^64 divided by the golden ratio, rounded to odd."""


def mix64(values: Codes) -> Codes:
    """Hash each 64-bit number to another one; a bijection, elementwise."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
