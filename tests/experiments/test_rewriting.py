"""Rewriting by a language model in whole runs, on a tiny random model."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from agents.creators import (
    Eva,
    EvaLite,
    EvaOnline,
    EvolComplexity,
    Fresh,
    SelfInstruct,
    TreeBestOfN,
    UniformLite,
)
from agents.evolution.lm_operators import RewrittenTask
from agents.policies.causal_lm import CausalLM
from agents.policies.sampled import Sampled
from agents.policies.sampling import Sampling
from agents.solvers import DPO
from eva_env.tabular.world import TabularWorld
from eva_env.types import LimitsAttempts, offers
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.cli import main
from experiments.run.budget import forecast
from experiments.run.errors import UserError
from experiments.run.match import Match
from experiments.run.records import Run
from experiments.run.rewriting import Rewriting, seen_task
from experiments.run.settings import Settings, remarks
from experiments.run.train import train
from tests.support.tiny_models import tiny_folder


@dataclass(frozen=True)
class Asks(World):
    """A world of real text: the reward is the share of the letter e."""

    @property
    def suites(self):
        return {"hard": ("What is the sea?", "How deep is it?")}

    def seed(self, n, rng, distribution="human"):
        return [f"What is the number {k} good for?" for k in rng.integers(10**6, size=n)]

    def gold_reward(self):
        def share_of_e(prompts, responses):
            shares = [[r.count("e") / max(len(r), 1) for r in row] for row in responses]
            return np.array(shares)

        return share_of_e


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    return str(tiny_folder(path, "llama", max_position_embeddings=4096))


def settings_for(folder, creator=None, **changes):
    changes = {"rewriter": "solver", "rewriting": Rewriting(max_tokens=6, retries=1)} | changes
    return Settings.suited(
        Asks(),
        creator=creator or Eva(),
        solver=changes.pop("solver", DPO(epochs=1)),
        policy=folder,
        rounds=changes.pop("rounds", 2),
        prompts=4,
        samples=2,
        evaluation_samples=2,
        sampling=changes.pop("sampling", Sampling(max_tokens=5)),
        **changes,
    )


def played(run_folder, settings):
    run = Run.create(run_folder, {"settings": {}})
    return run, list(train(run, settings))


def asking(monkeypatch):
    """Let the model write a new request for each few-shot text, and rate every prompt 4."""

    def complete(self, texts, n, rng, *, one_line=False):
        assert n == 1
        assert one_line
        self.tokens += 3 * len(texts)
        return [[Sampled(reply(text, rng), [1, 2, 3], True, -1)] for text in texts]

    def reply(text, rng):
        if text.endswith("Rating:"):
            return " 4"
        old = text.rpartition("Request: ")[2].partition("\n")[0]
        return f" {old} Why {rng.integers(10**9)}?"

    monkeypatch.setattr(CausalLM, "complete", complete)


CREATORS = [Eva, EvaLite, UniformLite, EvolComplexity, SelfInstruct, TreeBestOfN]


@pytest.mark.parametrize("cls", CREATORS)
def test_every_evolving_creator_plays_on_rewrites_of_the_solver(
    cls, folder, tmp_path, monkeypatch
):
    asking(monkeypatch)
    judged = Rewriting(max_tokens=6, judge=cls is TreeBestOfN)
    run, rows = played(tmp_path / "run", settings_for(folder, cls(), rewriting=judged))
    prompts = [row for row in run.rows("prompts") if row["operator"]]
    assert prompts
    assert all("Why" in row["text"] for row in prompts)
    assert rows[-1]["logs"]["rewrites_failed"] == 0
    replies = rows[-1]["budget"]["creator_tokens"] / 3
    assert replies >= len(prompts)
    assert ("ratings_missing" in rows[-1]["logs"]) == (cls is TreeBestOfN)
    assert rows[1]["budget"]["creator_tokens"] == 0  # the first round is human


def test_a_run_goes_on_if_hardly_a_reply_of_a_random_model_is_a_rewrite(folder, tmp_path):
    run, rows = played(tmp_path / "run", settings_for(folder))
    last = rows[-1]
    assert last["round"] == 2
    assert last["logs"]["rewrites_failed"] > 0.5
    assert last["alarms"]["rewrites_failed"]["value"] == last["logs"]["rewrites_failed"]
    assert last["budget"]["creator_tokens"] > 0
    assert len(run.rows("prompts")) >= 8


@pytest.mark.parametrize("form", ["examples", "instructions"])
def test_a_resumed_run_continues_bit_for_bit(form, folder, tmp_path):
    rewriting = Rewriting(form, max_tokens=6, retries=1)
    settings = settings_for(folder, UniformLite(), rewriting=rewriting, rounds=3)
    whole, _ = played(tmp_path / "whole", settings)
    stopped = Run.create(tmp_path / "stopped", {"settings": {}})
    for row in train(stopped, settings):
        if row["round"] == 2:
            break
    list(train(stopped, settings))
    for run in (whole, stopped):
        assert [row["round"] for row in run.rows("rounds")] == [1, 2, 3]
    assert [row["text"] for row in whole.rows("prompts")] == [
        row["text"] for row in stopped.rows("prompts")
    ]
    assert [row["budget"] for row in whole.rows("rounds")] == [
        row["budget"] for row in stopped.rows("rounds")
    ]


def test_another_model_may_rewrite_and_its_tokens_are_not_the_solvers(folder, tmp_path):
    other = str(tiny_folder(tmp_path / "other", seed=1, max_position_embeddings=4096))
    for rewriter in ("solver", other):
        rewriting = Rewriting(max_tokens=60)
        settings = settings_for(folder, UniformLite(), rewriter=rewriter, rewriting=rewriting)
        match = Match.open(settings)
        for _ in match.rounds():
            pass
        most = 2 * 4 * 2 * 5  # rounds x prompts x responses x tokens
        assert most / 2 < match.budget.tokens <= most
        assert match.budget.creator_tokens > most
    match = Match.open(settings_for(folder, Fresh(), rewriter=None))
    for _ in match.rounds():
        pass
    assert match.budget.creator_tokens == 0


def test_the_solver_or_the_rewriter_improves_chosen_responses(folder, monkeypatch):
    replies = iter(["Better answer: Here and there.", "", "I'm sorry, but I can't."] * 20)
    asked = []

    def sample(self, prompts, n, rng):
        self.tokens += 7 * len(prompts) * n
        if n == 1:
            asked.extend(prompts)
            return [[next(replies)] for _ in prompts]
        return [[f"e{rng.integers(10**9)}", f"x{rng.integers(9)}"] for _ in prompts]

    monkeypatch.setattr(CausalLM, "sample", sample)
    solver = DPO(epochs=1, improve_chosen=True)
    match = Match.open(settings_for(folder, Fresh(), rewriter=None, solver=solver))
    round = next(match.rounds())
    assert round.logs["response_rewrites_failed"] == pytest.approx(0.5, abs=0.26)
    assert len(asked) == round.logs["pairs"]
    assert match.budget.tokens == 7 * (8 + len(asked))
    assert match.budget.creator_tokens == 0


def test_what_does_not_fit_is_refused_in_one_line(folder):
    def refused(settings):
        with pytest.raises(UserError) as caught:
            Match.open(settings)
        (line,) = str(caught.value).splitlines()
        return line

    wrong = settings_for(folder, rewriter="nowhere")
    assert "--rewriter: no checkpoint at nowhere" in refused(wrong)
    judge = settings_for(folder, rewriter=None, rewriting=Rewriting(judge=True))
    assert "add --rewriter solver" in refused(judge)
    tree = settings_for(folder, TreeBestOfN())
    assert "Asks does not say how complex" in refused(tree)
    assert "--rewriting.judge" in refused(tree)
    long = settings_for(folder, rewriting=Rewriting(max_tokens=4096))
    assert "exceed the context of the model that rewrites" in refused(long)
    world = Settings.suited(TabularWorld(), rewriter="solver")
    assert "the prompts of TabularWorld are numbers" in refused(world)
    plain = settings_for(folder, rewriter=None)
    assert "Asks has no rewrite operators" in refused(plain)


def test_the_shipped_policy_cannot_read_the_examples_and_says_so():
    settings = Settings.suited(Wordlist(suite_size=4), rewriter="solver")
    with pytest.raises(UserError, match=r"the tokenizer cannot read|exceed the context"):
        Match.open(settings)


def test_the_command_line_rewrites_and_records_it(folder, tmp_path, monkeypatch, capsys):
    sizes = "--rounds 2 --prompts 4 --samples 2 --evaluation-samples 2 --task.suite-size 4"
    writing = f"--rewriter {folder} --rewriting.max-tokens 6 --rewriting.retries 0"
    args = f"train creator:eva-lite solver:dpo policy:{folder} {sizes} {writing}".split()
    args += ["--sampling.max-tokens", "6", "--out", str(tmp_path / "run")]
    assert main([*args, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert f'rewriter = "{folder}"' in text
    assert "rewriting" in text.splitlines()[-1]
    assert main(args) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["settings"]["rewriter"] == folder
    assert config["settings"]["rewriting"]["max_tokens"] == 6
    assert Run.open(tmp_path / "run").rows("rounds")[-1]["budget"]["creator_tokens"] > 0
    assert main(["train", "--resume", str(tmp_path / "run"), "--rounds", "3"]) == 0


def test_the_forecast_counts_the_replies_of_a_model_that_rewrites(folder):
    text = forecast(settings_for(folder, rounds=5))
    assert "up to 32 replies of 6 tokens" in text  # 4 rounds x 4 prompts x 2 attempts
    assert "replies" not in forecast(settings_for(folder, rewriter=None))


def test_the_task_is_the_world_without_a_rewriter(folder):
    world = Asks()
    assert seen_task(world, None, Rewriting()) is world
    task = seen_task(world, "solver", Rewriting(retries=4))
    assert isinstance(task, RewrittenTask)
    assert task.attempts == 5
    online = Match.open(settings_for(folder, EvaOnline()))
    assert online.env.unwrapped.task.operators == task.operators
    assert offers(online.env.unwrapped.task, LimitsAttempts)


@pytest.mark.parametrize(("creator", "notes"), [(Fresh(), 1), (Eva(), 0)])
def test_a_rewriter_that_nothing_uses_is_remarked_on(creator, notes):
    settings = Settings.suited(Asks(), creator=creator, rewriter="solver")
    texts = [text for text in remarks(settings) if "--rewriter has no effect" in text]
    assert len(texts) == notes
