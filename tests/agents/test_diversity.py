"""Measures of diversity, against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.evolution.diversity import distribution, effective_size, entropy, largest_cluster
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal
from eva_env.wordlist import Wordlist


def test_repeated_prompts_add_up_and_unused_slots_do_not_count():
    """Weights 1, 6, 2 and an unused 9: a has 3 of 9, b has 6 of 9."""
    logits = np.log([1.0, 6.0, 2.0, 9.0])
    found = distribution(Proposal(("a", "b", "a", ""), logits))
    np.testing.assert_allclose(found, [1 / 3, 2 / 3])
    assert entropy(found) == pytest.approx(math.log(3) - 2 / 3 * math.log(2))
    assert effective_size(found) == pytest.approx(9 / 5)


def test_a_proposal_of_numbers_may_be_an_array():
    found = distribution(Proposal(np.array([4, 7, 4, 0]), np.zeros(4)))
    np.testing.assert_allclose(found, [0.5, 0.25, 0.25])
    assert entropy(found) == pytest.approx(1.5 * math.log(2))


def test_an_empty_proposal_has_no_entropy_and_no_size():
    found = distribution(Proposal(("", ""), np.zeros(2)))
    assert (entropy(found), effective_size(found)) == (0.0, 0.0)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20), st.floats(-100, 100))
def test_bounds_are_a_vertex_and_the_uniform_distribution(logits, shift):
    prompts, logits = tuple(range(len(logits))), np.array(logits)
    p = distribution(Proposal(prompts, logits))
    assert -1e-12 <= entropy(p) <= math.log(len(p)) + 1e-9
    assert 1 - 1e-9 <= effective_size(p) <= math.exp(entropy(p)) + 1e-9
    q = distribution(Proposal(prompts, logits + shift))
    assert entropy(q) == pytest.approx(entropy(p), abs=1e-9)


def test_texts_cluster_through_the_words_they_share():
    """Neighbours share 9 of their ten words, 9 / 11 of the union; the ends share 8 / 12."""
    words = "a b c d e f g h i j k l".replace(" ", "")
    chain = [" ".join(words[i : i + 10]) for i in range(3)]
    assert largest_cluster([*chain, "quite another"], Wordlist()) == 0.75
    assert largest_cluster([chain[0], chain[2]], Wordlist()) == 0.5


def test_numbers_are_near_duplicates_within_a_topic_and_level():
    """Prompt = (topic * 3 + level) * 4 + variant: 4 to 7 are level 1 of topic 0."""
    world = TabularWorld(topics=2, levels=3, variants=4)
    assert largest_cluster(np.array([4, 5, 7, 8, 16]), world) == 0.6
    assert largest_cluster([0, 4, 8, 12], world) == 0.25
