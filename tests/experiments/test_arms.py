"""Strategies by name on the command line of `eva compare`."""

import pytest

from agents.creators import Eva, Oracle, UniformEvolve
from agents.solvers import DPO, RLOO, SimPO
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from experiments.comparison.arms import named, pair
from experiments.run.errors import UserError
from experiments.run.specifications import read


@pytest.mark.parametrize("spelt", ["uniform-evolve", "UniformEvolve", "uniformevolve"])
def test_a_name_may_be_spelt_in_any_way(spelt):
    assert read("creator", spelt) == UniformEvolve()
    assert named("creator", [spelt]) == {"uniform-evolve": UniformEvolve()}


def test_settings_are_literals_or_words():
    spec = "eva:signal=variance,resample=False,fraction=0.5,noise=None,operators={'up': 2.0}"
    made = read("creator", spec)
    expected = Eva(
        signal="variance", resample=False, fraction=0.5, noise=None, operators={"up": 2.0}
    )
    assert made == expected
    assert read("solver", "simpo:beta=2,lr=1e-3") == SimPO(beta=2, lr=1e-3)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "evaa",
            "unknown creator 'evaa'; the nearest: eva, eva-lite; eva list creators shows all",
        ),
        ("eva:signal=luck", "eva:signal=luck: unknown signal 'luck'"),
        ("eva:rewrites=two", "rewrites='two': str is not an instance of int"),
        ("eva:draw=greeedy", "is not any of"),
        ("eva:rewrites", "cannot read 'eva:rewrites': a setting is written name=value"),
        ("eva:**x", "cannot read"),
        ("eva:rewrites=1+", "cannot read 'eva:rewrites=1+': invalid syntax"),
        ("eva:rewrites=__import__('os')", "cannot read"),
        ("eva:luck=1", "eva has no setting 'luck'; it has fraction"),
        ("static:x=1", "static has no setting 'x'; it has none"),
        ("eva:fraction=2.0", "fraction must lie in (0, 1], got 2.0"),
        ("nowhere.at.All", "creator nowhere.at.All: cannot import nowhere.at"),
        ("agents.creators.Nobody", "agents.creators has no 'Nobody'"),
        (
            "agents.solvers.DPO",
            "agents.solvers.DPO must be a dataclass that derives from agents.base.Creator",
        ),
    ],
)
def test_what_cannot_be_read_is_named(spec, message):
    with pytest.raises(UserError) as caught:
        read("creator", spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_creator_meets_every_solver_and_the_oracle_comes_last():
    arms = pair(["fresh", "eva"], ["dpo", "rloo:lr=0.5"], "easy", TabularWorld())
    assert [arm.name for arm in arms] == [
        *("fresh-dpo", "fresh-rloo", "eva-dpo", "eva-rloo", "oracle-dpo", "oracle-rloo")
    ]
    assert [arm.ceiling for arm in arms] == [False] * 4 + [True] * 2
    assert arms[-1].players == (Oracle(suite="easy"), RLOO(lr=0.5))
    assert arms[0].players[1] == DPO(lr=DPO().lr * 400)


def test_strategies_of_one_class_bear_their_settings():
    made = named("creator", ["eva", "eva:signal=variance"])
    assert list(made) == ["eva", "eva,signal=variance"]
    with pytest.raises(UserError, match="the oracle is added to every comparison"):
        pair(["oracle"], ["dpo"], "hard", Wordlist())
    privileged = pair(["fresh", "oracle:suite=easy"], ["dpo"], "hard", Wordlist())
    assert [(arm.name, arm.ceiling) for arm in privileged[1:]] == [
        ("oracle,suite=easy-dpo", True),
        ("oracle-dpo", True),
    ]
    with pytest.raises(UserError, match="each of them once; got eva eva"):
        named("creator", ["eva", "eva"])
    with pytest.raises(UserError, match="each of them once; got dpo"):
        named("solver", ["dpo:beta=0.3", "DPO:beta=3e-1"])
    with pytest.raises(UserError, match="name strategies, each of them once; got none"):
        named("solver", [])


def test_a_class_of_the_users_own_is_found_beside_him(tmp_path, monkeypatch):
    (tmp_path / "my_creators.py").write_text(
        "from dataclasses import dataclass\nfrom agents.creators import Fresh\n\n\n"
        "@dataclass\nclass Mine(Fresh):\n    size: int = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    made = named("creator", ["my_creators.Mine:size=4"])
    assert list(made) == ["mine"]
    for number, (text, says) in enumerate(
        [
            ("def x(:", "invalid syntax"),
            ("raise RuntimeError('not today')", "RuntimeError: not today"),
            ("undefined", "NameError: name 'undefined' is not defined"),
        ]
    ):
        (tmp_path / f"broken{number}.py").write_text(text)
        with pytest.raises(UserError, match="cannot import broken") as caught:
            named("creator", [f"broken{number}.Mine"])
        assert says in str(caught.value)
    assert made["mine"].size == 4


def test_classes_of_one_name_in_two_files_are_two_strategies(tmp_path):
    source = """
from dataclasses import dataclass
from agents.creators import Eva as Ours

@dataclass
class Eva(Ours):
    pass
"""
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(source)
    specs = ["eva", f"{tmp_path}/a.py:Eva", f"{tmp_path}/b.py:Eva", "eva:rewrites=2"]
    strategies = named("creator", specs)
    assert list(strategies) == ["eva", "eva,no-2", "eva,no-3", "eva,rewrites=2"]
    assert len({type(strategy) for strategy in strategies.values()}) == 3
    with pytest.raises(UserError, match="each of them once"):
        named("creator", [specs[1], specs[1]])
