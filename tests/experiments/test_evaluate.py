"""Judging players on fixed prompts, and the command that judges checkpoints."""

import json

import numpy as np
import pytest

from agents.creators import Oracle
from agents.evaluate import bootstrap, evaluate, win_rate
from agents.policies.table import TablePolicy
from agents.solvers import RLOO
from eva_env.statistics.intervals import mean_interval
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from experiments.commands.evaluate import ROLES, begin, main, report
from experiments.commands.options import Arguments, parse
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.settings import Settings
from experiments.run.train import train


def test_win_rate_is_the_mean_over_prompts_and_half_against_itself():
    """Prompt 1: of (1, 2) and (2, 0) one is won. Prompt 2: (0, 3) and (1, 3) are lost."""
    rewards, baseline = np.array([[1, 2], [0, 1]]), np.array([[0, 2], [3, 3]])
    assert win_rate(rewards, baseline) == 0.25
    assert win_rate(baseline, rewards) == 0.75
    assert win_rate(rewards, rewards) == 0.5


def test_student_interval_by_hand():
    """1, 2, 3: mean 2, standard error 1/sqrt(3), t(0.975, 2) = 4.302653."""
    mean, low, high = mean_interval(np.array([[1.0], [2.0], [3.0]]))
    assert mean == 2
    assert (high - low) / 2 == pytest.approx(4.302653 / np.sqrt(3), abs=1e-6)
    assert np.isnan(mean_interval(np.ones((1, 1))).low)


def test_bootstrap_covers_like_the_normal_interval_of_many_prompts():
    values = np.random.default_rng(0).normal(0.6, 0.2, 400)
    low, high = bootstrap(values, seed=1)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.003)
    assert high == pytest.approx(values.mean() + half, abs=0.003)
    assert bootstrap(values, seed=1) == (low, high)


def test_evaluate_draws_from_its_own_generator_and_reads_gold():
    world = TabularWorld(topics=2, levels=2, variants=2, responses=4)
    policy = TablePolicy(world.reference_logits)
    prompts, gold = world.suites["hard"], world.reward_model("gold")
    first = evaluate(policy, prompts, gold, 6, seed=3)
    assert first.shape == (len(prompts), 6)
    assert (first == evaluate(policy, prompts, gold, 6, seed=3)).all()
    assert (first != evaluate(policy, prompts, gold, 6, seed=4)).any()
    many = evaluate(policy, prompts, gold, 20_000, seed=3).mean(1)
    exact = (policy.probabilities() * world.gold).sum(1)[list(prompts)]
    assert many == pytest.approx(exact, abs=0.02)


def run_command(*args):
    arguments = Arguments.of(args, ROLES)
    return report(parse(begin(arguments), arguments.rest, "evaluate"))


def write(path, text):
    path.write_text(text)
    return str(path)


def test_the_shipped_model_is_on_a_par_with_itself():
    result = run_command("wordlist", "--suite", "easy", "--samples", "2")
    assert (result["prompts"], result["win_rate"]) == (len(Wordlist().suites["easy"]), 0.5)
    assert 0.8 < result["gold"] == result["start_gold"] < 1
    assert 0.3 < result["pass_rate"] < 0.9


def test_prompts_of_a_file_are_judged_by_gold(tmp_path):
    prompts = ["List three animals.", "", "List four tools, without the letter e."]
    path = write(tmp_path / "prompts.txt", "\n".join(prompts))
    result = run_command("wordlist", "--prompts", path, "--samples", "3")
    assert (result["prompts"], result["judged_on"]) == (2, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "List three animals.\nSing a song.\n",
            "line 2: 'Sing a song.' is not a prompt",
        ),
        ("\n\n", "holds no prompts; write one per line"),
    ],
)
def test_prompts_that_nobody_can_judge_are_named(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        run_command("wordlist", "--prompts", write(tmp_path / "prompts.txt", text))


def test_an_overlong_prompt_is_shown_in_part(tmp_path):
    path = write(tmp_path / "prompts.txt", 1000 * "x")
    with pytest.raises(UserError, match=f"line 1: '{60 * 'x'}...' is not a prompt") as error:
        run_command("wordlist", "--prompts", path)
    assert 61 * "x" not in str(error.value)


def test_records_that_hold_no_policy_are_named(tmp_path):
    (tmp_path / "cells" / "eva-dpo" / "seed-0000").mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"is a comparison.*give a cell's folder, such as .*seed-0000"
    ):
        run_command(str(tmp_path))
    run = Run.create(tmp_path / "run", describe(Settings(), []))
    with pytest.raises(UserError, match=r"has no rounds.jsonl.*eva train --resume"):
        run_command(str(run.folder))
    (run.folder / "rounds.jsonl").touch()
    with pytest.raises(UserError, match="has no checkpoint yet; continue it with eva train"):
        run_command(str(run.folder))


def test_files_that_are_no_text_are_one_line(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "bytes", tmp_path / "missing", tmp_path):
        with pytest.raises(UserError, match="cannot read prompts from"):
            run_command("wordlist", "--prompts", str(path))


@pytest.fixture
def run(tmp_path):
    world = TabularWorld(topics=2, levels=3, variants=2, responses=6)
    settings = Settings(
        creator=Oracle(), solver=RLOO(lr=0.2), task=world, rounds=12, prompts=64
    )
    run = Run.create(tmp_path / "run", describe(settings, []))
    list(train(run, settings))
    return run


def test_a_run_is_judged_by_its_last_checkpoint_on_its_own_task(run):
    last = run_command(str(run.folder), "--samples", "200")
    assert last == run_command(str(run.checkpoint(12)), "--samples", "200") | {
        "checkpoint": str(run.folder)
    }
    assert last["win_rate"] > 0.6
    assert last["win_rate_interval"][0] <= last["win_rate"] <= last["win_rate_interval"][1]
    first = run_command(str(run.checkpoint(1)), "--samples", "200")
    assert first["gold"] < last["gold"]


def test_tabular_prompt_files_hold_numbers(run, tmp_path):
    good = write(tmp_path / "good", "0\n3\n")
    assert run_command(str(run.folder), "--prompts", good)["prompts"] == 2
    for text in ("x", "99", "-1"):
        with pytest.raises(UserError, match=r"line 1: .* prompts are integers in 0 \.\.\. 11"):
            run_command(str(run.folder), "--prompts", write(tmp_path / "bad", text))


def test_checkpoints_of_another_kind_are_one_line(run):
    with pytest.raises(UserError, match="no checkpoint at"):
        run_command(str(run.checkpoint(1)), "task:wordlist")
    weights = run.checkpoint(12) / "table.safetensors"
    weights.write_bytes(weights.read_bytes()[:40])
    with pytest.raises(UserError) as caught:
        run_command(str(run.folder))
    assert "\n" not in str(caught.value)


def test_the_command_prints_json_or_a_table(run, capsys):
    assert main([str(run.folder), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["win_rate"] == run_command(str(run.folder))["win_rate"]
    assert main([str(run.folder)]) == 0
    assert f"{printed['win_rate']:.3f}" in capsys.readouterr().out
