"""Prompts rewritten by a language model: scripted ones, and a tiny random Llama."""

import copy
import pickle
from dataclasses import replace

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
from agents.evolution.examples import EXAMPLES, HEADS, example_texts
from agents.evolution.lm_operators import BREADTH, DEPTH, MARKER, LMRewriter, RewrittenTask
from agents.evolution.prompt_judge import PromptJudge
from agents.evolution.replies import read_prompt
from agents.policies.causal_lm import CausalLM
from agents.policies.sampled import Sampled
from agents.policies.sampling import Sampling
from eva_env.chat import as_prompt
from eva_env.testing import check_task
from eva_env.types import RatesComplexity, RatesComplexityInBatch, offers
from eva_env.wordlist import Wordlist
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
    assert first == again
    assert llama.tokens > 0
    assert (rewriter.written.rewrites, rewriter.written.tokens) == (30, llama.tokens)
    # A random model asks for nothing, so hardly a reply is a rewrite.
    replies = [llama.sample(["Hi"] * 8, 1, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert replies[0] == replies[1] != replies[2]
    assert None in (*first, *other)
    ratings = judge(prompts, np.random.default_rng(0))
    assert ratings.shape == (10, 2)
    assert np.isin(ratings[~np.isnan(ratings)], [1, 2, 3, 4, 5]).all()


@pytest.mark.parametrize("cls", [Eva, TreeBestOfN])
@pytest.mark.parametrize("form", ["examples", "instructions"])
def test_a_causal_lm_whose_rewrites_nearly_all_fail_plays_on_with_human_prompts(
    llama, cls, form
):
    rewriter = LMRewriter(llama, form=form)
    task = RewrittenTask(Questions(), rewriter, PromptJudge(llama, form=form), attempts=2)
    *_, last = rounds(cls(fraction=0.5), task, n=4, count=3)
    assert len(last.prompts) == 4
    assert all(map(task.valid, last.prompts))
    assert task.written.rewrites > 4
    assert task.written.rewrites_failed > task.written.rewrites / 2


# Examples, several messages, and limits


class Continues:
    """A writer that continues each text by a function of the old prompt in it."""

    def __init__(self, reply):
        self.reply, self.texts = reply, []

    def complete(self, texts, n, rng, *, one_line):
        self.texts.append((list(texts), one_line))
        old = [text.rpartition("Request: ")[2].rpartition("\n")[0] for text in texts]
        return [[self.reply(prompt)] for prompt in old]


def test_examples_are_continued_to_the_end_of_the_line():
    writer = Continues(lambda old: f" {old} Why?\n\nRequest: More")
    rewriter = LMRewriter(writer, form="examples")
    children = rewriter(["What is it?"] * 2, ["mix", "abstract"], np.random.default_rng(0))
    assert children == ["What is it? Why?"] * 2
    ((texts, one_line),) = writer.texts
    assert one_line
    for text, name in zip(texts, ("mix", "abstract"), strict=True):
        assert text.startswith(HEADS[name])
        assert text.count("Request: ") == len(EXAMPLES[name]) + 1
        assert text.endswith("Request: What is it?\nRewritten request:")


def test_every_operator_has_two_to_four_examples_that_its_reader_would_accept():
    assert EXAMPLES.keys() == HEADS.keys() == {*DEPTH, *BREADTH}
    for name, pairs in EXAMPLES.items():
        assert 2 <= len(pairs) <= 4
        assert all(read_prompt(new, old) == new for old, new in pairs), name
    texts = [text for name in EXAMPLES for text in example_texts(name)]
    assert len(set(texts)) == len(texts)


def test_a_rewrite_that_repeats_an_example_or_is_cut_off_is_refused():
    old, new = EXAMPLES["mix"][0]
    rng = np.random.default_rng(0)
    for reply in (f" {new}\n", f" {old}\n", Sampled(" What is it and", [1], False, -1)):
        rewriter = LMRewriter(Continues(lambda _, reply=reply: reply), form="examples")
        assert rewriter(["What is it?"], ["mix"], rng) == [None]


def test_a_prompt_of_several_lines_is_continued_to_the_next_example():
    writer = Continues(lambda old: f" {old}\nSort it.\n\nRequest: More\nRewritten request: x")
    rewriter = LMRewriter(writer, form="examples")
    prompt = "Read the table.\n| a | b |"
    rng = np.random.default_rng(0)
    assert rewriter([prompt], ["constraints"], rng) == [f"{prompt}\nSort it."]
    assert not writer.texts[0][1]


@pytest.mark.parametrize("form", ["examples", "instructions"])
def test_of_a_conversation_the_last_request_is_rewritten(form):
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "What is it?"},
    ]
    writers = {
        "examples": Continues(lambda old: f" {old} Why?\n"),
        "instructions": Scripted(lambda ask, _: f"{old(ask)} Why?"),
    }
    rewriter = LMRewriter(writers[form], form=form)
    (child,) = rewriter([as_prompt(turns)], ["mix"], np.random.default_rng(0))
    assert child == as_prompt([*turns[:3], {"role": "user", "content": "What is it? Why?"}])


def test_attempts_are_limited_and_repeats_are_no_rewrites():
    silent, policy = rewritten(lambda *_: "")
    limited = replace(silent, attempts=2)
    assert evolve(limited, ["Why?", "How?"], 1, np.random.default_rng(0)) == []
    assert [len(call) for call in policy.calls] == [2, 2]
    assert limited.written.logs() == {"rewrites_failed": 1.0}
    same, policy = rewritten(lambda *_: f"{MARKER} Who asks?")
    born = evolve(same, ["Why?"] * 3, 1, np.random.default_rng(0))
    assert [one.prompt for one in born] == ["Who asks?"]
    assert [len(call) for call in policy.calls] == [3, 2, 2]


def test_replies_that_the_task_rejects_count_as_failed():
    task, _ = rewritten(lambda ask, rng: f"{MARKER} bad {old(ask)}")
    assert task.mutate("Why?", "mix", np.random.default_rng(0)) is None
    assert (task.written.rewrites, task.written.rewrites_failed) == (1, 1)


def test_a_rewritten_task_rates_complexity_only_if_somebody_does():
    plain, _ = rewritten()
    assert not offers(plain, RatesComplexityInBatch)
    assert not offers(plain, RatesComplexity)
    judged, _ = rewritten(judge=PromptJudge(Scripted(lambda *_: "2")))
    assert offers(judged, RatesComplexityInBatch)
    ratings = judged.complexity_all(["Why?"], np.random.default_rng(0))
    np.testing.assert_array_equal(ratings, [4])
    wrapped = RewrittenTask(Wordlist(), LMRewriter(Scripted(longer)))
    (prompt,) = wrapped.seed(1, np.random.default_rng(0))
    assert wrapped.complexity(prompt) == Wordlist().complexity(prompt)
    assert pickle.loads(pickle.dumps(wrapped.task)) == copy.deepcopy(wrapped).task
