"""Solvers that learn: a policy, and the method by which it learns from rounds.

A method is a frozen dataclass of settings that bears its paper's name. Adding one is a loss in
``agents.losses``, a small class here, and ``| Mine`` in ``AnyMethod``; that buys the name on
the command line and the contract tests. Unregistered methods play all the same.
"""

from agents.solvers.base import Method as Method
from agents.solvers.base import PolicySolver as PolicySolver
from agents.solvers.offline import DPO as DPO
from agents.solvers.offline import Offline as Offline
from agents.solvers.online import RLOO as RLOO
from agents.solvers.online import Online as Online

AnyMethod = DPO | RLOO
"""Every registered method; add yours with ``| Mine``."""
