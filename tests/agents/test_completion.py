"""Plain continuation, against ``model.generate`` and the chat form."""

import numpy as np
import pytest
import torch

from agents.policies.causal_lm import CausalLM
from agents.policies.completion import line_breaks
from agents.policies.sampling import Sampling
from tests.support.tiny_models import tiny, tokenizer


def llama(sampling):
    return CausalLM(tiny("llama"), tokenizer(), sampling)


def test_a_completion_continues_the_text_itself_without_the_template():
    policy = llama(Sampling(temperature=0, max_tokens=12))
    text = "Write a short poem about"
    ids = torch.tensor([tokenizer()(text)["input_ids"]])
    expected = policy.model.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
    ((found,),) = policy.complete([text], 1, np.random.default_rng(0))
    assert found == tokenizer().decode(expected, skip_special_tokens=True)
    assert found != policy.greedy([text])[0][0]


def test_a_completion_of_one_line_ends_with_its_first_line_break():
    policy = llama(Sampling(temperature=3.0, max_tokens=200))
    texts = ["Begin with the word", "Tell a story"] * 8
    whole, lines = (
        policy.complete(texts, 2, np.random.default_rng(1), one_line=one_line)
        for one_line in (False, True)
    )
    assert [line for row in lines for line in row] == [
        text[: text.index("\n") + 1] if "\n" in text else text for row in whole for text in row
    ]
    assert any("\n" in text for row in whole for text in row)
    assert all("\n" in tokenizer().decode([token]) for token in line_breaks(tokenizer()))


def test_a_policy_with_other_sampling_shares_the_model_and_counts_its_own_tokens():
    policy = llama(Sampling(max_tokens=4))
    writer = policy.with_sampling(Sampling(max_tokens=9))
    assert writer.model is policy.model
    writer.sample(["Give three reasons."] * 6, 1, np.random.default_rng(0))
    assert policy.tokens == 0
    assert 9 <= writer.tokens <= 54
    with torch.no_grad():
        next(iter(policy.parameters())).zero_()
    assert not next(iter(writer.parameters())).any()


@pytest.mark.parametrize("seed", [0, 1])
def test_completions_are_reproducible_and_independent_of_their_batch(seed):
    policy = llama(Sampling(max_tokens=8))
    texts = ["Use at most", "Describe the first snow. Do not"]
    first, again = (policy.complete(texts, 1, np.random.default_rng(seed)) for _ in range(2))
    assert first == again
    assert policy.complete(texts[:1], 1, np.random.default_rng(seed)) == first[:1]
