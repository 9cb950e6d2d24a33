"""`eva compare` on a small tabular world, from the command to the files."""

import csv
import io
import json
import shutil
from contextlib import redirect_stdout, suppress
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from agents.policies.table import TablePolicy
from eva_env.tabular.equilibrium import minimax_regret, nash_conv
from eva_env.tabular.regret_game import RegretGame
from eva_env.tabular.world import TabularWorld
from experiments import cli
from experiments.commands.compare import Command, compare, main
from experiments.comparison import tables, terminal
from experiments.comparison.cells import Cell, Crossing
from experiments.comparison.scores import START
from experiments.comparison.settings import Comparison
from experiments.comparison.stages import Stage
from experiments.run.alarms import Alarms
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.screen import PlainConsole
from experiments.run.workers import Workers
from tests.support.crashes import InOneProcess
from tests.support.hostile import SHOWN, is_plain, poisoned

WORLD = TabularWorld(topics=2, levels=4, variants=3, responses=6, blind="variant")
SMALL = Comparison.suited(
    WORLD,
    creators=("fresh", "eva:resample=True"),
    solvers=("dpo:lr=0.1", "rloo"),
    seeds=3,
    rounds=4,
    prompts=8,
    samples=3,
    draws=20,
)
ARMS = ["fresh-dpo", "fresh-rloo", "eva-dpo", "eva-rloo", "oracle-dpo", "oracle-rloo"]


def shorter(rounds, **changes):
    """The small comparison with fewer rounds."""
    return replace(SMALL, conditions=replace(SMALL.conditions, rounds=rounds), **changes)


def play(setting=SMALL, workers=1, **changes):
    screen = io.StringIO()
    code = compare(
        Command(setting, workers, **changes), ["compare"], Console(file=screen, width=100)
    )
    return code, screen.getvalue()


def resume(folder, *options):
    """Continue a comparison by the command; its exit status and what it prints."""
    screen = io.StringIO()
    with redirect_stdout(screen):
        code = main(["--resume", str(folder), "--workers", "1", *options])
    return code, screen.getvalue()


def read(folder):
    return json.loads((folder / "summary.json").read_text())


def without_seconds(value):
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if k != "seconds"}
    return [without_seconds(v) for v in value] if isinstance(value, list) else value


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """One worker is this process, because a new one spends seconds on its imports."""

    def workers(do, count):
        return InOneProcess(do, count) if count == 1 else Workers(do, count)

    monkeypatch.setattr("experiments.comparison.stages.Workers", workers)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare") / "two"
    code, screen = play(out=folder, workers=2)
    assert code == 0, screen
    return folder, screen


def test_the_folder_holds_what_people_and_programs_read(played):
    folder, screen = played
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "summary.json", "failures.json", "cells"} <= names
    assert {"strategies.csv", "crossplay.csv", "wins.csv"} <= names
    assert {"matrix.svg", "curves.svg"} <= names
    rows = list(csv.DictReader((folder / "crossplay.csv").open()))
    assert len(rows) == 6 * 7
    summary = read(folder)
    assert float(rows[1]["mean"]) == summary["crossplay"]["mean"][0][1]
    assert rows[1]["row"] == rows[1]["column"].replace("rloo", "dpo") == "fresh-dpo"
    assert all(f"• {sentence[:60]}" in screen for sentence in summary["conclusions"])


def test_hostile_names_are_text_in_terminal_tables_and_charts(played, tmp_path):
    summary = read(played[0])
    names = {*ARMS, *summary["suites"], "creator", "solver"}
    names |= {arm[role] for arm in summary["arms"].values() for role in ("creator", "solver")}
    words = {"win_rate", "main", "within", "creators", "solvers", START, "regret", "gold"}
    attacked = poisoned(summary, words, names - {"creator", "solver"})
    screen = io.StringIO()
    terminal.print_summary(attacked, PlainConsole(file=screen, width=250), tmp_path)
    assert is_plain(screen.getvalue())
    for name in ("fresh", "fresh-dpo", "oracle-rloo", "hard"):
        assert f"={name}{SHOWN}" in screen.getvalue()
    tables.write(attacked, tmp_path)
    for name in ("strategies", "crossplay", "wins"):
        theirs = [*csv.reader((played[0] / f"{name}.csv").open(newline=""))]
        ours = [*csv.reader((tmp_path / f"{name}.csv").open(newline=""))]
        cells = [cell for row in ours for cell in row]
        assert f"'={poisoned('fresh-dpo')[1:]}".replace("\ud800", "?") in cells
        assert not [
            cell for cell in cells if cell and cell[0] in "=+-@\t\r" and not is_number(cell)
        ]
        numbers = [[is_number(cell) for cell in row] for row in ours]
        assert numbers == [[is_number(cell) for cell in row] for row in theirs]
    for name in ("matrix", "curves"):
        assert is_plain((tmp_path / f"{name}.svg").read_text())


