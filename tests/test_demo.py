"""`eva demo` on the tabular rung: its runs, its verdicts, resuming and failing."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from agents.solvers import RLOO
from eva_env.tabular.world import TabularWorld
from experiments.config import describe
from experiments.demo import ARMS, DEMO, Command, demo, open_folder, plan
from experiments.errors import UserError
from experiments.match import Settings
from experiments.records import FILES, Run
from experiments.train import train
from experiments.verdict import difference, measure, verdict

SMALL = replace(
    DEMO,
    solver=RLOO(lr=0.1),
    task=TabularWorld(topics=2, levels=4, variants=2, responses=6),
    rounds=2,
    evaluate_every=1,
    prompts=8,
    samples=3,
)


def play(command):
    screen = io.StringIO()
    code = demo(command, SMALL, Console(file=screen, width=120))
    return code, screen.getvalue()


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    code, screen = play(Command(seeds=2, workers=2, out=folder))
    return folder, code, screen


def test_it_ends_with_a_table_verdicts_transcripts_and_the_folder(played):
    folder, code, screen = played
    assert code == 0
    for arm in ARMS:
        assert f"│ {arm}" in screen
    assert all(f"eva - {arm}: " in screen for arm in ARMS if arm != "eva")
    assert screen.count("before  ") == screen.count(" after  ") == 3
    assert screen.rstrip().endswith(str(folder))
    assert {"summary.json", "curves.png", "curves.svg"} <= {p.name for p in folder.iterdir()}


def test_every_arm_has_spent_the_same(played):
    arms = json.loads((played[0] / "summary.json").read_text())["arms"]
    assert list(arms) == list(ARMS)
    for own in arms.values():
        assert own["seeds"] == [0, 1]
        assert (own["budget"]["prompts"], own["budget"]["responses"]) == (16, 48)
        assert own["suites"]["hard"]["win_rate"]["rounds"] == [0, 1, 2]
        assert [curve[0] for curve in own["suites"]["hard"]["win_rate"]["curves"]] == [0.5, 0.5]


def test_a_job_is_the_run_that_train_makes_here(played, tmp_path):
    job = next(j for j in plan(2, SMALL, played[0]) if (j.arm, j.seed) == ("eva", 1))
    run = Run.create(tmp_path / "run", describe(job.settings, []))
    list(train(run, job.settings))
    for name in FILES:
        ours, theirs = (
            [r | {"seconds": 0} for r in of.rows(name)] for of in (run, Run(job.folder))
        )
        assert ours == theirs


def test_resume_keeps_finished_runs_continues_others_and_reports_failures(played):
    folder = played[0]
    kept = (folder / "static-seed0" / "rounds.jsonl").read_bytes()
    before = Run(folder / "eva-seed0").rows("evaluations")
    Run(folder / "eva-seed0").truncate(0)
    for name in ("config.json", "rounds.jsonl"):
        (folder / "oracle-seed1" / name).unlink()
    code, again = play(Command(seeds=2, workers=1, resume=folder))
    assert code == 1
    assert "oracle-seed1 failed, the others go on: " in again
    assert "not empty" in again
    assert (folder / "static-seed0" / "rounds.jsonl").read_bytes() == kept
    assert Run(folder / "eva-seed0").rows("evaluations") == before
    summary = json.loads((folder / "summary.json").read_text())
    assert "UserError" in summary["failures"]["oracle-seed1"]
    assert summary["arms"]["eva"]["seeds"] == [0, 1]


def test_runs_with_other_settings_are_not_mixed_in(played):
    with pytest.raises(UserError, match="has other settings"):
        plan(1, replace(SMALL, samples=4), played[0])


def test_folders_are_checked_first(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="not empty: continue it with --resume"):
        open_folder(Command(out=tmp_path))
    with pytest.raises(UserError, match="no demo at"):
        open_folder(Command(resume=tmp_path / "nowhere"))
    with pytest.raises(UserError, match="folders like eva-seed0"):
        open_folder(Command(resume=tmp_path))
    with pytest.raises(UserError, match="leave out --out"):
        open_folder(Command(resume=tmp_path, out=tmp_path))
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        Command(seeds=0)


def arm(*last):
    return {"seeds": list(range(len(last))), "suites": {"hard": {"win_rate": {"last": last}}}}


def test_differences_are_paired_by_seed():
    """0.1, 0.2, 0.3 apart: mean 0.2, half-width 4.302653 * 0.1 / sqrt(3) = 0.248414."""
    result = difference(arm(0.6, 0.8, 0.7), arm(0.5, 0.6, 0.4))
    assert result["mean"] == pytest.approx(0.2)
    assert result["half"] == pytest.approx(0.248414, abs=1e-6)
    four = difference(arm(0.6, 0.8, 0.7), arm(0.5, 0.6, 0.4), comparisons=4)
    # Bonferroni: the quantile 1 - 0.025 / 4 of Student's t with 2 degrees of freedom is 8.860.
    assert four["half"] / result["half"] == pytest.approx(8.860 / 4.303, abs=1e-3)
    assert four["mean"] == result["mean"]
    shorter = difference(arm(0.6, 0.8, 0.7), arm(0.5, 0.6))
    assert shorter["seeds"] == [0, 1]
    assert shorter["mean"] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("mean", "half", "says"),
    [
        (0.05, 0.02, "+5.0 points, 95 % interval +3.0 to +7.0, 3 seeds: eva is ahead of x."),
        (-0.05, 0.02, "-5.0 points, 95 % interval -7.0 to -3.0, 3 seeds: eva is behind x."),
        (0.01, 0.02, "+1.0 points, 95 % interval -1.0 to +3.0, 3 seeds: these data do not"),
    ],
)
def test_a_verdict_claims_no_more_than_the_interval(mean, half, says):
    result = {"mean": mean, "half": half, "seeds": [0, 1, 2], "comparisons": 1}
    assert verdict("eva", "x", result).startswith(f"eva - x: {says}")


def test_one_seed_shows_nothing():
    result = difference(arm(0.7), arm(0.5))
    assert result["half"] is None
    assert verdict("eva", "x", result).endswith("one seed shows nothing.")


def test_measure_takes_the_last_round_and_the_area_without_the_start(tmp_path):
    runs = {}
    for seed, curve in enumerate(([0.5, 0.6, 0.8], [0.5, 0.6, 0.6])):
        runs[seed] = Run.create(tmp_path / str(seed), describe(Settings(), []))
        scores = ({"win_rate": w, "gold": w, "pass_rate": w} for w in curve)
        runs[seed].append(
            "evaluations",
            [
                {"round": k, "suite": "hard", "budget": {"prompts": 10 * k}, **score}
                for k, score in enumerate(scores)
            ],
        )
    own = measure(runs)
    assert own["budget"] == {"prompts": 20}
    wins = own["suites"]["hard"]["win_rate"]
    assert wins["last"] == [0.8, 0.6]
    assert wins["mean"] == pytest.approx(0.7)
    assert wins["area"] == pytest.approx([0.7, 0.6])
