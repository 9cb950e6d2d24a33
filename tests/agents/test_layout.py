"""The check on load: what it finds, what it leaves as it was, and that it can fail."""

import numpy as np
import pytest
import torch

from agents.policies import attention
from agents.policies.attention import FULL, SLIDING, StepMasks, packed_masks, windows
from agents.policies.causal_lm import CausalLM
from agents.policies.layout import Layout, find_layout
from agents.policies.sampling import Sampling
from tests.support.tiny_models import ARCHITECTURES, UNUSUAL, tiny, tokenizer

EXPECTED = dict.fromkeys(ARCHITECTURES | UNUSUAL, Layout())
EXPECTED |= dict.fromkeys(("mpt", "bloom", "mamba", "gpt_neo"), Layout(False, "padded"))
EXPECTED |= {
    "gemma2": Layout(decoding="side by side"),  # its attention has a soft cap
    "qwen3_next": Layout(False, "padded"),
    "recurrent_gemma": Layout(False, "equal lengths"),
    "rwkv": Layout(False, "recomputed"),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", EXPECTED)
def test_each_architecture_gets_the_fastest_way_that_is_right(architecture, dtype):
    if architecture in UNUSUAL and dtype == torch.bfloat16:
        pytest.skip("one type is enough")
    model = tiny(architecture).to(dtype)
    state, config = torch.get_rng_state(), model.config.to_dict()
    model.train()
    assert find_layout(model, small=0) == EXPECTED[architecture]
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert model.config.to_dict() == config
    assert all(weight.grad is None for weight in model.parameters())


def test_a_small_model_computes_all_samples():
    assert find_layout(tiny("llama")) == Layout(decoding="side by side")


@pytest.mark.parametrize("architecture", ["llama", "phi3", "gemma3_text"])
def test_a_mask_that_shows_too_much_is_noticed(architecture, monkeypatch):
    """Each mask is wrong by itself: the others' tokens, or what the window has passed."""
    original = packed_masks

    def without_segments(model, segments, positions):
        return original(model, torch.zeros_like(segments), positions)

    monkeypatch.setattr("agents.policies.packing.packed_masks", without_segments)
    assert find_layout(tiny(architecture), small=0) == Layout(packs=False)
    monkeypatch.undo()
    if SLIDING in windows(tiny(architecture)):
        monkeypatch.setattr(attention, "windows", lambda model: {FULL: None, SLIDING: None})
        assert find_layout(tiny(architecture), small=0) == Layout(False, "padded")


def test_a_head_that_is_not_understood_leaves_the_models_own_logits():
    """The scale is known to the model alone; log-probabilities are right all the same."""
    model = tiny("llama")
    original = model.forward

    def forward(input_ids=None, position_ids=None, **rest):
        output = original(input_ids=input_ids, position_ids=position_ids, **rest)
        output.logits = output.logits * 3
        return output

    model.forward = forward
    policy = CausalLM(model, tokenizer(), Sampling(max_tokens=5), logits_megabytes=0.05)
    assert not policy.layout.head
    (responses,) = policy.sample(["Tell a story."], 2, np.random.default_rng(0))
    values = policy.token_logprobs(["Tell a story."] * 2, responses)
    head = policy.encode(["Tell a story."])[0]
    for response, row in zip(responses, values, strict=True):
        logits = original(input_ids=torch.tensor([[*head, *response.ids.tolist()]])).logits[0]
        steps = (3 * logits[len(head) - 1 : -1]).log_softmax(-1)
        expected = steps[range(len(response.ids)), response.ids]
        assert torch.allclose(row[: len(expected)], expected, atol=1e-4)


def test_masks_of_packed_rows_by_hand():
    """Prompt of 3 and responses of 2 and 1 tokens; a window of 2 tokens counts positions."""
    model = tiny("gemma2", sliding_window=2)
    segments = torch.tensor([[0, 0, 0, 1, 1, 2]])
    positions = torch.tensor([[0, 1, 2, 3, 4, 3]])
    masks = packed_masks(model, segments, positions)
    seen = {kind: (mask[0, 0] == 0).int().tolist() for kind, mask in masks.items()}
    assert seen[FULL] == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 0],
        [1, 1, 1, 0, 0, 1],
    ]
    assert seen[SLIDING] == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 1, 1, 0],
        [0, 0, 1, 0, 0, 1],
    ]


def test_masks_of_a_step_by_hand():
    """Prompts of 3 and 1 tokens, two samples, a window of 3: the third step is checked."""
    model = tiny("gemma2", sliding_window=3)
    masks = StepMasks(model, torch.tensor([[1, 1, 1], [0, 0, 1]]), 2, 4)
    for t in range(3):
        arguments = masks.step(t)
    full, sliding = ((arguments[kind][:, 0] == 0).int().tolist() for kind in (FULL, SLIDING))
    own = [[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]
    assert full == [[[1, 1, 1, *row] for row in own], [[0, 0, 1, *row] for row in own]]
    assert sliding == [[[0, 0, 0, *row] for row in own]] * 2
    later = (masks.step(3)[SLIDING][:, 0] == 0).int().tolist()
    assert later[0][0] == [0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0]
