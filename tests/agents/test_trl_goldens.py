"""Losses on pairs against the values that ``tests/goldens/make.py`` takes from TRL's code."""

import json
from pathlib import Path

import pytest
import torch

from agents.losses import pairs as losses
from agents.losses.pairs import Pairs

GOLDEN = json.loads((Path(__file__).parents[1] / "goldens" / "pairs.json").read_text())
TENSORS = {
    name: torch.tensor(values, dtype=torch.float64) for name, values in GOLDEN["inputs"].items()
}


def pairs(policy="policy", reference="reference", **more):
    sides = [TENSORS[policy].sum(-1), TENSORS[reference].sum(-1), TENSORS["sizes"]]
    return Pairs(*(side for both in sides for side in both.unbind(1)), **more)


def hard(p):
    return Pairs(p.chosen, p.rejected, p.reference_chosen, p.reference_rejected)


OURS = {
    "sigmoid": lambda p, beta: losses.dpo(p, beta),
    "hinge": lambda p, beta: losses.hinge(p, beta),
    "ipo": lambda p, beta: losses.ipo(p, beta, length_averaged=True),
    "robust": lambda p, beta, label_smoothing: losses.robust_dpo(p, beta, label_smoothing),
    "sppo_hard": lambda p, beta: 2 * losses.sppo(hard(p), 1 / beta),
    "cpo_sigmoid": lambda p, beta: losses.cpo(p, beta, alpha=0.0),
    "cpo_simpo": lambda p, beta, simpo_gamma: losses.simpo(p, beta, simpo_gamma),
    "orpo_odds_ratio": lambda p, beta: losses.orpo(p, beta) + p.chosen_mean,
}


@pytest.mark.parametrize("name", OURS)
def test_losses_of_pairs_are_those_of_trl(name):
    settings = dict(GOLDEN["losses"][name])
    expected = torch.tensor(settings.pop("loss"), dtype=torch.float64)
    assert len(expected) == 5
    torch.testing.assert_close(OURS[name](pairs(), **settings), expected, rtol=0, atol=1e-9)


def test_kto_is_that_of_trl_with_the_kl_estimate_from_mismatched_responses():
    settings = GOLDEN["losses"]["kto"]
    mismatched = pairs("policy_kl", "reference_kl")
    z = torch.cat([mismatched.chosen_ratio, mismatched.rejected_ratio]).mean()
    assert z > 0.1
    weights = settings["desirable_weight"], settings["undesirable_weight"]
    ours = losses.kto(pairs(baseline=z), settings["beta"], *weights).mean()
    assert ours.item() == pytest.approx(settings["loss"], abs=1e-9)


def test_every_golden_is_compared():
    assert set(GOLDEN["losses"]) == {*OURS, "kto"}
