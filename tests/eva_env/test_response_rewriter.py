"""Response rewriters, by the grammar and by a language model, and training on them."""

from collections import Counter

import numpy as np
import pytest

from agents.policies.causal_lm import CausalLM
from agents.policies.table import TablePolicy
from agents.solvers import DPO, KTO, PolicySolver
from agents.solvers.response_rewriter import LMResponseRewriter
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal, Round
from eva_env.wordlist import Gold, Wordlist
from eva_env.wordlist.response_rewriter import REPAIRS, rewrite_response
from eva_env.wordlist.verify import JUDGED, satisfaction
from experiments.run.errors import UserError
from experiments.run.match import Match
from experiments.run.settings import Settings


def repaired(prompt, response, seed=0):
    return rewrite_response([prompt], [response], np.random.default_rng(seed))[0]


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [
        ("List three animals, starting with fox.", "cat dog hen", "fox dog hen"),
        ("List three animals, ending with fox.", "cat dog hen", "cat dog fox"),
        ("List three animals, in alphabetical order.", "hen dog cat", "cat dog hen"),
        ("List three animals, in reverse alphabetical order.", "cat hen dog", "hen dog cat"),
        ("List three animals, from short to long.", "monkey wolf cat", "cat wolf monkey"),
        ("List two animals.", "cat dog hen", "cat dog"),
        ("List two animals and two foods.", "cat pie dog egg hen jam", "cat pie dog egg"),
        ("List two animals, starting with cat, including fox.", "cat dog", "cat fox"),
        ("List two animals.", "cat dog", "cat dog"),
    ],
)
def test_one_broken_constraint_is_repaired_and_the_rest_stays(prompt, response, expected):
    assert repaired(prompt, response) == expected


@pytest.mark.parametrize(
    ("prompt", "response", "broken", "kept"),
    [
        ("List three animals, without the letter o.", "cat dog hen", [1], [0, 2]),
        ("List three foods, each with the letter e.", "pie egg jam", [2], [0, 1]),
        ("List three tools, only short words.", "axe hammer saw", [1], [0, 2]),
        ("List three tools, only long words.", "axe hammer wrench", [0], [1, 2]),
        ("List three plants, with no repeats.", "ivy oak ivy", [2], [0, 1]),
        ("List three plants.", "ivy cat moss", [1], [0, 2]),
        ("List three plants.", "ivy oak", [], [0, 1]),
    ],
)
def test_wrong_words_are_replaced_by_words_that_meet_everything(prompt, response, broken, kept):
    words, before = repaired(prompt, response).split(), response.split()
    assert [words[i] for i in kept] == [before[i] for i in kept]
    assert all(words[i] != before[i] for i in broken)
    assert Gold()([prompt], [[" ".join(words)]]).item() == 1


@pytest.fixture(scope="module")
def answered():
    prompts = Wordlist().seed(300, np.random.default_rng(0), "hard")
    drawn = CausalLM.load("wordlist").sample(prompts, 1, np.random.default_rng(1))
    return prompts, [row[0] for row in drawn]


def test_no_rewrite_is_worse_and_most_broken_responses_improve(answered):
    prompts, responses = answered
    better = rewrite_response(prompts, responses, np.random.default_rng(2))
    before, after = (Gold()(prompts, [[r] for r in rs])[:, 0] for rs in (responses, better))
    changed = np.array(better) != np.array(responses)
    assert (after[changed] > before[changed]).all()
    assert changed[before == 1].sum() == 0
    assert changed[before < 1].mean() > 0.8
    assert better == rewrite_response(prompts, responses, np.random.default_rng(2))


def test_every_family_has_a_repair_that_is_used(answered):
    assert set(REPAIRS) == set(JUDGED) - {"lucky"}
    prompts, responses = answered
    better = rewrite_response(prompts, responses, np.random.default_rng(3))
    before, after = (
        satisfaction(prompts, [[r] for r in rs])[:, 0] for rs in (responses, better)
    )
    risen = Counter(JUDGED[j] for j in np.nonzero(after > before)[1])
    assert set(risen) == set(REPAIRS)


class Scribe:
    """A policy that responds with its prompt."""

    def sample(self, prompts, n, rng):
        return [["" if "silent" in prompt else f"<{prompt}>"] for prompt in prompts]


def test_language_model_gets_prompt_and_response_and_may_keep_it():
    rewrite = LMResponseRewriter(Scribe(), "{prompt} | {response}")
    rewritten = rewrite(["one {response}", "silent"], ["two {prompt}", "three"], None)
    assert rewritten == ["<one {response} | two {prompt}>", "three"]
    with pytest.raises(ValueError, match=r"template has no \{response\}"):
        LMResponseRewriter(Scribe(), "{prompt}")


def test_language_model_counts_the_tokens_of_its_rewrites():
    policy = CausalLM.load("wordlist")
    rewritten = LMResponseRewriter(policy)(
        ["List two animals."] * 3, ["cat dog"] * 3, np.random.default_rng(0)
    )
    assert len(rewritten) == 3
    assert policy.tokens > 0


@pytest.mark.parametrize("method", [DPO, KTO])
def test_training_uses_the_rewritten_response(method):
    """The rewriter always says 3, which was never sampled: its probability must rise."""
    method = method(lr=0.05, improve_chosen=True)
    solver = PolicySolver(
        TablePolicy(np.zeros((2, 4))),
        method,
        response_rewriter=lambda prompts, responses, rng: [3] * len(prompts),
    )
    prompts, rng = np.arange(40) % 2, np.random.default_rng(0)
    responses = rng.integers(3, size=(40, 5))
    rewards = np.array([0.0, 0.5, 1.0])[responses]
    proposal = Proposal(prompts, np.zeros(40))
    solver.learn(Round(0, proposal, prompts, responses, rewards, rewards.max(1), {}), rng)
    after = solver.policy.probabilities()
    assert (after[:, 3] > 0.3).all()
    assert (after[:, 3] > after[:, 2] + 0.04).all()
    assert (after[:, 0] < 0.25).all()


def test_a_solver_without_a_rewriter_says_so():
    method = DPO(improve_chosen=True)
    with pytest.raises(ValueError, match="DPO with improve_chosen needs a response rewriter"):
        PolicySolver(TablePolicy(np.zeros((2, 3))), method)
    with pytest.raises(ValueError, match="one chosen response a prompt"):
        DPO(improve_chosen=True, pairs="all")
    world = TabularWorld(topics=2, levels=2, variants=2, responses=4)
    with pytest.raises(UserError, match="needs a response rewriter"):
        Match.open(Settings(solver=method, task=world))
    match = Match.open(Settings(solver=method, task=Wordlist(), reward="gold"))
    assert match.solver.response_rewriter is rewrite_response
