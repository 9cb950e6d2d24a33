"""The shipped proxy: what its card says, and how it behaves as dynamics."""

import copy
import json

import numpy as np
import pytest

from agents.causal_lm import CausalLM
from agents.checkpoints import PRETRAINED
from agents.reward_lm import LearnedReward
from eva_env.game import Game
from eva_env.testing import check_reward_model
from eva_env.types import Proposal
from eva_env.wordlist import Gold, Wordlist
from experiments.pretrain_reward import pair_accuracy

FOLDER = PRETRAINED / "wordlist-reward"
SUITES = Wordlist().suites


@pytest.fixture(scope="module")
def proxy():
    return LearnedReward.load("wordlist")


@pytest.mark.parametrize("suite", ["easy", "hard", "unseen"])
def test_pair_accuracy_is_what_the_card_says(proxy, suite):
    card = json.loads((FOLDER / "training.json").read_text())["pair_accuracy"]
    responses = CausalLM.load("wordlist").sample(SUITES[suite], 6, np.random.default_rng(1))
    accuracy = pair_accuracy(proxy(SUITES[suite], responses), Gold()(SUITES[suite], responses))
    assert accuracy == pytest.approx(card[suite], abs=0.01)
    assert accuracy > 0.8


def test_proxy_is_small_and_prefers_the_better_of_two_by_eye(proxy):
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_000_000
    prompts = ["List three animals, starting with cat.", "Name two tools, with no repeats."]
    rewards = proxy(prompts, [["cat dog wolf", "dog cat wolf"], ["saw axe", "saw saw"]])
    assert (rewards[:, 0] > rewards[:, 1]).all()


def test_proxy_is_a_reward_model_of_the_game(proxy):
    prompts, responses = SUITES["easy"][:4], [["cat", "dog wolf"]] * 4
    check_reward_model(proxy, prompts, responses)
    assert np.allclose(proxy(prompts[::-1], responses), proxy(prompts, responses)[::-1])
    game = Game(proxy, batch_size=2, samples=2, rounds=1, signal="a_star_min")
    game.propose(Proposal(["List two animals."], np.zeros(1)))
    round = game.respond([["cat dog", ""], ["saw axe", "cat wolf"]])
    assert round.signal[0] == round.rewards[0, 0] - round.rewards[0, 1] > 0
    assert copy.deepcopy(proxy).model is proxy.model


def test_broken_reward_checkpoints_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at nowhere"):
        LearnedReward.load("nowhere")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="cannot load a reward model from"):
        LearnedReward.load(tmp_path)
