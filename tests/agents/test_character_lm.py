"""A language model over characters with random weights, as the start of a toy task."""

import numpy as np
import pytest
import torch

from agents.policies.causal_lm import CausalLM
from agents.policies.sampling import Sampling
from agents.solvers import DPO, PolicySolver
from tests.support.rounds import a_round

CHARACTERS = "0123456789 +"
PROMPTS = [f"{a} + {b}" for a in range(5) for b in range(5)]


def start(**settings) -> CausalLM:
    return CausalLM.untrained(CHARACTERS, sampling=Sampling(max_tokens=3), **settings)


def closeness(prompts, responses):
    """Reward 1 for the right sum, 1 / 2 for an error of 1, ...; 0 for text without a number."""

    def score(prompt, response):
        right = sum(int(number) for number in prompt.split(" + "))
        return 1 / (1 + abs(int(response) - right)) if response.isdigit() else 0.0

    return np.array(
        [[score(p, r) for r in row] for p, row in zip(prompts, responses, strict=True)]
    )


def test_dpo_learns_sums_from_random_weights():
    solver, rng = PolicySolver(start(), DPO(lr=3e-3)), np.random.default_rng(0)
    before = closeness(PROMPTS, solver.policy.sample(PROMPTS, 16, np.random.default_rng(1)))
    for _ in range(10):
        prompts = PROMPTS * 2
        responses = solver.respond(prompts, 8, rng)
        solver.learn(a_round(closeness(prompts, responses), responses, prompts), rng)
    after = closeness(PROMPTS, solver.policy.sample(PROMPTS, 16, np.random.default_rng(1)))
    assert before.mean() < 0.1
    assert after.mean() > before.mean() + 0.15


def test_at_first_all_characters_and_the_end_are_about_equally_likely():
    responses = start().sample(["1 + 1"], 4000, np.random.default_rng(0))[0]
    first = [response[:1] for response in responses]
    counts = [first.count(character) for character in (*CHARACTERS, "")]
    assert sum(counts) == 4000
    assert min(counts) > 4000 * 0.5 / 13
    assert max(counts) < 4000 * 2 / 13


def test_every_sampled_token_is_a_character_of_the_text_or_its_end():
    policy = start()
    responses = policy.sample(PROMPTS, 4, np.random.default_rng(0))
    flat = [response for row in responses for response in row]
    assert policy.tokens == sum(min(len(text) + 1, 3) for text in flat)
    assert policy.lengths(flat).tolist() == [min(len(text) + 1, 3) for text in flat]
    assert policy.lengths([str(text) for text in flat]).tolist() == [
        len(text) + 1 for text in flat
    ]
    assert any(not text.ended for text in flat)


def test_samples_have_the_frequency_that_logprobs_say():
    policy, n = start(), 4000
    responses = policy.sample(["2 + 3"], n, np.random.default_rng(0))[0]
    for text in ("", "5", "0"):
        p = policy.logprobs(["2 + 3"], [text]).exp().item()
        assert abs(responses.count(text) / n - p) < 4 * np.sqrt(p * (1 - p) / n) + 1e-3


def test_save_load_and_frozen_give_the_same_policy(tmp_path):
    policy = start()
    policy.save(tmp_path)
    texts = ["5", "12", " +", ""]
    expected = policy.logprobs(["1 + 2"] * 4, texts)
    assert torch.equal(CausalLM.load(tmp_path).logprobs(["1 + 2"] * 4, texts), expected)
    assert torch.equal(policy.frozen().logprobs(["1 + 2"] * 4, texts), expected)


def test_the_seed_sets_the_weights_and_leaves_the_global_generator_alone():
    state = torch.random.get_rng_state()
    same, again, other = (start(seed=seed).logprobs(["1"], ["2"]).item() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert same == again
    assert same != other


def test_what_it_cannot_be_or_read_is_named():
    with pytest.raises(ValueError, match="characters is empty"):
        CausalLM.untrained("")
    with pytest.raises(ValueError, match=r"width must be a multiple of 2 \* heads = 6, got 32"):
        start(heads=3)
    with pytest.raises(ValueError, match="the tokenizer cannot read '1 - 1<eos>'"):
        start().logprobs(["1 - 1"], ["0"])
