import copy
import pickle
from itertools import permutations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from scipy import stats

from agents.evolution.buffer import PromptBuffer
from agents.evolution.sum_tree import SumTree


def tree_of(weights):
    tree = SumTree(len(weights))
    tree[np.arange(len(weights))] = np.asarray(weights, dtype=float)
    return tree


def buffer_of(values, capacity=None):
    buffer = PromptBuffer(capacity or len(values))
    keys = [f"p{i}" for i in range(len(values))]
    buffer.add(keys, keys, np.asarray(values, dtype=float), 0)
    return buffer


class Counting(np.ndarray):
    """Counts the entries that are read or written by index."""

    touched = 0

    def __getitem__(self, key):
        Counting.touched += np.size(key)
        return super().__getitem__(key).view(np.ndarray)

    def __setitem__(self, key, value):
        Counting.touched += np.size(key)
        super().__setitem__(key, value)


# The tree


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 1000])
def test_points_fall_where_the_running_sum_passes_them(size):
    rng = np.random.default_rng(size)
    weights = rng.integers(0, 5, size).astype(float)
    weights[rng.integers(size)] = 3.0
    tree, total = tree_of(weights), weights.sum()
    points = np.arange(0, total, 0.5)
    np.testing.assert_array_equal(
        tree.find(points), np.searchsorted(weights.cumsum(), points, side="right")
    )
    assert tree.total == total


def test_rounding_leads_to_no_slot_of_weight_zero():
    tree = tree_of([0.1, 0.2, 0.0, 0.3, 0.0, 0.0, 0.7, 0.0])
    beyond = np.array([tree.total, np.nextafter(tree.total, 2), 1.5, 0.0])
    np.testing.assert_array_equal(tree.find(beyond), [6, 6, 6, 0])


def test_a_million_updates_leave_no_drift():
    rng, tree = np.random.default_rng(0), SumTree(64)
    for _ in range(1000):
        tree[rng.integers(0, 64, 1000)] = rng.random(1000) * 10.0 ** rng.integers(-12, 12)
    leaves = tree[np.arange(64)]
    np.testing.assert_array_equal(tree.nodes, tree_of(leaves).nodes)
    tree[np.arange(64)] = 0.0
    assert not tree.nodes.any()


@pytest.mark.parametrize(("size", "depth"), [(1, 0), (2, 1), (1000, 10), (2**20, 20)])
def test_a_draw_and_an_update_touch_a_path_to_each_slot_and_no_more(size, depth):
    tree, rng = SumTree(size), np.random.default_rng(0)
    tree[np.arange(size)] = 1.0
    assert tree.depth == depth
    tree.nodes = tree.nodes.view(Counting)
    Counting.touched, k = 0, 16
    tree.find(rng.random(k) * size)
    assert Counting.touched == 2 * depth * k
    Counting.touched = 0
    tree[rng.integers(0, size, k)] = 2.0
    assert Counting.touched <= (3 * depth + 1) * k


def test_draws_without_replacement_have_the_distribution_of_successive_draws():
    """P(i, j) = w_i / W * w_j / (W - w_i), over all ordered pairs; chi-square at 1e-4."""
    weights, rng, draws = np.array([1.0, 2.0, 4.0, 0.0, 9.0]), np.random.default_rng(0), 5000
    tree, count = tree_of(weights), {}
    for _ in range(draws):
        pair = tuple(tree.draw(2, rng).tolist())
        count[pair] = count.get(pair, 0) + 1
    total = weights.sum()
    probability = {
        (i, j): weights[i] / total * weights[j] / (total - weights[i])
        for i, j in permutations([0, 1, 2, 4], 2)
    }
    assert set(count) == set(probability)
    expected = [draws * probability[pair] for pair in count]
    assert stats.chisquare([*count.values()], expected).pvalue > 1e-4


def test_frequencies_follow_the_weights_after_many_changes():
    rng, tree = np.random.default_rng(1), SumTree(300)
    for _ in range(50):
        tree[rng.integers(0, 300, 40)] = rng.exponential(size=40)
    weights = tree[np.arange(300)]
    found = tree.find(rng.random(200_000) * tree.total)
    count, positive = np.bincount(found, minlength=300), weights > 0
    assert not count[~positive].any()
    expected = 200_000 * weights[positive] / weights.sum()
    assert stats.chisquare(count[positive], expected).pvalue > 1e-4


@pytest.mark.parametrize("weights", [[0.0] * 5, [1e-300, 1.0, 1e-308, 0.0, 1e12]])
def test_a_draw_leaves_the_tree_as_it_was_and_stops_at_the_last_positive_weight(weights):
    tree, rng = tree_of(weights), np.random.default_rng(0)
    before = tree.nodes.copy()
    drawn = tree.draw(5, rng)
    assert sorted(drawn) == np.flatnonzero(weights).tolist()
    np.testing.assert_array_equal(tree.nodes, before)


# The buffer


def test_values_that_are_not_positive_are_drawn_last_and_uniformly():
    buffer, rng = buffer_of([0.0, 5.0, -2.0, 1.0]), np.random.default_rng(0)
    third = np.zeros(4)
    for _ in range(2000):
        order = buffer.draw(3, rng)
        assert set(order[:2].tolist()) == {1, 3}
        third[order[2]] += 1
    assert stats.chisquare(third[[0, 2]]).pvalue > 1e-4
    assert sorted(buffer.draw(9, rng)) == [0, 1, 2, 3]


