"""The `eva` command itself: help, unknown commands, one-line errors."""

import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import get_args

import pytest

from agents.creators import AnyCreator
from agents.solvers import AnyMethod
from eva_env.names import canonical_name
from eva_env.rewards import AnyRewardModel
from eva_env.signals import ROUND_SIGNALS, SIGNALS
from eva_env.worlds import AnyWorld
from experiments import cli
from experiments.commands import evaluate, train
from experiments.commands.options import Arguments
from experiments.run.errors import UserError
from experiments.run.parts import name_of


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(args, capsys):
    assert cli.main(args) == 0
    printed = capsys.readouterr().out
    assert all(f"  {command} " in printed for command in cli.COMMANDS)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_its_options(command, capsys):
    with suppress(SystemExit):
        assert cli.main([command, "--help"]) == 0
    assert f"usage: eva {command}" in capsys.readouterr().out


def test_an_unknown_command_is_named(capsys):
    assert cli.main(["trian"]) == 2
    assert "unknown command 'trian'; commands: train\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "--resume", "nowhere"], "no run at nowhere"),
        (["train", "--policy", "nowhere"], "--policy: no checkpoint at nowhere"),
        (["evaluate", "nowhere"], "no checkpoint at nowhere"),
        (["evaluate", "wordlist", "--suite", "harder"], "unknown suite 'harder'; suites"),
        (["demo", "--resume", "nowhere"], "no run at nowhere"),
        (["train", "--rounds", "0"], "rounds must be at least 1, got 0"),
        (["train", "--seed", "-1"], "seed must be at least 0, got -1"),
        (["train", "--signal", "luck"], "unknown signal 'luck'; known signals: regret"),
        (["train", "creator:nobody"], "unknown creator 'nobody'; eva list creators shows all"),
        (["train", "creator:evaa"], "unknown creator 'evaa'; the nearest: eva, eva-lite;"),
        (["train", "creator:eva", "creator:fresh"], "creator: is given twice: eva and fresh"),
        (["train", "--creator", "eva"], "--creator is no option; write creator:NAME, without"),
        (["evaluate", "wordlist", "--reward-model=x"], "--reward-model is no option; write"),
        (["compare", "creator:eva"], "creator:eva has no place here; this command takes task:"),
        (["train", "--config", "no.toml"], "cannot read the config file no.toml"),
        (["evaluate"], "give a checkpoint: a run folder"),
        (["list", "nothing"], "unknown list 'nothing'; lists: creators, methods"),
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
        (["demo", "--workers", "0"], "workers must be at least 1, got 0"),
        (["train", "solver:dpo", "--solver.epochs", "0"], "epochs must be at least 1, got 0"),
        (["train", "--nothing", "1"], "Unrecognized options: --nothing"),
        (["train", "--round", "2"], "--round, 2; the nearest: --rounds (eva train --help)"),
        (["train", "--rounds", "two"], "Error parsing --rounds"),
        (["train", "--out", ""], "--out is empty; give a value, or leave it out"),
        (["train", "--policy", ""], "--policy is empty; give a value"),
        (["train", "task:prompts", "--task.file="], "--task.file is empty; give a value"),
        (["report", "nowhere", "--out", ""], "--out is empty; give a value"),
    ],
)
def test_options_that_are_refused_are_named_in_one_line(args, message, capsys):
    assert cli.main(args) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.startswith(f"eva {args[0]}: ")
    assert printed.count("\n") == 1
    assert not set("│╭─") & set(printed)


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


@pytest.mark.parametrize("kind", ["creator", "solver", "reward-model"])
def test_every_registered_class_is_on_the_command_line_by_its_canonical_name(kind):
    union = {"creator": AnyCreator, "solver": AnyMethod, "reward-model": AnyRewardModel}[kind]
    for cls in get_args(union):
        name = canonical_name(cls)
        command = train.begin(Arguments.of([f"{kind}:{name}"], train.ROLES))
        part = getattr(command.settings, kind.replace("-", "_"))
        assert type(part) is cls
        assert name_of(part) == name


def test_the_help_of_train_fits_two_screens_and_that_of_all_options_names_each(capsys):
    for args, most in ((["train", "--help"], 48), (["train", "--help-all"], 400)):
        with pytest.raises(SystemExit):
            cli.main(args)
        printed = capsys.readouterr().out
        assert printed.count("\n") <= most
        assert max(map(len, printed.splitlines())) <= 96
        assert "`" not in printed
        assert " at 0x" not in printed
    for option in ("--creator.signal", "--solver.beta", "--guards.ngram", "--alarms.stop"):
        assert option in printed
    for word in ("creator:", "solver:", "task:", "--reward", "--rounds", "--prompts"):
        assert word in printed


def test_a_dry_run_prints_a_config_file_that_gives_the_same_settings(tmp_path, capsys):
    args = ["creator:plr", "--creator.rho", "0.4", "solver:simpo", "task:tabular-world"]
    assert cli.main(["train", *args, "--rounds", "3", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "# will play 3 rounds of 32 prompts x 6 responses = 576 responses" in printed
    (tmp_path / "run.toml").write_text(printed)
    typed = train.begin(Arguments.of([*args, "--rounds", "3"], train.ROLES)).settings
    config = ["--config", str(tmp_path / "run.toml")]
    assert train.begin(Arguments.of(config, train.ROLES)).settings == typed
    other = train.begin(Arguments.of([*config, "--creator.rho", "0.3"], train.ROLES))
    assert (other.settings.creator.rho, other.settings.rounds) == (0.3, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("round = 3", "has no setting 'round'; the nearest: rounds"),
        ("rounds = 'three'", "rounds = 'three': str is not an instance of int"),
        ("creator = 'evaa'", "unknown creator 'evaa'; the nearest: eva"),
        ("[creator]\ntype = 'eva'\nsignl = 'mean'", "no setting 'signl'; the nearest: signal"),
        ("[guards]\nngram = 0", "ngram must be at least 1, got 0"),
        ("rounds = ", "cannot read the config file"),
    ],
)
def test_a_config_file_is_checked(tmp_path, text, says):
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        train.begin(Arguments.of(["--config", str(tmp_path / "run.toml")], train.ROLES))
    assert says in str(caught.value)


@pytest.mark.parametrize("kind", ["creators", "methods", "rewards", "tasks", "signals"])
def test_eva_list_names_every_part_with_a_line(kind, capsys):
    assert cli.main(["list", kind]) == 0
    printed = capsys.readouterr().out
    unions = {"creators": AnyCreator, "methods": AnyMethod, "rewards": AnyRewardModel}
    known = [canonical_name(cls) for cls in get_args(unions.get(kind, AnyWorld))]
    for name in [*SIGNALS, *ROUND_SIGNALS] if kind == "signals" else known:
        assert any(line.startswith(f"{name} ") for line in printed.splitlines()), name
    assert "`" not in printed


def test_eva_list_shows_the_settings_of_one_part(capsys):
    assert cli.main(["list", "creators", "eva"]) == 0
    printed = capsys.readouterr().out
    assert "--creator.signal TEXT" in printed
    assert "(default: a_star_min)" in printed


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"eva {version('eva-env')}\n"
