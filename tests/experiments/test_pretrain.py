"""Small runs of the scripts that made the shipped checkpoints."""

import json

import numpy as np
import pytest
import torch

from agents.policies.causal_lm import CausalLM
from agents.policies.learned_reward import LearnedReward
from eva_env.wordlist import Gold, Wordlist
from experiments.pretraining.reward import (
    RewardTraining,
    bradley_terry,
    pair_accuracy,
    train_reward,
)
from experiments.pretraining.solver import Pretraining, pretrain


def test_a_small_starting_model_learns_to_list_words_of_the_topic(tmp_path):
    pretrain(Pretraining(tmp_path, examples=4800, epochs=1, width=32, layers=2, muon_lr=0.02))
    card = json.loads((tmp_path / "training.json").read_text())
    assert card["final_loss"] < 3.6  # 4.7 nats is a uniform guess among the words
    policy = CausalLM.load(tmp_path)
    prompts = ["List three animals.", "List three tools."] * 20
    rewards = Gold()(prompts, policy.sample(prompts, 4, np.random.default_rng(0)))
    assert rewards.mean() > 0.5


def test_a_small_reward_model_orders_pairs_better_than_chance(tmp_path):
    reward = train_reward(RewardTraining(tmp_path, prompts=1600))
    card = json.loads((tmp_path / "training.json").read_text())
    assert card["pair_accuracy"]["easy"] > 0.6
    prompts = Wordlist().suites["hard"][:5]
    responses = [["cat dog", "wolf", ""]] * 5
    rewards = LearnedReward.load(tmp_path)(prompts, responses)
    assert rewards.shape == (5, 3)
    assert np.allclose(rewards, reward(prompts, responses), atol=1e-5)
    single_row = LearnedReward.load(tmp_path)(prompts[2:3], responses[2:3])
    assert np.allclose(single_row, rewards[2], atol=1e-5)


def test_bradley_terry_by_hand():
    scores = torch.tensor([[0.0, 2.0]])
    prefers = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])  # the second response was preferred
    assert bradley_terry(scores, prefers).item() == pytest.approx(np.log1p(np.exp(-2)))
    assert bradley_terry(-scores, prefers).item() == pytest.approx(2 + np.log1p(np.exp(-2)))


def test_pair_accuracy_ignores_ties_in_gold():
    gold = np.array([[0.0, 0.5, 0.5]])
    assert pair_accuracy(np.array([[1.0, 2.0, 0.0]]), gold) == 0.5
    assert pair_accuracy(np.array([[0.0, 2.0, 1.0]]), gold) == 1.0
