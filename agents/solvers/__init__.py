"""Solvers that learn: a policy, and the method by which it learns from rounds.

A method is a frozen dataclass of settings that bears its paper's name. Adding one is a loss in
``agents.losses``, a small class here, and ``| Mine`` in ``AnyMethod``; that buys the name on
the command line and the contract tests. Unregistered methods play all the same.
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
"""Every registered method; add yours with ``| Mine``."""
