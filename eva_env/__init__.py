"""The game: rules, signals, worlds, reward models, and their PettingZoo and Gymnasium faces.

Importing the package registers ``eva/Tabular-v0`` and ``eva/Text-v0`` with PettingZoo, and
``eva/TabularCreator-v0``, ``eva/TabularSolver-v0``, ``eva/TextCreator-v0`` and
``eva/TextSolver-v0`` with Gymnasium.
"""

from eva_env.envs.registration import register
from eva_env.game import Game as Game
from eva_env.signals import SIGNALS as SIGNALS
from eva_env.types import CREATOR as CREATOR
from eva_env.types import SOLVER as SOLVER
from eva_env.types import Proposal as Proposal
from eva_env.types import RewardModel as RewardModel
from eva_env.types import Round as Round
from eva_env.types import Task as Task

register()
