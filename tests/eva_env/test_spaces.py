"""Free text as a Gymnasium space."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Dict
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from hypothesis import given
from hypothesis import strategies as st

from eva_env.envs.spaces import FreeText, TextBatch

LONE_SURROGATE = "a\ud800"
any_text = st.text(max_size=8)


@given(any_text)
def test_any_unicode_text_that_fits_is_a_member(text):
    assert FreeText(8).contains(text)
    assert TextBatch((2,), 8).contains([text, ""])
    assert TextBatch((1, 2), 8).contains(((text, "\n"),))


@pytest.mark.parametrize("text", ["123456789", LONE_SURROGATE, b"bytes", 3, None, ["a"]])
def test_long_text_and_other_types_are_not_members(text):
    assert not FreeText(8).contains(text)
    assert not TextBatch((1,), 8).contains([text])
    assert not TextBatch((2, 1), 8).contains([["fine"], [text]])


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("ab", "must be a tuple or list of 2, got str"),
        ({"a": 1, "b": 2}, "must be a tuple or list of 2, got dict"),
        ([("a", "b", "c")], "must be a tuple or list of 2, got list of 1"),
        (
            [("a", "b", "c"), ("a", "b")],
            "every row must be a tuple or list of 3, got tuple of 2",
        ),
        (["abc", "abc"], "every row must be a tuple or list of 3, got str"),
        ([("a", "b", "c"), ("a", "b", 1)], "must hold strings, got int"),
        ([("a", "b", "c"), ("a", "b", "123456789")], "at most 8 characters, one has 9"),
        ([("a", "b", "c"), ("a", "é", LONE_SURROGATE)], "lone surrogate"),
    ],
)
def test_violation_names_the_rule(member, message):
    space = TextBatch((2, 3), 8)
    assert message in space.violation(member)
    assert not space.contains(member)


def test_subclasses_of_str_are_text():
    assert TextBatch((2,), 8).contains(list(np.array(["a", "b"])))


@pytest.mark.parametrize("space", [FreeText(30), TextBatch((5,), 30), TextBatch((4, 3), 30)])
def test_samples_are_seedable_members_of_all_lengths(space):
    samples = []
    for _ in range(2):
        space.seed(1)
        samples.append([space.sample() for _ in range(500)])
    assert samples[0] == samples[1]
    assert samples[0] != samples[0][::-1]
    assert all(space.contains(sample) for sample in samples[0])
    flat = np.ravel(samples[0])
    assert set(map(len, flat)) == set(range(25))
    assert space.from_jsonable(space.to_jsonable(samples[0])) == samples[0]


def test_samples_respect_short_limits():
    assert {len(text) for text in TextBatch((400,), 2).sample()} == {0, 1, 2}
    assert FreeText(0).sample() == ""


def test_masked_samples():
    letters = FreeText(5)
    mask = np.array([c == "a" for c in letters.character_list], np.int8)
    assert letters.sample(mask=(3, mask)) == "aaa"
    with pytest.raises(ValueError, match="neither mask nor probability"):
        TextBatch((2,), 5).sample(mask=1)


@pytest.mark.parametrize("space", [FreeText(30), TextBatch((5,), 30), TextBatch((4, 3), 30)])
def test_copies_are_equal_and_continue_identically(space):
    space.seed(2)
    for twin in (copy.deepcopy(space), pickle.loads(pickle.dumps(space))):
        assert twin == space
        assert twin.sample() == copy.deepcopy(space).sample()
    assert space not in (FreeText(31), TextBatch((5,), 31), TextBatch((4, 2), 30))


@pytest.mark.parametrize("shape", [(), (0,), (2, 3, 4), (3, 0)])
def test_shapes_are_checked(shape):
    with pytest.raises(ValueError, match=r"shape must be \(N,\) or \(B, n\)"):
        TextBatch(shape, 4)


@pytest.mark.parametrize("space", [FreeText(30), TextBatch((5,), 30), TextBatch((4, 3), 30)])
def test_gymnasium_batches_it(space):
    both = Dict(text=space, number=gymnasium.spaces.Box(0, 1, (2,)))
    batch = batch_space(both, 3)
    batch.seed(0)
    sample = batch.sample()
    assert batch.contains(sample)
    rows = list(iterate(batch, sample))
    assert len(rows) == 3
    assert all(both.contains(row) for row in rows)
    joined = concatenate(both, rows, create_empty_array(both, 3))
    assert joined["text"] == sample["text"]