def is_number(cell):
    with suppress(ValueError):
        return isinstance(float(cell), float)
    return False


def test_the_result_does_not_depend_on_the_number_of_workers(played, tmp_path):
    assert play(out=tmp_path / "one", workers=1)[0] == 0
    ours, theirs = (without_seconds(read(folder)) for folder in (played[0], tmp_path / "one"))
    assert ours == theirs


def test_every_arm_has_the_same_budget(played):
    """Eva has two responses per prompt and sample, so half the rounds of the others."""
    arms = read(played[0])["arms"]
    assert list(arms) == ARMS
    for name, arm in arms.items():
        budget = arm["budget"]
        assert (budget["responses"], budget["reward_calls"]) == (96, 96)
        assert budget["prompts"] == (16 if name.startswith("eva") else 32)
        assert arm["curves"]["hard"]["budget"]["reward_calls"][-1] == 96
        assert arm["ceiling"] == name.startswith("oracle")
        assert arm["seeds"] == [0, 1, 2]


def test_scores_are_means_over_seeds_of_the_cells_answers(played):
    folder, summary = played[0], read(played[0])
    for name in ("fresh-rloo", "eva-dpo"):
        by_seed = []
        for seed in range(3):
            rows = Run(folder / "cells" / name / f"seed-{seed:04d}").rows("answers")
            world = replace(WORLD, world_seed=seed)
            hard = [row for row in rows if row["suite"] == "hard"]
            assert [row["prompt"] for row in hard] == list(world.suites["hard"])
            for row in hard:
                assert row["rewards"] == world.gold[row["prompt"], row["responses"]].tolist()
            by_seed.append(np.mean([row["rewards"] for row in hard]))
        gold = summary["arms"][name]["suites"]["hard"]["gold"]
        assert list(gold["values"].values()) == pytest.approx(by_seed)
        assert gold["mean"] == pytest.approx(np.mean(by_seed))
        assert gold["low"] < gold["mean"] < gold["high"]
    run = Run(folder / "cells" / "eva-dpo" / "seed-0001")
    judged = [row for row in run.rows("evaluations") if row["suite"] == "hard"][-1]
    figures = summary["arms"]["eva-dpo"]["suites"]["hard"]
    for score in ("win_rate", "gold", "pass_rate"):
        assert figures[score]["values"]["1"] == pytest.approx(judged[score])


def test_solvers_beat_each_other_to_a_sum_of_one(played):
    wins = read(played[0])["wins"]
    assert wins["players"] == [*ARMS, "start"]
    matrix = np.array(wins["mean"])
    np.testing.assert_allclose(matrix + matrix.T, 1, atol=1e-12)
    against_start = read(played[0])["arms"]["eva-rloo"]["suites"]["hard"]["win_rate"]["mean"]
    assert matrix[3, -1] == pytest.approx(against_start)


