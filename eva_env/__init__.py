"""The game: its rules, signals, worlds and reward models, and its environments.

Start with ``types`` (the records and protocols), then ``game`` and ``payoffs`` (the rules) and
``signals`` (from rewards to informativeness).

- ``envs``: the PettingZoo, Gymnasium and vector environments around ``Game``; ``tabular_v0``
  and ``text_v0`` are their conventional module names.
- ``world``, ``worlds``: a task with everything that training on it needs. ``tabular`` is the
  world of integers with exact equilibria, ``wordlist`` the world of verifiable instructions.
- ``rewards``: reward models around a base: noisy, biased, drifting, ensembles, refitted.
- ``debiasing``: noise floors of the signals.
- ``solving``: game theory on payoff matrices. ``statistics``: win rates and intervals.
- ``distributions``, ``hashing``, ``require``, ``names``, ``plugins``: softmax and draws, keyed
  random numbers, range checks, names and paths of parts.
- ``testing``: checks for your own tasks, reward models, signals and environments.

Importing the package registers ``eva/Tabular-v0`` and ``eva/Text-v0`` with PettingZoo, and
``eva/TabularCreator-v0``, ``eva/TabularSolver-v0``, ``eva/TextCreator-v0`` and
``eva/TextSolver-v0`` with Gymnasium. It imports neither torch nor transformers.
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
