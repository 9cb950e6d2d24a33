"""Mistakes on a user's own prompts and model end in one line, before a run folder exists."""

import json
from pathlib import Path

import pytest

from experiments import cli
from experiments.run.records import Run
from tests.support.tiny_models import tiny_classifier, tiny_folder

TOPICS = ("sea", "fox", "snow", "film", "bike", "jar")
REWARD = """
import numpy as np

def words(prompts, responses):
    return [[float(len(set(text.split()))) for text in row] for row in responses]

def nothing(prompts, responses):
    return [[None] * len(row) for row in responses]

def later(prompts, responses, calls=[0]):
    calls[0] += 1
    return np.full((len(prompts), len(responses[0])), np.inf if calls[0] > 2 else 0.0)

def two(rewards, more):
    return rewards
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    prompts = [f"Write a line about {topic}." for topic in TOPICS]
    lines = [json.dumps({"prompt": f"{prompt} {k}"}) for prompt in prompts for k in range(3)]
    (folder / "prompts.jsonl").write_text("\n".join(lines))
    (folder / "score.py").write_text(REWARD)
    tiny_folder(folder / "tiny")
    tiny_classifier(folder / "classifier")
    (folder / "used").mkdir()
    (folder / "used" / "note.txt").write_text("mine")
    return folder


def command(place: Path, *options: str, out="run", creator="static", solver="dpo") -> list[str]:
    sizes = ["--rounds", "1", "--prompts", "4", "--samples", "2", "--sampling.max-tokens", "6"]
    task = ["task:prompts", "--task.file", str(place / "prompts.jsonl"), "--policy"]
    task += [str(place / "tiny"), "--out", str(place / out), *sizes]
    if "--reward" not in options:
        task += ["--reward", f"{place / 'score.py'}:words"]
    return ["train", f"creator:{creator}", f"solver:{solver}", *task, *options]


@pytest.mark.parametrize(
    ("options", "players", "message"),
    [
        ((), {"creator": "oracle"}, "has only the distribution 'human', not 'hard'"),
        ((), {"creator": "domain-randomisation"}, "only the distribution 'human'"),
        ((), {"creator": "eva"}, "give --rewriter solver"),
        ((), {"out": "used"}, "exists and is not empty: give another --out"),
        (("--device", "meta"), {}, "device 'meta' cannot train; give cpu, cuda"),
        (("--signal", "{place}/score.py:two"), {}, "it must be a function (B, n) -> (B,)"),
        (
            ("--reward", "{place}/score.py:later"),
            {"out": "later"},
            "may return None for a response that it cannot score",
        ),
        (
            ("--reward", "{place}/classifier", "--solver.pairwise"),
            {"solver": "sppo"},
            "needs win rates in [0, 1]",
        ),
        (("--sampling.top-p", "0.9"), {"solver": "rloo"}, "set --sampling.top-p 1"),
    ],
)
def test_a_mistake_is_one_line(place, options, players, message, capsys):
    typed = [option.format(place=place) for option in options]
    call = command(place, *typed, **players)
    assert cli.main(call) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len([line for line in error.splitlines() if line.startswith("eva train: ")]) >= 1
    assert "Traceback" not in error


def test_a_dry_run_refuses_what_the_run_refuses(place, capsys):
    assert cli.main([*command(place, creator="eva"), "--dry-run"]) == 1
    assert "give --rewriter solver" in capsys.readouterr().err


def test_a_run_without_any_reward_keeps_its_checkpoints(place, capsys):
    options = ["--reward", f"{place / 'score.py'}:nothing", "--keep", "best"]
    assert cli.main(command(place, *options, out="none")) == 0
    run = Run.open(place / "none")
    assert run.checkpoints == [1]
    assert run.rows("rounds")[0]["rewards_missing"] == 1.0
    assert run.rows("evaluations")[-1]["win_rate"] is None
