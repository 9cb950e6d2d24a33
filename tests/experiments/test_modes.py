"""Files of a record can be read by those whom the user's umask allows."""

import os
import stat

import pytest

from agents.policies.causal_lm import CausalLM
from experiments.run.records import Run
from experiments.run.state import State
from tests.support.report_cases import recorded_run


@pytest.fixture(params=[0o022, 0o002, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder):
    """The permissions of all files and of all folders in a folder."""
    kinds = {"file": set(), "folder": set()}
    for path in folder.rglob("*"):
        kinds["folder" if path.is_dir() else "file"].add(stat.S_IMODE(path.stat().st_mode))
    return kinds


def test_a_run_and_its_checkpoints_have_the_mode_of_the_umask(umask, tmp_path):
    run = recorded_run(tmp_path / "run", rounds=1, prompts=4)
    assert run.checkpoints
    assert modes(run.folder) == {"file": {0o666 & ~umask}, "folder": {0o777 & ~umask}}


def test_so_has_the_checkpoint_of_a_language_model(umask, tmp_path):
    Run(tmp_path).save(1, CausalLM.untrained("ab"), State({}, {}))
    assert list(tmp_path.rglob("*.safetensors"))
    assert modes(tmp_path) == {"file": {0o666 & ~umask}, "folder": {0o777 & ~umask}}
