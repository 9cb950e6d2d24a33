"""A run that is killed anywhere continues to the same record, and a damaged one is refused."""

import errno
import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from experiments import cli
from experiments.comparison.cells import damaged
from experiments.run import disk
from experiments.run.errors import UserError
from experiments.run.lock import locked
from experiments.run.records import Run
from tests.support import crashes

WORLD = (
    *("task:tabular-world", "--task.topics", "2", "--task.levels", "4"),
    *("--task.variants", "2", "--task.responses", "6", "--evaluation-samples", "4"),
    *("--prompts", "6", "--samples", "3", "--rounds", "2"),
)
TRAIN = ("train", *WORLD, "--checkpoint-every", "1", "--keep", "last", "--seed", "5")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing has disturbed, and its disk operations."""
    folder = tmp_path_factory.mktemp("crashes") / "run"
    outcome = crashes.run(crashes.command(*TRAIN, "--out", str(folder)), folder)
    assert outcome.status == 0, outcome.printed
    return folder, outcome.operations


def play(folder, stop=crashes.never, torn=False):
    """Start or continue a run as a user would, in a child."""
    if (folder / "config.json").exists():
        action = crashes.command("train", "--resume", str(folder))
    else:
        action = crashes.command(*TRAIN, "--out", str(folder))
    return crashes.run(action, folder, stop, torn)


CHAINS = {
    "begin": [". mkdir", "config draft", "config rename"],
    "first evaluation": [
        *("rounds draft", "rounds rename", "manifest draft", "manifest rename"),
        *("prompts draft", "prompts rename", "evaluations draft", "evaluations rename"),
        *("transcripts draft", "transcripts rename", "alarms draft", "alarms rename"),
        *("evaluations open", "transcripts open", "answers draft", "answers rename"),
    ],
    "round": ["prompts open", "rounds open", "alarms open"],
    "checkpoint": [
        *("checkpoint rmtree", "checkpoint mkdir", "checkpoints mkdir"),
        *("checkpoint's state open", "checkpoint's manifest draft"),
        *("checkpoint's manifest rename", "checkpoint rename"),
    ],
    "prune": [
        *("prune rename", "checkpoint's manifest remove", "checkpoint's state remove"),
        *("checkpoint's state.safetensors remove", "checkpoint's table.safetensors remove"),
        "checkpoint rmdir",
    ],
}
"""All phases of a run's disk operations."""


def test_every_phase_is_named(whole):
    phases = {operation.phase for operation in whole[1]}
    assert phases == {phase for chain in CHAINS.values() for phase in chain}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_run_that_is_killed_before_every_phase_ends_equal(chain, whole, tmp_path):
    """The run that continues is killed again, before the next phase of the chain."""
    folder = tmp_path / "run"
    in_order = [operation.phase for operation in whole[1]]
    for phase in sorted(CHAINS[chain], key=in_order.index):
        outcome = play(folder, crashes.before(phase))
        assert outcome.killed, f"{phase}: {outcome.printed}"
        assert Run(folder).missing() == [], phase
    outcome = play(folder)
    assert outcome.status == 0, outcome.printed
    assert crashes.differences(folder, whole[0]) == []
