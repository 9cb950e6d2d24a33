"""Run folders: what is written can be read again, whatever happened in between."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from agents.base import Budget
from agents.creators import Eva, Fresh
from agents.policies.table import TablePolicy
from agents.solvers import DPO, RLOO
from eva_env.names import canonical_name
from eva_env.tabular.world import TabularWorld
from eva_env.types import CREATOR, SOLVER, Proposal, Round
from experiments.run.config import describe, from_json, to_json
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.rows import Genealogy, summarise
from experiments.run.settings import Settings
from experiments.run.state import State


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", describe(Settings(), ["train"]))


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(creator=Fresh(), solver=RLOO(lr=1e-3), task=TabularWorld(levels=3), seed=7),
        Settings(creator=Eva(operators={"mix": 2.0}, resample=False), policy="some/folder"),
    ],
)
def test_settings_survive_json_with_their_classes(settings):
    data = json.loads(json.dumps(to_json(settings)))
    assert data["solver"]["type"] == canonical_name(type(settings.solver))
    assert data["creator"]["type"] == canonical_name(type(settings.creator))
    assert from_json(data, Settings) == settings


@dataclass(frozen=True)
class Nested:
    folder: Path | None = None
    sizes: tuple[int, ...] = ()
    method: DPO | RLOO = field(default_factory=DPO)


def test_paths_and_tuples_come_back_as_such():
    settings = Nested(Path("a/b"), (1, 2), RLOO())
    assert from_json(json.loads(json.dumps(to_json(settings))), Nested) == settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "PPO"}, "unknown class 'PPO'"),
        ({"gamma": 1}, "DPO has no setting 'gamma'"),
    ],
)
def test_settings_of_another_version_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        from_json(to_json(Nested()) | {"method": to_json(DPO()) | change}, Nested)


def test_config_holds_versions_seed_and_command_line():
    config = describe(Settings(seed=3), ["train", "--seed", "3"])
    assert config["seed"] == 3
    assert config["argv"] == ["train", "--seed", "3"]
    assert set(config["versions"]) >= {"eva", "python", "torch", "numpy", "transformers"}


def test_rows_append_and_a_torn_last_line_is_left_out(run):
    run.append("rounds", [{"round": 1}, {"round": 2}])
    run.append("rounds", [{"round": 3}])
    path = run.folder / "rounds.jsonl"
    path.write_text(path.read_text() + '{"round": 4, "pay')
    assert [row["round"] for row in run.rows("rounds")] == [1, 2, 3]
    run.append("rounds", [{"round": 4}])
    assert [row["round"] for row in run.rows("rounds")] == [1, 2, 3, 4]
    (run.folder / "prompts.jsonl").write_text('{"torn')
    run.append("prompts", [{"round": 1}])
    assert run.rows("prompts") == [{"round": 1}]


def test_a_broken_line_in_the_middle_is_named(run):
    (run.folder / "rounds.jsonl").write_text('{"round": 1}\nnonsense\n{"round": 3}\n')
    with pytest.raises(UserError, match=r"rounds.jsonl, line 2, is not JSON"):
        run.rows("rounds")
    (run.folder / "rounds.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match=r"rounds.jsonl, line 1, is not JSON"):
        run.rows("rounds")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"suite": "hard"}', "line 1, lacks 'round': the file is damaged"),
        ("[]", "line 1, is no object"),
        ("7", "line 1, is no object"),
    ],
)
def test_rows_that_are_none_are_named(run, line, message):
    (run.folder / "evaluations.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match=message):
        run.rows("evaluations")


def test_settings_without_a_class_are_none(run):
    (run.folder / "config.json").write_text('{"settings": {}}')
    with pytest.raises(UserError, match="holds no settings that are known"):
        Run.open(run.folder).settings(Settings)


def test_truncate_drops_later_rows_and_checkpoints(run):
    policy = TablePolicy(np.zeros((2, 2)))
    for round in (1, 2, 3):
        run.append("rounds", [{"round": round}])
        run.save(round, policy, State.of({"round": round}))
    run.truncate(2)
    assert [row["round"] for row in run.rows("rounds")] == [1, 2]
    assert run.checkpoints == [1, 2]
    assert run.load(2).value() == {"round": 2}


def test_a_checkpoint_is_whole_or_absent(run, monkeypatch):
    policy = TablePolicy(np.zeros((2, 2)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run.save(1, policy, State.of({}))
    assert run.checkpoints == []
    run.save(1, policy, State.of({"a": 1}))
    assert run.load(1).value() == {"a": 1}


@pytest.mark.parametrize("file", ["state.json", "state.safetensors"])
@pytest.mark.parametrize("damage", ["truncate", "garbage", "nested", "missing"])
def test_a_damaged_checkpoint_is_one_line_with_a_remedy(run, file, damage):
    state = {"a": list(range(1000)), "b": np.arange(1000)}
    run.save(1, TablePolicy(np.zeros((2, 2))), State.of(state))
    path = run.checkpoint(1) / file
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:300])
    elif damage == "garbage":
        path.write_bytes(b"\xff no state")
    elif damage == "nested":
        path.write_text("[" * 100_000)
    else:
        path.unlink()
    with pytest.raises(UserError, match=r"delete .*round-0001 to continue") as caught:
        run.load(1)
    assert "\n" not in str(caught.value)


def test_folders_that_are_no_checkpoint_are_left_alone(run):
    run.save(1, TablePolicy(np.zeros((2, 2))), State.of({}))
    (run.folder / "checkpoints" / "round-final").mkdir()
    assert run.checkpoints == [1]


def test_a_full_disk_is_one_line(run, monkeypatch):
    monkeypatch.setattr("experiments.run.lock.refuse_links", lambda folder: None)
    (run.folder / "rounds.jsonl").symlink_to("/dev/full")
    with pytest.raises(UserError, match="No space left"):
        run.append("rounds", [{"round": 1}])


def test_folders_that_hold_something_are_not_overwritten(run, tmp_path):
    with pytest.raises(UserError, match="not empty: give another --out"):
        Run.create(run.folder, {})
    (tmp_path / "empty").mkdir()
    Run.create(tmp_path / "empty", {})
    with pytest.raises(UserError, match="no run at"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is not a run folder"):
        Run.open(tmp_path / "empty")


def played(index, prompts, parents, operators, drawn):
    proposal = Proposal(prompts, np.zeros(len(prompts)), parents, operators)
    rewards = np.array([[0.0, 0.5, 1.0]] * len(drawn))
    signal = np.arange(len(drawn), dtype=float)
    responses = [["a", "a b", "a b c"]] * len(drawn)
    payoffs = {CREATOR: 0.25, SOLVER: 0.5}
    return Round(index, proposal, drawn, responses, rewards, signal, payoffs)


def test_every_parent_has_a_row_and_ids_are_stable():
    first = played(0, ("x", "y"), (None, None), (None, None), ("y", "x"))
    second = played(
        1, ("x2", "z", "x"), ("x", "hidden", None), ("shift_in", "add", None), ("z", "x2")
    )
    genealogy = Genealogy()
    rows = genealogy.rows(first)
    later = Genealogy.of(rows).rows(second)
    assert later == genealogy.rows(second)
    rows += later
    assert [(row["text"], row["id"], row["round"]) for row in rows] == [
        ("y", 0, 1),
        ("x", 1, 1),
        ("hidden", 2, 2),
        ("z", 3, 2),
        ("x2", 4, 2),
    ]
    assert [row["parent"] for row in rows] == [None, None, None, 2, 1]
    assert [row["drawn"] for row in rows] == [True, True, False, True, True]
    assert rows[3]["operator"] == "add"
    assert (rows[4]["signal"], rows[4]["mean"]) == (1.0, 0.5)
    assert (rows[4]["best"], rows[4]["worst"]) == (1.0, 0.0)


def test_a_parent_drawn_later_in_the_same_round_gets_one_row():
    round = played(0, ("a", "a2"), (None, "a"), (None, "shift_in"), ("a2", "a"))
    rows = Genealogy().rows(round)
    assert [row["text"] for row in rows] == ["a2", "a"]
    assert rows[0]["parent"] == rows[1]["id"]


class Bare:
    """A task that does not say how much a prompt asks for."""

    def topic(self, prompt):
        return prompt


class Graded(Bare):
    def complexity(self, prompt):
        return {"x": 2.0, "y": 5.0}[prompt]


def test_round_row():
    """x is proposed twice and y once; x is drawn twice and y once, with equal rewards."""
    round = played(0, ("x", "y", "x"), (), (), ("x", "x", "y"))
    round.rewards[2] = 0.5
    row = summarise(round, Graded(), Budget(prompts=2), seconds=1.5)
    assert row["round"] == 1
    assert row["payoffs"] == {CREATOR: 0.25, SOLVER: 0.5}
    assert (row["reward_mean"], row["reward_min"], row["reward_max"]) == (0.5, 0.0, 1.0)
    assert (row["signal_mean"], row["distinct_prompts"], row["proposed"]) == (1.0, 2, 3)
    p = np.array([2 / 3, 1 / 3])
    assert row["entropy"] == pytest.approx(-(p * np.log(p)).sum())
    assert row["effective"] == pytest.approx(9 / 5)
    assert row["cluster_share"] == pytest.approx(2 / 3)
    assert row["no_gradient"] == pytest.approx(1 / 3)
    assert row["complexity"] == 3.0
    assert row["response_length"] == 2.0
    assert row["budget"]["prompts"] == 2
    json.dumps(row)
    assert summarise(round, Bare(), Budget(), seconds=1.5)["complexity"] is None


def test_a_drawn_prompt_keeps_its_rewards_and_extremes():
    round = played(0, ("x",), (), (), ("x",))
    round.rewards[0] = [0.5, -1.0, 3.0]
    (row,) = Genealogy().rows(round)
    assert row["rewards"] == [0.5, -1.0, 3.0]
    assert (row["best"], row["best_response"]) == (3.0, "a b c")
    assert (row["worst"], row["worst_response"]) == (-1.0, "a b")
    json.dumps(row)
