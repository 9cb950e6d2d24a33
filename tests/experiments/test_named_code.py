"""Code that a record names: it runs only if the command line names it too."""

import json
import shlex

import pytest

from agents.creators import Eva, Fresh
from agents.solvers import RLOO
from eva_env.tabular.world import TabularWorld
from experiments.cli import main
from experiments.comparison.settings import Comparison
from experiments.diagnosis.settings import Diagnosis
from experiments.run.config import describe, to_json
from experiments.run.named_code import NamedCode, code_in, is_ours
from experiments.run.records import Run
from experiments.run.settings import Conditions, Settings

WORLD = TabularWorld(topics=2, levels=4, variants=2, responses=6)

RUN = {
    "creator": ("creator", {"type": "SPEC"}),
    "solver": ("solver", {"type": "SPEC"}),
    "task": ("task", {"type": "SPEC"}),
    "reward model": ("reward_model", {"type": "SPEC"}),
    "policy": ("policy", {"type": "SPEC"}),
    "reward": ("reward", "SPEC"),
    "creator's reward": ("creator_reward", "SPEC"),
    "judge": ("judge", "SPEC"),
    "signal": ("signal", "SPEC"),
    "creator's signal": ("creator", {"type": "eva", "signal": "SPEC"}),
}
COMPARISON = {
    "creators": ("creators", ["fresh", "SPEC"]),
    "creators with settings": ("creators", ["fresh", "SPEC:size=2"]),
    "solvers": ("solvers", ["SPEC"]),
    "a signal in a specification": ("creators", ["fresh", "eva:signal='SPEC'"]),
}
DIAGNOSIS = {name: RUN[name] for name in ("task", "reward model", "policy", "reward", "signal")}


@pytest.fixture
def canary(tmp_path):
    """A file that writes ``ran`` when it is imported, and defines nothing."""
    file = tmp_path / "code" / "canary.py"
    file.parent.mkdir()
    file.write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    return file


def filled(value, spec):
    return json.loads(json.dumps(value).replace("SPEC", spec))


def record(folder, settings, field="creator", value=None, spec=""):
    """A record without any round, whose settings have one value changed."""
    if isinstance(settings, Diagnosis):
        run = Run.create(folder, {"settings": to_json(settings), "argv": []})
    else:
        run = Run.create(folder, describe(settings, []))
    config = run.config
    where = config["settings"]
    if isinstance(settings, Comparison) and field not in where:
        where = where["conditions"]
    if value is not None:
        where[field] = filled(value, spec)
    (folder / "config.json").write_text(json.dumps(config))
    return run


def of_run(folder, *changes):
    run = record(folder, Settings(task=WORLD, creator=Fresh(), solver=RLOO()), *changes)
    for name in ("rounds", "prompts", "evaluations"):
        (folder / f"{name}.jsonl").touch()
    return run


def of_comparison(folder, *changes):
    conditions = Conditions(task=WORLD)
    (folder / "cells").mkdir(parents=True)
    plain = folder.with_name("plain")
    record(plain, Comparison(("fresh",), ("rloo",), 1, conditions=conditions), *changes)
    (plain / "config.json").rename(folder / "config.json")
    return Run(folder)


def of_diagnosis(folder, *changes):
    return record(folder, Diagnosis(task=WORLD, prompts=8), *changes)


CASES = {
    "train --resume": (of_run, RUN),
    "evaluate": (of_run, RUN),
    "evaluate --suite ifeval": (of_run, {"task": RUN["task"]}),
    "play --as creator --checkpoint": (of_run, {"creator": RUN["creator"]}),
    "play --as solver --checkpoint": (of_run, {"reward": RUN["reward"]}),
    "compare --resume": (of_comparison, RUN | COMPARISON),
    "demo --resume": (of_comparison, {"creators": COMPARISON["creators"]}),
    "diagnose --resume": (of_diagnosis, DIAGNOSIS),
}
COMMANDS = [
    (command, make, case) for command, (make, cases) in CASES.items() for case in cases.items()
]
EARLY = ("creator", "solver", "task", "reward model", "policy", *COMPARISON)
"""What a record's settings import when they are read."""

NO_PLAYERS = ("creator", "solver", "creator's signal")


def words_of(command, folder):
    words = command.split()
    place = 1 if words[0] == "evaluate" else len(words)
    return [*words[:place], str(folder), *words[place:]]


