"""Creators: ways of making prompts.

To add one, write a dataclass that derives from ``agents.base.Creator`` and append
``| Mine`` to ``AnyCreator``. That line buys it a name on the command line and the contract
tests; a creator plays without it all the same.
"""

from agents.creators.eva import Eva as Eva
from agents.creators.eva import UniformEvolve as UniformEvolve
from agents.creators.eva_online import EvaOnline as EvaOnline
from agents.creators.human import Fresh as Fresh
from agents.creators.human import Oracle as Oracle
from agents.creators.human import Static as Static

AnyCreator = Static | Fresh | UniformEvolve | Oracle | Eva | EvaOnline
"""All creators that the command line and the contract tests know."""
