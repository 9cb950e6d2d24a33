"""Creators: ways of making prompts.

To add one, write a dataclass that derives from ``agents.base.Creator`` and append
``| Mine`` to ``AnyCreator``. That line buys it a name on the command line and the contract
tests; a creator plays without it all the same.
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
"""All creators that the command line and the contract tests know."""
