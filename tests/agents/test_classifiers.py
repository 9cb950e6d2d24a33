"""Reward models from any classifier folder: the right token, whatever PAD is."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from agents.policies.classifiers import batches
from agents.policies.learned_reward import LearnedReward
from agents.policies.sampled import Sampled
from eva_env.chat import as_prompt
from tests.support.tiny_models import tiny_classifier, tiny_folder, tokenizer

PROMPTS = ["Write a short poem about the sea.", "Give three reasons."]
RESPONSES = [["The sea.", "A fox in the forest, and the first snow."], ["", "Do not."]]


@pytest.fixture(scope="module", params=["llama", "gpt2", "gemma2", "bert"])
def folder(request, tmp_path_factory):
    return tiny_classifier(tmp_path_factory.mktemp(request.param), request.param)


def by_hand(folder, ids):
    """The score at the last token of one row (BERT: at the first), without any padding."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    model = model.eval()
    with torch.no_grad():
        if hasattr(model, "classifier"):
            sep = ids.index(ids[-1]) + 1
            types = torch.tensor([[0] * sep + [1] * (len(ids) - sep)])
            return model(torch.tensor([ids]), token_type_ids=types).logits.item()
        base = getattr(model, model.base_model_prefix)
        hidden = base(input_ids=torch.tensor([ids])).last_hidden_state
        return model.score(hidden)[0, -1].item()


def test_scores_are_those_of_the_true_last_token(folder):
    reward = LearnedReward.load(folder)
    scores = reward(PROMPTS, RESPONSES)
    assert scores.shape == (2, 2)
    for i, prompt in enumerate(PROMPTS):
        for j, response in enumerate(RESPONSES[i]):
            (ids,) = reward.encode([prompt], [response])
            assert scores[i, j] == pytest.approx(by_hand(folder, ids), abs=2e-5)
            single = reward([prompt], [[response]])
            assert scores[i, j] == pytest.approx(single.item(), abs=2e-5)
    assert np.ptp(scores) > 0.002  # a constant would pass the rest


@pytest.mark.parametrize("pad", [None, "<|im_end|>", "<|endoftext|>"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_neither_pad_nor_its_side_changes_a_score(tmp_path, pad, side):
    reward = LearnedReward.load(tiny_classifier(tmp_path, "llama"))
    expected = reward(PROMPTS, RESPONSES)
    words = type(tokenizer())(tokenizer_object=tokenizer().backend_tokenizer)
    words.eos_token, words.chat_template = "<|im_end|>", tokenizer().chat_template
    words.pad_token, words.padding_side = pad, side
    reward.model.config.pad_token_id = words.pad_token_id
    changed = LearnedReward(reward.model, words)
    assert np.allclose(changed(PROMPTS, RESPONSES), expected, atol=1e-5)
    assert reward.model.config.pad_token_id == words.pad_token_id  # left as it was


def test_a_closing_eos_is_read_though_it_is_pad_too(tmp_path):
    """Without a template EOS is last, and here PAD: transformers reads the token before."""
    folder = tiny_classifier(tmp_path, "llama")
    words = type(tokenizer())(tokenizer_object=tokenizer().backend_tokenizer)
    words.eos_token = words.pad_token = "<|im_end|>"
    model = LearnedReward.load(folder).model
    reward = LearnedReward(model, words)
    (ids,) = reward.encode(["The sea."], ["A fox."])
    assert ids[-1] == words.eos_token_id == words.pad_token_id
    assert reward(["The sea."], [["A fox."]]).item() == pytest.approx(
        by_hand(folder, ids), abs=1e-5
    )
    naive = model(torch.tensor([ids])).logits.item()
    assert naive == pytest.approx(by_hand(folder, ids[:-1]), abs=1e-5)  # the trap is real
    assert abs(naive - by_hand(folder, ids)) > 1e-3


def test_conversations_are_rendered_whole_with_the_assistant_s_turn(tmp_path):
    reward = LearnedReward.load(tiny_classifier(tmp_path, "llama"))
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Why?"},
    ]
    (ids,) = reward.encode([as_prompt(turns)], ["Because."])
    assert reward.tokenizer.decode(ids) == (
        "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
        "<|im_start|>assistant\nBecause.<|im_end|>\n"
    )


def test_encoders_read_a_pair_and_sampled_text_is_text(tmp_path):
    reward = LearnedReward.load(tiny_classifier(tmp_path, "bert"))
    (ids,) = reward.encode(["The sea."], ["A fox."])
    assert reward.tokenizer.decode(ids) == "[CLS]The sea.[SEP]A fox.[SEP]"
    sampled = Sampled("A fox.", [1, 2, 3], False, 0)  # the policy's tokens are not its own
    assert reward(["The sea."], [[sampled]]) == reward(["The sea."], [["A fox."]])


def test_what_does_not_fit_has_no_reward(tmp_path):
    reward = LearnedReward.load(tiny_classifier(tmp_path, "gpt2", n_positions=64))
    rewards = reward(PROMPTS, [["The sea.", "snow " * 80], ["", "Do not."]])
    assert np.isnan(rewards).tolist() == [[False, True], [False, False]]
    with pytest.raises(ValueError, match=r"the 64 tokens that the reward model reads.*longer"):
        reward(PROMPTS[:1], [["snow " * 80] * 2])


def test_batches_are_bounded_by_padded_tokens():
    lengths = np.array([5, 1, 9, 2, 40, 3])
    chunks = [chunk.tolist() for chunk in batches(lengths, rows=3, tokens=20)]
    assert chunks == [[1, 3, 5], [0, 2], [4]]
    assert list(batches(np.array([], dtype=int), 3, 20)) == []


def test_half_precision_folders_are_read_on_the_cpu(tmp_path):
    folder = tiny_classifier(tmp_path, "llama")
    expected = LearnedReward.load(folder)(PROMPTS, RESPONSES)
    for dtype in (torch.float16, torch.bfloat16):
        half = tmp_path / str(dtype)
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype)
        model.save_pretrained(half)
        tokenizer().save_pretrained(half)
        reward = LearnedReward.load(half)
        assert reward.model.dtype == (torch.float32 if dtype == torch.float16 else dtype)
        assert np.allclose(reward(PROMPTS, RESPONSES), expected, atol=0.2)


def test_folders_that_give_no_rewards_are_refused_in_one_line(tmp_path):
    causal = tiny_folder(tmp_path / "causal")
    with pytest.raises(ValueError, match=r"LlamaForCausalLM, .* no classification head"):
        LearnedReward.load(causal)
    two = tiny_classifier(tmp_path / "two", num_labels=2)
    with pytest.raises(ValueError, match=r"has 2 labels, and a reward model has one; .*py:fun"):
        LearnedReward.load(two)
    headless = tiny_classifier(tmp_path / "headless")
    weights = load_file(headless / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, headless / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks score.weight, so its scores would be random"):
        LearnedReward.load(headless)
    coded = tiny_classifier(tmp_path / "coded")
    config = json.loads((coded / "config.json").read_text())
    config |= {"model_type": "armo", "auto_map": {"AutoConfig": "armo.Config"}}
    (coded / "config.json").write_text(json.dumps(config))
    refusal = r"its own code .* which is never run; write a function"
    with pytest.raises(ValueError, match=refusal):
        LearnedReward.load(coded)
    unread = tiny_classifier(tmp_path / "unread")
    for path in unread.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ValueError, match="holds no tokenizer"):
        LearnedReward.load(unread)
