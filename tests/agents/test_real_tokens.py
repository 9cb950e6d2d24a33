"""What is read is what was drawn: tiny models of real architectures against single rows."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.policies.batches import exchange_lengths, token_logprobs
from agents.policies.causal_lm import CausalLM
from agents.policies.chat import Chat
from agents.policies.layout import find_layout
from agents.policies.sampled import Sampled
from agents.policies.sampling import SHARED, Sampling
from tests.support.tiny_models import ARCHITECTURES, UNUSUAL, tiny, tokenizer

PLAIN = {"mpt", "bloom", "mamba", "gpt_neo", "recurrent_gemma", "qwen3_next", "rwkv"}
"""Models whose attention a mask cannot describe."""

PROMPTS = ["Write a poem about the sea.", "Tell a story.", "What do people like about films?"]


def policy_of(architecture, dtype=torch.float32, **sampling):
    model = tiny(architecture).to(dtype)
    with torch.no_grad():  # far from uniform, so that a wrong token or mask shows
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "embed" not in name and "wte" not in name:
                weight *= 4.0
    policy = CausalLM(model, tokenizer(), Sampling(**{"max_tokens": 12, **sampling}))
    policy._layout = find_layout(model, small=0)
    return policy


def single(policy, prompt, ids, temperature=1.0):
    """Log-probabilities of token ids, (L,): one row, the model alone, no mask, no cache."""
    head = policy.encode([prompt])[0]
    with torch.no_grad():
        logits = policy.model(torch.tensor([[*head, *ids]]), use_cache=False).logits[0]
    steps = (logits.float() / temperature)[len(head) - 1 : -1].log_softmax(-1)
    return steps[torch.arange(len(ids)), torch.tensor(ids)]


@pytest.mark.parametrize("architecture", ARCHITECTURES | UNUSUAL)
def test_log_probabilities_are_those_of_the_drawn_tokens_one_row_at_a_time(architecture):
    policy = policy_of(architecture)
    plain = architecture in PLAIN
    assert policy.layout.packs == (not plain)
    assert (policy.layout.decoding in SHARED) == (not plain)
    assert policy.layout.head
    responses = policy.sample(PROMPTS, 3, np.random.default_rng(0))
    flat = [response for row in responses for response in row]
    repeated = [prompt for prompt in PROMPTS for _ in range(3)]
    actual = policy.token_logprobs(repeated, flat)
    assert actual.dtype == torch.float32
    for prompt, response, values in zip(repeated, flat, actual, strict=True):
        size = len(response.ids)
        expected = single(policy, prompt, response.ids.tolist())
        assert torch.allclose(values[:size], expected, atol=2e-4)
        assert (values[size:] == 0).all()
        # The log-probabilities of drawing agree with those of reading.
        assert torch.allclose(torch.tensor(response.logprobs), expected, atol=2e-4)
    assert policy.lengths(flat).tolist() == [len(response.ids) for response in flat]
    assert policy.tokens == sum(len(response.ids) for response in flat)
    assert token_logprobs(policy, PROMPTS, responses).shape == actual.shape
    prompt_sizes = [len(ids) for ids in policy.encode(PROMPTS)]
    sizes = [sum(len(response.ids) for response in row) for row in responses]
    assert exchange_lengths(policy, PROMPTS, responses).tolist() == [
        prompt + size for prompt, size in zip(prompt_sizes, sizes, strict=True)
    ]


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "phi3", "gpt2", "mpt", "mamba"])
def test_bfloat16_gives_float32_log_probabilities_of_the_same_tokens(architecture):
    policy = policy_of(architecture, torch.bfloat16)
    assert (policy.layout.decoding in SHARED) == (architecture not in PLAIN)
    (responses,) = policy.sample(PROMPTS[:1], 4, np.random.default_rng(0))
    actual = policy.token_logprobs(PROMPTS[:1] * 4, responses)
    assert actual.dtype == torch.float32
    for response, values in zip(responses, actual, strict=True):
        expected = single(policy, PROMPTS[0], response.ids.tolist())
        assert torch.allclose(values[: len(expected)], expected, atol=0.15)
        assert (values[: len(expected)] - expected).abs().mean() < 0.04


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "phi3", "gpt2", "gemma3_text"])
def test_samples_that_end_early_leave_and_change_nothing(architecture):
    """Both ways side by side draw the same tokens; one computes the unfinished samples only."""
    policy = policy_of(architecture, max_tokens=40)
    policy.model.get_output_embeddings().bias = torch.nn.Parameter(
        torch.zeros(len(tokenizer())).index_fill(0, torch.tensor(policy.ends), 3.0)
    )
    assert policy.layout.decoding == "unfinished"
    computed = []
    policy.model.register_forward_hook(
        lambda *_, **__: computed.append(_[2].logits.shape[:2].numel())
    )
    drawn = policy.sample(PROMPTS, 5, np.random.default_rng(0))
    sizes = np.array([[len(response.ids) for response in row] for row in drawn])
    assert 1 < np.median(sizes) < 30
    # After the prompts, a step computes the samples that had not ended before it.
    assert computed[1:] == [int((sizes > t).sum()) for t in range(1, sizes.max())]
    policy._layout = replace(policy.layout, decoding="side by side")
    again = policy.sample(PROMPTS, 5, np.random.default_rng(0))
    for row, other in zip(drawn, again, strict=True):
        for response, expected in zip(row, other, strict=True):
            assert response.ids.tolist() == expected.ids.tolist()
            assert np.allclose(response.logprobs, expected.logprobs, atol=2e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES | UNUSUAL)
def test_a_sample_depends_on_its_seed_alone(architecture):
    policy = policy_of(architecture)
    rng = np.random.default_rng(3)
    together = policy.sample(PROMPTS, 3, rng)
    alone = [policy.sample([PROMPTS[0]], n, np.random.default_rng(3))[0] for n in (1, 3)]
    for row in alone:
        for response, expected in zip(row, together[0], strict=False):
            assert response.ids.tolist() == expected.ids.tolist()
    assert len({response.ids.tobytes() for response in together[0]}) > 1
    greedy = policy.greedy(PROMPTS)
    assert all(row[0].logprobs is None for row in greedy)
    ids = greedy[1][0].ids.tolist()
    head = policy.encode(PROMPTS[1:2])[0]
    for t in range(len(ids)):
        with torch.no_grad():
            logits = policy.model(torch.tensor([[*head, *ids[:t]]]), use_cache=False).logits
        assert logits[0, -1].argmax() == ids[t]


def test_tokens_that_do_not_survive_their_text_are_kept():
    policy = policy_of("llama", max_tokens=20)
    (responses,) = policy.sample(PROMPTS[:1], 16, np.random.default_rng(0))
    encoded = policy.encode_responses([str(response) for response in responses])
    changed = [
        response
        for response, ids in zip(responses, encoded, strict=True)
        if response.ids.tolist() != ids
    ]
    assert changed  # the tokenizer has the trap
    for response in changed[:4]:
        value = policy.logprobs(PROMPTS[:1], [response])
        expected = single(policy, PROMPTS[0], response.ids.tolist()).sum()
        assert value.item() == pytest.approx(expected.item(), abs=1e-3)
        for again in (pickle.loads(pickle.dumps(response)), copy.deepcopy(response)):
            assert again.ids.tolist() == response.ids.tolist()
            assert (again.ended, again.vocabulary) == (response.ended, response.vocabulary)
            assert np.array_equal(again.logprobs, response.logprobs)
    # Changed text and text of another vocabulary are encoded, with the end.
    text = changed[0].strip() + "."
    foreign = Sampled(text, [3, 4], True, policy.vocabulary + 1)
    for response in (text, foreign):
        ids = [*tokenizer()(text)["input_ids"], tokenizer().eos_token_id]
        assert policy.encode_responses([response]) == [ids]


def test_a_drawn_text_and_the_same_text_written_are_two_responses():
    policy = policy_of("llama")
    drawn = Sampled("a fox", [40, 41, 42], False, policy.vocabulary)
    assert drawn == "a fox"
    ids = policy.encode_responses([drawn, "a fox", drawn])
    assert ids[0] == ids[2] == [40, 41, 42]
    assert ids[1] == [*tokenizer()("a fox")["input_ids"], tokenizer().eos_token_id]


def with_ends(policy, *ends):
    policy.model.generation_config.eos_token_id = list(ends) or None
    return policy


@pytest.mark.parametrize("architecture", ["llama", "mamba"])
def test_any_of_several_ends_is_scored_as_it_was_drawn(architecture):
    """As Gemma has it: the generation config lists two ids, and the tokenizer a third."""
    policy = with_ends(policy_of(architecture, max_tokens=30), 60, 61)
    assert policy.ends == (tokenizer().eos_token_id, 60, 61)
    with torch.no_grad():
        bias = torch.zeros(len(tokenizer()))
        bias[[60, 61]] = 4.0
    policy.model.get_output_embeddings().bias = torch.nn.Parameter(bias)
    (responses,) = policy.sample(PROMPTS[:1], 40, np.random.default_rng(0))
    last = {int(response.ids[-1]) for response in responses if response.ended}
    assert {60, 61} <= last <= set(policy.ends)
    for response in responses[:8]:
        assert not set(response.ids[:-1].tolist()) & set(policy.ends)
        value = policy.logprobs(PROMPTS[:1], [response])
        expected = single(policy, PROMPTS[0], response.ids.tolist()).sum()
        assert value.item() == pytest.approx(expected.item(), abs=1e-3)
        assert response == tokenizer().decode(
            response.ids[: -1 if response.ended else None], skip_special_tokens=True
        )


@pytest.mark.parametrize("architecture", ["llama", "mpt"])
def test_responses_that_are_cut_off_have_no_end_and_may_be_empty(architecture):
    policy = policy_of(architecture, max_tokens=3)
    end = tokenizer().eos_token_id
    head = torch.nn.Parameter(torch.zeros(len(tokenizer())))
    policy.model.get_output_embeddings().bias = head
    (cut,) = policy.sample(PROMPTS[:1], 8, np.random.default_rng(0))
    assert not any(response.ended for response in cut)
    assert policy.lengths(cut).tolist() == [3] * 8
    assert end not in np.concatenate([response.ids for response in cut])
    with torch.no_grad():
        head[end] = 1000.0  # the first token is the end
    (empty,) = policy.sample(PROMPTS[:1], 2, np.random.default_rng(0))
    assert [str(response) for response in empty] == ["", ""]
    assert all(response.ended and response.ids.tolist() == [end] for response in empty)
    assert policy.lengths(empty).tolist() == [1, 1]
    assert policy.logprobs(PROMPTS[:1] * 2, empty).detach().abs().max() < 1e-4


@pytest.mark.parametrize("architecture", ["llama", "mamba"])
def test_no_end_at_all(architecture):
    words = copy.deepcopy(tokenizer())
    words.eos_token = None
    model = tiny(architecture)
    model.generation_config.eos_token_id = None
    chat = Chat(words)
    chat.end = None
    policy = CausalLM(model, words, Sampling(max_tokens=5), chat)
    assert policy.ends == ()
    (responses,) = policy.sample(PROMPTS[:1], 3, np.random.default_rng(0))
    assert [len(response.ids) for response in responses] == [5, 5, 5]
    assert not any(response.ended for response in responses)
    # A text of no tokens has length and log-probability 0, next to others and by itself.
    texts = ["", *responses]
    assert policy.lengths(texts).tolist() == [0, 5, 5, 5]
    values = policy.token_logprobs(PROMPTS[:1] * 4, texts)
    assert (values[0] == 0).all()
    expected = single(policy, PROMPTS[0], responses[2].ids.tolist())
    assert torch.allclose(values[3], expected, atol=2e-4)
    assert policy.logprobs(PROMPTS[:1], [""]).tolist() == [0]
    policy.logprobs(PROMPTS[:1], [""]).sum().backward()


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_as_sampled_scores_under_the_temperature_that_sampled(temperature):
    policy = policy_of("qwen2", temperature=temperature)
    sampled = policy.as_sampled()
    (responses,) = policy.sample(PROMPTS[:1], 3, np.random.default_rng(0))
    for response in responses:
        expected = single(policy, PROMPTS[0], response.ids.tolist(), temperature)
        actual = sampled.token_logprobs(PROMPTS[:1], [response])[0]
        assert torch.allclose(actual, expected, atol=3e-4)
        assert torch.allclose(torch.tensor(response.logprobs), expected, atol=3e-4)
    assert not torch.allclose(actual, policy.token_logprobs(PROMPTS[:1], [response])[0])
    assert next(sampled.parameters()) is next(policy.parameters())
    frozen = sampled.frozen()
    assert torch.equal(frozen.token_logprobs(PROMPTS[:1], [response])[0], actual)


TOP_P = r"top_p 1, got 0\.9 \(set --sampling.top-p 1\)"
TEMPERATURE = r"a temperature above 0, got 0 \(set --sampling.temperature 1\)"


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"top_p": 0.9}, TOP_P),
        ({"temperature": 0.0}, TEMPERATURE),
        ({"top_p": 0.9, "temperature": 0.0}, f"{TOP_P} and {TEMPERATURE}"),
    ],
)
def test_as_sampled_refuses_what_has_no_ratios(settings, wrong):
    with pytest.raises(ValueError, match=f"sampled need {wrong}; or use a method"):
        policy_of("llama", **settings).as_sampled()


def test_log_probabilities_of_a_nucleus_are_renormalised():
    policy = policy_of("llama", top_p=0.6, temperature=0.8)
    (responses,) = policy.sample(PROMPTS[:1], 5, np.random.default_rng(0))
    head = policy.encode(PROMPTS[:1])[0]
    for response in responses:
        ids = response.ids.tolist()
        with torch.no_grad():
            logits = policy.model(torch.tensor([[*head, *ids]])).logits[0]
        steps = (logits[len(head) - 1 : -1].double() / 0.8).softmax(-1)
        for token, row, value in zip(ids, steps, response.logprobs, strict=True):
            kept, mass = row.sort(descending=True), 0.0
            for p in kept.values.tolist():
                if mass >= 0.6:
                    break
                mass += p
            assert value == pytest.approx(np.log(row[token].item() / mass), abs=1e-3)


@pytest.mark.parametrize("architecture", ["gemma3_text", "mamba", "bloom"])
def test_the_mixture_of_two_models_of_any_kind(architecture):
    """Weights 0 and 1 give the samples of one model; 0.5 the log-probabilities of both."""
    first, second = policy_of(architecture), policy_of(architecture)
    with torch.no_grad():
        for parameter in second.model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    expected = [one.sample(PROMPTS, 2, np.random.default_rng(1)) for one in (first, second)]
    for weight, samples in zip((0.0, 1.0), expected, strict=True):
        mixed = first.mixture(second, weight).sample(PROMPTS, 2, np.random.default_rng(1))
        for row, other in zip(mixed, samples, strict=True):
            assert [r.ids.tolist() for r in row] == [r.ids.tolist() for r in other]
    half = first.mixture(second, 0.5).sample(PROMPTS[:1], 1, np.random.default_rng(1))[0][0]
    head, ids = first.encode(PROMPTS[:1])[0], half.ids.tolist()
    logits = [one.model(torch.tensor([[*head, *ids]])).logits[0] for one in (first, second)]
    mixed = sum(0.5 * part.log_softmax(-1) for part in logits).log_softmax(-1)
    steps = mixed[len(head) - 1 : -1]
    expected = steps[torch.arange(len(ids)), torch.tensor(ids)]
    assert torch.allclose(torch.tensor(half.logprobs), expected, atol=3e-4)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "mamba"])
def test_features_are_the_state_after_the_prompt(architecture):
    policy = policy_of(architecture)
    actual = policy.features(PROMPTS)
    for prompt, value in zip(PROMPTS, actual, strict=True):
        ids = torch.tensor(policy.encode([prompt]))
        with torch.no_grad():
            states = policy.model(ids, output_hidden_states=True).hidden_states[-1]
        assert torch.allclose(value, states[0, -1], atol=1e-4)


def test_copies_share_the_check_and_the_vocabulary():
    policy = policy_of("gemma2")
    layout, vocabulary = policy.layout, policy.vocabulary
    for twin in (policy.frozen(), policy.as_sampled(), policy.mixture(policy.frozen(), 0.5)):
        assert twin._layout is layout
        assert twin._vocabulary == vocabulary
    other = copy.deepcopy(tokenizer())
    other.add_tokens(["zebra"])
    assert CausalLM(policy.model, other).vocabulary != vocabulary
    assert CausalLM(policy.model, tokenizer()).vocabulary == vocabulary
