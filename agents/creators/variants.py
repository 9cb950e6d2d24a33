"""eva's loop with other ways of rewriting than EvolInstruct's (Ye et al. 2025, Table 12, H.1).

Each is ``Eva`` with its own choice of operators or of rewrites. The setting ``operators``,
where it is given, overrides that choice of operators.
"""

from dataclasses import dataclass

import numpy as np

from agents.creators.eva import Eva
from agents.evolution.evolve import Score
from agents.evolution.operators import check_complexity, complexity
from eva_env.require import require
from eva_env.types import Task

FIXED = {name: factors for name, factors in Eva.grid.items() if name != "depth"}
"""The settings to tune if the operators are given: those of Eva without the drift."""


@dataclass
class EvolComplexity(Eva):
    """eva with the operators of depth alone, one after the other (Liu et al. 2024).

    Deita, arXiv 2312.15685: EvolInstruct without its breadth. ``task.depth`` names them.
    """

    grid = FIXED
    kind = "depth"


@dataclass
class EvolQuality(Eva):
    """eva with the operators that enrich, one after the other (Liu et al. 2024).

    Deita, arXiv 2312.15685, where five methods (helpfulness, relevance, depth, creativity,
    detail) rewrite responses; eva's paper does not say how it applies them to prompts.
    ``task.quality`` names the nearest operators.
    """

    grid = FIXED
    kind = "quality"


@dataclass
class SelfInstruct(Eva):
    """New prompts modelled on a drawn one, independently of each other (Wang et al. 2023).

    arXiv 2212.10560; every rewrite is one step of breadth from the drawn prompt.
    ``task.breadth`` names the operators.
    """

    sequential: bool = False
    """Rewrite in a chain: each rewrite starts from the one before. False: all rewrites start
    from the drawn prompt."""

    grid = FIXED
    kind = "breadth"


@dataclass
class TreeBestOfN(Eva):
    """Rewrite in several ways and continue from the most complex one (Ye et al. 2025, Fig. 10).

    Each step rewrites the last link of a chain by ``branches`` operators, drawn with equal
    probability, and keeps the best rewrite: by ``complexity`` of the task, or by a language
    model's rating (``agents.evolution.lm_operators.RewrittenTask``). The others are discarded.
    """

    branches: int = 4
    """Number of rewrites of which each step keeps one; at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[2, inf)", "branches")  # 1 is Eva

    def check_task(self, task: Task) -> None:
        """Raise ValueError if the task lacks operators, or does not rate complexity."""
        super().check_task(task)
        check_complexity(task)

    def branching(self, task: Task, rng: np.random.Generator) -> tuple[int, Score | None]:
        """Return the number of branches, and the complexity that chooses among them."""
        return self.branches, lambda prompts: complexity(task, prompts, rng)
