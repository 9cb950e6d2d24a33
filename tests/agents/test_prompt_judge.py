"""Prompts rated by a language model, and tree best-of-N that uses the ratings."""

import re

import numpy as np
import pytest

from agents.creators import TreeBestOfN
from agents.evolution.lm_operators import MARKER
from agents.evolution.prompt_judge import PromptJudge, rating
from tests.support.scripted import Scripted, longer, rewritten, rounds


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        # A number alone
        ("4", 4),
        (" 4\n", 4),
        ("**4**", 4),
        ("4/5", 4),
        ("4 out of 5", 4),
        ("4.", 4),
        ("4\n\nIt takes 3 steps and 2 sources.", 4),
        ("4 - it takes 3 steps.", 4),
        ("3, because it has 2 demands", 3),
        # Labels
        ("Rating: 4", 4),
        (" Rating: 3/5", 3),
        ("**Rating:** 4/5", 4),
        ("**Rating**: 4", 4),
        ("Rating (1 to 5): 2", 2),
        ("Complexity: 5\nIt has 3 parts.", 5),
        ("Score = 2", 2),
        ("[[4]]", 4),
        ("It has 5 parts. My verdict: [[2]]", 2),
        ("I'd rate this a 4", 4),
        ("I would rate this prompt as a 4 out of 5.", 4),
        ("I give it a 2.", 2),
        ("This prompt deserves a 5, since it asks for 3 proofs.", 5),
        ("The complexity of this prompt is 3.", 3),
        ("On a scale of 1 to 5, this prompt is a 4", 4),
        ("On a scale from 1 to 5, with 5 being the most complex, I would give this a 2.", 2),
        ("It is a 5.", 5),
        ("The rating is 4.", 4),
        # The last line with a label counts
        ("Rating: 2\nWait, there is more.\nRating: 4", 4),
        ("First I thought 2. There are 3 steps.\n\nRating: 4", 4),
        ("<think>Rating: 1?</think>Rating: 4", 4),
        ("Rating: 4\n1. It has steps.\n2. It needs facts.", 4),
        ("I see 3.", 3),
        # No rating
        ("4.5", np.nan),
        ("Rating: 4.5/5", np.nan),
        ("10", np.nan),
        ("Rating: 0", np.nan),
        ("Rating: 7", np.nan),
        ("none", np.nan),
        ("", np.nan),
        ("between 3 and 4", np.nan),
        ("I'd rate it between 3 and 4.", np.nan),
        ("Rating: 3-4", np.nan),
        ("Rating: 3 or 4", np.nan),
        ("Complexity: 3, Quality: 5", np.nan),
        ("It has 2 parts and 3 demands.", np.nan),
        ("<think>Rating: 4", np.nan),
        ("On a scale of 1 to 5", np.nan),
    ],
)
def test_the_rating_is_the_last_labelled_verdict(reply, expected):
    np.testing.assert_equal(rating(reply), expected)


def test_missing_ratings_are_nan_and_counted():
    replies = iter(["4", "no", "[[2]]", "3 or 4"])
    judge = PromptJudge(Scripted(lambda *_: next(replies)))
    ratings = judge(["Why?", "How?"], np.random.default_rng(0))
    np.testing.assert_equal(ratings, [[4, np.nan], [2, np.nan]])
    assert (judge.written.ratings, judge.written.ratings_missing) == (4, 2)
    assert judge.written.logs() == {"ratings_missing": 0.5}


def test_in_the_form_of_examples_the_judge_continues_a_list_of_ratings():
    class Continues:
        tokens = 0

        def complete(self, texts, n, rng, *, one_line):
            assert one_line
            self.texts, self.tokens = texts, self.tokens + len(texts)
            return [[" 4"] for _ in texts]

    judge = PromptJudge(Continues(), form="examples")
    np.testing.assert_array_equal(judge(["Why?"], np.random.default_rng(0)), [[4, 4]])
    assert all(text.endswith("Request: Why?\nRating:") for text in judge.policy.texts)
    assert len({text.partition("\n")[0] for text in judge.policy.texts}) == 2
    assert judge.written.tokens == 2
    with pytest.raises(ValueError, match="no examples of ratings for 'wit', only for compl"):
        PromptJudge(Continues(), {"wit": "?"}, "examples")(["Why?"], np.random.default_rng(0))
    with pytest.raises(ValueError, match="Scripted cannot continue plain text"):
        PromptJudge(Scripted(None), form="examples")(["Why?"], np.random.default_rng(0))


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
