"""Real numbers out of whatever a user's code returns: arrays, tensors, nested lists.

Only real numbers pass. Complex numbers, strings of digits, dates and masked arrays are refused;
``np.asarray(values, dtype=float)`` converts them in silence.
"""

import math
import reprlib
from numbers import Real
from typing import Any

import numpy as np

from eva_env.types import Floats


def check_numbers(values: Any, shape: tuple[int, ...], rule: str, largest: float) -> Floats:
    """Return numbers (..., B), one for each prompt, as float64.

    Raises ValueError, which begins with ``rule``, unless they have the shape and are finite
    real numbers of a magnitude of at most ``largest``.
    """
    if is_usual(values, shape, largest):
        return values
    numbers, _ = read_numbers(values, shape, rule, ", one for each prompt")
    wrong = ~(np.abs(numbers) <= largest)
    if wrong.any():
        most = f" (at most {largest:g})" if np.isfinite(numbers[wrong][0]) else ""
        raise ValueError(
            f"{rule} of shape {shape}, one for each prompt, got {numbers[wrong][0]}{most}"
        )
    return numbers


def is_usual(values: Any, shape: tuple[int, ...], largest: float) -> bool:
    """Return True for what nearly every call returns, float64 in the shape and range.

    One pass: a sum of squares below the limit leaves no place for NaN or a larger number.
    """
    usual = type(values) is np.ndarray and values.dtype == np.float64
    if not usual or values.shape != shape:
        return False
    flat = values.ravel()
    with np.errstate(over="ignore"):
        return bool(flat.dot(flat) <= largest**2)


def read_numbers(
    values: Any, shape: tuple[int, ...], rule: str, each: str = ""
) -> tuple[Floats, Any]:
    """Return values of a shape as float64, None as NaN, and where they are None.

    ``rule`` begins the error of anything else, and ``each`` follows the shape in it.
    """
    flat: list[float | None] = []
    try:
        with np.errstate(over="ignore"):
            plain = _plain(values)
            if isinstance(plain, np.ndarray) and plain.shape == shape:
                return plain.astype(np.float64), np.zeros(shape, bool)
            _collect(plain, shape, flat)
    except _Misshapen:
        raise ValueError(f"{rule} of shape {shape}{each}, got {_shape_of(values)}") from None
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{rule} of shape {shape}{each}, got no array of numbers: {reason}"
        ) from error
    numbers = np.array([math.nan if number is None else number for number in flat], np.float64)
    return numbers.reshape(shape), np.array([number is None for number in flat]).reshape(shape)


class _Misshapen(Exception):
    """Values do not have the shape."""


def _collect(values: Any, shape: tuple[int, ...], flat: list[float | None]) -> None:
    """Append the numbers of nested lists and arrays of the shape, row by row."""
    values = _plain(values)
    if isinstance(values, np.ndarray):
        if values.shape != shape:
            raise _Misshapen
        flat += values.astype(np.float64).ravel().tolist()
    elif isinstance(values, list | tuple):
        if not shape or len(values) != shape[0]:
            raise _Misshapen
        for inner in values:
            _collect(inner, shape[1:], flat)
    elif shape:
        raise _Misshapen
    else:
        flat.append(values)


def _plain(values: Any) -> Any:
    """Return an array of numbers, a list, a float or None; TypeError for anything else."""
    # 1. A number, or a list of them.
    if values is None or isinstance(values, list | tuple):
        return values
    if isinstance(values, Real | np.bool_):
        return float(values)
    # 2. An array. A torch tensor is detached; numpy has no bfloat16.
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if values.is_floating_point():
            values = values.double()
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError("a masked array; give None where a number is missing")
    if not isinstance(values, np.ndarray) and not hasattr(values, "__array__"):
        raise TypeError(f"a {kind_of(values)} is not a number")
    array = np.asarray(values)
    if array.dtype == object:
        return _plain(array.tolist())
    if array.dtype.kind not in "fiub":
        raise TypeError(f"numbers of dtype {array.dtype} are not real")
    return array if array.ndim else float(array)


def _shape_of(values: Any) -> str:
    """Return the shape of misshapen values, for an error."""
    shape: tuple[int, ...] = ()
    while isinstance(values, list | tuple) and len(shape) < 8:
        lengths = {len(row) for row in values if isinstance(row, list | tuple)}
        shape += (len(values),)
        if len(lengths) > 1:
            return (
                f"rows of lengths {[len(row) for row in values if hasattr(row, '__len__')][:8]}"
            )
        values = values[0] if values else None
    return str(shape + tuple(getattr(values, "shape", ())))


def kind_of(value: Any) -> str:
    """Return the name of a value's class."""
    return type(value).__name__


def shown(value: Any) -> str:
    """Return a value for an error: its repr in one line, shortened."""
    text = _SHORT.repr(value.item() if isinstance(value, np.generic) else value)
    return " ".join(text.split())


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
