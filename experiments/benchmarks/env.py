"""Time the environment next to two of PettingZoo's own, side by side in one run.

``python -m experiments.benchmarks.env``. PettingZoo's envs need ``pip install pygame rlcard``;
without these packages their rows are left out. Contestants take turns, and the best turn
counts, which reduces the influence of other processes.
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
from eva_env.envs.lockstep import TabularGames
from eva_env.envs.spaces import TextBatch
from eva_env.types import Proposal

Turn = Callable[[float], float]
"""A measurement: run for some seconds and return the rate or the cost."""


def main(turns: int = 12, seconds: float = 0.2) -> None:
    """Measure, then print the tables.

    Args:
        turns: number of measurements of each contestant.
        seconds: seconds per turn.
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
    env_cost, model_cost = costs["N = B = 512, n = 6, 60 characters"], wordlist_cost(512)
    console.print(
        f"Wordlist round of 512 x 6: {model_cost:.2f} s for the shipped model's responses and "
        f"their gold rewards; the environment adds {env_cost / model_cost:.2%}."
    )


def measure(
    contestants: dict[str, Turn], turns: int, seconds: float, best: Callable[..., float]
) -> dict[str, float]:
    """Measure the contestants in turn; return the best result of each."""
    results: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in track(range(turns), "measuring", transient=True):
        for name, run in contestants.items():
            results[name].append(run(seconds))
    return {name: best(values) for name, values in results.items()}


def aec_rate(env: Any, seconds: float) -> float:
    """Return agent-steps per second of ``last`` and ``step``, with prepared actions."""
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
    """Return two of PettingZoo's classic games in the same wrappers, if they are installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pettingzoo.classic import connect_four_v3, rps_v2
            from pettingzoo.utils.wrappers import (
                AssertOutOfBoundsWrapper,
                OrderEnforcingWrapper,
            )
    except ImportError as error:
        console.print(f"PettingZoo's games are left out: {error}; pip install pygame rlcard")
        return {}

    def wrapped(module: Any) -> Turn:
        env = OrderEnforcingWrapper(AssertOutOfBoundsWrapper(module.raw_env()))
        return lambda seconds: aec_rate(env, seconds)

    return {"connect_four_v3": wrapped(connect_four_v3), "rps_v2": wrapped(rps_v2)}


def vector_rate(games: int, seconds: float) -> float:
    """Return agent-steps per second of both players' moves in G games."""
    env = tabular_v0.raw_env()
    vector, rng = TabularGames(env, games), np.random.default_rng(0)
    logits = rng.uniform(-1, 1, (games, env.proposals)).astype(np.float32)
    responses = rng.integers(0, 4, (games, 8))
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        if vector.done:
            vector.reset(None)
        vector.propose(logits)
        vector.respond(responses)
        steps += 2 * games
    return steps / (time.perf_counter() - start)


class Nothing:
    """A task that accepts every prompt, and a reward model of 0: only the env costs time."""

    operators, suites = (), {}

    def seed(self, n: int, rng: Any, distribution: str = "human") -> list[str]:
        """Return the same prompt n times."""
        return ["prompt"] * n

    def mutate(self, prompt: str, operator: str, rng: Any) -> None:
        """Return None: no operator applies."""

    def valid(self, prompt: str) -> bool:
        """Return True: every prompt is valid."""
        return True

    def topic(self, prompt: str) -> str:
        """Return "": there are no topics."""
        return ""

    def __call__(self, prompts: Any, responses: Any) -> Any:
        """Return zeros, (B, n)."""
        return np.zeros((len(prompts), len(responses[0])))


def text_cost(size: int, characters: int, seconds: float) -> float:
    """Return seconds per round of the text env(): N = B = size prompts, six responses each."""
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
    base_env: Any = env.unwrapped
    proposal = Proposal([f"{i:<{characters}}" for i in range(size)], np.zeros(size))
    responses = [["a" * characters] * 6 for _ in range(size)]
    rounds, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        env.step(base_env.creator_action(proposal))
        env.last()
        env.step(base_env.solver_action(responses))
        env.last()
        rounds += 1
    return (time.perf_counter() - start) / rounds


def membership_cost(seconds: float) -> float:
    """Return the seconds of one membership check of 10,000 x 6 responses."""
    space, row = TextBatch((10_000, 6), 1000), ("a" * 400,) * 6
    responses, checks, start = (row,) * 10_000, 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        assert space.contains(responses)
        checks += 1
    return (time.perf_counter() - start) / checks


def wordlist_cost(size: int) -> float:
    """Return seconds for six responses of the shipped model per prompt, and gold rewards."""
    from agents.policies.causal_lm import CausalLM
    from eva_env.wordlist import Gold, Wordlist

    model, rng = CausalLM.load("wordlist"), np.random.default_rng(0)
    prompts = Wordlist().seed(size, rng)
    model.sample(prompts[:8], 6, rng)
    start = time.perf_counter()
    Gold()(prompts, model.sample(prompts, 6, rng))
    return time.perf_counter() - start


def show(console: Console, title: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    """Print a table: names in the first column, numbers in the others."""
    table = Table(*columns, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    tyro.cli(main)
