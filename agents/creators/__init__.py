"""Creators: ways of making prompts.

Your own creator is a dataclass that derives from ``agents.base.Creator``. It plays without
registration, from Python and on the command line as ``package.module.Class`` or
``path/to/file.py:Class``; ``agents.testing.check_creator`` checks it.

To add one to this package, append ``| Mine`` to ``AnyCreator`` below, which gives it a name on
the command line and runs the contract tests on it. A registered creator also owes

- a row in ``docs/strategies.md``: what it is, its source, its file and a test of it;
- its command-line name in ``tests/agents/test_names.py``;
- its closed form in ``CASES`` of ``tests/eva_env/test_creator_payoffs.py``: the distribution
  over prompts that it publishes in a given state.

The tests that fail without them say what to add.
"""

from agents.creators.adversarial import PAIRED as PAIRED
from agents.creators.adversarial import Minimax as Minimax
from agents.creators.eva import Eva as Eva
from agents.creators.eva import EvaLite as EvaLite
from agents.creators.eva_online import EvaOnline as EvaOnline
from agents.creators.evolving import UniformEvolve as UniformEvolve
from agents.creators.evolving import UniformLite as UniformLite
from agents.creators.human import DomainRandomisation as DomainRandomisation
from agents.creators.human import Fresh as Fresh
from agents.creators.human import Oracle as Oracle
from agents.creators.human import Static as Static
from agents.creators.learnability import SFL as SFL
from agents.creators.operator_policy import OperatorPolicy as OperatorPolicy
from agents.creators.replay import ACCEL as ACCEL
from agents.creators.replay import PLR as PLR
from agents.creators.replay import RobustPLR as RobustPLR
from agents.creators.selfplay import AZR as AZR
from agents.creators.selfplay import RZero as RZero
from agents.creators.stp import STP as STP
from agents.creators.trained import Gibbs as Gibbs
from agents.creators.trained import MirrorDescent as MirrorDescent
from agents.creators.trained import PolicyGradient as PolicyGradient
from agents.creators.variants import EvolComplexity as EvolComplexity
from agents.creators.variants import EvolQuality as EvolQuality
from agents.creators.variants import SelfInstruct as SelfInstruct
from agents.creators.variants import TreeBestOfN as TreeBestOfN

AnyCreator = (
    Static
    | Fresh
    | DomainRandomisation
    | Oracle
    | UniformEvolve
    | UniformLite
    | Eva
    | EvaLite
    | EvolComplexity
    | EvolQuality
    | SelfInstruct
    | TreeBestOfN
    | EvaOnline
    | PLR
    | RobustPLR
    | ACCEL
    | SFL
    | Minimax
    | PAIRED
    | RZero
    | AZR
    | STP
    | OperatorPolicy
    | PolicyGradient
    | Gibbs
    | MirrorDescent
)
"""All registered creators: those with a name on the command line and contract tests."""
