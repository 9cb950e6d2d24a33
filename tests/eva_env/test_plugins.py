import pickle
import subprocess
import sys

import numpy as np
import pytest

from eva_env.plugins import absolute, is_spec, load_object, spec_of
from eva_env.types import Proposal

SOURCE = """
from dataclasses import dataclass

import numpy as np

loads = []
loads.append(1)

@dataclass(frozen=True)
class Scale:
    factor: float = 2.0

    def __call__(self, rewards):
        return self.factor * np.asarray(rewards).max(-1)

def spread(rewards):
    return rewards.max(-1) - rewards.min(-1)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my signals.v2.py"
    path.write_text(SOURCE)
    return path


def test_an_import_path_names_an_object():
    assert load_object("eva_env.types.Proposal") is Proposal
    assert spec_of(Proposal) == "eva_env.types.Proposal"


def test_a_module_in_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_object("only_here.Scale")().factor == 2.0


def test_a_file_is_loaded_once_under_every_spelling(file, monkeypatch):
    spread = load_object(f"{file}:spread")
    assert spread(np.array([[1.0, 4.0]])) == [3.0]
    monkeypatch.chdir(file.parent)
    assert load_object(f"{file.name}:spread") is spread
    assert load_object(f"./{file.name}:loads") == [1]


def test_files_of_one_name_in_two_folders_are_two_modules(file, tmp_path):
    other = tmp_path / "other" / file.name
    other.parent.mkdir()
    other.write_text(SOURCE.replace("2.0", "3.0"))
    factors = [load_object(f"{path}:Scale")().factor for path in (file, other)]
    assert factors == [2.0, 3.0]


def test_a_spec_is_found_again_from_any_folder(file, tmp_path, monkeypatch):
    monkeypatch.chdir(file.parent)
    scale = load_object(f"{file.name}:Scale")
    monkeypatch.chdir(tmp_path.parent)
    assert load_object(spec_of(scale)) is scale
    assert absolute("a.b.C") == "a.b.C"
    monkeypatch.chdir(file.parent)
    assert absolute(f"{file.name}:Scale") == spec_of(scale)


def test_objects_of_a_file_pickle_into_a_fresh_process(file):
    """The process imports nothing of ours before it unpickles."""
    data = pickle.dumps([load_object(f"{file}:Scale")(5.0), load_object(f"{file}:spread")])
    code = f"import pickle; scale, spread = pickle.loads({data!r}); print(scale.factor)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "5.0\n", run.stderr


def test_nothing_runs_that_no_spec_names(file):
    file.write_text("raise SystemExit('this ran')")
    assert is_spec(str(file))
    assert is_spec("package.module.Name")
    assert not is_spec("a_star_avg")
    with pytest.raises(ValueError, match="cannot read"):
        load_object(str(file) + ":")
    with pytest.raises(ValueError, match=r"cannot read .*write .*path/to/file.py:Name"):
        load_object(str(file))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("Name", r"cannot read 'Name': write package.module.Name or path/to/file.py:Name"),
        (":Name", r"cannot read ':Name'"),
        ("package.module.2", "cannot read"),
        ("eva_env.types.Propsal", r"eva_env.types has no 'Propsal'; the nearest: Proposal"),
        ("eva_env.types.Qqqq", r"eva_env.types has no 'Qqqq'; check the spelling"),
        ("{file}:Scal", r"has no 'Scal'; the nearest: Scale"),
    ],
)
def test_what_is_missing_is_named_in_one_line(file, spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_object(spec.format(file=file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", r"SyntaxError: invalid syntax .*line 1\)"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_a_file_that_fails_is_named_with_its_error(tmp_path, source, message):
    path = tmp_path / "broken.py"
    path.write_text(source)
    for _ in range(2):
        with pytest.raises(
            ImportError, match=rf"cannot import .*broken.py: {message}"
        ) as caught:
            load_object(f"{path}:f")
        assert "\n" not in str(caught.value)


def test_a_missing_file_or_module_comes_with_a_remedy(tmp_path):
    with pytest.raises(
        ImportError, match=r"there is no file .*none.py; give the path of a Pyth"
    ):
        load_object(f"{tmp_path / 'none.py'}:f")
    with pytest.raises(
        ImportError, match=r"cannot import nowhere.module: .*; install it, change to its folder"
    ):
        load_object("nowhere.module.f")
