"""Folders that a stranger has prepared: links out of them, hidden losses, false numbers."""

import json
import os
import re

import numpy as np
import pytest
import torch

from agents.policies.table import TablePolicy
from eva_env.deadline import DeadlineError, within
from experiments import cli
from experiments.commands.verify import _first_changed_row
from experiments.run.disk import refuse_links
from experiments.run.errors import UserError
from experiments.run.lock import LOCK, _require_same_file, locked
from experiments.run.manifest import Manifest
from experiments.run.named_code import NO_CODE
from experiments.run.records import Run
from experiments.run.state import State


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", {"settings": {"rounds": 3}})


LINKS = [".lock", ".config.json", "rounds.jsonl", "report.html", "checkpoints", "cells/arm"]


@pytest.mark.parametrize("name", [*LINKS, "checkpoints/round-0001"])
def test_no_link_leads_out_of_a_record(run, tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    link = run.folder / name
    link.unlink(missing_ok=True)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(victim)
    with pytest.raises(UserError, match=f"{name} is a link, and a record holds none"):
        Run.open(run.folder)
    with pytest.raises(UserError, match="is a link"), locked(run.folder):
        pass
    assert victim.read_text() == "precious"


def test_the_index_page_is_not_written_through_a_link(run, tmp_path, capsys):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "index.html").symlink_to(tmp_path / "victim")
    assert cli.main(["runs", str(tmp_path)]) == 1
    assert "index.html is a link" in capsys.readouterr().err
    assert (tmp_path / "victim").read_text() == "precious"


def test_links_of_a_checkpoint_and_of_wandb_are_left_alone(run, tmp_path):
    (run.folder / "checkpoints" / "round-0001").mkdir(parents=True)
    (run.folder / "checkpoints" / "round-0001" / "base").symlink_to(tmp_path)
    (run.folder / "wandb").mkdir()
    (run.folder / "wandb" / "latest-run").symlink_to(tmp_path)
    refuse_links(run.folder)


def test_a_lock_on_a_folder_that_was_removed_meanwhile_does_not_count(run):
    with (run.folder / LOCK).open() as file:
        _require_same_file(file, run.folder)
        os.unlink(run.folder / LOCK)
        (run.folder / LOCK).touch()
        with pytest.raises(UserError, match="was removed by another process"):
            _require_same_file(file, run.folder)


@pytest.fixture
def counted(run):
    run.append("prompts", ({"round": i, "id": i, "text": "a" * i} for i in range(1, 5)))
    manifest = Manifest()
    manifest.count(run.folder, ["prompts"])
    manifest.write(run.folder)
    run.append("prompts", ({"round": i, "id": i, "text": "a" * i} for i in range(5, 9)))
    assert run.missing() == []
    return run.folder / "prompts.jsonl"


def test_rows_that_came_later_do_not_hide_a_lost_one(run, counted):
    lines = counted.read_text().splitlines(keepends=True)
    counted.write_text("".join(lines[:1] + lines[2:]))
    assert run.missing() == [
        f"{counted} has changed in its first 4 rows, some of which may be lost"
    ]


def test_zeros_in_the_place_of_rows_are_lost_rows(run, counted):
    content = counted.read_bytes()
    counted.write_bytes(content[:60] + b"\0" * (len(content) - 60))
    assert run.missing() == [f"{counted} has 1 of 4 rows"]


def test_rows_that_say_something_else_are_named(run, tmp_path):
    again = Run.create(tmp_path / "again", {"settings": {}})
    for each, mean, seconds in ((run, 0.9, 1.0), (again, 0.1, 2.0)):
        rows = [{"round": 1, "seconds": seconds}, {"round": 2, "seconds": seconds}]
        each.append("rounds", rows)
        each.append("prompts", [{"round": 1, "mean": 0.5}, {"round": 2, "mean": mean}])
    assert _first_changed_row(run, again, 2) == (1, "rows of prompts.jsonl")
    assert _first_changed_row(run, again, 1) == (1, None)


def test_a_table_of_nan_is_no_policy(tmp_path):
    """Its draws were all response 0, which may win."""
    policy = TablePolicy(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="theta holds NaN or infinity"):
        policy.load_state_dict({"theta": torch.full((2, 3), np.nan)})
    with torch.no_grad():
        policy.theta.fill_(1e308)
        policy.reference_logits.fill_(1e308)
    with pytest.raises(ValueError, match="probabilities are NaN"):
        policy.sample([0], 2, np.random.default_rng(0))


def test_a_generator_out_of_range_is_one_error():
    state = {"bit_generator": "PCG64", "state": {"state": -1, "inc": 3}}
    tree = {"$generator": state | {"has_uint32": 0, "uinteger": 0}}
    with pytest.raises(ValueError, match="the state is damaged"):
        State(tree, {}).value()


def test_an_export_writes_its_file_alone(tmp_path, run, capsys):
    """Not the lock and the manifest of a record; the folder may hold another manifest.json."""
    (tmp_path / "manifest.json").write_text("mine")
    row = {"id": 1, "text": "Why?", "round": 1, "best": 1.0, "worst": 0.0}
    run.append("prompts", [row | {"best_response": "a", "worst_response": "b"}])
    assert cli.main(["export", str(run.folder), "--out", str(tmp_path / "pairs.jsonl")]) == 0
    assert (tmp_path / "manifest.json").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "manifest.json",
        "pairs.jsonl",
        "run",
    ]


def test_a_matplotlibrc_has_no_effect(monkeypatch):
    import matplotlib

    from experiments.report.drawing import canvas

    monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)
    with canvas():
        assert not matplotlib.rcParams["text.usetex"]


def test_a_model_that_names_a_kernel_of_the_hub_is_refused(tmp_path):
    from agents.policies.checkpoints import refuse_code

    config = {"model_type": "llama", "attn_implementation": "someone/kernel"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="names code of the Hugging Face Hub"):
        refuse_code(tmp_path, "")


@pytest.mark.parametrize("spec", ["a\0b.py:Mine", "\ud800.py:Mine", "a\nb.py:Mine"])
def test_code_whose_name_is_no_text_is_one_error(tmp_path, spec):
    with pytest.raises(UserError, match="names code that has no name: signal"):
        NO_CODE.check({"signal": spec}, tmp_path)


def test_a_result_that_comes_too_late_does_not_count():
    """A regular expression holds the interpreter, so that the caller cannot end it."""
    with pytest.raises(DeadlineError):
        within(0.001, lambda: re.match(r"(a+)+$", "a" * 19 + "b"), "the verifier")
