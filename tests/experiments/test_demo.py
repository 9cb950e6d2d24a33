"""`eva demo` on a tabular world: a comparison, three transcripts, and the next command."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from eva_env.tabular.world import TabularWorld
from experiments.commands.demo import DEMO, Command, demo
from experiments.comparison.settings import Comparison
from experiments.run.config import to_json
from experiments.run.records import Run
from tests.support.crashes import InOneProcess

SMALL = Comparison.suited(
    TabularWorld(topics=2, levels=4, variants=2, responses=6),
    creators=DEMO.creators,
    solvers=DEMO.solvers,
    oracle=DEMO.oracle,
    rounds=2,
    prompts=8,
    samples=3,
    draws=20,
)
ARMS = ["static-dpo", "uniform-lite-dpo", "eva-lite-dpo"]


def test_it_compares_three_creators_and_shows_responses(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.comparison.stages.Workers", InOneProcess)
    screen, folder = io.StringIO(), tmp_path / "demo"
    console = Console(file=screen, width=100)
    assert demo(Command(seeds=1, workers=2, out=folder), SMALL, ["demo"], console) == 0
    shown = screen.getvalue()
    cells = sorted(path.name for path in (folder / "cells").iterdir())
    assert cells == sorted([*ARMS, "start"])
    assert shown.count("before  ") == shown.count(" after  ") == 3
    assert shown.rstrip().endswith(f"The report with all figures is {folder / 'report.html'}")
    assert (folder / "report.html").stat().st_size > 10_000
    assert "Paired differences" not in shown, "one seed has no intervals to draw"
    recorded = Run.open(folder).settings(Comparison)
    assert recorded == replace(SMALL, seeds=1).pinned()
    assert demo(Command(workers=1, resume=folder), DEMO, ["demo"], console) == 0
    assert Run.open(folder).settings(Comparison) == recorded
    assert demo(Command(seeds=2, workers=1, resume=folder), DEMO, ["demo"], console) == 0
    assert Run.open(folder).settings(Comparison) == replace(recorded, seeds=2)
    picture = screen.getvalue().rpartition("Paired differences in win rate")[2]
    assert [line.split("  ")[0] for line in picture.splitlines()[1:4]] == [
        "uniform-lite - static",
        "eva-lite - static",
        "eva-lite - uniform-lite",
    ]
    assert all((folder / "cells" / arm / "seed-0001" / "final.jsonl").exists() for arm in ARMS)


def test_the_two_evolving_arms_differ_only_in_the_signal():
    """EvaLite has the settings of UniformLite and more; all arms have the same budget."""
    arms = {arm.name: arm for arm in DEMO.arms}
    eva, uniform = (
        to_json(arms[name].players[0]) for name in ("eva-lite-dpo", "uniform-lite-dpo")
    )
    assert {name: eva[name] for name in uniform} | {"type": "UniformLite"} == uniform
    assert not eva["resample"]
    budgets = {DEMO.settings(arm, 0).max_reward_calls for arm in arms.values()}
    assert budgets == {8 * 512 * 6}


def test_numbers_are_checked():
    with pytest.raises(ValueError, match="seeds must be at least 1, got 0"):
        Command(seeds=0)