def test_cross_play_is_true_regret_on_prompts_nobody_was_trained_on(played):
    folder, summary = played[0], read(played[0])
    cross = summary["crossplay"]
    assert (cross["rows"], cross["columns"]) == (ARMS, [*ARMS, "start"])
    by_seed = []
    for seed in range(3):
        proposal = Run(folder / "cells" / "eva-dpo" / f"seed-{seed:04d}").rows("final")
        assert sum(row["probability"] for row in proposal) == pytest.approx(1)
        assert sum(row["drawn"] for row in proposal) == 128
        rows = Run(folder / "cells" / "oracle-rloo" / f"seed-{seed:04d}").rows("crossplay")
        crossed = next(row for row in rows if row["creator"] == "eva-dpo")
        assert crossed["prompts"] == [row["prompt"] for row in proposal if row["drawn"]]
        by_seed.append(np.average(crossed["regret"], weights=crossed["drawn"]))
        checkpoint = folder / "cells" / "oracle-rloo" / f"seed-{seed:04d}" / "checkpoints"
        policy = TablePolicy.load(checkpoint / "round-0004").probabilities()
        gold = replace(WORLD, world_seed=seed).gold[crossed["prompts"]]
        true = gold.max(-1) - (policy[crossed["prompts"]] * gold).sum(-1)
        # 16 responses estimate a regret in [0, 1] to within 4 standard errors of 1/8.
        assert np.abs(np.array(crossed["regret"]) - true).max() < 0.5
        assert abs(np.average(crossed["regret"] - true, weights=crossed["drawn"])) < 0.1
    assert cross["mean"][2][5] == pytest.approx(np.mean(by_seed))


def test_the_starting_policy_responds_without_any_method(played, tmp_path):
    """Best-of-n does not respond by its policy alone; the starting policy has no method."""
    cells = played[0] / "cells"
    other = replace(SMALL, solvers=("bestofn",))
    settings = other.settings(other.arms[-1], 0)
    creators = {"eva-dpo": cells / "eva-dpo" / "seed-0000"}
    assert [*Crossing(START, 0, settings, tmp_path, creators).play()]
    (row,) = Run(tmp_path).rows("crossplay")
    recorded = Run(cells / START / "seed-0000").rows("crossplay")
    assert row == next(other_row for other_row in recorded if other_row["creator"] == "eva-dpo")


def test_what_is_exact_is_that_of_each_seeds_world(played):
    folder, recorded = played[0], read(played[0])["exact"]
    values, gaps = [], []
    for seed in range(3):
        game = RegretGame.of_world(replace(WORLD, world_seed=seed))
        values.append(minimax_regret(game).value)
        run = Run(folder / "cells" / "fresh-dpo" / f"seed-{seed:04d}")
        policy = TablePolicy.load(run.checkpoint(4)).probabilities()
        creator = np.zeros(WORLD.size)
        for row in run.rows("final"):
            creator[row["prompt"]] += row["probability"]
        gaps.append(nash_conv(game, creator, policy).value)
    assert sum(values) > 0.1
    assert recorded["value"]["mean"] == pytest.approx(np.mean(values))
    entry = recorded["arms"]["fresh-dpo"]
    assert entry["nash_conv"]["mean"] == pytest.approx(np.mean(gaps))
    worst, distance = entry["worst_regret"]["mean"], entry["distance"]["mean"]
    assert distance == pytest.approx(worst - np.mean(values))
    assert not entry["lower_bound"]
    assert set(recorded["arms"]) == {*ARMS, "start"}


def test_the_oracle_is_no_competitor(played):
    summary = read(played[0])
    games = summary["games"]
    assert list(games["crossplay"]["row"]) == ARMS[:4]
    assert list(games["crossplay"]["column"]) == [*ARMS[:4], "start"]
    assert list(games["wins"]["alpha_rank"]) == [*ARMS[:4], "start"]
    for player in ("row", "column"):
        strategies = games["crossplay"][player].values()
        assert sum(entry["probability"] for entry in strategies) == pytest.approx(1)
        assert all(0 <= entry["support"] <= 1 for entry in strategies)
    assert {row["a"] for row in summary["comparisons"]} == {"eva", "rloo"}
    assert set(summary["ratings"]) == {*ARMS, "start"}
    assert summary["ratings"]["start"]["elo"]["mean"] == 1500


