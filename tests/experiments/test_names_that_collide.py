"""Another package named `agents` or `experiments` is named in one line, with the remedy."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from eva_env import __main__ as start

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(tmp_path):
    """The `eva` script, as pip writes it."""
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["eva"]
    module, _, name = entry.partition(":")
    path = tmp_path / "bin/eva"
    path.parent.mkdir()
    path.write_text(f"import sys\nfrom {module} import {name}\nsys.exit({name}())\n")
    return path


def eva(command, folder, *path):
    """Run a command in a folder; its exit status, output and errors."""
    paths = os.pathsep.join(map(str, (*path, ROOT)))
    done = subprocess.run(
        [sys.executable, *command, "--version"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def package(folder, name):
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text("raise SystemExit('this code ran')")
    return folder


@pytest.mark.parametrize("name", ["agents", "experiments"])
def test_the_script_names_the_package_that_python_would_import(name, script, tmp_path):
    mine = package(tmp_path / "mine", name)
    code, out, error = eva([str(script)], mine, mine)
    assert (code, out) == (1, "")
    assert error.startswith(f"eva: Python imports {mine}/{name}/__init__.py as {name}, ")
    assert "; rename it, or run eva from another folder" in error
    assert error.count("\n") == 1


def test_so_does_the_module_from_a_folder_that_holds_agents(tmp_path):
    mine = package(tmp_path, "agents")
    code, out, error = eva(["-m", "experiments"], mine)
    assert (code, out) == (1, "")
    assert f"imports {mine}/agents/__init__.py as agents" in error
    assert error.count("\n") == 1


def test_a_folder_that_is_not_on_the_path_does_no_harm(script, tmp_path):
    mine = package(tmp_path / "mine", "agents")
    assert eva([str(script)], mine) == (0, f"eva {version('eva-env')}\n", "")


@pytest.mark.parametrize("file", ["agents.py", "agents/__init__.py"])
def test_a_file_or_a_package_in_our_place_is_named(file, tmp_path, monkeypatch):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("")
    monkeypatch.delitem(sys.modules, "agents", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert f"imports {tmp_path / file} as agents" in start.problem_with("agents")


def test_a_package_that_was_written_over_ours_is_noticed(tmp_path, monkeypatch):
    for name in ("agents", "experiments"):
        package(tmp_path, name)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(start, "HERE", tmp_path)
    problem = start.problem_with("agents")
    assert problem.startswith(f"{tmp_path}/agents/__init__.py belongs to another project")
    assert "openai-agents" in problem
    (tmp_path / "agents/__init__.py").write_text((ROOT / "agents/__init__.py").read_text())
    assert start.problem_with("agents") == ""


@pytest.mark.parametrize("name", ["agents", "experiments"])
def test_our_packages_are_ours(name):
    assert start.problem_with(name) == ""
