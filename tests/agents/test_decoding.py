"""The sampler against exact probabilities, and against ``model.generate``."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from transformers import LlamaConfig, LlamaForCausalLM

from agents.policies.choosing import choose
from agents.policies.decoding import decode as decode_with_logprobs
from agents.policies.sampling import Sampling, left_pad, uniforms

EOS = 2


def decode(*arguments, **settings):
    """The drawn ids alone."""
    return [drawn.ids for drawn in decode_with_logprobs(*arguments, **settings)]


@pytest.fixture(scope="module")
def model():
    """Random weights, large enough that the distribution is far from uniform."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=7, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=64, initializer_range=0.5,
        pad_token_id=0, bos_token_id=1, eos_token_id=EOS,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def exact(model, prompt, steps, temperature=1.0, top_p=1.0):
    """Probability of every response of at most ``steps`` tokens, one forward pass each."""
    table = {}
    for response in itertools.chain(
        *(itertools.product(range(7), repeat=k) for k in range(1, steps + 1))
    ):
        if EOS in response[:-1] or (len(response) < steps and response[-1] != EOS):
            continue
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *response]])).logits[0].double()
        p = torch.softmax(logits[len(prompt) - 1 : -1] / temperature, -1).numpy()
        total = 1.0
        for row, token in zip(p, response, strict=True):
            order = np.argsort(-row)
            kept = order[np.cumsum(row[order]) - row[order] < top_p]
            total *= row[token] / row[kept].sum() if token in kept else 0.0
        table[response] = total
    return table


def chi_square(samples, table):
    """p-value of the sample counts under the exact table; rare responses are pooled."""
    n = len(samples)
    counts = {response: 0 for response in table}
    for sample in samples:
        counts[tuple(sample)] += 1
    common = [r for r, p in table.items() if p * n >= 5]
    observed = [counts[r] for r in common]
    expected = [table[r] * n for r in common]
    assert all(counts[r] == 0 for r, p in table.items() if p == 0)
    observed.append(n - sum(observed))
    expected.append(n - sum(expected))
    keep = [i for i, e in enumerate(expected) if e > 1]
    statistic = sum((observed[i] - expected[i]) ** 2 / expected[i] for i in keep)
    return stats.chi2.sf(statistic, len(keep) - 1)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (1.3, 0.8)])
def test_samples_follow_the_exact_distribution(model, temperature, top_p):
    prompts = [[1, 4, 5], [1, 3], [1, 6, 6, 3, 4]]
    sampling = Sampling(temperature, top_p, max_tokens=3)
    drawn = decode(model, prompts, 4000, np.arange(3), sampling)
    for i, prompt in enumerate(prompts):
        table = exact(model, prompt, 3, temperature, top_p)
        assert sum(table.values()) == pytest.approx(1)
        assert chi_square(drawn[i * 4000 : (i + 1) * 4000], table) > 1e-4


def test_generate_follows_the_same_distribution(model):
    """The same yardstick holds for ``model.generate``, and rejects another temperature."""
    prompt = [1, 4, 5]
    ids, mask = left_pad([prompt], torch.device("cpu"))
    torch.manual_seed(0)
    out = model.generate(
        input_ids=ids, attention_mask=mask, do_sample=True, top_k=0, max_new_tokens=3,
        num_return_sequences=4000,
    )[:, len(prompt) :].tolist()  # fmt: skip
    samples = [row[: row.index(EOS) + 1] if EOS in row else row for row in out]
    assert chi_square(samples, exact(model, prompt, 3)) > 1e-4
    assert chi_square(samples, exact(model, prompt, 3, temperature=0.8)) < 1e-4


def test_a_response_does_not_depend_on_its_company(model):
    rng = np.random.default_rng(0)
    prompts = [[1, *rng.integers(3, 7, size=k)] for k in (1, 5, 2, 7, 3, 3, 4)]
    seeds = rng.integers(2**63, size=7)
    sampling = Sampling(max_tokens=12)
    together = decode(model, prompts, 3, seeds, sampling)
    order = rng.permutation(7)
    shuffled = decode(model, [prompts[i] for i in order], 3, seeds[order], sampling, rows=5)
    for place, i in enumerate(order):
        assert shuffled[place * 3 : place * 3 + 3] == together[i * 3 : i * 3 + 3]
    alone = decode(model, prompts[3:4], 3, seeds[3:4], sampling)
    assert alone == together[9:12]
    assert decode(model, prompts, 3, seeds + 1, sampling) != together


def test_greedy_equals_generate(model):
    prompts = [[1, 4, 5], [1, 3], [1, 6, 6, 3, 4]]
    ids, mask = left_pad(prompts, torch.device("cpu"))
    out = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=9)
    expected = [row[: row.index(EOS) + 1] if EOS in row else row for row in out[:, 5:].tolist()]
    assert decode(model, prompts, 1, np.arange(3), Sampling(0.0, 1.0, 9)) == expected


def test_choose_is_inverse_cdf():
    logits = torch.log(torch.tensor([[0.5, 0.2, 0.3]])).expand(4, 3)
    u = torch.tensor([0.0, 0.49, 0.51, 0.99], dtype=torch.float64)
    assert choose(logits, u, Sampling()).token.tolist() == [0, 0, 1, 2]
    # Nucleus of 0.6: tokens 0 and 2, renormalised to 5/8 and 3/8, most likely first.
    u = torch.tensor([0.0, 0.62, 0.63, 0.99], dtype=torch.float64)
    assert choose(logits, u, Sampling(top_p=0.6)).token.tolist() == [0, 0, 2, 2]


def test_uniforms_are_splitmix64():
    # First outputs of SplitMix64 for seed 1234567, as published with the reference code.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert (uniforms(np.array([1234567]), 1, 3)[0, 0] * 2**53).astype(np.uint64).tolist() == [
        value >> 11 for value in expected
    ]
    many = uniforms(np.arange(300), 6, 16)
    assert stats.kstest(many.ravel(), "uniform").pvalue > 1e-3
    flat = many.reshape(300, -1)
    assert abs(np.corrcoef(flat[:, 0], flat[:, 1])[0, 1]) < 0.25
    assert abs(np.corrcoef(flat[0], flat[1])[0, 1]) < 0.45


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0 and finite, got -1.0"),
        ({"top_p": 0.0}, r"top_p must lie in \(0, 1\], got 0.0"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
    ],
)
def test_sampling_names_what_is_wrong(settings, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)


def test_more_samples_than_fit_in_a_row(model):
    """Twenty samples are decoded in three rows of seven; the first ones are the same."""
    prompts, seeds = [[1, 4, 5], [1, 3]], np.array([7, 8])
    many = decode(model, prompts, 20, seeds, Sampling(max_tokens=8))
    few = decode(model, prompts, 5, seeds, Sampling(max_tokens=8))
    assert len(many) == 40
    assert many[:5] == few[:5]
    assert many[20:25] == few[5:]
