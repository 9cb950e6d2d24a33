"""Playing a run again from its record: equal to the last bit, or the first difference."""

import json

import pytest

from experiments import cli
from experiments.run.machine import differences, machine

RUN = ["task:tabular-world", "creator:eva", "--rounds", "3", "--prompts", "4", "--samples", "3"]


@pytest.fixture
def folder(tmp_path):
    assert cli.main(["train", *RUN, "--seed", "5", "--out", str(tmp_path / "run")]) == 0
    return tmp_path / "run"


def change(path, edit):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    edit(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_run_is_equal_to_its_record(folder, capsys):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert cli.main(["verify", str(folder)]) == 0
    assert "3 rounds of 3 played again, each equal to its record" in capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert cli.main(["verify", str(folder), "--rounds", "1"]) == 0
    assert "1 round of 3 played again" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["prompts", "responses", "rewards", "parameters"])
def test_the_first_difference_is_named(folder, capsys, part):
    def edit(rows):
        for row in rows[1:]:
            row["digests"][part] = "0" * 16

    change(folder / "rounds.jsonl", edit)
    assert cli.main(["verify", str(folder)]) == 1
    out = capsys.readouterr().out
    assert f"round 2 is the first that differs, in its {part}; 1 round before it" in out
    assert "either the record was changed, or a part or a reward is not a function" in out


def test_a_changed_evaluation_is_named(folder, capsys):
    change(folder / "evaluations.jsonl", lambda rows: rows[-1].update(gold=0.123))
    assert cli.main(["verify", str(folder)]) == 1
    assert "the evaluation after round 3 is the first that differs" in capsys.readouterr().out


def test_another_seed_is_another_run_from_its_first_prompts(folder, capsys):
    config = json.loads((folder / "config.json").read_text())
    config["settings"]["seed"] += 1
    config["versions"]["torch"] = "1.0"
    (folder / "config.json").write_text(json.dumps(config))
    assert cli.main(["verify", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "round 1 is the first that differs, in its prompts; 0 rounds before it" in out
    assert "this may be why: torch 1.0, now" in out


def test_what_cannot_be_verified_is_one_line(folder, tmp_path, capsys):
    change(folder / "rounds.jsonl", lambda rows: rows[0].pop("digests"))
    assert cli.main(["verify", str(folder)]) == 1
    assert "it is by an older version of eva" in capsys.readouterr().err
    assert cli.main(["verify"]) == 1
    assert "give the folder of a run" in capsys.readouterr().err
    assert cli.main(["verify", str(tmp_path / "none")]) == 1
    assert "no run at" in capsys.readouterr().err


def test_the_record_says_what_computed_it(folder):
    config = json.loads((folder / "config.json").read_text())
    assert set(config["hardware"]) >= {"processor", "cores", "threads", "accelerator"}
    assert config["seeds"]["entropy"] == 5
    assert config["seeds"]["solver"] == {"spawn_key": [2]}
    assert set(config["versions"]) >= {"eva", "torch", "numpy", "scipy", "safetensors"}


def test_a_run_that_another_machine_continues_records_it(folder, monkeypatch):
    config = json.loads((folder / "config.json").read_text())
    config["hardware"]["threads"] = 99
    (folder / "config.json").write_text(json.dumps(config))
    assert cli.main(["train", "--resume", str(folder), "--rounds", "4"]) == 0
    (resumed,) = json.loads((folder / "config.json").read_text())["resumed"]
    assert resumed == machine()
    assert cli.main(["train", "--resume", str(folder), "--rounds", "5"]) == 0
    assert len(json.loads((folder / "config.json").read_text())["resumed"]) == 1


def test_differences_name_the_fact_with_both_values():
    present = machine()
    recorded = json.loads(json.dumps(present))
    assert differences(recorded, present) == []
    recorded["versions"]["numpy"] = "1.0"
    recorded["commit"] = "abc"
    assert differences(recorded, present)[0] == f"numpy 1.0, now {present['versions']['numpy']}"
    assert differences(recorded, present)[1].startswith("commit abc, now ")
