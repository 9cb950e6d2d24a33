"""A pairwise ranker: RLHFlow's text, both orders, and win rates."""

import numpy as np
import pytest
import torch

from agents.policies.pairwise_reward import PairwiseReward
from eva_env.chat import as_prompt
from eva_env.rewards import win_rates
from tests.support.tiny_models import tiny_classifier, tiny_folder

PROMPTS = ["Write a poem.", "Give three reasons."]
RESPONSES = [["The sea.", "A fox in the forest."], ["", "Do not use any commas."]]


@pytest.fixture(scope="module", params=["llama", "gpt2", "gemma2", "mpt"])
def ranker(request, tmp_path_factory):
    return PairwiseReward.load(tiny_folder(tmp_path_factory.mktemp("rank"), request.param))


def by_hand(ranker, prompt, a, b):
    """P(A) from one forward pass without padding, as the model card computes it."""
    text = ranker.text(prompt, a, b)
    ids = ranker.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = ranker.model(input_ids=ids).logits[0, -1]
    letters = [ranker.tokenizer.encode(x, add_special_tokens=False)[0] for x in "AB"]
    return logits[letters].softmax(0)[0].item()


def test_the_text_is_that_of_the_model_card(tmp_path):
    ranker = PairwiseReward.load(tiny_folder(tmp_path))
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Why?"},
    ]
    assert ranker.text(as_prompt(turns), "one", "two") == (
        "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n[CONTEXT] \n\n"
        "<turn> user\n Hi\n<turn> assistant\n Hello\n<turn> user\n Why?\n [RESPONSE A] one "
        "[RESPONSE B] two \n<|im_end|>\n"
    )
    # A BOS that the template writes once, at the start, is removed as on the card.
    ranker.tokenizer.chat_template = "{{ bos_token }}{{ messages[0]['content'] }}"
    assert ranker.text("Hi", "one", "two").startswith("[CONTEXT]")


def test_probabilities_are_those_of_single_passes_in_both_orders(ranker):
    probabilities = ranker.compare(PROMPTS, RESPONSES, RESPONSES)
    for b, prompt in enumerate(PROMPTS):
        for i, first in enumerate(RESPONSES[b]):
            for j, second in enumerate(RESPONSES[b]):
                expected = 0.5 if i == j else by_hand(ranker, prompt, first, second)
                assert probabilities[b, i, j] == pytest.approx(expected, abs=1e-5)
    rewards = ranker(PROMPTS, RESPONSES)
    assert np.array_equal(rewards, win_rates(probabilities))
    first = by_hand(ranker, PROMPTS[0], *RESPONSES[0])
    second = by_hand(ranker, PROMPTS[0], *RESPONSES[0][::-1])
    wins = (first + 1 - second) / 2
    assert rewards[0] == pytest.approx([(wins + 0.5) / 2, (1.5 - wins) / 2], abs=1e-5)


def test_equal_texts_draw_and_are_not_compared(ranker):
    calls = []
    ranker.model.register_forward_pre_hook(lambda *_: calls.append(1))
    assert ranker(PROMPTS, [["a", "a"], ["b", "b"]]).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert calls == []


def test_opponents_are_others_responses(ranker):
    wins = ranker.against(PROMPTS[:1], [["The sea."]], [["A fox.", "The sea."]])
    first = by_hand(ranker, PROMPTS[0], "The sea.", "A fox.")
    second = by_hand(ranker, PROMPTS[0], "A fox.", "The sea.")
    assert wins.item() == pytest.approx(((first + 1 - second) / 2 + 0.5) / 2, abs=1e-5)


def test_a_classifier_s_logit_is_the_log_odds_of_a(tmp_path):
    ranker = PairwiseReward.load(tiny_classifier(tmp_path, "llama"))
    assert not ranker.is_causal
    ids = ranker.tokenizer(
        ranker.text(PROMPTS[0], "one", "two"), add_special_tokens=False, return_tensors="pt"
    )["input_ids"]
    with torch.no_grad():
        hidden = ranker.model.model(input_ids=ids).last_hidden_state[0, -1]
        expected = torch.sigmoid(ranker.model.score(hidden)).item()
    got = ranker.compare(PROMPTS[:1], [["one"]], [["two"]]).item()
    assert got == pytest.approx(expected, abs=1e-5)
    assert abs(got - 0.5) > 1e-4


def test_comparisons_that_do_not_fit_are_missing(tmp_path):
    ranker = PairwiseReward.load(tiny_folder(tmp_path, "gpt2", n_positions=128))
    rewards = ranker(PROMPTS[:1], [["one", "two", "snow " * 99]])
    assert np.isnan(rewards).tolist() == [[False, False, True]]
    assert rewards[0, :2].sum() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no comparison fits into the 128 tokens"):
        ranker(PROMPTS[:1], [["snow " * 99, "sea " * 99]])


def test_what_cannot_rank_is_refused_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        PairwiseReward.load(tmp_path / "nowhere")
    ranker = PairwiseReward.load(tiny_folder(tmp_path))
    ranker.tokenizer.chat_template = None
    with pytest.raises(ValueError, match="needs a tokenizer with a chat template"):
        PairwiseReward(ranker.model, ranker.tokenizer)
