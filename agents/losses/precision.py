"""Numbers that stay finite: float32 at least, and an exponential that doesn't overflow."""

import math
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Return values of a narrower type, or integers, as float32; others as they are.

    bfloat16 has 8 bits: 257 tokens become 256, and 1.001 becomes 1.
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))


def widen_fields(tensors: Any) -> None:
    """Make each field of a frozen dataclass of tensors float32 at least."""
    for field in fields(tensors):
        value = at_least_float32(getattr(tensors, field.name))
        object.__setattr__(tensors, field.name, value)


def bounded_exp(exponent: Tensor) -> Tensor:
    """Return exp, continued by its tangent above ``largest_exponent``.

    An infinite ratio would make a gradient of infinity times 0 out of a loss that ignores it.
    The tangent keeps the ratio finite and its slope positive, up to exponents of 1e6.
    """
    bounded, excess = split(exponent)
    return bounded.exp() * (1 + excess)


def bounded_expm1(exponent: Tensor) -> Tensor:
    """Return exp - 1 without cancellation near 0, continued as ``bounded_exp``."""
    bounded, excess = split(exponent)
    return bounded.expm1() + bounded.exp() * excess


def split(exponent: Tensor) -> tuple[Tensor, Tensor]:
    """Return min(exponent, largest) and the excess over it, which is 0 for most."""
    largest = largest_exponent(exponent.dtype)
    return exponent.clamp(max=largest), (exponent - largest).relu()


def largest_exponent(dtype: torch.dtype) -> float:
    """Return where ``bounded_exp`` leaves exp: 62 in float32, 496 in float64.

    It leaves room below the largest number for advantages, lengths and the tangent.
    """
    return 0.7 * math.log(torch.finfo(dtype).max)
