"""Logits in chunks against all logits at once; wrappers around a model."""

import numpy as np
import pytest
import torch

from agents.policies.causal_lm import CausalLM
from agents.policies.logits import COPIES, Head, tokens_in
from agents.policies.packing import pack, packed_logprobs
from agents.policies.sampling import Sampling
from tests.support.tiny_models import tiny, tokenizer

PROMPTS = [[5, 6, 7, 8], [9, 10]]
RESPONSES = [[20, 21, 22], [23, 24], [25], [26, 27, 28, 29, 30]]


def rows():
    return pack([0, 0, 1, 1], [PROMPTS[i // 2] for i in range(4)], RESPONSES)


def oracle(model):
    """Log-probabilities by one forward pass for each response."""
    values = torch.zeros(4, 5)
    for i, response in enumerate(RESPONSES):
        ids = torch.tensor([[*PROMPTS[i // 2], *response]])
        steps = model(ids).logits[0, -len(response) - 1 : -1].float().log_softmax(-1)
        values[i, : len(response)] = steps.gather(-1, torch.tensor(response)[:, None])[:, 0]
    return values


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "cohere2", "granite", "gpt2"])
@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("tokens", [1, 3, 1000])
def test_chunks_give_the_log_probabilities_and_gradients_of_all_at_once(
    architecture, head, tokens
):
    model = tiny(architecture, initializer_range=0.3)
    megabytes = tokens * COPIES * 4 * len(tokenizer()) / 2**20
    assert tokens_in(megabytes, len(tokenizer())) == tokens
    weights = torch.linspace(-1, 1, 20).view(4, 5)
    parameters = list(model.parameters())
    values = [packed_logprobs(model, rows(), head=head, megabytes=megabytes), oracle(model)]
    assert torch.allclose(*values, atol=2e-5)
    actual, expected = (
        torch.autograd.grad((weights * value).sum(), parameters) for value in values
    )
    for left, right in zip(actual, expected, strict=True):
        assert torch.allclose(left, right, atol=1e-4, rtol=1e-3)
    with torch.no_grad():
        again = packed_logprobs(model, rows(), head=head, megabytes=megabytes)
    assert torch.allclose(again, values[1], atol=2e-5)


@pytest.mark.parametrize("architecture", ["llama", "mamba"])
def test_no_more_logits_exist_than_the_bound_allows(architecture, monkeypatch):
    sizes = []
    original = Head.__call__

    def count(head, hidden):
        sizes.append(len(hidden))
        return original(head, hidden)

    monkeypatch.setattr(Head, "__call__", count)
    policy = CausalLM(tiny(architecture), tokenizer(), Sampling(max_tokens=9))
    policy.logits_megabytes = 7 * COPIES * 4 * len(tokenizer()) / 2**20
    assert policy.layout.head
    sizes.clear()
    policy.logprobs(["a"] * 3, ["the sea", "a fox in the forest", "snow"]).sum().backward()
    assert max(sizes) == 7
    assert sum(sizes) == 2 * policy.lengths(["the sea", "a fox in the forest", "snow"]).sum()


def test_decoding_computes_logits_only_after_the_prompt():
    model = tiny("llama")
    sizes = []
    model.lm_head.register_forward_hook(lambda _, inputs, out: sizes.append(out.shape[1]))
    policy = CausalLM(model, tokenizer(), Sampling(max_tokens=3))
    assert policy.layout.head
    sizes.clear()
    policy.greedy(["Tell a story about the sea."])
    assert sizes == [1, 1, 1]


def drawn(policy):
    (responses,) = policy.sample(["Tell a story."], 3, np.random.default_rng(0))
    return responses


@pytest.mark.parametrize("task", ["CAUSAL_LM", None])
def test_an_adapter_samples_and_learns_through_the_policy(task):
    peft = pytest.importorskip("peft")
    base = tiny("qwen2")
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type=task)
    torch.manual_seed(0)
    wrapped = peft.get_peft_model(base, config)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.3)
    policy = CausalLM(wrapped, tokenizer(), Sampling(max_tokens=6))
    assert str(policy.layout).startswith("packed rows, decoding side by side, logits in chunks")
    responses = drawn(policy)
    values = policy.token_logprobs(["Tell a story."] * 3, responses)
    for response, row in zip(responses, values, strict=True):
        ids = [*policy.encode(["Tell a story."])[0], *response.ids.tolist()]
        steps = wrapped(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = steps[range(len(ids) - len(response.ids) - 1, len(ids) - 1), response.ids]
        assert torch.allclose(row[: len(expected)], expected, atol=1e-4)
        assert torch.allclose(torch.tensor(response.logprobs), expected, atol=1e-4)
    values.sum().backward()
    gradients = [
        w.grad is not None for name, w in wrapped.named_parameters() if "lora_A" in name
    ]
    assert gradients
    assert all(gradients)
    assert policy.features(["Tell a story."]).shape == (1, 32)
    assert policy.frozen().logprobs(["a"], ["b"]) == policy.logprobs(["a"], ["b"])


def test_virtual_tokens_are_refused():
    peft = pytest.importorskip("peft")
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    policy = CausalLM(peft.get_peft_model(tiny("llama"), config), tokenizer())
    with pytest.raises(ValueError, match="PROMPT_TUNING adapters are not supported; use LoRA"):
        policy.sample(["a"], 1, np.random.default_rng(0))


def test_a_distributed_model_learns_through_its_wrapper(tmp_path):
    """One process; the wrapper has no ``dtype`` or ``device``, and averages the gradients."""
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        model = tiny("llama")
        plain = CausalLM(tiny("llama"), tokenizer(), Sampling(max_tokens=6))
        wrapper = torch.nn.parallel.DistributedDataParallel(model)
        policy = CausalLM(wrapper, tokenizer(), Sampling(max_tokens=6))
        responses = drawn(policy)
        assert [r.ids.tolist() for r in responses] == [r.ids.tolist() for r in drawn(plain)]
        for each in (policy, plain):
            each.logprobs(["Tell a story."] * 3, responses).sum().backward()
        gradients = [
            [weight.grad for weight in each.model.parameters()] for each in (policy, plain)
        ]
        for left, right in zip(*gradients, strict=True):
            assert torch.allclose(left, right, atol=1e-6)
    finally:
        torch.distributed.destroy_process_group()
