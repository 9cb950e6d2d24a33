"""Mixtures, greedy responses and features of policies."""

import copy
import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from transformers import LlamaConfig, LlamaForCausalLM

from agents.policies.causal_lm import CausalLM
from agents.policies.decoding import decode
from agents.policies.mixture import Mixture
from agents.policies.sampling import Sampling
from agents.policies.table import TablePolicy
from eva_env.wordlist import Wordlist

EOS, TOKENS = 2, 5


def tiny(seed):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=TOKENS, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=64, initializer_range=0.5,
        pad_token_id=0, bos_token_id=1, eos_token_id=EOS,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def exact(models, weights, prompt, steps):
    """Probability of every response: next tokens of all models, mixed, one pass each."""
    table = {}
    for k in range(1, steps + 1):
        for response in itertools.product(range(TOKENS), repeat=k):
            if EOS in response[:-1] or (k < steps and response[-1] != EOS):
                continue
            ids = torch.tensor([[*prompt, *response]])
            mixed = torch.zeros(k, TOKENS).double()
            for model, weight in zip(models, weights, strict=True):
                with torch.no_grad():
                    logits = model(ids).logits[0, len(prompt) - 1 : -1].double()
                mixed += weight * logits.log_softmax(-1)
            table[response] = mixed.softmax(-1)[range(k), response].prod().item()
    return table


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_samples_follow_the_exact_mixture(weight):
    """Prompts of unequal length, rows that end early, more samples than fit in a row."""
    first, second, n = tiny(0), tiny(1), 2000
    mixture, sampling = Mixture(first, second, weight), Sampling(max_tokens=3)
    prompts = [[1, 4, 3], [1, 3], [1, 4, 4, 3, 3]]
    drawn = decode(mixture, prompts, n, np.arange(100, 103), sampling)
    for i, prompt in enumerate(prompts):
        table = exact((first, second), (1 - weight, weight), prompt, 3)
        assert sum(table.values()) == pytest.approx(1)
        counts = dict.fromkeys(table, 0)
        for response in drawn[i * n : (i + 1) * n]:
            counts[tuple(response.ids)] += 1
        kept = [r for r, p in table.items() if p * n >= 5]
        observed = np.array([counts[r] for r in kept])
        expected = np.array([table[r] * n for r in kept])
        observed, expected = (np.append(x, n - x.sum()) for x in (observed, expected))
        statistic = ((observed - expected) ** 2 / np.maximum(expected, 1)).sum()
        assert stats.chi2.sf(statistic, len(kept)) > 1e-4


@pytest.fixture(scope="module")
def policies():
    first = CausalLM.load("wordlist")
    second = CausalLM(copy.deepcopy(first.model), first.tokenizer)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in second.model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return first, second


PROMPTS = Wordlist().seed(24, np.random.default_rng(0))


def test_at_its_ends_the_mixture_gives_the_samples_of_one_policy(policies):
    first, second = policies
    samples = [policy.sample(PROMPTS, 4, np.random.default_rng(1)) for policy in policies]
    for weight, expected in ((0.0, samples[0]), (1.0, samples[1])):
        mixture = first.mixture(second, weight)
        assert mixture.sample(PROMPTS, 4, np.random.default_rng(1)) == expected
        assert mixture.tokens > 96
    half = first.mixture(second, 0.5).sample(PROMPTS, 4, np.random.default_rng(1))
    assert half not in samples


def test_the_mixture_sees_its_policies_change(policies):
    first, second = policies
    moving = first.frozen()
    mixture = moving.mixture(second, 0.0)
    before = mixture.sample(PROMPTS, 2, np.random.default_rng(1))
    moving.load_state_dict(second.state_dict())
    after = mixture.sample(PROMPTS, 2, np.random.default_rng(1))
    assert before != after
    assert after == second.sample(PROMPTS, 2, np.random.default_rng(1))


def test_the_mixture_of_tables_is_a_table():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4, 2))
    first, second = (TablePolicy(rng.normal(size=(4, 3)), features) for _ in range(2))
    first.load_state_dict({"theta": torch.tensor(rng.normal(size=(2, 3)))})
    mixed = first.probabilities() ** 0.7 * second.probabilities() ** 0.3
    actual = first.mixture(second, 0.3).probabilities()
    np.testing.assert_allclose(actual, mixed / mixed.sum(1, keepdims=True), atol=1e-14)
    for weight, policy in ((0.0, first), (1.0, second)):
        drawn = first.mixture(second, weight).sample([0, 3], 500, np.random.default_rng(2))
        assert (drawn == policy.sample([0, 3], 500, np.random.default_rng(2))).all()


def test_features_of_a_table_are_its_rows():
    features = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    table = TablePolicy(np.zeros((3, 2)), features)
    assert table.features([2, 0, 2]).tolist() == [[5.0, 6.0], [1.0, 2.0], [5.0, 6.0]]
    assert TablePolicy(np.zeros((3, 2))).features([1]).tolist() == [[0.0, 1.0, 0.0]]


def test_features_of_a_language_model_are_the_state_after_the_prompt(policies):
    first, _ = policies
    actual = first.features(PROMPTS)
    assert not actual.requires_grad
    for i in (0, 5, 23):
        ids = torch.tensor([first.encode([PROMPTS[i]])[0]])
        with torch.no_grad():
            states = first.model(ids, output_hidden_states=True).hidden_states[-1]
        assert torch.allclose(actual[i], states[0, -1], atol=1e-5)
    assert (actual.std(0) > 0).all()


def test_greedy_responses_are_the_most_likely_tokens(policies):
    first, _ = policies
    tokens = first.tokens
    actual = first.greedy(PROMPTS)
    assert first.tokens > tokens
    cold = CausalLM(first.model, first.tokenizer, Sampling(temperature=0.0))
    assert actual == cold.sample(PROMPTS, 1, np.random.default_rng(0))
    table = TablePolicy(np.array([[0.0, 2.0, 1.0], [3.0, 3.0, 0.0]]))
    assert table.greedy([1, 0]).tolist() == [[0], [1]]
