"""KL to the starting policy: closed forms, and the estimate against them."""

import numpy as np
import pytest
import torch

from agents.policies.causal_lm import CausalLM
from agents.policies.divergence import kl
from agents.policies.table import TablePolicy


def table(*rows):
    return TablePolicy(np.log(rows))


class Sampled:
    """A table behind another class, so that its KL is estimated."""

    def __init__(self, policy):
        self.policy = policy

    def __getattr__(self, name):
        return getattr(self.policy, name)


def test_a_table_is_exact_and_the_order_matters():
    """0.5 log(0.5 / 0.9) + 0.5 log(0.5 / 0.1), and 0.9 log(1.8) + 0.1 log(0.2)."""
    ours, theirs = table([0.5, 0.5], [0.3, 0.7]), table([0.9, 0.1], [0.3, 0.7])
    assert kl(ours, theirs, [0], None) == pytest.approx(0.510825623766)
    assert kl(theirs, ours, [0], None) == pytest.approx(0.368064207168)
    assert kl(ours, theirs, [0, 1, 1], None) == pytest.approx(0.510825623766 / 3)
    assert kl(ours, ours, [0, 1], None) == 0


def test_a_response_that_has_all_but_vanished_counts_nothing():
    assert kl(table([1 - 1e-300, 1e-300]), table([0.5, 0.5]), [0], None) == pytest.approx(
        np.log(2)
    )


def test_the_estimate_agrees_with_the_exact_value():
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(5), 4)
    ours, theirs = table(*rows), table(*rng.dirichlet(np.ones(5), 4))
    drawn = ours.sample(range(4), 4000, rng)
    ratio = np.log(rows) - theirs.reference_logits.numpy()
    error = np.take_along_axis(ratio, drawn, 1).std() / np.sqrt(drawn.size)
    estimate = kl(Sampled(ours), Sampled(theirs), range(4), drawn)
    assert abs(estimate - kl(ours, theirs, range(4), None)) < 4 * error
    assert estimate > 10 * error


def test_a_language_model_is_compared_by_whole_responses():
    start = CausalLM.load("wordlist")
    moved = start.frozen()
    prompts = ["Name two animals.", "List three animals, without the letter e."]
    responses = start.sample(prompts, 3, np.random.default_rng(0))
    with torch.no_grad():
        next(iter(moved.parameters())).mul_(1.05)
        flat = [response for row in responses for response in row]
        repeated = [prompt for prompt in prompts for _ in range(3)]
        by_hand = (start.logprobs(repeated, flat) - moved.logprobs(repeated, flat)).mean()
    assert kl(start, start, prompts, responses) == 0
    assert kl(start, moved, prompts, responses) == pytest.approx(float(by_hand), abs=1e-5)
    assert abs(by_hand) > 0.001
