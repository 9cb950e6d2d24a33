"""The `eva` command itself: help, unknown commands, one-line errors."""

import subprocess
import sys
from typing import get_args

import pytest

from agents.creators import AnyCreator
from agents.solvers import AnyMethod
from eva_env.rewards import AnyRewardModel
from experiments import cli
from experiments.commands import evaluate
from experiments.run import train


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(args, capsys):
    assert cli.main(args) == 0
    printed = capsys.readouterr().out
    assert all(f"  {command} " in printed for command in cli.COMMANDS)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_its_options(command, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: eva {command}" in capsys.readouterr().out


def test_an_unknown_command_is_named(capsys):
    assert cli.main(["trian"]) == 2
    assert "unknown command 'trian'; commands: train, compare" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "--resume", "nowhere"], "no run at nowhere"),
        (["train", "--policy", "nowhere"], "no checkpoint at nowhere"),
        (["evaluate", "nowhere"], "no checkpoint at nowhere"),
        (["evaluate", "wordlist", "--suite", "harder"], "unknown suite 'harder'; suites"),
        (["demo", "--resume", "nowhere"], "no run at nowhere"),
        (["train", "--rounds", "0"], "rounds must be at least 1, got 0"),
        (["train", "--seed", "-1"], "seed must be at least 0, got -1"),
        (["train", "--signal", "luck"], "unknown signal 'luck'; known signals: regret"),
    ],
)
def test_mistakes_of_a_user_end_in_one_line(args, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(args) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"eva {args[0]}: {message}")
    assert printed.count("\n") == 1
    assert "Traceback" not in printed
    assert not any(tmp_path.rglob("*.json*")), "a start that was refused left a record"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["evaluate", "wordlist", "--samples", "1"], "samples must be at least 2, got 1"),
        (["evaluate", "wordlist", "--seed", "-1"], "seed must be at least 0, got -1"),
        (["evaluate"], "CHECKPOINT"),
        (["demo", "--workers", "0"], "workers must be at least 1, got 0"),
        (["train", "solver:dpo", "--solver.epochs", "0"], "epochs must be at least 1, got 0"),
        (["train", "creator:nobody"], "creator:nobody"),
        (["train", "--nothing", "1"], "--nothing"),
    ],
)
def test_options_that_are_refused_are_named(args, message, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(args)
    assert caught.value.code == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_mistakes_of_a_programmer_keep_their_traceback(monkeypatch):
    def broken(args):
        raise KeyError("a bug")

    monkeypatch.setattr(train, "main", broken)
    with pytest.raises(KeyError, match="a bug"):
        cli.main(["train"])


def test_ctrl_c_while_loading_is_quiet(monkeypatch, capsys):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "main", interrupted)
    assert cli.main(["evaluate"]) == 130
    assert capsys.readouterr().err == "eva evaluate: stopped\n"


def test_the_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "--help"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, cli.USAGE + "\n")


def test_names_may_be_written_without_hyphens():
    given = ["creator:rzero", "solver:simpo", "--solver.lr", "0.1", "reward-model:noisy", "a:b"]
    spelt = [
        "creator:r-zero",
        "solver:sim-po",
        "--solver.lr",
        "0.1",
        "reward-model:noisy",
        "a:b",
    ]
    assert cli.hyphenated(given) == spelt == cli.hyphenated(spelt)


@pytest.mark.parametrize("kind", ["creator", "solver", "reward-model"])
def test_every_registered_class_is_on_the_command_line(kind):
    union = {"creator": AnyCreator, "solver": AnyMethod, "reward-model": AnyRewardModel}[kind]
    for cls in get_args(union):
        command = cli.parse(train.Command, [f"{kind}:{cls.__name__.lower()}"], "train")
        assert type(getattr(command.settings, kind.replace("-", "_"))) is cls
