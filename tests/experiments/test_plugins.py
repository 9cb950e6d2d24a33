"""A user's own parts in files: trained, recorded, resumed, reported, evaluated, compared."""

import json

import numpy as np
import pytest

from experiments import cli
from experiments.commands import compare, evaluate, report, train
from experiments.comparison.settings import Comparison
from experiments.run.errors import UserError
from experiments.run.named_code import NamedCode, code_in
from experiments.run.parts import name_of, short_name
from experiments.run.records import FILES, Run
from experiments.run.settings import Settings

SOURCE = '''
from dataclasses import dataclass

import numpy as np

from agents.base import Creator
from agents.policies.causal_lm import CausalLM
from agents.policies.table import TablePolicy
from agents.solvers import Offline
from eva_env.rewards import Wrapper
from eva_env.types import Proposal
from eva_env.world import World


@dataclass
class Repeater(Creator):
    """Publish few prompts, each several times."""

    distinct: int = 2
    """Different prompts of a proposal."""

    def propose(self, task, n, rng):
        prompts = task.seed(self.distinct, rng)
        return Proposal([prompts[i % self.distinct] for i in range(n)], np.zeros(n))


@dataclass(frozen=True)
class SquaredMargin(Offline):
    """Move the margin of each pair to a target."""

    target: float = 1.0
    """Margin in nats."""
    reference: str = "round"

    def loss(self, pairs):
        return (pairs.margin - self.target) ** 2


def gap(rewards):
    """Best reward minus worst."""
    return rewards.max(-1) - rewards.min(-1)


@dataclass(frozen=True)
class Marks(Wrapper):
    """Round rewards to marks."""

    mark: float = 0.25
    """Distance between two marks."""

    def __call__(self, prompts, responses):
        return np.round(self.base(prompts, responses) / self.mark) * self.mark


@dataclass(frozen=True)
class Target:
    """Reward one response."""

    response: int = 0
    """The response that is rewarded with 1."""

    def __call__(self, prompts, responses):
        return (np.asarray(responses) == self.response).astype(float)


class LowNumbers:
    """Reward low numbers; a class without settings."""

    def __call__(self, prompts, responses):
        return 1.0 / (1.0 + np.asarray(responses))


def high_numbers(prompts, responses):
    """Reward high numbers."""
    return np.asarray(responses) / 4.0


def length(prompts, responses):
    return np.array([[min(len(text), 8) / 8 for text in row] for row in responses])


@dataclass(frozen=True)
class Letters(World):
    """Answer a row of letters with a long text."""

    size: int = 3
    """Letters of a prompt of the suite."""

    @property
    def suites(self):
        return {"hard": ["a" * (self.size + more) for more in range(2)]}

    def seed(self, n, rng, distribution="human"):
        return ["b" * rng.integers(1, 9) for _ in range(n)]

    def gold_reward(self):
        return length

    def starting_policy(self):
        return CausalLM.untrained("ab ")


@dataclass(eq=False)
class Tilted(TablePolicy):
    """A table of 8 prompts and 4 responses that prefers low responses."""

    tilt: float = 0.5
    """Nats by which each response is less likely than the one before."""

    def __post_init__(self):
        super().__init__(np.tile(-self.tilt * np.arange(4.0), (8, 1)))

    def frozen(self):
        twin = Tilted(self.tilt)
        twin.load_state_dict(self.state_dict())
        twin.theta.requires_grad_(False)
        return twin

    @classmethod
    def load(cls, folder):
        table = TablePolicy.load(folder)
        policy = cls(float(table.reference_logits[0, 0] - table.reference_logits[0, 1]))
        policy.load_state_dict(table.state_dict())
        return policy
'''

TINY = "task:tabular-world --task.topics 2 --task.levels 2 --task.variants 2 --task.responses 4"
WORLD = TINY.split()
SHORT = "--rounds 2 --prompts 4 --samples 2 --evaluate-every 1 --evaluation-samples 2"
SIZES = SHORT.split()

