"""How fast the environment is, side by side with two of PettingZoo's own, in one run.

``python -m experiments.benchmarks.env``. The PettingZoo envs need ``pip install pygame rlcard``;
without them their rows are left out. Contestants take turns, and the best of the turns counts,
so that what else the machine does matters less.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from eva_env import tabular_v0, text_v0
from eva_env.envs.spaces import TextBatch
from eva_env.envs.vector import TabularGames
from eva_env.types import Proposal

Turn = Callable[[float], float]
"""Run for that many seconds; returns the rate or cost that was reached."""


def main(turns: int = 12, seconds: float = 0.2) -> None:
    """Measure and print the tables.

    Args:
        turns: how often each contestant is measured.
        seconds: length of a turn.
    """
    console = Console()
    games: dict[str, Turn] = {"eva tabular, env()": lambda s: aec_rate(tabular_v0.env(), s)}
    games["eva tabular, raw_env()"] = lambda s: aec_rate(tabular_v0.raw_env(), s)
    games |= pettingzoo_games(console)
    rates = measure(games, turns, seconds, max)
    ours = rates["eva tabular, env()"]
    rows = [(name, f"{rate:,.0f}", f"{ours / rate:.2f}") for name, rate in rates.items()]
    show(console, "AEC, one game", ("env", "agent-steps/s", "eva env() / it"), rows)

    vector: dict[str, Turn] = {
        f"G = {games:,}": lambda s, games=games: vector_rate(games, s)
        for games in (16, 256, 4096)
    }
    rates = measure(vector, turns, seconds, max)
    rows = [(name, f"{rate / 1e6:.2f} M", f"{rate / ours:.0f}") for name, rate in rates.items()]
    show(
        console,
        "Tabular vector engine, a generator for each game",
        ("games", "agent-steps/s", "it / eva env()"),
        rows,
    )

    text: dict[str, Turn] = {
        "N = B = 512, n = 6, 60 characters": lambda s: text_cost(512, 60, s),
        "N = B = 10,000, n = 6, 400 characters": lambda s: text_cost(10_000, 400, s),
        "membership alone, 10,000 x 6 x 400": membership_cost,
    }
    costs = measure(text, turns, seconds, min)
    rows = [(name, f"{1e3 * cost:.2f} ms") for name, cost in costs.items()]
    show(console, "Text env(), null task and reward model", ("round", "cost"), rows)
    face, whole = costs["N = B = 512, n = 6, 60 characters"], wordlist_cost(512)
    console.print(
        f"Wordlist round of 512 x 6: {whole:.2f} s for the shipped model's answers and their "
        f"gold rewards; the face adds {face / whole:.2%}."
    )


def measure(
    contestants: dict[str, Turn], turns: int, seconds: float, best: Callable[..., float]
) -> dict[str, float]:
    """Each contestant's best turn; they take turns."""
    seen: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in track(range(turns), "measuring", transient=True):
        for name, run in contestants.items():
            seen[name].append(run(seconds))
    return {name: best(values) for name, values in seen.items()}


def aec_rate(env: Any, seconds: float) -> float:
    """Agent-steps a second of ``last`` and ``step`` with prepared actions, resets included."""
    env.reset(seed=0)
    moves = {a: [env.action_space(a).sample() for _ in range(64)] for a in env.possible_agents}
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        env.reset()
        for agent in env.agent_iter():
            observation, _, terminated, truncated, _ = env.last()
            if terminated or truncated:
                action = None
            elif isinstance(observation, dict):
                action = int(observation["action_mask"].argmax())
            else:
                action = moves[agent][steps & 63]
            env.step(action)
            steps += 1
    return steps / (time.perf_counter() - start)


def pettingzoo_games(console: Console) -> dict[str, Turn]:
    """Two of PettingZoo's classic games with the same wrappers, if they are installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pettingzoo.classic import connect_four_v3, rps_v2
            from pettingzoo.utils.wrappers import (
                AssertOutOfBoundsWrapper,
                OrderEnforcingWrapper,
            )
    except ImportError as error:
        console.print(f"Without PettingZoo's games: {error}; pip install pygame rlcard")
        return {}

    def wrapped(module: Any) -> Turn:
        env = OrderEnforcingWrapper(AssertOutOfBoundsWrapper(module.raw_env()))
        return lambda seconds: aec_rate(env, seconds)

    return {"connect_four_v3": wrapped(connect_four_v3), "rps_v2": wrapped(rps_v2)}


def vector_rate(games: int, seconds: float) -> float:
    """Agent-steps a second of both players' moves in G games."""
    face = tabular_v0.raw_env()
    table, rng = TabularGames(face, games), np.random.default_rng(0)
    publish = rng.uniform(-1, 1, (games, face.proposals)).astype(np.float32)
    answer = rng.integers(0, 4, (games, 8))
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        if table.done:
            table.reset(None)
        table.propose(publish)
        table.respond(answer)
        steps += 2 * games
    return steps / (time.perf_counter() - start)


class Nothing:
    """A task that accepts all, and a reward model that gives 0: what is left is the face."""

    operators, suites = (), {}

    def seed(self, n: int, rng: Any, distribution: str = "human") -> list[str]:
        """The same prompt n times."""
        return ["prompt"] * n

    def mutate(self, prompt: str, operator: str, rng: Any) -> None:
        """No operator applies."""

    def valid(self, prompt: str) -> bool:
        """Everything is valid."""
        return True

    def topic(self, prompt: str) -> str:
        """There are no topics."""
        return ""

    def __call__(self, prompts: Any, responses: Any) -> Any:
        """Zeros, (B, n)."""
        return np.zeros((len(prompts), len(responses[0])))


def text_cost(size: int, characters: int, seconds: float) -> float:
    """Seconds a round of the text env() with N = B = size prompts and six answers to each."""
    nothing = Nothing()
    env = text_v0.env(
        task=nothing,
        reward_model=nothing,
        proposals=size,
        batch_size=size,
        samples=6,
        max_cycles=10**6,
        signal="a_star_min",
    )
    env.reset(seed=0)
    face: Any = env.unwrapped
    proposal = Proposal([f"{i:<{characters}}" for i in range(size)], np.zeros(size))
    responses = [["a" * characters] * 6 for _ in range(size)]
    rounds, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        env.step(face.creator_action(proposal))
        env.last()
        env.step(face.solver_action(responses))
        env.last()
        rounds += 1
    return (time.perf_counter() - start) / rounds


def membership_cost(seconds: float) -> float:
    """Seconds for one check of 10,000 x 6 responses."""
    space, row = TextBatch((10_000, 6), 1000), ("a" * 400,) * 6
    responses, checks, start = (row,) * 10_000, 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        assert space.contains(responses)
        checks += 1
    return (time.perf_counter() - start) / checks


def wordlist_cost(size: int) -> float:
    """Seconds for six answers of the shipped model to each prompt, and their gold rewards."""
    from agents.policies.causal_lm import CausalLM
    from eva_env.wordlist import Gold, Wordlist

    model, rng = CausalLM.load("wordlist"), np.random.default_rng(0)
    prompts = Wordlist().seed(size, rng)
    model.sample(prompts[:8], 6, rng)
    start = time.perf_counter()
    Gold()(prompts, model.sample(prompts, 6, rng))
    return time.perf_counter() - start


def show(console: Console, title: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    """Print a table whose first column is a name."""
    table = Table(*columns, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    tyro.cli(main)
