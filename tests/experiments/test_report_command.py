"""The next command of a report: it has every setting, and the command line accepts it."""

import json
import shlex
from dataclasses import replace

import pytest

from agents.creators import Eva, Fresh, Static
from agents.policies.causal_lm import CausalLM
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.solvers import DPO, RLOO
from eva_env.prompt_files import Prompts
from eva_env.rewards import Noisy
from eva_env.tabular.world import TabularWorld
from experiments.commands import compare
from experiments.commands.options import Arguments
from experiments.report import result
from experiments.report.record import Record
from experiments.run.alarms import Alarms
from experiments.run.config import to_json
from experiments.run.settings import Settings

LETTERS = "abcdefghijklmnopqrstuvwxyz "


def command_of(settings):
    record = Record({"settings": to_json(settings)}, [{}] * settings.rounds, (), (), (), ())
    return shlex.split(result.next_steps(record)[0].text)


def read_back(words):
    assert words[:2] == ["eva", "compare"]
    return compare.begin(Arguments.of(words[2:], compare.ROLES)).settings


def shared(settings, comparison):
    """The conditions of a run and those that its next command gives, as JSON."""
    given, found = to_json(settings), to_json(comparison.conditions)
    expected = {key: given[key] for key in found if key != "type"}
    return expected, {key: value for key, value in found.items() if key != "type"}


@pytest.fixture
def folder(tmp_path):
    """A folder with a blank in its name: prompts, a reward and a model."""
    folder = tmp_path / "my files"
    folder.mkdir()
    rows = [{"prompt": f"name {n} birds"} for n in range(12)]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "score.py").write_text("def score(prompts, responses):\n    return [[1.0]]\n")
    CausalLM.untrained(LETTERS).save(folder / "model")
    return folder


def test_the_next_command_of_real_models_repeats_every_condition(folder):
    task = Prompts(folder / "prompts.jsonl", max_characters=500)
    settings = Settings.suited(
        task,
        policy=Pretrained(str(folder / "model"), lora_rank=4, gradient_checkpointing=True),
        reward=f"{folder / 'score.py'}:score",
        judge=f"{folder / 'score.py'}:score",
        rewriter="solver",
        rounds=7,
        missing_end_penalty=0.5,
        sampling=Sampling(temperature=0.9, max_tokens=32),
        creator=Static(),
        solver=RLOO(),
    )
    words = command_of(settings)
    comparison = read_back(words)
    expected, found = shared(replace(settings, task=comparison.task), comparison)
    assert found == expected
    assert comparison.task.file == task.file
    assert comparison.task.max_characters == 500
    assert comparison.creators == ("fresh", "static")
    assert comparison.solvers == ("rloo",)
    assert "--evaluate-every" not in words, "the world's default"


def test_the_next_command_keeps_wrappers_flags_and_players(tmp_path):
    settings = Settings(
        task=TabularWorld(topics=2, blind="variant"),
        reward="proxy",
        reward_model=Noisy(),
        alarms=Alarms(stop=True, max_length=3.0),
        creator=Eva(signal="variance", resample=False),
        solver=DPO(lr=0.123),
    )
    comparison = read_back(command_of(settings))
    expected, found = shared(settings, comparison)
    assert found == expected
    creator = comparison.arms[1].players[0]
    assert (creator.signal, creator.resample) == ("variance", False)
    assert comparison.arms[0].players[1].lr == 0.123


def test_defaults_are_left_out():
    assert command_of(Settings(creator=Fresh())) == shlex.split(
        "eva compare --creators fresh eva --solvers dpo --seeds 5"
    )


def test_a_class_of_the_users_own_is_named_and_not_loaded():
    settings = {"task": {"type": "/none/such.py:World", "size": 3}, "rounds": 0}
    record = Record({"settings": settings}, (), (), (), (), ())
    command = result.next_steps(record)[0].text
    assert "task:/none/such.py:World --task.size 3 --rounds 0" in command


def test_the_worlds_own_model_is_not_named():
    words = command_of(Settings(policy=Pretrained(lora_rank=2)))
    assert "--policy" not in words
    assert words[words.index("--policy.lora-rank") + 1] == "2"
    assert read_back(words).conditions.policy.lora_rank == 2
