"""The command-line names of creators, methods, reward models and tasks."""

from dataclasses import dataclass
from typing import ClassVar, get_args

import pytest

from agents import creators, solvers
from agents.creators import AnyCreator
from agents.solvers import AnyMethod
from eva_env import rewards
from eva_env.names import canonical_name
from eva_env.prompt_files import Prompts
from eva_env.rewards import AnyRewardModel
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist.task import Wordlist

METHODS = {
    "DPO": "dpo",
    "IPO": "ipo",
    "Hinge": "hinge",
    "SLiC": "slic",
    "RobustDPO": "robust-dpo",
    "RPO": "rpo",
    "SPPO": "sppo",
    "KTO": "kto",
    "SimPO": "simpo",
    "RePO": "repo",
    "CPO": "cpo",
    "ORPO": "orpo",
    "SGPO": "sgpo",
    "RLOO": "rloo",
    "REINFORCE": "reinforce",
    "ReMax": "remax",
    "RAE": "rae",
    "PPO": "ppo",
    "GRPO": "grpo",
    "DrGRPO": "dr-grpo",
    "DAPO": "dapo",
    "GSPO": "gspo",
    "NashMD": "nash-md",
    "OAIF": "oaif",
    "XPO": "xpo",
    "Fixed": "fixed",
    "BestOfN": "best-of-n",
}
CREATORS = {
    "Static": "static",
    "Fresh": "fresh",
    "DomainRandomisation": "domain-randomisation",
    "Oracle": "oracle",
    "UniformEvolve": "uniform-evolve",
    "UniformLite": "uniform-lite",
    "Eva": "eva",
    "EvaLite": "eva-lite",
    "EvolComplexity": "evol-complexity",
    "EvolQuality": "evol-quality",
    "SelfInstruct": "self-instruct",
    "TreeBestOfN": "tree-best-of-n",
    "EvaOnline": "eva-online",
    "PLR": "plr",
    "RobustPLR": "robust-plr",
    "ACCEL": "accel",
    "SFL": "sfl",
    "Minimax": "minimax",
    "PAIRED": "paired",
    "RZero": "rzero",
    "AZR": "azr",
    "STP": "stp",
    "OperatorPolicy": "operator-policy",
    "PolicyGradient": "policy-gradient",
    "Gibbs": "gibbs",
    "MirrorDescent": "mirror-descent",
}
REWARDS = {"PairwiseWinRate": "pairwise-win-rate", "LengthBiased": "length-biased"}


@pytest.mark.parametrize(
    ("room", "names"), [(solvers, METHODS), (creators, CREATORS), (rewards, REWARDS)]
)
def test_classes_have_their_usual_names(room, names):
    assert {cls: canonical_name(getattr(room, cls)) for cls in names} == names


def test_tasks_have_their_usual_names():
    assert canonical_name(Wordlist) == "wordlist"
    assert canonical_name(TabularWorld) == "tabular-world"
    assert canonical_name(Prompts) == "prompts"


def test_the_tables_name_every_registered_method_and_creator():
    add = "add its command-line name to the table in tests/agents/test_names.py"
    assert {cls.__name__ for cls in get_args(AnyMethod)} == set(METHODS), add
    assert {cls.__name__ for cls in get_args(AnyCreator)} == set(CREATORS), add


@pytest.mark.parametrize("union", [AnyCreator, AnyMethod, AnyRewardModel])
def test_no_two_classes_share_a_name(union):
    names = [canonical_name(cls) for cls in get_args(union)]
    assert len(set(names)) == len(names)


def test_a_subclass_has_its_own_name():
    @dataclass(frozen=True)
    class MySimPO(solvers.SimPO):
        pass

    @dataclass
    class Renamed:
        name: ClassVar[str] = "brand"

    assert canonical_name(MySimPO) == "my-sim-po"
    assert canonical_name(Renamed) == "brand"


def test_a_setting_called_name_is_no_command_line_name():
    @dataclass
    class LengthPenalty:
        name: str = "tokens"

    assert canonical_name(LengthPenalty) == "length-penalty"
