"""Registration of the environments with PettingZoo and Gymnasium."""

import gymnasium
from pettingzoo import aec_registry, parallel_registry
from pettingzoo import register as register_pettingzoo

SINGLE_AGENT = {
    "eva/TabularCreator-v0": (
        "eva_env.envs.single_agent:TabularCreator",
        "eva_env.envs.vector:TabularCreators",
    ),
    "eva/TabularSolver-v0": (
        "eva_env.envs.single_agent:TabularSolver",
        "eva_env.envs.vector:TabularSolvers",
    ),
    "eva/TextCreator-v0": ("eva_env.envs.single_agent:TextCreator", None),
    "eva/TextSolver-v0": ("eva_env.envs.single_agent:TextSolver", None),
}
"""Gymnasium ids, with the entry points of the environment and of its vector engine."""

GAMES = {"eva/Tabular-v0": "eva_env.envs.tabular", "eva/Text-v0": "eva_env.envs.text"}
"""PettingZoo ids, with their modules; each is an AEC and a parallel environment."""


def register() -> None:
    """Register all ids that are not registered yet."""
    for id, module in GAMES.items():
        if id not in aec_registry:
            register_pettingzoo("aec", id, f"{module}:env")
        if id not in parallel_registry:
            register_pettingzoo("parallel", id, f"{module}:parallel_env")
    for id, (env, vector) in SINGLE_AGENT.items():
        if id not in gymnasium.registry:
            gymnasium.register(id, env, vector_entry_point=vector)
