"""Other ways of rewriting than EvolInstruct's, in eva's loop (Ye et al. 2025, Table 12, H.1).

Each is ``Eva`` with its own choice of operators, or of rewrites. ``operators``, where set,
overrules the choice of operators.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.creators.eva import Eva
from agents.evolution.operators import complexity
from eva_env.types import Task

FIXED = {name: factors for name, factors in Eva.grid.items() if name != "depth"}
"""What is tuned where the operators are given."""


@dataclass
class EvolComplexity(Eva):
    """Rewrite by the operators of depth alone, one after the other (Liu et al. 2024).

    Deita, arXiv 2312.15685: EvolInstruct without its breadth. ``task.depth`` names them.
    """

    grid = FIXED
    kind = "depth"


@dataclass
class EvolQuality(Eva):
    """Rewrite by the operators that enrich, one after the other (Liu et al. 2024).

    Deita, arXiv 2312.15685, where five methods (helpfulness, relevance, depth, creativity,
    detail) rewrite responses; how eva turned them to prompts is not said. ``task.quality``
    names the operators that are nearest.
    """

    grid = FIXED
    kind = "quality"


@dataclass
class SelfInstruct(Eva):
    """New prompts after the example of a drawn one, each on its own (Wang et al. 2023).

    arXiv 2212.10560; every rewrite is one step of breadth away from the prompt that was drawn.
    ``task.breadth`` names the operators.
    """

    sequential: bool = False
    """Rewrite k + 1 rewrites rewrite k, instead of all rewriting the drawn prompt."""

    grid = FIXED
    kind = "breadth"


@dataclass
class TreeBestOfN(Eva):
    """Rewrite several ways, go on from the most complex one (Ye et al. 2025, Fig. 10).

    Each step rewrites the tip by ``branches`` operators drawn alike and keeps the best rewrite,
    by ``complexity`` of the task or by a language model's judgement
    (``agents.evolution.lm_operators.RewrittenTask``); the others are thrown away.
    """

    branches: int = 4
    """Rewrites from which each step keeps one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.branches < 2:
            raise ValueError(f"branches must be at least 2, got {self.branches}; 1 is Eva")

    def branching(self, task: Task, rng: np.random.Generator) -> dict[str, Any]:
        """The branches, and what to choose among them by.

        The score raises ValueError where the task does not say how complex a prompt is.
        """
        return {"branches": self.branches, "score": lambda ps: complexity(task, ps, rng)}
