"""The policy over a Hugging Face model: log-probabilities, checkpoints, errors."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.policies.causal_lm import CausalLM
from agents.policies.checkpoints import PRETRAINED
from agents.policies.sampling import Sampling
from eva_env.wordlist import Gold, Wordlist

FOLDER = PRETRAINED / "wordlist-solver"
PROMPTS = ["List three animals.", "Name two tools, starting with saw, ending with axe."]


@pytest.fixture(scope="module")
def policy():
    return CausalLM.load("wordlist")


def test_shipped_checkpoint_is_an_ordinary_small_one():
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    assert size < 2_000_000
    model = AutoModelForCausalLM.from_pretrained(FOLDER)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": PROMPTS[1]}], return_tensors="pt", return_dict=True
    )
    text = tokenizer.decode(
        model.generate(**ids, do_sample=False, max_new_tokens=8)[
            0, ids["input_ids"].shape[1] :
        ],
        skip_special_tokens=True,
    )
    assert text.split()[0] == "saw"
    assert len(text.split()) == 2


def test_starting_model_knows_the_language_but_has_much_to_learn(policy):
    suites = Wordlist().suites
    rewards = {
        name: Gold()(suite, policy.sample(suite, 4, np.random.default_rng(0)))
        for name, suite in suites.items()
    }
    assert rewards["easy"].mean() > 0.9
    assert 0.75 < rewards["hard"].mean() < 0.85
    assert 0.05 < (rewards["hard"] == 1).mean() < 0.2
    assert rewards["unseen"].mean() < rewards["hard"].mean() < rewards["easy"].mean()


def test_logprobs_equal_a_loop_over_single_sequences(policy):
    responses = ["cat dog wolf", "saw axe"]
    batched = policy.logprobs(PROMPTS, responses)
    for i, (prompt, response) in enumerate(zip(PROMPTS, responses, strict=True)):
        head = policy.tokenizer(f"<bos> {prompt} ->")["input_ids"]
        tail = policy.tokenizer(f"{response} <eos>")["input_ids"]
        with torch.no_grad():
            logits = policy.model(torch.tensor([head + tail])).logits[0]
        steps = logits[len(head) - 1 : -1].log_softmax(-1)
        expected = steps[torch.arange(len(tail)), torch.tensor(tail)].sum()
        assert batched[i].item() == pytest.approx(expected.item(), abs=1e-4)
    assert policy.lengths(responses).tolist() == [4, 3]
    assert batched.requires_grad


def test_logprobs_do_not_depend_on_the_batch(policy):
    prompts = list(Wordlist().suites["hard"][:20])
    responses = [row[0] for row in policy.sample(prompts, 1, np.random.default_rng(0))]
    with torch.no_grad():
        together = policy.logprobs(prompts, responses)
        alone = torch.cat(
            [policy.logprobs([p], [r]) for p, r in zip(prompts, responses, strict=True)]
        )
    assert torch.allclose(together, alone, atol=1e-4)


def test_samples_have_the_frequency_that_logprobs_say(policy):
    prompt = "Name two colours, starting with red, ending with tan."
    n = 4000
    drawn = policy.sample([prompt], n, np.random.default_rng(0))[0]
    for response in ("red tan", "red red", "red gold"):
        p = policy.logprobs([prompt], [response]).exp().item()
        assert abs(drawn.count(response) / n - p) < 4 * np.sqrt(p * (1 - p) / n) + 1e-3


def test_sampling_is_reproducible_and_counts_tokens(policy):
    policy.tokens = 0
    first = policy.sample(PROMPTS, 3, np.random.default_rng(5))
    assert policy.tokens == sum(len(r.split()) + 1 for row in first for r in row)
    assert policy.sample(PROMPTS, 3, np.random.default_rng(5)) == first
    assert policy.sample(PROMPTS, 3, np.random.default_rng(6)) != first


def test_save_and_load_round_trip(policy, tmp_path):
    policy.save(tmp_path)
    again = CausalLM.load(tmp_path, Sampling(temperature=0.5))
    with torch.no_grad():
        assert torch.equal(
            again.logprobs(PROMPTS, ["cat dog wolf", "saw axe"]),
            policy.logprobs(PROMPTS, ["cat dog wolf", "saw axe"]),
        )


def test_frozen_copy_stays_behind(policy):
    moving = policy.frozen()
    moving.model.requires_grad_(True)
    reference = moving.frozen()
    before = reference.logprobs(PROMPTS, ["cat", "saw"]).clone()
    with torch.no_grad():
        for parameter in moving.parameters():
            parameter.add_(0.1)
    assert torch.equal(reference.logprobs(PROMPTS, ["cat", "saw"]), before)
    assert not torch.allclose(moving.logprobs(PROMPTS, ["cat", "saw"]), before)
    assert not reference.logprobs(PROMPTS, ["cat", "saw"]).requires_grad


def test_missing_and_broken_checkpoints_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at nowhere.*wordlist"):
        CausalLM.load("nowhere")
    CausalLM.load("wordlist").save(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="cannot load a causal LM from"):
        CausalLM.load(tmp_path)
