"""Responses that share their prompt's row against one row each."""

import numpy as np
import pytest
import torch

from agents.policies.batches import cut, exchange_lengths, token_logprobs
from agents.policies.causal_lm import CausalLM
from agents.policies.packing import pack
from eva_env.wordlist import Wordlist


@pytest.fixture(scope="module")
def policy():
    return CausalLM.load("wordlist")


def sampled(policy, prompts, n):
    chosen = Wordlist().seed(prompts, np.random.default_rng(0), "hard")
    return chosen, policy.sample(chosen, n, np.random.default_rng(1))


def test_pack_by_hand():
    packed = pack(["a", "b", "a"], [[1, 2], [3], [1, 2]], [[5, 6, 9], [7, 9], [8, 9]])
    assert packed.ids.tolist() == [[1, 2, 5, 6, 8], [3, 7, 0, 0, 0]]
    assert packed.positions.tolist() == [[0, 1, 2, 3, 2], [0, 1, 2, 3, 4]]
    assert packed.segments.tolist() == [[0, 0, 1, 1, 2], [0, 1, 0, 0, 0]]
    places = zip(
        packed.response, packed.step, packed.row, packed.source, packed.token, strict=True
    )
    assert sorted(map(tuple, (map(int, place) for place in places))) == [
        (0, 0, 0, 1, 5),
        (0, 1, 0, 2, 6),
        (0, 2, 0, 3, 9),
        (1, 0, 1, 0, 7),
        (1, 1, 1, 1, 9),
        (2, 0, 0, 1, 8),
        (2, 1, 0, 4, 9),
    ]


@pytest.mark.parametrize("n", [2, 6, 11])
def test_packed_logprobs_and_gradients_are_those_of_responses_alone(policy, n):
    prompts, responses = sampled(policy, 5, n)
    asked = [prompt for prompt in prompts for _ in range(n)]
    flat = [response for row in responses for response in row]
    weights = torch.linspace(-1, 1, len(flat))
    parameters = list(policy.parameters())
    together = policy.logprobs(asked, flat)
    alone = torch.cat([policy.logprobs([p], [a]) for p, a in zip(asked, flat, strict=True)])
    assert torch.allclose(together, alone, atol=2e-5)
    actual, expected = (
        torch.autograd.grad((weights * values).sum(), parameters)
        for values in (together, alone)
    )
    for left, right in zip(actual, expected, strict=True):
        assert torch.allclose(left, right, atol=2e-4, rtol=1e-3)


def test_order_of_the_rows_does_not_matter(policy):
    prompts, responses = sampled(policy, 4, 3)
    asked = [prompt for prompt in prompts for _ in range(3)]
    flat = [response for row in responses for response in row]
    order = np.random.default_rng(0).permutation(len(flat))
    shuffled = policy.logprobs([asked[i] for i in order], [flat[i] for i in order])
    assert torch.allclose(shuffled, policy.logprobs(asked, flat)[order], atol=2e-5)


def test_chunks_change_nothing(policy):
    prompts, responses = sampled(policy, 9, 3)
    whole = token_logprobs(policy, prompts, responses)
    parts = token_logprobs(policy, prompts, responses, max_tokens=60)
    assert torch.allclose(whole, parts, atol=2e-5)
    lengths = policy.lengths([response for row in responses for response in row])
    assert ((whole != 0).sum(-1) == lengths).all()


def test_parts_hold_every_item_once_sorted_by_length_and_within_the_budget(policy):
    lengths = np.array([5, 1, 9, 2, 40, 3, 3, 8])
    parts = cut(lengths, 16)
    assert sorted(np.concatenate(parts).tolist()) == list(range(8))
    assert (np.diff(lengths[np.concatenate(parts)]) >= 0).all()
    assert all(len(part) * lengths[part].max() <= 16 or len(part) == 1 for part in parts)
    assert [part.tolist() for part in parts] == [[1, 3, 5, 6], [0, 7], [2], [4]]
    assert cut(np.zeros(0, int), 16) == []
    prompts, responses = sampled(policy, 3, 2)
    expected = [
        len(ids) + sum(policy.lengths(row).tolist())
        for ids, row in zip(policy.encode(prompts), responses, strict=True)
    ]
    assert exchange_lengths(policy, prompts, responses).tolist() == expected
