"""Time the prioritised buffer at a million prompts, next to numpy's ``Generator.choice``.

``python -m experiments.benchmarks.buffer``. Batches are drawn without replacement in proportion
to the values, and drawn prompts get new values, after which ``Generator.choice`` needs all
probabilities again. Contestants take turns, and the best turn counts.
"""

import time
from collections.abc import Callable

import numpy as np
import tyro
from rich.console import Console

from agents.evolution.buffer import PromptBuffer
from eva_env.types import Floats, Ints
from experiments.benchmarks.env import measure, show


class Choice:
    """Weighted draws by ``Generator.choice``, which needs the probabilities of all prompts."""

    def __init__(self, values: Floats) -> None:
        self.values = values.copy()
        self.probabilities = values / values.sum()

    def draw(self, size: int, rng: np.random.Generator) -> Ints:
        """Return the indices of ``size`` draws without replacement."""
        return rng.choice(len(self.values), size, replace=False, p=self.probabilities)

    def update(self, indices: Ints, values: Floats) -> None:
        """Set new values and compute all probabilities again."""
        self.values[indices] = values
        self.probabilities = self.values / self.values.sum()


def main(prompts: int = 1_000_000, turns: int = 6, seconds: float = 0.3) -> None:
    """Measure and print a table.

    Args:
        prompts: number of prompts in the buffer.
        turns: number of measurements of each contestant.
        seconds: seconds per turn.
    """
    values = np.random.default_rng(0).exponential(size=prompts)
    buffer, choice = PromptBuffer(prompts), Choice(values)
    buffer.add(range(prompts), range(prompts), values, 0)
    for batch in (8, 64, 512):
        draws = measure(
            {
                "PromptBuffer": lambda s, size=batch: draw_rate(buffer, size, s),
                "Generator.choice": lambda s, size=batch: draw_rate(choice, size, s),
            },
            turns,
            seconds,
            max,
        )
        updates = measure(
            {
                "PromptBuffer": lambda s, size=batch: update_rate(buffer, size, s),
                "Generator.choice": lambda s, size=batch: update_rate(choice, size, s),
            },
            turns,
            seconds,
            max,
        )
        rows = [(name, f"{draws[name]:,.0f}", f"{updates[name]:,.0f}") for name in draws]
        ours, theirs = "PromptBuffer", "Generator.choice"
        ratios = (f"{rates[ours] / rates[theirs]:.1f}" for rates in (draws, updates))
        title = f"{prompts:,} prompts, {batch} at a time"
        show(Console(), title, ("", "draws/s", "updates/s"), [*rows, ("ratio", *ratios)])


def draw_rate(contestant: PromptBuffer | Choice, size: int, seconds: float) -> float:
    """Return the number of prompts drawn per second."""
    rng = np.random.default_rng(0)
    return size * rate(lambda: contestant.draw(size, rng), seconds)


def update_rate(contestant: PromptBuffer | Choice, size: int, seconds: float) -> float:
    """Return the number of prompts per second that get new values, ready to be drawn."""
    rng = np.random.default_rng(0)
    drawn = contestant.draw(size, rng)
    return size * rate(lambda: contestant.update(drawn, rng.exponential(size=size)), seconds)


def rate(call: Callable[[], object], seconds: float) -> float:
    """Return the number of calls per second."""
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        call()
        calls += 1
    return calls / (time.perf_counter() - start)


if __name__ == "__main__":
    tyro.cli(main)
