"""Weights & Biases gets the numbers of the record: read back from what it really wrote."""

import json
import struct
import subprocess
import sys
import time

import pytest

from agents.creators import Fresh
from agents.solvers import RLOO
from eva_env.tabular.world import TabularWorld
from experiments.commands import train as command
from experiments.run.alarms import Alarms
from experiments.run.config import describe
from experiments.run.records import Run
from experiments.run.settings import Settings
from experiments.run.tracking import flat, send, tracked, with_mode
from experiments.run.train import train

ARGS = "creator:fresh solver:rloo task:tabular-world --task.levels 3 --rounds 3 --prompts 8"
RINGING = "--alarms.max-no-gradient 0 --alarms.min-distinct 1 --evaluate-every 2"

BLOCK = 1 << 15
"""Bytes of a block of a .wandb file, a log in the format of LevelDB."""


def records(path):
    """What a .wandb file holds, once its end is written: that happens in another process."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for _ in range(200):
        data, at, part, found = path.read_bytes(), 7, b"", []
        while at + 7 <= len(data):
            if at % BLOCK > BLOCK - 7:  # no room for a header: the rest of the block is empty
                at += BLOCK - at % BLOCK
                continue
            _, size, kind = struct.unpack("<IHB", data[at : at + 7])
            part += data[at + 7 : at + 7 + size]
            at += 7 + size
            if kind in (1, 4):  # a whole record, or the last part of one
                found.append(Record.FromString(part))
                part = b""
        if found and found[-1].WhichOneof("record_type") == "exit":
            break
        time.sleep(0.05)
    return found


def logged(run):
    """Sessions of a run, in order: what Weights & Biases knows of each, and its rows."""
    sessions = []
    for path in run.folder.glob("wandb/offline-run-*/run-*.wandb"):
        written = {"run": [], "history": []}
        for record in records(path):
            kind = record.WhichOneof("record_type")
            written.setdefault(kind, []).append(getattr(record, kind))
        rows = [
            {
                item.key or "/".join(item.nested_key): json.loads(item.value_json)
                for item in row.item
            }
            for row in written["history"]
        ]
        sessions.append((written["run"][0], rows))
    return sorted(sessions, key=lambda session: session[0].start_time.ToNanoseconds())


def numbers(rows):
    """Without what Weights & Biases adds; the step must be the round."""
    assert all(row["_step"] == row["round"] for row in rows)
    return [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]


def recorded(run):
    """The numbers of the three files by round, spelt out once more and independently."""
    rows = {0: {"round": 0}} | {row["round"]: row for row in run.rows("rounds")}
    flatter = {round: flat(row) for round, row in rows.items()}
    for name, key in (("evaluations", "suite"), ("alarms", "alarm")):
        for row in run.rows(name):
            own = {f"{name}/{row[key]}/{k}": v for k, v in flat(row).items()}
            flatter[row["round"]] |= own
    return [*flatter.values()]


def test_flat_joins_keys_and_drops_what_is_no_number():
    row = {"round": 1, "payoffs": {"a": {"b": 2.0}}, "suite": "hard", "none": None}
    assert flat(row) == {"round": 1, "payoffs/a/b": 2.0}


@pytest.mark.parametrize(
    ("args", "spelt"),
    [
        ("--wandb", "--wandb offline"),
        ("--wandb creator:eva --seed 1", "--wandb offline creator:eva --seed 1"),
        ("--seed 1 --wandb --rounds 2", "--seed 1 --wandb offline --rounds 2"),
        ("--wandb online --seed 1", "--wandb online --seed 1"),
        ("--wandb off", "--wandb off"),
        ("--wandb=online creator:eva", "--wandb=online creator:eva"),
        ("creator:eva", "creator:eva"),
    ],
)
def test_wandb_alone_means_offline(args, spelt):
    assert with_mode(args.split()) == spelt.split()


def test_live_resumed_and_sent_afterwards_are_the_record(tmp_path):
    """Three sessions: a run live and stopped by an alarm, gone on with, and sent at its end."""
    out = tmp_path / "run"
    args = [*ARGS.split(), *RINGING.split(), "--alarms.stop", "--out", str(out), "--wandb"]
    assert command.main(args) == 0
    run = Run.open(out)
    first = recorded(run)
    assert 1 < len(first) < 4
    assert command.main(["--resume", str(out), "--wandb", "offline"]) == 0
    send(run, "offline", name="the name", group="the group")
    whole = recorded(run)
    assert len(whole) > len(first)
    assert any(key.startswith("alarms/") for row in whole for key in row)
    assert sum("evaluations/hard/kl" in row for row in whole) >= 2
    (_, live), (_, resumed), (sent, later) = logged(run)
    assert numbers(live) == first
    assert numbers(resumed) == numbers(later) == whole
    assert (sent.project, sent.display_name, sent.run_group) == ("eva", "the name", "the group")
    config = {update.key: json.loads(update.value_json) for update in sent.config.update}
    assert config["solver"] == run.config["settings"]["solver"]


def test_history_is_what_train_yielded_up_to_the_last_checkpoint(tmp_path):
    bounds = Alarms(max_no_gradient=0.0, min_distinct=1.0)
    sizes = {"rounds": 5, "prompts": 8, "evaluate_every": 2, "checkpoint_every": 3}
    settings = Settings(
        creator=Fresh(), solver=RLOO(), task=TabularWorld(levels=3), alarms=bounds, **sizes
    )
    run = Run.create(tmp_path / "run", describe(settings, []))
    playing = train(run, settings)
    rows = [next(playing) for _ in range(5)]
    assert list(run.history()) == rows[:4], "round 4 has no checkpoint yet"
    rows += playing
    assert list(run.history()) == rows
    assert any(row["alarms"] for row in rows)
    assert list(Run.create(tmp_path / "new", describe(settings, [])).history()) == []


def test_off_is_the_default_and_imports_nothing(tmp_path):
    """In a process of its own, in which importing wandb fails."""
    program = (
        "import sys; sys.modules['wandb'] = None\n"
        "from experiments.commands import train\n"
        f"sys.exit(train.main({[*ARGS.split(), '--out', str(tmp_path / 'run')]!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run" / "wandb").exists()
    with tracked(Run.open(tmp_path / "run"), "off") as log:
        assert log({"round": 1}) is None
