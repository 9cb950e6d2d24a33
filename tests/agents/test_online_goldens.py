"""Online methods against the values that ``goldens/make_online.py`` takes from TRL's code."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agents.losses import samples as losses
from agents.losses.advantages import centred, rloo_advantages, standardised
from agents.losses.pairs import Pairs, dpo, xpo
from agents.losses.samples import Samples

FOLDER = Path(__file__).parents[1] / "goldens"
FILES = [
    json.loads((FOLDER / f"online{part}.json").read_text()) for part in ("", "_preferences")
]
GOLDEN = FILES[0]["methods"] | FILES[1]["methods"]


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def golden_samples():
    """Return TRL's inputs: samples without advantages, and rewards (3, 4)."""
    given = {key: double(values) for key, values in FILES[0]["inputs"].items()}
    given["policy"].requires_grad_()
    mask = (torch.arange(6) < given["sizes"][:, None]).double()
    parts = (given["policy"], given["sampled"], given["reference"], mask)
    return Samples(*parts, torch.zeros(12).double()), given["rewards"].view(3, 4)


def check(value, samples, golden, tolerance=1e-12):
    """Assert that a mean loss and its gradient in the log-probabilities are TRL's."""
    (gradient,) = torch.autograd.grad(value, samples.logprobs)
    assert value.item() == pytest.approx(golden["loss"], abs=tolerance)
    difference = gradient - double(golden["gradient"])
    assert (difference * samples.mask).abs().max() < tolerance


def test_rloo_is_that_of_trl():
    samples, rewards = golden_samples()
    golden = GOLDEN["rloo"]
    kl = (samples.sampled - samples.reference).sum(-1).view(3, 4)
    advantages = rloo_advantages(rewards, kl, golden["beta"])
    assert advantages.flatten().tolist() == pytest.approx(golden["advantages"], abs=1e-12)
    value = losses.ppo(
        replace(samples, advantages=advantages.flatten()), golden["epsilon_low"]
    ).mean()
    check(value, samples, golden)


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "dapo", "bnpo", "gspo"])
def test_grpo_and_its_variants_are_those_of_trl(name):
    samples, rewards = golden_samples()
    golden, tolerance = GOLDEN[name], 1e-7  # TRL's standard deviation is in float32
    low, high, beta = (golden[key] for key in ("epsilon_low", "epsilon_high", "beta"))
    advantages = centred(rewards) if name == "dr_grpo" else standardised(rewards, 1, 1e-4)
    assert advantages.flatten().tolist() == pytest.approx(golden["advantages"], abs=tolerance)
    samples = replace(samples, advantages=advantages.flatten())
    value = {
        "grpo": lambda: losses.grpo(samples, low, beta).mean(),
        "dr_grpo": lambda: losses.dr_grpo(samples, low, beta, 6.0).mean(),
        "dapo": lambda: losses.dapo(samples, low, high, beta).sum() / samples.mask.sum(),
        "bnpo": lambda: losses.dapo(samples, low, high, beta).sum() / samples.mask.sum(),
        "gspo": lambda: losses.gspo(samples, low, high, beta).mean(),
    }[name]()
    check(value, samples, golden, tolerance)


def halves(samples):
    policy, reference = samples.logprobs.sum(-1), samples.reference.sum(-1)
    return policy[:6], policy[6:], reference[:6], reference[6:]


def golden_pairs(samples, rewards):
    """Response i of the first half against i of the second, and which of them is chosen."""
    ours, theirs, reference, reference_other = halves(samples)
    first = rewards.flatten()[:6] > rewards.flatten()[6:]
    sides = ((ours, theirs), (theirs, ours), (reference, reference_other))
    columns = [torch.where(first, a, b) for a, b in (*sides, (reference_other, reference))]
    return Pairs(*columns), theirs


def test_online_dpo_and_xpo_are_those_of_trl():
    samples, rewards = golden_samples()
    pairs, _ = golden_pairs(samples, rewards)
    golden = GOLDEN["online_dpo"]
    check(dpo(pairs, golden["beta"]).mean(), samples, golden)
    samples, rewards = golden_samples()
    pairs, explored = golden_pairs(samples, rewards)
    golden = GOLDEN["xpo"]
    value = xpo(pairs, explored, golden["beta"], golden["alpha"]).mean()
    check(value, samples, golden)


def test_xpo_without_a_bonus_is_dpo_and_the_bonus_drives_the_explored_response_down():
    samples, rewards = golden_samples()
    pairs, explored = golden_pairs(samples, rewards)
    assert torch.equal(xpo(pairs, explored, 0.3, 0.0), dpo(pairs, 0.3))
    bonus = (xpo(pairs, explored, 0.3, 0.2) - dpo(pairs, 0.3)).sum()
    (slope,) = torch.autograd.grad(bonus, explored)
    assert slope.tolist() == pytest.approx([0.2] * 6)


def test_nash_md_is_that_of_trl_but_for_the_kl_of_the_tokens_behind():
    """TRL weighs each token by its own log-ratio alone, the paper by that of the response."""
    samples, _ = golden_samples()
    golden = GOLDEN["nash_md"]
    ratio = (samples.logprobs - samples.reference).detach()
    kl = ratio.sum(-1)[:6]
    advantages = double(golden["preferences"]) - 0.5 - golden["beta"] * kl
    parts = (samples.logprobs[:6], samples.logprobs[:6].detach(), samples.reference[:6])
    value = losses.ppo(Samples(*parts, samples.mask[:6], advantages), 0.2).mean()
    (gradient,) = torch.autograd.grad(value, samples.logprobs)
    rest = golden["beta"] * (kl[:, None] - ratio[:6]) / 6
    missing = torch.cat([rest, torch.zeros_like(rest)])
    mask = samples.mask * (torch.arange(12) < 6)[:, None]
    difference = (gradient - double(golden["gradient"]) - missing) * mask
    assert difference.abs().max() < 1e-12
