"""Prompts rated by a language model, and tree best-of-N that uses the ratings."""

import re

import numpy as np
import pytest

from agents.creators import TreeBestOfN
from agents.evolution.lm_operators import MARKER
from agents.evolution.prompt_judge import PromptJudge
from tests.support.scripted import Scripted, longer, rewritten, rounds


@pytest.mark.parametrize(
    ("reply", "rating"),
    [
        ("4", 4),
        (" Rating: 3/5", 3),
        ("It is a 5.", 5),
        ("4.5", np.nan),
        ("10", np.nan),
        ("none", np.nan),
    ],
)
def test_the_rating_is_the_first_whole_number_from_one_to_five(reply, rating):
    judge = PromptJudge(Scripted(lambda *_: reply))
    np.testing.assert_equal(judge(["Why?"], np.random.default_rng(0)), [[rating, rating]])


def by_length(ask, rng):
    if "How good" in ask:
        return "3"
    return str(min(5, len(re.search(r"Prompt:\n(.*)\n\nRating", ask, re.DOTALL)[1].split())))


def test_prompts_are_judged_in_one_call_an_aspect_a_column():
    judge = PromptJudge(Scripted(by_length))
    ratings = judge(["Why {x}?", "Why not now?"], np.random.default_rng(0))
    np.testing.assert_array_equal(ratings, [[2, 3], [3, 3]])
    assert [len(call) for call in judge.policy.calls] == [4]


def test_tree_best_of_n_continues_from_the_prompt_that_the_judge_rates_highest():
    def sometimes(ask, rng):
        return longer(ask, rng) if rng.random() < 0.5 else f"{MARKER} Why{rng.integers(10**9)}?"

    judge = PromptJudge(Scripted(by_length))
    task, policy = rewritten(sometimes, judge)
    creator = TreeBestOfN(branches=16, old_share=0.0)
    _, second = rounds(creator, task, n=8, count=2)
    assert [len(call) for call in policy.calls] == [32] * 4
    assert [len(call) for call in judge.policy.calls] == [64] * 4
    grown = sorted(len(prompt.split()) for prompt in second.prompts)
    assert grown == [4, 4, 5, 5, 6, 6, 7, 7]


def test_without_a_judge_and_a_complexity_tree_best_of_n_says_what_it_needs():
    task, _ = rewritten()
    with pytest.raises(ValueError, match=r"Questions does not say how complex .* a judge"):
        list(rounds(TreeBestOfN(), task, count=2))
