"""Deadlines and lengths of a run: what hangs ends in one line, and the run resumes."""

import re

import pytest

from eva_env.tabular.world import TabularWorld
from experiments.cli import main
from experiments.run.records import Run
from tests.experiments.test_run_rewards import TINY

SMALL = ["--rounds", "2", "--prompts", "2", "--samples", "2", "--evaluation-samples", "2"]
SMALL += ["creator:fresh", "solver:fixed"]

FUNCTIONS = """
import pathlib, time

def server(prompts, responses):
    state = pathlib.Path(__file__).with_suffix(".txt")
    calls = int(state.read_text()) if state.exists() else 0
    state.write_text(str(calls + 1))
    if calls == HANGS:
        time.sleep(30)
    return [[float(number) / 100 for number in row] for row in responses]
"""


@pytest.fixture
def server(tmp_path):
    """Write a reward function whose call number ``hangs`` takes 30 s; return its name."""

    def write(hangs):
        path = tmp_path / "server.py"
        path.write_text(FUNCTIONS.replace("HANGS", str(hangs)))
        return f"{path}:server"

    return write


def test_a_reward_that_hangs_ends_the_run_in_one_line_and_the_run_resumes(
    server, tmp_path, capsys
):
    folder = tmp_path / "run"
    # The trial; the proxy of each suite before and after the first round; the first round.
    name = server(1 + 2 * len(TabularWorld().suites) + 1)
    args = ["--reward", name, "--limits.reward-deadline", "0.5", "--out", str(folder)]
    assert main(["train", "task:tabular-world", *SMALL, *args, "--evaluate-every", "1"]) == 1
    error = capsys.readouterr().err.strip()
    assert re.search(
        r"server has not returned within its deadline of 0.5 s; .* --limits.reward-deadline",
        error,
    )
    assert error.count("\n") == 0
    assert len(Run.open(folder).rows("rounds")) == 1
    resumed = ["train", "--resume", str(folder), "--code", name]
    resumed += ["--limits.reward-deadline", "20"]
    assert main(resumed) == 0, capsys.readouterr().err
    run = Run.open(folder)
    assert [row["round"] for row in run.rows("rounds")] == [1, 2]
    assert run.config["settings"]["limits"]["reward_deadline"] == 20.0


def test_a_reward_that_hangs_at_its_trial_spends_nothing(server, tmp_path, capsys):
    args = ["--reward", server(0), "--limits.reward-deadline", "0.2"]
    args += ["--out", str(tmp_path / "run")]
    assert main(["train", "task:tabular-world", *SMALL, *args]) == 1
    assert "within its deadline of 0.2 s" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


SLOW = """
import time
from dataclasses import dataclass
from agents.solvers.inference import Fixed

@dataclass(frozen=True)
class Slow(Fixed):
    def respond(self, solver, prompts, n, rng):
        time.sleep(30)

@dataclass(frozen=True)
class Endless(Fixed):
    def respond(self, solver, prompts, n, rng):
        return [["word " * 20_000] * n for _ in prompts]
"""


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("Slow", r"Slow.respond has not returned .* of 0.5 s; .* --limits.response-deadline"),
        ("Endless", r"responses must have at most 65536 characters .--limits.characters., got"),
    ],
)
def test_a_solver_that_hangs_or_never_ends_a_response_ends_the_run(
    method, message, tmp_path, capsys
):
    (tmp_path / "slow.py").write_text(SLOW)
    args = [f"solver:{tmp_path / 'slow.py'}:{method}", "--limits.response-deadline", "0.5"]
    small = [*SMALL[:-1], *args, "--out", str(tmp_path / "run")]
    assert main(["train", TINY, *small]) == 1
    error = capsys.readouterr().err.strip()
    assert re.search(message, error)
    assert error.count("\n") == 0
