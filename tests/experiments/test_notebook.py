"""`train` and `compare` from Python: the commands' record, flat rows, figures, clear errors."""

import gc
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from matplotlib.figure import Figure

from agents.base import Creator
from agents.creators import AnyCreator, Eva, Fresh, Static
from agents.losses import pairs
from agents.solvers import DPO, RLOO, AnyMethod
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal
from experiments import cli
from experiments.comparison.settings import Comparison
from experiments.notebook import compare, flat, train
from experiments.run.parts import KINDS
from experiments.run.records import FILES, Run
from experiments.run.settings import Settings
from experiments.run.specifications import read, specification

WORLD = TabularWorld(topics=2, levels=3, variants=2, responses=6)
SIZES = {"rounds": 2, "prompts": 4, "samples": 2, "evaluation_samples": 2}


def without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook") / "run"
    run = train(Eva(), RLOO(), WORLD, out=folder, progress=False, evaluate_every=1, **SIZES)
    return run, folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook") / "comparison"
    creators = [Fresh(), Eva(signal="variance")]
    settings = SIZES | {"seeds": 2, "draws": 20, "oracle": False}
    result = compare(creators, [RLOO(), DPO(beta=0.7)], WORLD, out=folder, **settings)
    return result, folder


def test_a_run_is_that_of_the_command(trained, tmp_path):
    run, folder = trained
    words = "creator:eva solver:rloo task:tabular-world --task.topics 2 --task.levels 3"
    sizes = "--task.variants 2 --task.responses 6 --rounds 2 --prompts 4 --samples 2"
    more = [
        "--evaluation-samples",
        "2",
        "--evaluate-every",
        "1",
        "--out",
        str(tmp_path / "run"),
    ]
    assert cli.main(["train", *words.split(), *sizes.split(), *more]) == 0
    typed = Run.open(tmp_path / "run")
    assert typed.settings(Settings) == Run.open(folder).settings(Settings) == run.settings
    for name in FILES:
        assert without_seconds(Run.open(folder).rows(name)) == without_seconds(typed.rows(name))


def test_rows_are_flat_and_those_of_the_record(trained):
    run, folder = trained
    for rows, name in (
        (run.rounds, "rounds"),
        (run.prompts, "prompts"),
        (run.evaluations, "evaluations"),
    ):
        recorded = Run.open(folder).rows(name)
        assert rows == [flat(row) for row in recorded]
        assert len(rows) == len(recorded) > 0
        assert not any(isinstance(value, dict) for row in rows for value in row.values())
    assert [row["round"] for row in run.rounds] == [1, 2]
    payoffs = Run.open(folder).rows("rounds")[1]["payoffs"]
    assert run.rounds[1]["payoffs.creator_0"] == payoffs["creator_0"]
    assert flat({"a": {"b": {"c": 1}, "d": [2]}, "e": 3}) == {"a.b.c": 1, "a.d": [2], "e": 3}


def test_results_print_in_one_short_line(trained, compared):
    assert repr(trained[0]) == "TrainedRun(eva-rloo, 2 rounds)"
    arms = "fresh-rloo, fresh-dpo, eva-rloo, eva-dpo"
    assert repr(compared[0]) == f"Compared({arms}; 2 seeds)"


def test_the_solver_is_the_trained_one(trained):
    run, folder = trained
    saved = type(run.solver.policy).load(Run.open(folder).checkpoint(2))
    np.testing.assert_array_equal(run.solver.policy.probabilities(), saved.probabilities())
    assert (saved.probabilities() != run.solver.initial.probabilities()).any()


def test_a_runs_figure_has_a_line_for_each_suite(trained):
    run, _ = trained
    for score, scale in (("win_rate", 100), ("gold", 1)):
        figure = run.figure(score)
        assert isinstance(figure, Figure)
        lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
        assert set(lines) == set(WORLD.suites)
        for suite, line in lines.items():
            rows = [row for row in run.evaluations if row["suite"] == suite]
            assert line.get_xdata().tolist() == [row["round"] for row in rows] == [0, 1, 2]
            assert line.get_ydata().tolist() == [scale * row[score] for row in rows]


def test_a_run_without_out_leaves_no_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = train(Fresh(), RLOO(), WORLD, progress=False, **SIZES)
    scratch = run.run.folder.parent
    assert len(run.rounds) == 2
    assert scratch.exists()
    del run
    gc.collect()
    assert not scratch.exists()
    assert not list(tmp_path.iterdir())


def test_the_world_decides_the_sizes_and_the_learning_rate_that_are_left_out():
    run = train(Fresh(), RLOO(), WORLD, progress=False, rounds=1, prompts=2)
    assert run.settings.samples == WORLD.sizes.samples
    assert run.settings.evaluate_every == WORLD.sizes.evaluate_every
    assert run.settings.solver.lr == pytest.approx(RLOO().lr * WORLD.sizes.lr)
    slow = train(Fresh(), RLOO(lr=0.5), WORLD, progress=False, rounds=1, prompts=2)
    assert slow.settings.solver.lr == 0.5


