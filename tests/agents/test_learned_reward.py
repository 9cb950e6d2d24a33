"""The shipped proxy: its card, and its behaviour as dynamics."""

import copy
import json
import pickle

import numpy as np
import pytest

from agents.policies.causal_lm import CausalLM
from agents.policies.checkpoints import PRETRAINED
from agents.policies.learned_reward import LearnedReward
from eva_env.game import Game
from eva_env.rewards import LengthBiased, Retrained
from eva_env.testing import check_reward_model
from eva_env.types import Proposal
from eva_env.wordlist import Gold, Wordlist
from experiments.pretraining.reward import pair_accuracy

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


def four_responses(n, seed):
    """Human prompts, and four responses to each that differ in length."""
    rng = np.random.default_rng(seed)
    prompts, words = (
        Wordlist().seed(n, rng),
        np.array(["cat", "dog", "axe", "saw", "red", "plane"]),
    )
    rows = [
        [" ".join(rng.choice(words, size)) for size in rng.integers(1, 7, 4)] for _ in prompts
    ]
    return prompts, rows


def test_a_refit_learns_what_judges_have_come_to_like_and_carries_it_to_new_prompts(proxy):
    """The judges now like length, which the proxy has never learned."""
    gold, (prompts, responses) = LengthBiased(bias=0.5).over(Gold()), four_responses(256, 0)
    judge = Retrained(comparisons=1024)
    comparisons = judge.draw_comparisons(gold, prompts, responses, np.random.default_rng(0))
    refit = proxy.refit(comparisons, 0.1, np.random.default_rng(1))
    new, others = four_responses(128, 1)
    before, after = (
        pair_accuracy(model(new, others), gold(new, others)) for model in (proxy, refit)
    )
    assert after > before + 0.08


def test_a_refit_leaves_the_model_alone_and_is_the_same_every_time(proxy):
    prompts, responses = four_responses(8, 0)
    before = proxy(prompts, responses)
    comparisons = Retrained(comparisons=40).draw_comparisons(
        Gold(), prompts, responses, np.random.default_rng(0)
    )
    first, again = (proxy.refit(comparisons, 0.1, np.random.default_rng(1)) for _ in range(2))
    assert (proxy(prompts, responses) == before).all()
    assert (first(prompts, responses) == again(prompts, responses)).all()
    assert np.abs(first(prompts, responses) - before).max() > 0.01


def test_a_tight_tie_keeps_the_scores(proxy):
    prompts, responses = four_responses(64, 0)
    comparisons = Retrained(comparisons=256).draw_comparisons(
        LengthBiased(bias=0.5).over(Gold()), prompts, responses, np.random.default_rng(0)
    )
    before = proxy(prompts, responses)
    loose, tight = (
        np.abs(
            proxy.refit(comparisons, tie, np.random.default_rng(0))(prompts, responses) - before
        )
        for tie in (1e-3, 30.0)
    )
    assert tight.mean() < loose.mean() / 2


def test_encoded_prompts_are_not_pickled_along(proxy):
    proxy(SUITES["easy"][:4], [["cat"]] * 4)
    assert proxy._chat is not None
    assert pickle.loads(pickle.dumps(proxy))._chat is None
