"""Solvers that learn: a policy, and the method by which it learns from rounds.

``base`` has ``PolicySolver`` and the contract ``Method``; ``optimise`` the one update loop. A
family base has the algorithm that its methods share: ``Offline`` trains on a round's (chosen,
rejected) pairs for some epochs (``pairs`` builds them), ``Online`` ascends the advantages of
the round's own samples, ``OnlinePairs`` makes one pass over pairs. ``inference`` has the
methods that do not learn.

To add a method:

1. write its loss in ``agents.losses``, with the paper's equation;
2. derive a frozen dataclass from a family base, named as in the paper, settings as fields;
3. give it ``loss`` (pairs) or ``advantages`` (samples), and ``grid``, the settings to tune;
4. append ``| Mine`` to ``AnyMethod``: it gets a command-line name and the contract tests;
5. add its row to ``docs/strategies.md``.

A method outside this package needs steps 2 and 3 alone: the command line finds it by its import
path or file.
"""

from agents.solvers.base import Method as Method
from agents.solvers.base import PolicySolver as PolicySolver
from agents.solvers.grpo import DAPO as DAPO
from agents.solvers.grpo import GRPO as GRPO
from agents.solvers.grpo import GSPO as GSPO
from agents.solvers.grpo import DrGRPO as DrGRPO
from agents.solvers.inference import BestOfN as BestOfN
from agents.solvers.inference import Fixed as Fixed
from agents.solvers.nash import NashMD as NashMD
from agents.solvers.offline import Offline as Offline
from agents.solvers.offline import ReferenceBased as ReferenceBased
from agents.solvers.online import RLOO as RLOO
from agents.solvers.online import Online as Online
from agents.solvers.online_pairs import OAIF as OAIF
from agents.solvers.online_pairs import XPO as XPO
from agents.solvers.ppo import PPO as PPO
from agents.solvers.reference_based import DPO as DPO
from agents.solvers.reference_based import IPO as IPO
from agents.solvers.reference_based import RPO as RPO
from agents.solvers.reference_based import SGPO as SGPO
from agents.solvers.reference_based import SPPO as SPPO
from agents.solvers.reference_based import Hinge as Hinge
from agents.solvers.reference_based import RobustDPO as RobustDPO
from agents.solvers.reference_free import CPO as CPO
from agents.solvers.reference_free import ORPO as ORPO
from agents.solvers.reference_free import RePO as RePO
from agents.solvers.reference_free import SimPO as SimPO
from agents.solvers.reference_free import SLiC as SLiC
from agents.solvers.reinforce import RAE as RAE
from agents.solvers.reinforce import REINFORCE as REINFORCE
from agents.solvers.reinforce import ReMax as ReMax
from agents.solvers.unpaired import KTO as KTO

AnyMethod = (
    DPO
    | IPO
    | Hinge
    | SLiC
    | RobustDPO
    | RPO
    | SPPO
    | KTO
    | SimPO
    | RePO
    | CPO
    | ORPO
    | SGPO
    | RLOO
    | REINFORCE
    | ReMax
    | RAE
    | PPO
    | GRPO
    | DrGRPO
    | DAPO
    | GSPO
    | NashMD
    | OAIF
    | XPO
    | Fixed
    | BestOfN
)
"""All methods that the command line and the contract tests know."""
