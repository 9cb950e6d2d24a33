"""Config files: what --dry-run prints is read back, and mistakes end in one line."""

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_type_hints

import pytest

from agents.creators import Eva, Fresh
from agents.solvers import RLOO
from eva_env.rewards import Noisy
from eva_env.tabular.world import TabularWorld
from experiments.commands import compare, train
from experiments.commands.options import Arguments
from experiments.run.config import from_json, to_json
from experiments.run.errors import UserError
from experiments.run.parts import name_of
from experiments.run.specifications import build, read

WORLD = ["task:tabular-world", "--task.levels", "3", "--task.responses", "6"]
REWARDS = """
def ones(prompts, responses):
    return [[1.0 for _ in row] for row in responses]
"""


def read_train(*args):
    return train.begin(Arguments.of(args, train.ROLES)).settings


def read_compare(*args):
    return compare.begin(Arguments.of(args, compare.ROLES)).settings


def printed(command, args, capsys):
    """The config file that ``--dry-run`` prints."""
    capsys.readouterr()
    assert command.main([*args, "--dry-run"]) == 0
    return capsys.readouterr().out


def write(folder, text):
    path = folder / "settings.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    "args",
    [
        ["--rounds", "3", "--alarms.stop", "--sampling.temperature", "0.5"],
        [*WORLD, "creator:eva", "--creator.signal", "variance", "solver:rloo"],
        [*WORLD, "reward-model:noisy", "--reward-model.std", "0.3", "--max-reward-calls", "9"],
        ["creator:eva", "--creator.operators", "mix", "2.0"],
    ],
)
def test_what_train_prints_is_what_it_reads(args, tmp_path, capsys):
    path = write(tmp_path, printed(train, args, capsys))
    assert read_train("--config", path) == read_train(*args)
    assert printed(train, ["--config", path], capsys) == printed(train, args, capsys)


def test_a_function_is_read_back_by_its_path(tmp_path, capsys, monkeypatch):
    (tmp_path / "mine.py").write_text(REWARDS)
    monkeypatch.chdir(tmp_path)
    args = [*WORLD, "reward-model:mine.py:ones"]
    path = write(tmp_path, printed(train, args, capsys))
    assert name_of(read_train("--config", path).reward_model) == f"{tmp_path}/mine.py:ones"
    mistake = write(tmp_path, '[reward_model]\ntype = "mine.py:ones"\nscale = 2\n')
    with pytest.raises(UserError, match="has no setting 'scale'; it has none"):
        read_train("--config", mistake)


COMPARE = ["--creators", "fresh", "eva", "--seeds", "2", "--rounds", "3", "--prompts", "8"]


@pytest.mark.parametrize("more", [[], ["reward-model:noisy", "--signal", "variance"]])
def test_what_compare_prints_is_what_it_reads(more, tmp_path, capsys):
    args = [*WORLD, *COMPARE, *more]
    path = write(tmp_path, printed(compare, args, capsys))
    assert "conditions" in tomllib.loads(printed(compare, args, capsys))
    assert read_compare("--config", path) == read_compare(*args)


def test_conditions_may_be_flat_or_a_table(tmp_path):
    top = 'seeds = 2\ncreators = ["fresh"]\n'
    conditions = 'rounds = 3\nreward_model = "noisy:std=0.3"\ntask = "tabular-world:levels=3"\n'
    table = read_compare("--config", write(tmp_path, f"{top}[conditions]\n{conditions}"))
    flat = read_compare("--config", write(tmp_path, top + conditions))
    assert table == flat
    assert (flat.seeds, flat.conditions.rounds) == (2, 3)
    assert flat.conditions.reward_model == Noisy(std=0.3)
    assert flat.task == TabularWorld(levels=3)
    assert flat.conditions.samples == TabularWorld.sizes.samples
    dashed = read_compare("--config", write(tmp_path, "max-reward-calls = 50\n"))
    assert dashed.conditions.max_reward_calls == 50


def test_typed_options_and_parts_override_the_file(tmp_path):
    text = 'creator = "eva:rewrites=2"\nsolver = "rloo"\nrounds = 3\nprompts = 9\n'
    path = write(tmp_path, text)
    settings = read_train("--config", path)
    assert (settings.creator, settings.solver) == (Eva(rewrites=2), RLOO())
    settings = read_train("--config", path, "creator:fresh", "--rounds", "4")
    assert (settings.creator, settings.rounds, settings.prompts) == (Fresh(), 4, 9)
    path = write(tmp_path, "seeds = 4\n[conditions]\nrounds = 3\nprompts = 9\n")
    settings = read_compare("--config", path, "--rounds", "5", "--seeds", "6", *WORLD)
    assert (settings.seeds, settings.conditions.rounds, settings.conditions.prompts) == (
        6,
        5,
        9,
    )
    assert settings.task == TabularWorld(levels=3, responses=6)