CASES = {
    "creator": (WORLD, "creator:FILE:Repeater --creator.distinct 3"),
    "method": (WORLD, "solver:FILE:SquaredMargin --solver.target 0.5"),
    "signal": (WORLD, "creator:eva --creator.signal FILE:gap"),
    "settings behind the name": (WORLD, "creator:FILE:Repeater:distinct=3"),
    "wrapper": (WORLD, "reward-model:FILE:Marks --reward-model.mark 0.5"),
    "reward class with settings": (WORLD, "reward-model:FILE:Target --reward-model.response 2"),
    "reward class": (WORLD, "reward-model:FILE:LowNumbers"),
    "reward function": (WORLD, "reward-model:FILE:high_numbers"),
    "world": ([], "task:FILE:Letters --task.size 4"),
    "policy": (WORLD, "policy:FILE:Tilted --policy.tilt 1.5"),
}
RECORDED = {
    "creator": ("creator", "Repeater", {"distinct": 3}),
    "method": ("solver", "SquaredMargin", {"target": 0.5}),
    "settings behind the name": ("creator", "Repeater", {"distinct": 3}),
    "wrapper": ("reward_model", "Marks", {"mark": 0.5}),
    "reward class with settings": ("reward_model", "Target", {"response": 2}),
    "reward class": ("reward_model", "LowNumbers", {}),
    "reward function": ("reward_model", "high_numbers", {}),
    "world": ("task", "Letters", {"size": 4}),
    "policy": ("policy", "Tilted", {"tilt": 1.5}),
}

every_case = pytest.mark.parametrize("case", CASES)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("mine") / "my_parts.py"
    path.write_text(SOURCE)
    return path


def words(case, file):
    """The arguments of ``eva train`` for a case, sizes included."""
    world, parts = CASES[case]
    parts = parts.replace("FILE", str(file)).split()
    players = [
        f"{role}:{name}"
        for role, name in (("creator", "fresh"), ("solver", "rloo"))
        if not any(word.startswith(f"{role}:") for word in parts)
    ]
    return [*world, *players, *parts, *SIZES]


@pytest.fixture(scope="module")
def runs(file, tmp_path_factory):
    """A finished run of each case, by case, played when it is first needed."""
    folder, finished = tmp_path_factory.mktemp("runs"), {}

    def run(case):
        if case not in finished:
            out = folder / case.replace(" ", "-")
            assert train.main([*words(case, file), "--out", str(out)]) == 0
            finished[case] = Run.open(out)
        return finished[case]

    return run


def named(run):
    """All code that a record names, as if the user had named it."""
    specs = [spec for _, spec in code_in(run.config["settings"])]
    return NamedCode(tuple(specs))


def code_option(run):
    return ["--code", *named(run).specs]


def settings_of(run, hint=Settings):
    return run.settings(hint, named(run))


def rows(run, name):
    return [
        {key: value for key, value in row.items() if key != "seconds"} for row in run.rows(name)
    ]


@every_case
def test_a_part_in_a_file_is_recorded_under_its_path(case, runs, file):
    recorded = runs(case).config["settings"]
    assert len(runs(case).rows("rounds")) == 2
    if case == "signal":
        assert recorded["creator"]["signal"] == f"{file}:gap"
        return
    role, name, settings = RECORDED[case]
    assert recorded[role].items() >= ({"type": f"{file}:{name}"} | settings).items()
    restored = getattr(settings_of(runs(case)), role)
    assert name_of(restored) == f"{file}:{name}"
    assert all(getattr(restored, key) == value for key, value in settings.items())


@every_case
def test_a_resumed_run_equals_an_uninterrupted_one(case, runs, file, tmp_path):
    out = tmp_path / "run"
    one_round = " ".join(words(case, file)).replace("--rounds 2", "--rounds 1").split()
    assert train.main([*one_round, "--out", str(out)]) == 0
    assert train.main(["--resume", str(out), "--rounds", "2", *code_option(Run.open(out))]) == 0
    for name in FILES:
        assert rows(Run.open(out), name) == rows(runs(case), name), name