def test_the_oldest_make_room_whatever_their_value():
    buffer = buffer_of([9.0, 1.0, 1.0])
    buffer.update(buffer.find(["p0"]), np.array([10.0]), step=7)
    buffer.add(["a", "b"], ["A", "B"], np.array([2.0, 3.0]), 8)
    assert list(buffer) == ["p2", "a", "b"]
    slots = buffer.find(["a", "p0", "b"])
    assert [buffer.items[slot] for slot in slots[[0, 2]]] == ["A", "B"]
    assert slots[1] == -1
    assert buffer.steps[slots[0]] == 8
    buffer.add(list("cdefg"), list("CDEFG"), np.arange(5.0), 9)
    assert list(buffer) == ["e", "f", "g"]
    np.testing.assert_array_equal(buffer.values[buffer.slots], [2, 3, 4])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: b.add(["p1"], [0], np.ones(1), 0), r"keys must be new .* got \['p1'\]"),
        (lambda b: b.add(["x", "x"], [0, 0], np.ones(2), 0), "keys must be new and distinct"),
        (lambda b: b.add(["x"], [0], np.array([np.nan]), 0), "got nan at index 0"),
        (lambda b: b.update(np.array([0]), np.array([1e300])), r"size 1e\+290 at most"),
        (lambda b: PromptBuffer(0), "capacity must be at least 1, got 0"),
    ],
)
def test_what_is_refused_leaves_the_buffer_as_it_was(call, message):
    buffer = buffer_of([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=message):
        call(buffer)
    assert buffer == buffer_of([1.0, 2.0, 3.0])


def test_pickles_hold_the_entries_alone():
    buffer = PromptBuffer(10**6)
    buffer.add(["a", "b"], [1, 2], np.ones(2), 0)
    assert len(pickle.dumps(buffer)) < 1000


def test_buffers_that_differ_anywhere_are_not_equal():
    buffer = buffer_of([1.0, 2.0])
    for change in (
        lambda b: b.update(np.array([0]), np.array([1.5])),
        lambda b: b.update(np.array([0]), np.array([1.0]), step=3),
        lambda b: b.remove(np.array([1])),
        lambda b: b.items.__setitem__(0, "other"),
    ):
        other = copy.copy(buffer)
        assert other == buffer
        change(other)
        assert other != buffer


class AgainstADict(RuleBasedStateMachine):
    """The buffer must do what a dict of key -> (item, value, step) does, oldest first."""

    numbers = st.one_of(
        st.floats(-2, 10), st.sampled_from([0.0, 1e-300, 1e290, 5e-324]), st.just(-1e290)
    )

    @initialize(capacity=st.integers(1, 12), seed=st.integers(0, 99))
    def start(self, capacity, seed):
        self.buffer, self.oracle = PromptBuffer(capacity), {}
        self.rng, self.made = np.random.default_rng(seed), 0

    @rule(values=st.lists(numbers, max_size=16), step=st.integers(0, 9))
    def add(self, values, step):
        keys = [self.made + i for i in range(len(values))]
        self.made += len(values)
        items = [str(key) for key in keys]
        added = self.buffer.add(keys, items, np.array(values, dtype=float), step)
        self.oracle |= {k: (i, v, step) for k, i, v in zip(keys, items, values, strict=True)}
        while len(self.oracle) > self.buffer.capacity:
            del self.oracle[next(iter(self.oracle))]
        kept = keys[-self.buffer.capacity :]
        np.testing.assert_array_equal(self.buffer.find(kept), added)

    @precondition(lambda self: self.oracle)
    @rule(data=st.data(), step=st.none() | st.integers(0, 9))
    def update(self, data, step):
        keys = data.draw(st.lists(st.sampled_from(list(self.oracle)), unique=True))
        values = data.draw(st.lists(self.numbers, min_size=len(keys), max_size=len(keys)))
        self.buffer.update(self.buffer.find(keys), np.array(values, dtype=float), step)
        for key, value in zip(keys, values, strict=True):
            item, _, old = self.oracle[key]
            self.oracle[key] = (item, value, old if step is None else step)

    @precondition(lambda self: self.oracle)
    @rule(data=st.data())
    def remove(self, data):
        keys = data.draw(st.lists(st.sampled_from(list(self.oracle)), unique=True))
        self.buffer.remove(self.buffer.find(keys))
        for key in keys:
            del self.oracle[key]

    @rule(size=st.integers(0, 15))
    def draw(self, size):
        drawn = self.buffer.draw(size, self.rng)
        assert len(set(drawn.tolist())) == len(drawn) == min(size, len(self.oracle))
        values = [self.oracle[int(self.buffer.items[slot])][1] for slot in drawn]
        weighed = [value > 0 for value in values]
        assert weighed == sorted(weighed, reverse=True)
        positive = sum(value > 0 for _, value, _ in self.oracle.values())
        assert sum(weighed) == min(len(drawn), positive)

    @rule(size=st.integers(0, 15))
    def save_and_continue(self, size):
        saved, rng = pickle.loads(pickle.dumps((self.buffer, self.rng)))
        twin = copy.copy(self.buffer)
        first = self.buffer.draw(size, self.rng)
        np.testing.assert_array_equal(saved.draw(size, rng), first)
        self.buffer = twin

    @invariant()
    def agrees(self):
        if not hasattr(self, "buffer"):
            return
        buffer, slots = self.buffer, self.buffer.slots
        assert list(buffer) == list(self.oracle)
        assert len(buffer) == len(self.oracle) <= buffer.capacity
        assert all(key in buffer for key in self.oracle)
        found = [
            (buffer.items[slot], buffer.values[slot], buffer.steps[slot]) for slot in slots
        ]
        assert found == list(self.oracle.values())
        weights = np.zeros(buffer.capacity)
        weights[slots] = np.maximum(buffer.values[slots], 0)
        np.testing.assert_array_equal(buffer._weights.nodes, tree_of(weights).nodes)


AgainstADict.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None
)
TestAgainstADict = AgainstADict.TestCase