def test_a_learning_rate_suits_the_world_unless_the_file_gives_one(tmp_path):
    text = 'task = "tabular-world"\n[solver]\ntype = "rloo"\n'
    factor = TabularWorld.sizes.lr
    suited = read_train("--config", write(tmp_path, text)).solver.lr
    assert suited == pytest.approx(RLOO().lr * factor)
    assert read_train("--config", write(tmp_path, text + "lr = 0.5\n")).solver.lr == 0.5


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_train, "roundz = 3", "Settings has no setting 'roundz'; the nearest: rounds"),
        (
            read_train,
            "[creator]\nsignall = 'variance'",
            "no setting 'signall'; the nearest: si",
        ),
        (read_train, "creator = 'evaa'", "unknown creator 'evaa'; the nearest: eva"),
        (read_train, "[creator]\ntype = 'evaa'", "unknown creator 'evaa'; the nearest: eva"),
        (read_train, "rounds = 'many'", "rounds = 'many': "),
        (read_train, "rounds = 0", "rounds must be at least 1, got 0"),
        (read_train, "rounds = ", "cannot read the config file"),
        (read_train, "task = 'wordlists'", "unknown task 'wordlists'; the nearest: wordlist"),
        (read_compare, "roundz = 3", "no setting 'roundz'; the nearest: rounds"),
        (read_compare, "seedz = 3", "no setting 'seedz'; the nearest: seeds"),
        (read_compare, "[conditions]\nroundz = 3", "no setting 'roundz'; the nearest: rounds"),
        (read_compare, "conditions = 3", "conditions must be a table; write .conditions."),
        (read_compare, "creator = 'eva'", "no setting 'creator'; the nearest: creators"),
        (read_compare, "tune = 1", "tune must be 0 .* got 1"),
        (read_compare, "seeds = 'all'", "seeds = 'all': "),
    ],
)
def test_mistakes_in_a_file_end_in_one_line(read, text, message, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        read("--config", write(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "settings.toml" in str(caught.value) or "unknown" in str(caught.value)


def test_a_resumed_run_accepts_no_file(tmp_path):
    path = write(tmp_path, "rounds = 3\n")
    folder = tmp_path / "run"
    small = ["--rounds", "1", "--prompts", "2", "--samples", "2", "--evaluation-samples", "2"]
    assert train.main([*WORLD, "creator:fresh", *small, "--out", str(folder)]) == 0
    with pytest.raises(UserError, match="keeps its settings; leave out task: and --config"):
        train.main(["--resume", str(folder), "--config", path])


@dataclass
class Nested(Fresh):
    """Settings of every shape that a user's class may have."""

    sizes: list[int] = field(default_factory=list)
    pairs: tuple[tuple[str, int], ...] = ()
    weights: dict[int, tuple[float, ...]] = field(default_factory=dict)
    place: Path | None = None
    words: dict[str, str] = field(default_factory=dict)


def test_settings_of_every_shape_survive_the_record():
    part = Nested(
        sizes=[1, 2],
        pairs=(("a", 1), ("b", 2)),
        weights={3: (0.5, 1.0)},
        place=Path("x"),
        words={"type": "kind"},
    )
    data = json.loads(json.dumps(to_json(part)))
    hints = get_type_hints(Nested)
    restored = Nested(**{k: from_json(v, hints[k]) for k, v in data.items() if k != "type"})
    assert restored == part
    assert type(restored.sizes) is list
    assert type(restored.pairs[0]) is tuple


def test_a_path_needs_no_quotes_in_a_specification(tmp_path):
    (tmp_path / "mine.py").write_text("def gap(rewards):\n    return rewards.max(-1)\n")
    file = tmp_path / "mine.py"
    assert read("creator", f"eva:signal={file}:gap,rewrites=2").rewrites == 2
    assert read("creator", f"eva:signal={file}:gap").signal == f"{file}:gap"
    place = build(Nested, {"place": "x"}, "nested:place=x").place
    assert place == Path("x")
