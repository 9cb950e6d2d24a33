import shutil

import numpy as np
import pytest

from experiments.commands import train
from experiments.commands.demo_instruct import finding, main
from experiments.run.config import to_json
from experiments.run.errors import UserError
from experiments.run.evaluation import Evaluator
from experiments.run.records import Run
from experiments.run.settings import Settings
from tests.support.tiny_models import tiny_folder


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A demo on a tiny random Llama with ChatML, a system message and PAD = EOS."""
    base = tmp_path_factory.mktemp("demo")
    folder = tiny_folder(base / "model", "llama")
    out = base / "run"
    words = ["--model", str(folder), "--rounds", "2", "--out", str(out)]
    assert main(words) == 0
    return Run.open(out)


def test_the_demo_plays_the_papers_eva_and_leaves_a_report(played, capsys):
    settings = played.config["settings"]
    assert settings["creator"]["type"] == "eva"
    assert settings["creator"]["resample"] is True
    assert settings["samples"] == 8
    assert settings["alarms"]["max_cut_off"] == 0.95  # 48 tokens cut most responses off
    assert len(played.rows("rounds")) == 2
    assert (played.folder / "report.html").stat().st_size > 10_000
    evaluations = played.rows("evaluations")
    assert {row["suite"] for row in evaluations} == {"hard"}
    rows = played.rows("answers")
    assert len(rows) == 48
    assert all(len(row["start_rewards"]) == len(row["rewards"]) == 4 for row in rows)


def test_a_finished_demo_is_concluded_again(played, capsys):
    assert main(["--resume", str(played.folder)]) == 0
    assert "On 48 hard prompts that no creator saw" in capsys.readouterr().out


def test_a_resumed_demo_keeps_its_settings(played, capsys):
    for option in ("--rounds 5", "--seed 3", "--model x", "--out y"):
        with pytest.raises(UserError, match=r"keeps its settings.*eva train --resume"):
            main(["--resume", str(played.folder), *option.split()])


@pytest.mark.parametrize("name", ["answers", "evaluations"])
def test_an_emptied_record_is_named(played, tmp_path, name):
    folder = shutil.copytree(played.folder, tmp_path / "run")
    (folder / f"{name}.jsonl").write_text("")
    with pytest.raises(UserError, match=rf"{name}.jsonl has 0 of \d+ rows"):
        main(["--resume", str(folder)])


def test_another_run_is_not_continued_as_a_demo(tmp_path):
    run = Run.create(tmp_path / "r", {"settings": to_json(Settings())})
    with pytest.raises(UserError, match=r"is no demo of task:instruct; .*eva train --resume"):
        main(["--resume", str(run.folder)])


def test_an_interrupted_demo_names_its_own_command(tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", interrupted)
    out = tmp_path / "run"
    assert main(["--model", str(tiny_folder(tmp_path / "m")), "--out", str(out)]) == 130
    assert f"continue with: eva demo instruct --resume {out}" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_named_by_its_option(tmp_path):
    with pytest.raises(UserError, match=r"^--model: no checkpoint at "):
        main(["--model", str(tmp_path / "none"), "--out", str(tmp_path / "run")])


def answers(before, after):
    return [
        {"suite": "hard", "start_rewards": [b, b], "rewards": [a, a]}
        for b, a in zip(before, after, strict=True)
    ]


LONG = [{"length": 30.0}, {"length": 28.0}]


def test_the_finding_is_the_paired_difference_with_its_sign():
    rise = finding(answers([0, 0, 0, 1] * 10, [1, 1, 0, 1] * 10), LONG)
    assert "went from 0.250 to 0.750 (+0.500, +0.3" in rise
    fall = finding(answers([1] * 20, [0] * 20), LONG)
    assert "went from 1.000 to 0.000 (-1.000, -1.000 to -1.000" in fall
    none = finding(answers([0, 1] * 10, [1, 0] * 10), LONG)
    assert "did not change measurably: 0.500 to 0.500" in none


def test_a_gain_by_short_text_is_called_a_collapse():
    gain = answers([0] * 8, [1] * 8)
    assert "collapse" in finding(gain, [{"length": 30.0}, {"length": 14.0}])
    assert "collapse" not in finding(gain, LONG)


def test_without_the_model_the_command_to_fetch_it_is_named():
    from eva_env.instruct import Instruct

    with pytest.raises(ValueError, match="eva fetch instruct"):
        Instruct().starting_policy()


class Counted:
    """A policy that counts how often it is sampled."""

    def __init__(self):
        self.calls = 0

    def sample(self, prompts, n, rng):
        self.calls += 1
        return [["Today the bees fly over the garden."] * n for _ in prompts]


def test_cells_share_the_starting_policys_responses_under_one_key():
    from eva_env.instruct import Instruct

    world = Instruct(suite_size=4)
    first, second, third = Counted(), Counted(), Counted()
    one = Evaluator(world, first, 2, key="a")
    other = Evaluator(world, second, 2, key="a")
    Evaluator(world, third, 2, key="b")
    assert (first.calls, second.calls, third.calls) == (3, 0, 3)
    for name in world.suites:
        np.testing.assert_array_equal(one.before[name][1], other.before[name][1])
    unshared = Counted()
    Evaluator(world, unshared, 2)
    assert unshared.calls == 3


def test_the_nights_comparison_is_read_from_its_file(tmp_path, monkeypatch, capsys):
    from experiments.cli import main as eva

    monkeypatch.setenv("EVA_CACHE", str(tmp_path))
    config = ["compare", "--config", "experiments/examples/instruct.toml", "--dry-run"]
    assert eva(config) == 1
    assert "eva fetch instruct" in capsys.readouterr().err
    tiny_folder(tmp_path / "smollm2-135m-instruct", "llama")
    assert eva(config) == 0
    assert "5 arms x 3 seeds = 15 cells" in capsys.readouterr().out
