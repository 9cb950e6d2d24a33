"""A real-English world with exact gold: requests under verifiable constraints."""

from eva_env.instruct.gold import InstructGold
from eva_env.instruct.world import Instruct

__all__ = ["Instruct", "InstructGold"]
