"""The classes of the methods: how deep they are, and what each of them declares."""

from abc import ABC
from typing import get_args

import pytest

from agents.solvers import AnyMethod, Method

METHODS = get_args(AnyMethod)


@pytest.mark.parametrize("method", METHODS)
def test_at_most_three_classes_lie_between_a_method_and_object(method):
    ancestors = set(method.__mro__) - {method, ABC, object}
    assert len(ancestors) <= 3


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_a_method(method):
    assert issubclass(method, Method)
