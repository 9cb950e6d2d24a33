"""Reward models that are refitted in the game, and all wrappers as settings of a run."""

import io
import json
from typing import Any, get_args

import numpy as np
import pytest
import torch

from agents.creators import UniformEvolve
from agents.solvers import DPO, RLOO, BestOfN
from eva_env.names import canonical_name
from eva_env.rewards import AnyRewardModel, Ensemble, LengthBiased, Noisy, Plain, Retrained
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from experiments.commands import train
from experiments.commands.options import Arguments
from experiments.run.config import from_json, to_json
from experiments.run.errors import UserError
from experiments.run.match import Match
from experiments.run.settings import Settings


def probabilities(match) -> Any:
    return match.solver.policy.probabilities()


def hacked(reward_model, seed):
    """Mean gold reward on the playable prompts after 30 and after 90 rounds of RLOO."""
    task = TabularWorld(
        topics=2, levels=4, variants=2, responses=16, hackable=2, world_seed=seed
    )
    match = Match.open(
        Settings(
            creator=UniformEvolve(),
            solver=RLOO(lr=0.1, batch_size=192),
            task=task,
            reward="proxy",
            reward_model=reward_model,
            rounds=90,
            prompts=32,
            seed=seed,
        )
    )
    gold = []
    for round in match.rounds():
        if round.index in (29, 89):
            policy = probabilities(match)
            gold.append((policy * task.gold)[task.trainable].sum(-1).mean())
    return gold


def test_retraining_prevents_the_fall_of_gold_where_the_proxy_can_be_hacked():
    """The proxy gives two responses the reward 1; gold gives them 0."""
    early, late = np.mean([hacked(Plain(), seed) for seed in (0, 2)], 0)
    kept_early, kept_late = np.mean(
        [hacked(Retrained(every=5, comparisons=256), seed) for seed in (0, 2)], 0
    )
    assert early == pytest.approx(kept_early, abs=0.05)
    assert late < early - 0.2
    assert kept_late > kept_early - 0.01


def played(match, count):
    rounds = match.rounds()
    return np.array([next(rounds).rewards for _ in range(count)])


@pytest.mark.parametrize(
    "reward_model", [Retrained(every=1, comparisons=30), Ensemble(members=2, comparisons=30)]
)
def test_a_language_model_that_is_retrained_resumes_bit_for_bit(reward_model):
    chosen = Settings(
        creator=UniformEvolve(),
        solver=DPO(epochs=1),
        task=Wordlist(suite_size=4),
        reward="proxy",
        reward_model=reward_model,
        rounds=4,
        prompts=8,
        samples=3,
    )
    match, resumed = Match.open(chosen), Match.open(chosen)
    played(match, 2)
    kept = io.BytesIO()
    torch.save(match.state_dict(), kept)
    kept.seek(0)
    resumed.load_state_dict(torch.load(kept, weights_only=False))
    assert (played(match, 2) == played(resumed, 2)).all()


# As settings of a run


@pytest.mark.parametrize("kind", get_args(AnyRewardModel))
def test_settings_survive_json(kind):
    settings = Settings(reward_model=kind())
    data = json.loads(json.dumps(to_json(settings)))
    assert data["reward_model"]["type"] == canonical_name(kind)
    assert "base" not in data["reward_model"]
    assert from_json(data, Settings) == settings


def test_the_command_line_accepts_wrappers_by_name():
    args = ["reward-model:noisy", "--reward-model.std", "0.2", "--reward-model.fixed"]
    settings = train.begin(Arguments.of(args, train.ROLES)).settings
    assert settings.reward_model == Noisy(std=0.2, fixed=True)
    assert train.begin(Arguments.of([], train.ROLES)).settings.reward_model == Plain()


def test_a_reward_that_cannot_be_retrained_is_a_user_error():
    with pytest.raises(UserError, match="Gold has no method refit"):
        Match.open(Settings(reward="gold", reward_model=Retrained()))


def test_a_strong_length_bias_trains_the_longest_responses():
    """The solver maximises the biased reward, and the regret stays non-negative."""
    task = TabularWorld(topics=2, levels=2, variants=2, responses=6)
    reward_model = LengthBiased(bias=10.0)
    match = Match.open(
        Settings(
            creator=UniformEvolve(),
            solver=RLOO(lr=0.3),
            task=task,
            reward_model=reward_model,
            rounds=20,
            prompts=16,
        )
    )
    rounds = list(match.rounds())
    assert rounds[-1].rewards.mean() > rounds[0].rewards.mean() + 10
    assert probabilities(match)[task.trainable, 5].min() > 0.5
    assert (rounds[-1].signal >= -1e-9).all()


def test_best_of_n_chooses_by_the_reward_model_of_the_round():
    """Of 64 candidates one is the last response, which the length bias prefers."""
    settings = Settings(
        creator=UniformEvolve(),
        solver=BestOfN(candidates=64),
        task=TabularWorld(topics=2, levels=2, variants=2, responses=4),
        reward_model=LengthBiased(bias=100.0),
        rounds=1,
        prompts=16,
    )
    (round,) = Match.open(settings).rounds()
    assert (np.asarray(round.responses) == 3).mean() > 0.9