@every_case
def test_a_run_with_it_is_reported_and_evaluated(case, runs, tmp_path, capsys):
    run = runs(case)
    page = tmp_path / "report.html"
    assert report.main([str(run.folder), "--out", str(page)]) == 0
    assert "<svg" in page.read_text()
    capsys.readouterr()
    assert evaluate.main([str(run.folder), "--samples", "2", "--json", *code_option(run)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["prompts"] == len(settings_of(run).task.suites["hard"])
    assert 0 <= result["win_rate"] <= 1


def test_the_parts_act(runs, tmp_path, file, capsys):
    """Each part changes what is recorded in the way that it says."""
    assert max(row["distinct_prompts"] for row in runs("creator").rows("rounds")) <= 3
    marks = [reward for row in runs("wrapper").rows("prompts") for reward in row["rewards"]]
    assert {reward % 0.5 for reward in marks} == {0.0}
    for row in runs("reward class with settings").rows("prompts"):
        assert row["best_response"] == 2 if row["best"] == 1 else row["best"] == 0
    for row in runs("reward function").rows("prompts"):
        assert row["best"] == row["best_response"] / 4
    for row in runs("signal").rows("prompts"):
        assert row["signal"] >= 0
    assert {row["text"][0] for row in runs("world").rows("prompts")} == {"b"}
    tilted = settings_of(runs("policy")).policy.probabilities()
    assert tilted[0, 1] / tilted[0, 0] == pytest.approx(2.718281828**-1.5)
    other = tmp_path / "plain"
    parts = [word for word in words("policy", file) if "policy" not in word and word != "1.5"]
    assert train.main([*parts, "--out", str(other)]) == 0
    assert rows(Run.open(other), "prompts") != rows(runs("policy"), "prompts")
    capsys.readouterr()
    folder = str(runs("creator").folder)
    arguments = [folder, "--samples", "2", "--json", f"reward-model:{file}:high_numbers"]
    assert evaluate.main([*arguments, *code_option(runs("creator"))]) == 0
    assert json.loads(capsys.readouterr().out)["gold"] in {k / 32 for k in range(25)}


def test_names_for_people_are_short(file, runs, monkeypatch, tmp_path):
    settings = settings_of(runs("creator"))
    assert settings.name == "repeater-rloo"
    assert short_name(settings_of(runs("wrapper")).reward_model) == "marks"
    assert short_name(settings_of(runs("reward function")).reward_model) == "high_numbers"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "near.py").write_text(SOURCE)
    arguments = [*WORLD, "creator:near.py:Repeater", "solver:rloo", *SIZES]
    assert train.main(arguments) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("repeater-rloo-")
    recorded = Run.open(folder).config["settings"]["creator"]["type"]
    assert recorded == f"{tmp_path.resolve()}/near.py:Repeater"


def compared(arguments, folder):
    sizes = "--seeds 2 --rounds 2 --prompts 4 --samples 2 --evaluation-samples 2 --draws 20"
    return compare.main([*arguments, *sizes.split(), "--out", str(folder)])


def test_workers_find_a_users_world_creator_and_method(file, tmp_path, capsys):
    folder = tmp_path / "comparison"
    players = ["--creators", "fresh", f"{file}:Repeater:distinct=3"]
    players += ["--solvers", "rloo", f"{file}:SquaredMargin", "--no-oracle"]
    assert compared([f"task:{file}:Letters", "--task.size", "4", *players], folder) == 0
    cells = sorted(path.name for path in (folder / "cells").iterdir())
    arms = [f"{c}-{s}" for c in ("fresh", "repeater") for s in ("rloo", "squared-margin")]
    assert cells == sorted([*arms, "start"])
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["failures"] == {}
    assert summary["arms"]["repeater-squared-margin"]["seeds"] == [0, 1]
    # Its gold reward is a function, which does not know the best response.
    assert summary["crossplay"]["unit"] == "estimated regret"
    assert sum("regret estimate a_star_avg" in s for s in summary["conclusions"]) == 1
    rows = Run(folder / "cells" / "fresh-rloo" / "seed-0001").rows("crossplay")
    assert all(regret >= 0 for row in rows for regret in row["regret"])
    recorded = settings_of(Run.open(folder), Comparison)
    assert recorded.creators[1] == f"{file}:Repeater:distinct=3"
    assert recorded.task.size == 4
    assert compare.main(["--resume", str(folder), *code_option(Run.open(folder))]) == 0
    assert report.main([str(folder)]) == 0
    assert "estimated regret" in (folder / "report.html").read_text()


def test_workers_find_a_users_reward_model_and_policy(file, tmp_path, capsys):
    folder = tmp_path / "comparison"
    parts = [f"reward-model:{file}:high_numbers", f"policy:{file}:Tilted"]
    players = ["--creators", "fresh", "static", "--solvers", "rloo", "--no-oracle"]
    assert compared([*WORLD, *parts, "--policy.tilt", "1.5", *players], folder) == 0
    assert json.loads((folder / "summary.json").read_text())["failures"] == {}
    conditions = settings_of(Run.open(folder), Comparison).conditions
    assert conditions.policy.tilt == 1.5
    assert name_of(conditions.reward_model) == f"{file}:high_numbers"


BROKEN = """
from dataclasses import dataclass

from agents.base import Creator


class Nothing:
    pass


@dataclass
class Refusing(Creator):
    size: int = 0

    def __post_init__(self):
        raise {error}

    def propose(self, task, n, rng):
        raise NotImplementedError
"""


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (None, "Nothing", "there is no file mine.py; give the path of a Python file"),
        (BROKEN, "Refuses", "mine.py has no 'Refuses'; the nearest: Refusing"),
        (BROKEN, "Nothing", "must be a dataclass that derives from agents.base.Creator"),
        (BROKEN, "Refusing", "mine.py:Refusing: size must be positive"),
        (BROKEN, "Refusing:size=x", "mine.py:Refusing:size=x: size='x': "),
        (BROKEN, "Refusing:sise=1", "has no setting 'sise'; the nearest: size"),
        ("def f(:\n", "f", "cannot import mine.py: SyntaxError: invalid syntax"),
        ("1 / 0", "f", "cannot import mine.py: ZeroDivisionError: division by zero"),
        ("import nothing_like_it", "f", "cannot import mine.py: No module named 'nothing_"),
    ],
)
def test_mistakes_in_a_file_end_in_one_line(
    source, name, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    if source is not None:
        error = 'ValueError("size must be positive")'
        (tmp_path / "mine.py").write_text(source.replace("{error}", error))
    assert cli.main(["train", f"creator:mine.py:{name}"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("eva train: creator mine.py") or "mine.py" in printed
    assert message in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_an_error_that_is_no_value_error_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(BROKEN.replace("{error}", "KeyError('size')"))
    with pytest.raises(UserError, match=r"mine.py:Refusing: KeyError: 'size'"):
        train.main(["creator:mine.py:Refusing"])


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["policy:{file}:closeness"], "is not a policy: it lacks sample, logprobs"),
        (["creator:{file}:Lists"], "Lists.propose must return an eva_env.Proposal, got list"),
        (["creator:eva", "--creator.signal", "{file}:two"], "of the rewards (..., B, n) alone"),
    ],
)
def test_parts_that_break_their_contract_are_named_in_one_line(tmp_path, args, says):
    file = tmp_path / "broken.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom agents.base import Creator\n\n\n"
        "def closeness(prompts, responses):\n    return None\n\n\n"
        "def two(rewards, prompts):\n    return rewards\n\n\n"
        "@dataclass\nclass Lists(Creator):\n"
        "    def propose(self, task, n, rng):\n        return task.seed(n, rng)\n"
    )
    typed = [arg.format(file=file) for arg in args]
    sizes = ["task:tabular-world", "--rounds", "2", "--prompts", "8"]
    with pytest.raises(UserError) as caught:
        train.main([*typed, *sizes, "--out", str(tmp_path / "run")])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_payoff_may_be_a_function_of_the_users_own(tmp_path):
    (tmp_path / "mine.py").write_text("def worst(rewards):\n    return -rewards.min(-1)\n")
    out = tmp_path / "run"
    args = ["creator:fresh", "task:tabular-world", "--rounds", "1", "--prompts", "8"]
    typed = ["--signal", f"{tmp_path / 'mine.py'}:worst", "--out", str(out)]
    assert train.main([*args, *typed]) == 0
    (row,) = Run.open(out).rows("rounds")
    rewards = [row["rewards"] for row in Run.open(out).rows("prompts") if row["drawn"]]
    assert row["payoffs"]["creator_0"] == pytest.approx(-np.mean([min(r) for r in rewards]))