def test_resuming_plays_only_what_is_missing(played, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(played[0], folder)
    before = without_seconds(read(folder))
    cell = folder / "cells" / "eva-rloo" / "seed-0001"
    kept = (folder / "cells" / "eva-rloo" / "seed-0000" / "rounds.jsonl").stat()
    (cell / "final.jsonl").unlink()
    Run(cell).truncate(1)
    code, screen = resume(folder)
    assert code == 0
    assert "eva-rloo/seed-0001 is done" in screen
    assert screen.count("is done") == 1
    again = (folder / "cells" / "eva-rloo" / "seed-0000" / "rounds.jsonl").stat()
    assert again.st_mtime_ns == kept.st_mtime_ns
    assert without_seconds(read(folder)) == before
    row = {"a": "eva-dpo", "b": "fresh-dpo", "seed": 0, "suite": "hard", "prompt": 0}
    row |= {"reward_a": 0.2, "reward_b": 0.1, "winner": "a", "judge": "me"}
    Run(folder).append("votes", [row])
    assert resume(folder)[0] == 0
    votes = read(folder)["votes"]
    assert (votes["votes"], votes["agree"], votes["decided"]) == (1, 1, 1)
    elo = {
        name: standing["elo_by_votes"]["mean"] for name, standing in votes["players"].items()
    }
    assert elo["eva-dpo"] > elo["start"] == elo["oracle-dpo"] > elo["fresh-dpo"]


def test_more_seeds_may_be_added(played, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(played[0], folder)
    code, screen = resume(folder, "--seeds", "4")
    assert code == 0
    assert screen.count("is done") == 6
    assert read(folder)["seeds"] == [0, 1, 2, 3]
    for option, message in (
        (["--seeds", "2"], "has seeds = 4 already, so --seeds 2 would shorten it"),
        (["--suite", "easy"], "what is resumed keeps its settings"),
        (["--out", "elsewhere"], "a resumed comparison keeps its folder"),
    ):
        assert cli.main(["compare", "--resume", str(folder), *option]) == 1
        assert message in capsys.readouterr().err


def test_a_failed_cell_is_reported_and_the_others_continue(played, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(played[0], folder)
    cell = folder / "cells" / "eva-dpo" / "seed-0002"
    for name in ("config.json", "final.jsonl"):
        (cell / name).unlink()
    code, screen = resume(folder)
    assert code == 1
    assert "eva-dpo/seed-0002 failed, the others continue: " in screen
    summary = read(folder)
    assert list(summary["failures"]) == ["eva-dpo/seed-0002"]
    assert summary["arms"]["eva-dpo"]["seeds"] == [0, 1]
    assert summary["arms"]["eva-rloo"]["seeds"] == [0, 1, 2]
    assert any(
        "1 cell failed and is left out" in sentence for sentence in summary["conclusions"]
    )
    # Its responses were recorded when it began; they are not those of a trained solver.
    assert (cell / "answers.jsonl").exists()
    assert summary["arms"]["eva-dpo"]["suites"]["hard"]["gold"]["values"]["2"] is None
    seeds = {(row["a"], row["within"]): row["seeds"] for row in summary["comparisons"]}
    assert (seeds["eva", "dpo"], seeds["eva", "rloo"]) == (2, 3)
    shutil.rmtree(folder / "cells" / "eva-dpo")
    (folder / "cells" / "eva-dpo").write_text("in the way")
    code, screen = resume(folder)
    assert code == 1
    summary = read(folder)
    assert "eva-dpo" not in summary["arms"]
    assert summary["crossplay"]["mean"][2][0] is summary["wins"]["mean"][0][2] is None
    assert summary["games"]["crossplay"]["row"]["eva-dpo"]["probability"] is None
    assert summary["games"]["crossplay"]["row"]["eva-rloo"]["probability"] is not None
    assert summary["ratings"]["eva-dpo"]["elo"]["mean"] is None
    assert summary["games"]["wins"]["alpha_rank"]["eva-dpo"]["mass"] is None


def test_a_finished_cell_that_is_damaged_is_named(played, tmp_path, monkeypatch):
    monkeypatch.setattr(Stage, "play_cells", None)  # nothing may be played
    for player, file in (
        ("fresh-dpo", "checkpoints"),
        ("fresh-dpo", "rounds.jsonl"),
        ("fresh-dpo", "evaluations.jsonl"),
        ("fresh-dpo", "answers.jsonl"),
        ("fresh-dpo", "final.jsonl"),
        ("start", "answers.jsonl"),
    ):
        folder = tmp_path / player / file
        shutil.copytree(played[0], folder)
        path = folder / "cells" / player / "seed-0001" / file
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        damage = rf"cells/{player}/seed-0001 is damaged \({file}\): delete it and resume"
        with pytest.raises(UserError, match=damage):
            resume(folder)


def test_a_cell_that_an_alarm_has_ended_stays_ended(tmp_path):
    """Interrupted between its last round and the creator's last proposal."""
    alarms = Alarms(max_no_gradient=0.0, stop=True)
    settings = replace(SMALL, conditions=replace(SMALL.conditions, alarms=alarms)).settings(
        SMALL.arms[0], 0
    )
    cell = Cell("fresh-dpo", 0, settings, tmp_path / "cell")
    rows = [*cell.play()]
    assert 1 <= rows[-1]["round"] < 4
    final = Run(cell.folder).rows("final")
    (cell.folder / "final.jsonl").unlink()
    assert [*cell.play()] == []
    assert Run(cell.folder).rows("final") == final
    cell.check()


def test_tuning_gives_every_arm_its_best_setting(tmp_path):
    setting = shorter(2, seeds=2, tune=2, tune_seeds=1, solvers=("dpo:lr=0.01",))
    code, screen = play(setting, out=tmp_path / "run")
    assert code == 0
    rows = Run(tmp_path / "run").rows("tuning")
    summary = read(tmp_path / "run")
    assert len(rows) == 3 * 2
    for arm, choice in summary["tuning"].items():
        scores = {row["configuration"]: row["gold"] for row in rows if row["arm"] == arm}
        best = max(scores, key=lambda i: scores[i])
        assert choice["configuration"] == best
        config = Run(tmp_path / "run" / "cells" / arm / "seed-0000").config["settings"]
        factor = choice["factors"]["solver.lr"]
        assert config["solver"]["lr"] == pytest.approx(0.01 * factor)
        assert factor == (1.0, 0.5)[best]
        assert choice["edges"], "of two settings each is an edge"
    assert "trials: 6 of 6 to do" in screen
    assert not any("not tuned" in sentence for sentence in summary["conclusions"])
    again, screen = resume(tmp_path / "run")
    assert again == 0
    assert "trials" not in screen
    assert "is done" not in screen


def test_one_seed_shows_nothing(tmp_path):
    code, screen = play(shorter(1, seeds=1), out=tmp_path / "run")
    assert code == 0
    assert "one seed shows nothing" in screen
    assert "Power cannot be estimated from fewer than two seeds of oracle and fresh." in screen
    conclusions = " ".join(read(tmp_path / "run")["conclusions"])
    assert conclusions.count("1 seed cannot settle the support") == 2
    assert "of 24 reward calls per seed, eva-dpo used 48 and eva-rloo used 48" in conclusions
    assert f"eva compare --resume {tmp_path / 'run'} --seeds 5" in screen


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--creators", "evaa"], "unknown creator 'evaa'"),
        (["--solvers", "dpo", "dpo"], "name strategies, each of them once"),
        (["--creators", "eva", "Eva:fraction=0.25"], "name strategies, each of them once"),
        (["--creators", "oracle:suite=easy"], "an oracle is a ceiling and does not compete"),
        (["--suite", "unseen"], "suite 'unseen' cannot decide"),
        (
            ["--suite", "harder"],
            "unknown suite 'harder'; suites of the task: easy, hard, unseen",
        ),
        (["--creators", "eva:operators={'climb':1.0}"], "operators must give weights"),
        (["--policy", "nowhere"], "nowhere"),
        (["--resume", "nowhere"], "no run at nowhere"),
    ],
)
def test_mistakes_of_a_user_end_in_one_line(args, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["compare", *args]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("eva compare: ")
    assert message in printed
    assert printed.count("\n") == 1
    assert not list(tmp_path.iterdir()), "a start that was refused left a folder"


def test_every_cell_goes_to_wandb_in_one_group(tmp_path):
    setting = shorter(1, creators=("fresh",), solvers=("rloo",), seeds=1)
    code, _ = play(setting, out=tmp_path / "run", wandb="offline")
    assert code == 0
    for arm in ("fresh-rloo", "oracle-rloo"):
        assert list(
            (tmp_path / "run" / "cells" / arm / "seed-0000").glob("wandb/offline-run-*")
        )
