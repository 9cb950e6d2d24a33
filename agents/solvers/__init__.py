"""Solvers that learn: a policy, and the method by which it learns from rounds.

A method is a frozen dataclass of settings that bears its paper's name. Adding one is a loss in
``agents.losses``, a small class here, and ``| Mine`` in ``AnyMethod``; that buys the name on
the command line and the contract tests. Unregistered methods play all the same.
"""

from agents.solvers.anchored import DPO as DPO
from agents.solvers.anchored import IPO as IPO
from agents.solvers.anchored import RPO as RPO
from agents.solvers.anchored import SGPO as SGPO
from agents.solvers.anchored import SPPO as SPPO
from agents.solvers.anchored import Hinge as Hinge
from agents.solvers.anchored import RobustDPO as RobustDPO
from agents.solvers.base import Method as Method
from agents.solvers.base import PolicySolver as PolicySolver
from agents.solvers.offline import Anchored as Anchored
from agents.solvers.offline import Offline as Offline
from agents.solvers.online import RLOO as RLOO
from agents.solvers.online import Online as Online
from agents.solvers.reference_free import CPO as CPO
from agents.solvers.reference_free import ORPO as ORPO
from agents.solvers.reference_free import RePO as RePO
from agents.solvers.reference_free import SimPO as SimPO
from agents.solvers.reference_free import SLiC as SLiC
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
)
"""Every registered method; add yours with ``| Mine``."""
