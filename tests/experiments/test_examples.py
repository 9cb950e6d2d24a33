"""The examples: each passes its check, plays two rounds and is short; the notebook runs."""

import ast
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agents.testing import check_creator, check_solver
from eva_env.plugins import load_object
from eva_env.testing import check_reward_model, check_signal, check_task
from experiments import cli
from experiments.run.records import Run

FOLDER = Path(__file__).parents[2] / "experiments" / "examples"
EXAMPLES = sorted(FOLDER.glob("own_*.py"))
SMALL = ["--rounds", "2", "--prompts", "8", "--samples", "4", "--evaluation-samples", "2"]
WORLD = ["task:wordlist", "--task.suite-size", "4"]

every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def commands(path):
    """The arguments of the two commands in an example's docstring."""
    doc = ast.get_docstring(ast.parse(path.read_text())) or ""
    return [shlex.split(line)[1:] for line in doc.splitlines() if line.startswith("    eva ")]


def load(name, part):
    return load_object(f"{FOLDER / name}.py:{part}")


def test_there_is_an_example_of_each_kind():
    kinds = ("creator", "method", "reward", "reward_model", "signal", "task")
    assert [path.stem for path in EXAMPLES] == [f"own_{kind}" for kind in kinds]


@every_example
def test_an_example_is_short_and_names_the_commands_that_use_it(path):
    _, _, code = path.read_text().split('"""', 2)
    assert len(code.strip().splitlines()) < 30
    train, compare = commands(path)
    assert (train[0], compare[0]) == ("train", "compare")
    for command in (train, compare):
        assert f"experiments/examples/{path.name}:" in " ".join(command)


@every_example
def test_both_commands_accept_it(path, monkeypatch, capsys):
    monkeypatch.chdir(FOLDER.parents[1])
    for command in commands(path):
        assert cli.main([*command, "--dry-run"]) == 0, capsys.readouterr().err
        assert path.name in capsys.readouterr().out


@every_example
def test_it_plays_two_rounds_from_the_command_line(path, tmp_path, monkeypatch):
    monkeypatch.chdir(FOLDER.parents[1])
    (command, _), out = commands(path), tmp_path / "run"
    world = [] if any(word.startswith("task:") for word in command) else WORLD
    assert cli.main([*command, *world, *SMALL, "--out", str(out)]) == 0
    run = Run.open(out)
    assert len(run.rows("rounds")) == 2
    assert path.name in (out / "config.json").read_text()


def test_the_creator_passes_its_check():
    check_creator(load("own_creator", "LongestFirst")())


def test_the_method_passes_its_check():
    check_solver(load("own_method", "Exponential")())


def test_the_signal_passes_its_check_and_agrees_with_numbers_by_hand():
    half_gap = load("own_signal", "half_gap")
    check_signal(half_gap)
    assert half_gap(np.array([[0.0, 4.0, 1.0, 3.0], [2.0, 2.0, 2.0, 2.0]])).tolist() == [3, 0]


def test_the_reward_model_passes_its_check_and_rounds():
    base = load("own_task", "closeness")
    model = load("own_reward_model", "Rounded")(mark=0.25).over(base)
    check_reward_model(model, ["1 + 2"], [["aaa", "aa", "a", ""]])
    assert model(["1 + 2"], [["aaa", "aa", "a", ""]]).tolist() == [[1, 0.75, 0.25, 0]]


def test_the_task_passes_its_check_and_so_does_its_reward_model():
    world = load("own_task", "Sums")()
    check_task(world)
    check_reward_model(world.gold_reward(), ["3 + 4"], [["aaaaaaa", ""]])
    assert world.gold_reward()(["3 + 4"], [["aaaaaaa", ""]]).tolist() == [[1, 0]]


NOTEBOOK = json.loads((FOLDER / "notebook.ipynb").read_text(encoding="utf-8"))


def test_the_notebook_is_one_without_outputs():
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert NOTEBOOK["metadata"]["kernelspec"]["name"] == "python3"
    cells = NOTEBOOK["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert {cell["execution_count"] for cell in code} == {None}
    assert not any(cell["outputs"] for cell in code)


def test_the_notebook_runs():
    """Its cells run as one program that has no file, as a notebook's have none."""
    cells = ["".join(c["source"]) for c in NOTEBOOK["cells"] if c["cell_type"] == "code"]
    (table,) = [cell for cell in cells if "pandas" in cell]
    without_pandas = ["import sys; sys.modules['pandas'] = None", table]
    program = "\n".join(["display = print", *cells, *without_pandas])
    program = "\n".join(line for line in program.splitlines() if not line.startswith("%"))
    paths = os.pathsep.join(filter(None, [str(FOLDER.parents[1]), os.getenv("PYTHONPATH")]))
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=FOLDER,
        env=os.environ | {"PYTHONPATH": paths, "MPLBACKEND": "agg"},
    )
    assert result.returncode == 0, result.stderr
    assert "comes first of 3" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("{'round': 1, ")
    for pair in ("uniform-lite - fresh: ", "eva-lite - fresh: ", "eva-lite - uniform-lite: "):
        assert result.stdout.count(pair) >= 2  # a conclusion and a row of the differences