@pytest.mark.parametrize(
    ("command", "make", "case"), COMMANDS, ids=[f"{c}: {case[0]}" for c, _, case in COMMANDS]
)
def test_it_runs_only_when_the_user_names_it(command, make, case, tmp_path, canary, capsys):
    role, (field, value) = case
    if make is of_comparison and role in NO_PLAYERS:
        pytest.skip("a comparison names its players in creators and solvers")
    spec, ran = f"{canary}:Name", tmp_path / "ran"
    run = make(tmp_path / "record", field, value, spec)
    words = words_of(command, run.folder)
    assert main(words) == 1
    printed = capsys.readouterr().err
    assert not ran.exists()
    assert "names code of its own" in printed
    assert printed.count("\n") == 1
    # The command that the error names runs it.
    assert f"--code {shlex.quote(spec)}" in printed
    if command == "demo --resume":
        assert f"eva compare --resume {run.folder} --code" in printed
        return
    assert f"name it again: eva {shlex.join(words)} --code" in printed
    if role not in EARLY and command not in ("train --resume", "diagnose --resume"):
        return  # loaded after the checkpoint that this record lacks, or by workers
    assert main([*words, "--code", spec]) == 1
    assert ran.exists()


def test_commands_that_read_plain_json_import_nothing(tmp_path, canary, capsys):
    run = of_run(tmp_path / "runs" / "a", "creator", {"type": "SPEC"}, f"{canary}:Name")
    (run.folder / "rounds.jsonl").write_text('{"round": 1}\n')
    for words in (["report", str(run.folder)], ["runs", str(tmp_path / "runs")]):
        assert main(words) == 0
    main(["export", str(run.folder)])
    assert not (tmp_path / "ran").exists()


def test_code_inside_the_record_is_refused_even_if_it_is_named(tmp_path, canary, capsys):
    run = of_run(tmp_path / "record")
    inside = run.folder / "canary.py"
    canary.rename(inside)
    config = run.config
    config["settings"]["creator"] = {"type": f"{inside}:Name"}
    (run.folder / "config.json").write_text(json.dumps(config))
    words = ["train", "--resume", str(run.folder), "--code", f"{inside}:Name"]
    assert main(words) == 1
    assert "names code inside its own folder" in capsys.readouterr().err
    (tmp_path / "link.py").symlink_to(inside)
    config["settings"]["creator"] = {"type": f"{tmp_path / 'link.py'}:Name"}
    (run.folder / "config.json").write_text(json.dumps(config))
    assert main([*words[:-1], f"{tmp_path / 'link.py'}:Name"]) == 1
    assert "names code inside its own folder" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("spec", ["canary.Name", "prompts:canary.py:Name"])
def test_a_name_that_would_be_found_in_the_current_folder(
    spec, tmp_path, canary, monkeypatch, capsys
):
    """With the record as the current folder its own files are first in reach."""
    field = "reward" if spec.startswith("prompts:") else "creator"
    value = "SPEC" if field == "reward" else {"type": "SPEC"}
    run = of_run(tmp_path / "record", field, value, spec)
    canary.rename(run.folder / spec.removesuffix(".Name").removesuffix(":Name"))
    if field == "creator":
        (run.folder / "canary").rename(run.folder / "canary.py")
    monkeypatch.chdir(run.folder)
    for words in ([], ["--code", spec]):
        assert main(["train", "--resume", ".", *words]) == 1
        assert "names code inside its own folder" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


def test_a_module_of_a_package_is_named_too(tmp_path, canary, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(canary.parent))
    run = of_run(tmp_path / "record", "creator", {"type": "SPEC"}, "canary.Name")
    assert main(["train", "--resume", str(run.folder)]) == 1
    assert "creator canary.Name" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    assert main(["train", "--resume", str(run.folder), "--code", "canary.Name"]) == 1
    assert (tmp_path / "ran").exists()


def test_a_relative_path_or_a_typed_part_names_the_same_file(tmp_path, canary, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"creator": {"type": f"{canary}:Name"}}
    for words in (["--code", "code/canary.py:Name"], ["creator:code/canary.py:Name"]):
        NamedCode.of(["train", "--resume", "record", *words]).check(settings, tmp_path / "r")
    settings = {"creators": ["fresh", f"{canary}:Name:size=2"]}
    typed = ["compare", "--creators", "fresh", "code/canary.py:Name:size=3"]
    NamedCode.of(typed).check(settings, tmp_path / "r")


@pytest.mark.parametrize(
    ("spec", "ours"),
    [
        ("experiments.examples.own_creator.LongestFirst", True),
        ("agents.creators.eva.Eva", True),
        ("eva_env.Name", True),
        ("experiments.cli.main", False),
        ("experiments.pretraining.reward.main", False),
        ("agents.nowhere.Name", False),
        ("agents_of_others.creators.Name", False),
        ("os.system", False),
        ("agents/creators/../../../elsewhere.py:Name", False),
    ],
)
def test_our_own_packages_are_known_by_their_real_folder(spec, ours):
    assert is_ours(spec) == ours


def test_settings_of_registered_parts_name_no_code():
    for settings in (Settings(creator=Eva()), Comparison(), Diagnosis(), Settings(task=WORLD)):
        assert [*code_in(to_json(settings))] == []
