"""Range checks: every kind of bound, and NaN."""

from types import SimpleNamespace

import pytest

from eva_env.require import require


@pytest.mark.parametrize(
    ("interval", "inside", "outside", "words"),
    [
        ("[0, 1]", [0, 0.5, 1], [-0.1, 1.1], r"must lie in \[0, 1\]"),
        ("(0, 1]", [1e-9, 1], [0, 1.1], r"must lie in \(0, 1\]"),
        ("[0, 0.5)", [0, 0.49], [0.5, -1], r"must lie in \[0, 0.5\)"),
        ("[1, inf)", [1, 9], [0, float("inf")], "must be at least 1, got"),
        ("[0, inf)", [0, 9.5], [-1, float("inf")], "must be at least 0 and finite, got"),
        ("(0, inf)", [0.1], [0, float("inf")], "must be positive and finite, got"),
        ("(-inf, inf)", [-1e300, 0, 7], [float("-inf"), float("inf")], "must be finite, got"),
        ("(0, inf]", [0.1, float("inf")], [0], "must be positive, got"),
    ],
)
def test_what_lies_inside_passes_and_the_rest_is_named(interval, inside, outside, words):
    for value in [*inside, None]:
        require(SimpleNamespace(size=value), interval, "size")
    for value in [*outside, float("nan")]:
        with pytest.raises(ValueError, match=f"size {words}"):
            require(SimpleNamespace(other=inside[0], size=value), interval, "other", "size")
