"""Prompts rewritten by a language model: scripted ones, and a tiny random Llama."""

import numpy as np
import pytest
import torch
from transformers import ByT5Tokenizer, LlamaConfig, LlamaForCausalLM

from agents.creators import (
    Eva,
    EvaOnline,
    EvolComplexity,
    EvolQuality,
    SelfInstruct,
    TreeBestOfN,
    UniformEvolve,
)
from agents.evolution.evolve import evolve
from agents.evolution.lm_operators import BREADTH, DEPTH, MARKER, LMRewriter, RewrittenTask
from agents.evolution.prompt_judge import PromptJudge
from agents.policies.causal_lm import CausalLM
from agents.policies.decoding import Sampling
from eva_env.testing import check_task
from eva_env.wordlist.operators import BREADTH as WORDLIST_BREADTH
from eva_env.wordlist.operators import DEPTH as WORDLIST_DEPTH
from tests.support.scripted import Questions, Scripted, longer, old, rewritten, rounds


def method_in(ask):
    (name,) = [name for name, how in (DEPTH | BREADTH).items() if how in ask]
    return name


def test_the_operators_are_those_of_the_wordlist_world():
    assert (tuple(DEPTH), tuple(BREADTH)) == (WORDLIST_DEPTH, WORDLIST_BREADTH)


def test_each_operator_has_a_meta_instruction_of_its_own_around_the_prompt():
    rewriter = LMRewriter(Scripted(longer))
    prompt = "Sort {x: [3, 1]} in `python`"
    asks = {name: rewriter.ask(prompt, name) for name in (*DEPTH, *BREADTH)}
    assert len(set(asks.values())) == 10
    for name, ask in asks.items():
        assert (method_in(ask), old(ask)) == (name, prompt)
        assert ("harder version" in ask) == (name in DEPTH)
        assert all(word in ask for word in ("person", "answer", "as long as", "code", "Build"))
        assert ask.rstrip().endswith(MARKER)
    with pytest.raises(ValueError, match="unknown operator 'shout'; known: constraints, "):
        rewriter.ask(prompt, "shout")


@pytest.mark.parametrize(
    ("reply", "child"),
    [
        ("Why?", "Why?"),
        (f" {MARKER} Why?\n", "Why?"),
        (f"{MARKER} Who?\n{MARKER}\nWhy\nnow?", "Why\nnow?"),
        (f"I thought of something. {MARKER}  ", None),
        ("", None),
        (f"{MARKER} What  is it?", None),
    ],
)
def test_the_rewrite_is_the_text_after_the_last_marker(reply, child):
    rewriter = LMRewriter(Scripted(lambda *_: reply))
    assert rewriter(["What is it?"], ["mix"], np.random.default_rng(0)) == [child]


def test_a_rewritten_task_is_a_task():
    task, _ = rewritten()
    check_task(task)
    assert task.operators == (*DEPTH, *BREADTH)
    assert task.suites == Questions.suites
    assert not task.valid("Why is there anything?")
    assert task.topic("x") == "questions"


def test_a_level_of_all_chains_is_one_call_of_the_policy():
    task, policy = rewritten()
    parents = task.seed(5, np.random.default_rng(0))
    born = evolve(task, parents, 3, np.random.default_rng(0))
    assert [len(call) for call in policy.calls] == [5, 5, 5]
    assert [old(ask) for ask in policy.calls[0]] == parents
    assert [one.operator for one in born[::3]] == [method_in(ask) for ask in policy.calls[0]]
    assert [old(ask) for ask in policy.calls[1]] == [one.prompt for one in born[::3]]
    assert all(one.prompt.startswith(one.parent) for one in born)


def test_a_rewrite_that_the_task_rejects_is_tried_again_by_another_operator():
    def shallow(ask, rng):
        return "bad " + old(ask) if "harder" in ask else longer(ask, rng)

    task, policy = rewritten(shallow)
    born = evolve(task, task.seed(8, np.random.default_rng(1)), 1, np.random.default_rng(1))
    assert len(born) == 8
    assert {one.operator for one in born} <= set(BREADTH)
    assert 8 == len(policy.calls[0]) > len(policy.calls[1]) > 0
    silent, _ = rewritten(lambda *_: "")
    assert evolve(silent, ["Why?"], 2, np.random.default_rng(0)) == []


@pytest.mark.parametrize(
    ("creator", "used"),
    [
        (Eva(), {*DEPTH, *BREADTH}),
        (UniformEvolve(), {*DEPTH, *BREADTH}),
        (EvaOnline(capacity=8, human_prompts=24), {*DEPTH, *BREADTH}),
        (EvolComplexity(), set(DEPTH)),
        (EvolQuality(), {"deepening", "concretizing", "persona"}),
        (SelfInstruct(), set(BREADTH)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_creators_rewrite_real_text_unchanged_each_by_its_operators(creator, used):
    task, policy = rewritten()
    *_, last = rounds(creator, task, count=8)
    assert len(set(last.prompts)) == 12
    assert sum(parent is not None for parent in last.parents) > 4
    asked = {method_in(ask) for call in policy.calls for ask in call}
    assert asked <= used
    assert len(asked) > len(used) / 2


# The same with a real causal language model


@pytest.fixture(scope="module")
def llama():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=259,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=2048,
    )
    return CausalLM(LlamaForCausalLM(config), ByT5Tokenizer(), Sampling(max_tokens=8))


def test_a_causal_lm_rewrites_and_judges_reproducibly(llama):
    rewriter, judge = LMRewriter(llama), PromptJudge(llama)
    prompts = ["What is it?", "Sort {3, 1}."] * 5
    first, again, other = (
        rewriter(prompts, [*DEPTH, *BREADTH], np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert sum(child is not None for child in first) > 5
    assert llama.tokens > 0
    ratings = judge(prompts, np.random.default_rng(0))
    assert ratings.shape == (10, 2)
    assert np.isin(ratings[~np.isnan(ratings)], [1, 2, 3, 4, 5]).all()


@pytest.mark.parametrize("cls", [Eva, TreeBestOfN])
def test_a_causal_lm_rewrites_in_play(llama, cls):
    task = RewrittenTask(Questions(), LMRewriter(llama), PromptJudge(llama))
    *_, last = rounds(cls(fraction=0.5), task, n=4, count=3)
    assert len(last.prompts) == 4
    assert all(map(task.valid, last.prompts))
    assert any(parent is not None for parent in last.parents)
