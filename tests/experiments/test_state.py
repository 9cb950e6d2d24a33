"""The state of a checkpoint: what goes in comes out equal, and reading it runs nothing."""

import json
import pickle
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from agents.evolution.buffer import PromptBuffer
from agents.evolution.evolve import Lineage
from agents.policies.sampled import Sampled
from eva_env.rewards.noise import Noisy
from eva_env.tabular.reward import TabularReward
from eva_env.types import Proposal
from experiments.run.match import Match
from experiments.run.parts import KINDS, names
from experiments.run.settings import Settings
from experiments.run.specifications import read
from experiments.run.state import State, modules_of


def copied(value, folder, like=None, modules=()):
    """The value after writing and reading both files."""
    State.of(value, like).write(folder)
    return State.read(folder).value(like, modules)


def same(a, b):
    """Equality of type and content, of NaN too."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and np.shape(a) == np.shape(b) and _equal(a, b)
    if isinstance(a, dict):
        return [*a] == [*b] and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def _equal(a, b):
    return np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")


VALUES = [
    None,
    True,
    2**127 + 1,
    0.1 + 0.2,
    -0.0,
    float("nan"),
    float("-inf"),
    "\ud800 a lone surrogate, \x00 and \u2028",
    [],
    (),
    (1, (2, [3])),
    {1: "a", (2, 3): "b", None: "c"},
    {"$tuple": [1]},
    {"a": {"$same": True}},
    OrderedDict(b=1, a=2),
    Counter("abca"),
    {1, 2, 3},
    frozenset({("a", 1)}),
    np.float32(0.1),
    np.int64(-3),
    np.bool_(True),
    np.arange(6).reshape(2, 3)[:, ::-1],
    np.array(3.5),
    np.zeros((0, 2), np.float32),
    np.array([True, False]),
    np.array([1, 2], np.uint64),
    np.array(["a", "bc"]),
    np.array([("a", 1), None], object),
    torch.tensor(1.5, dtype=torch.float64),
    torch.arange(6, dtype=torch.bfloat16).reshape(2, 3).T,
    Lineage("x", "y", "mix"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}")
def test_values_come_back_equal(value, tmp_path):
    assert same(copied({"here": value}, tmp_path), {"here": value})


def test_tensors_that_share_memory_come_back(tmp_path):
    weights = torch.arange(4.0)
    value = {"a": weights, "b": weights[1:], "c": weights}
    assert same(copied(value, tmp_path), value)


def test_a_generator_continues(tmp_path):
    generator = np.random.default_rng(3)
    generator.random(5)
    twin = copied([generator], tmp_path)[0]
    assert twin.random(3).tolist() == generator.random(3).tolist()


def test_a_response_keeps_its_tokens(tmp_path):
    response = Sampled("a b", [1, 2], True, 7, [-0.1, -0.2])
    twin = copied({"responses": [[response]]}, tmp_path)["responses"][0][0]
    assert (twin, twin.ended, twin.vocabulary) == (response, True, 7)
    assert twin.ids.tolist() == [1, 2]
    assert same(twin.logprobs, response.logprobs)


def test_objects_come_back_with_their_fields(tmp_path):
    proposal = Proposal(("x", "y"), np.array([0.0, 1.0]), (None, "x"), (None, "mix"))
    twin = copied(proposal, tmp_path)
    assert type(twin) is Proposal
    assert twin.parents == (None, "x")
    buffer = PromptBuffer(3)
    buffer.add(["a", "b"], ["A", "B"], np.array([1.0, 2.0]), step=1)
    assert copied(buffer, tmp_path) == buffer


def test_a_reward_is_written_as_its_difference_from_the_first(tmp_path):
    """A base that is a closure could not be written, and need not be."""
    first = Noisy(std=0.5).over(lambda prompts, responses: np.zeros((1, 1)))
    later = first.changed(index=4)
    twin = copied({"model": later}, tmp_path, {"model": first})["model"]
    assert (twin.index, twin.std, twin.base) == (4, 0.5, first.base)
    table = TabularReward(np.zeros((2, 2)), np.ones(2))
    moved = Noisy().over(replace(table, index=3)).changed(index=3)
    twin = copied(moved, tmp_path, Noisy().over(table))
    assert twin.base.index == 3
    assert twin.base.matrix.shape == (2, 2)


@dataclass
class Memo:
    prompts: list


def test_a_users_dataclass_is_data_if_its_module_is_one_of_the_match(tmp_path):
    State.of(Memo(["x"])).write(tmp_path)
    assert State.read(tmp_path).value(modules=modules_of(Memo([]))) == Memo(["x"])
    with pytest.raises(ValueError, match="neither this package's nor of a part"):
        State.read(tmp_path).value()


@pytest.mark.parametrize("value", [lambda: 0, object(), defaultdict(int), np.ones(1).sum])
def test_what_is_no_data_is_refused_with_its_place(value):
    with pytest.raises(ValueError, match=r"cannot hold state\['creator'\]\[0\], a .*dataclass"):
        State.of({"creator": [value]})


HOSTILE = {
    "a class of the standard library": {"$object": "subprocess:Popen", "attributes": {}},
    "a module that is not imported": {"$object": "antigravity:Any", "attributes": {}},
    "a function of ours": {"$object": "experiments.cli:main", "attributes": {}},
    "a class that a module of ours imports": {
        "$object": "experiments.run.workers:Process",
        "attributes": {},
    },
    "a class of ours that is no data": {
        "$object": "experiments.run.workers:Workers",
        "attributes": {},
    },
    "a module inside a plug-in": {"$object": "eva_env.plugins.x_2f:A", "attributes": {}},
    "an unknown tag": {"$exec": "1"},
    "a generator of another kind": {"$generator": {"bit_generator": "seed"}},
    "a part that the settings do not make": {"$same": True},
    "an array that is not there": {"$array": "99"},
    "attributes that are none": {"$object": "eva_env.types:Proposal", "attributes": 3},
    "too deep": json.loads("[" * 900 + "]" * 900),
}


@pytest.mark.parametrize("tree", HOSTILE.values(), ids=HOSTILE)
def test_hostile_states_are_refused(tree, tmp_path, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda *_: pytest.fail("code ran"))
    State({"creator": tree}, {}).write(tmp_path)
    with pytest.raises(ValueError, match="the state"):
        State.read(tmp_path).value()


def test_a_pickle_is_never_read(tmp_path):
    class Runs:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    for name in ("state.json", "state.safetensors", "state.pt"):
        (tmp_path / name).write_bytes(pickle.dumps(Runs()))
    with pytest.raises(Exception, match=r".") as caught:
        State.read(tmp_path)
    assert not (tmp_path / "ran").exists()
    assert not isinstance(caught.value, SystemExit)


PARTS = [
    *({"creator": name} for name in names("creator")),
    *({"solver": name} for name in names("solver")),
    *({"reward_model": name} for name in names("reward_model")),
]


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: "-".join(parts.values()))
def test_every_part_continues_from_its_files(parts, tmp_path):
    """Two rounds, both files, then two rounds that are equal to those of the original."""
    assert {*KINDS} >= {*parts}
    base = Settings.suited(read("task", "tabular-world", None))
    given = {"creator": "eva", "solver": "dpo"} | parts
    chosen = {role: read(role, name, base.task) for role, name in given.items()}
    settings = replace(base, rounds=4, prompts=4, samples=3, **chosen)
    match = Match.open(settings)
    rounds = match.rounds()
    for _ in range(2):
        next(rounds)
    match.solver.policy.save(tmp_path)
    match.checkpoint().write(tmp_path)
    resumed = Match.open(settings)
    resumed.restore(tmp_path, State.read(tmp_path))
    assert [played(round) for round in rounds] == [played(r) for r in resumed.rounds()]


def played(round):
    logs = {name: value for name, value in round.logs.items() if value == value}
    rewards = np.asarray(round.rewards).tolist()
    return repr((round.prompts, np.asarray(round.responses).tolist(), rewards, logs))