def test_a_comparison_has_flat_rows_and_the_commands_sentences(compared):
    result, folder = compared
    names = ["fresh-rloo", "fresh-dpo", "eva-rloo", "eva-dpo"]
    assert [row["arm"] for row in result.arms] == names
    for rows in (result.arms, result.differences):
        assert rows
        assert not any(isinstance(value, dict) for row in rows for value in row.values())
    by_name = {row["arm"]: row for row in result.arms}
    recorded = result.summary["arms"]["eva-dpo"]["suites"]["hard"]["gold"]["mean"]
    assert by_name["eva-dpo"]["suites.hard.gold.mean"] == recorded
    assert {row["a"] for row in result.differences} <= {"fresh", "eva", "rloo", "dpo"}
    assert result.conclusions
    assert all(isinstance(sentence, str) for sentence in result.conclusions)
    settings = Run.open(folder).settings(Comparison)
    assert settings == result.settings
    assert settings.creators == ("fresh", "eva:signal='variance'")
    assert settings.solvers == ("rloo", "dpo:beta=0.7")
    assert settings.arms[-1].players[0] == Eva(signal="variance")
    assert settings.arms[-1].players[1].beta == 0.7


def test_a_comparisons_figure_has_a_curve_for_each_arm(compared):
    figure = compared[0].figure()
    assert isinstance(figure, Figure)
    labels = [line.get_label() for line in figure.axes[0].get_lines()]
    curves = [label for label in labels if not label.startswith("_")]
    assert curves == [row["arm"] for row in compared[0].arms]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("eva", DPO()), r"creator must be an object such as Eva\(\), got str 'eva': write "),
        ((Eva, DPO()), r"got the class Eva: write Eva\(\)$"),
        ((Eva(), pairs.dpo), r"got function dpo: .*a loss is one part of a method"),
        ((Eva(), DPO), r"got the class DPO: write DPO\(\)$"),
        ((DPO(), Eva()), r"got DPO DPO\(.*write creator=Eva\(\), with from agents.creators"),
        ((Eva(), DPO(), "wordlist"), r"write task=Wordlist\(\), with from eva_env.wordlist"),
        ((Eva(), DPO(), TabularWorld), r"got the class TabularWorld: write TabularWorld\(\)$"),
    ],
)
def test_a_part_of_the_wrong_kind_says_what_to_write(arguments, message):
    with pytest.raises(TypeError, match=message):
        train(*arguments)


@pytest.mark.parametrize(
    ("creators", "solvers", "message"),
    [
        ("eva", [DPO()], r"creators must be a list of objects, got 'eva': write \[Eva\(\)\]"),
        (Eva(), [DPO()], r"creators must be a list of objects, got Eva\("),
        ([Eva()], DPO(), r"solvers must be a list of objects, got DPO\(.*write \[DPO\(\)\]"),
        (["eva"], [DPO()], r"creator must be an object such as Eva\(\), got str 'eva'"),
        ([Eva], [DPO()], r"got the class Eva: write Eva\(\)"),
        ([Eva()], [pairs.dpo], "a loss is one part of a method"),
    ],
)
def test_a_list_of_the_wrong_kind_says_what_to_write(creators, solvers, message):
    with pytest.raises(TypeError, match=message):
        compare(creators, solvers, WORLD)


def other_value(hint, value):
    """A value of a setting other than its default, as far as its type says; None if unclear."""
    if get_origin(hint) is Literal:
        return next(choice for choice in get_args(hint) if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.5
    return None


def variants(cls):
    """Objects of a class with one setting changed each, where the class accepts the change."""
    hints = get_type_hints(cls)
    for setting in fields(cls):
        value = other_value(hints[setting.name], getattr(cls(), setting.name))
        if setting.init and value is not None:
            try:
                yield replace(cls(), **{setting.name: value})
            except ValueError:
                continue


@pytest.mark.parametrize(
    ("role", "cls"),
    [("creator", cls) for cls in get_args(AnyCreator)]
    + [("solver", cls) for cls in get_args(AnyMethod)],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_a_specification_is_read_back_as_the_same_part(role, cls):
    assert cls in KINDS[role].registered
    assert specification(cls()) == specification(cls()).partition(":")[0]
    for part in (cls(), *variants(cls)):
        again = read(role, specification(part))
        assert type(again) is cls
        for setting in fields(cls):
            if setting.init:
                assert getattr(again, setting.name) == getattr(part, setting.name)


def test_a_specification_names_what_differs_and_nothing_else():
    assert specification(Eva()) == "eva"
    assert specification(Eva(signal="variance")) == "eva:signal='variance'"
    part = Eva(operators={"mix": 2.0, "add": 1.0}, resample=False)
    text = specification(part)
    assert text == "eva:operators={'mix': 2.0, 'add': 1.0},resample=False"
    assert read("creator", text).operators == part.operators


@dataclass
class Sized(Creator):
    size: int
    table: object = None

    def propose(self, task, n, rng):
        return Proposal(task.seed(n, rng)[: self.size], np.zeros(self.size))


def test_a_specification_holds_settings_without_a_default():
    assert is_dataclass(Sized)
    text = specification(Sized(3))
    assert text == f"{Sized.__module__}.Sized:size=3"
    with pytest.raises(TypeError, match=r"table=array.* has no literal, so worker processes"):
        specification(Sized(3, np.zeros(1)))


def test_a_class_of_the_notebook_itself_is_refused(monkeypatch):
    monkeypatch.setattr(Static, "__module__", "__main__")
    with pytest.raises(TypeError, match=r"Static is defined in the notebook, .* to a file"):
        compare([Static()], [DPO()], WORLD, out=Path("never"))
    assert not Path("never").exists()
