"""What a run will spend, as far as its settings say."""

from typing import Any

from experiments.run.settings import Conditions


def forecast(settings: Conditions) -> str:
    """The responses and reward calls of a run in one sentence."""
    per_round = settings.prompts * settings.samples
    most = settings.rounds * per_round
    cap = settings.max_reward_calls
    suites: Any = settings.task.suites
    asked = sum(len(suite) for suite in suites.values()) * settings.evaluation_samples
    times = 1 + -(-settings.rounds // settings.evaluate_every)
    return (
        f"will play {settings.rounds} rounds of {settings.prompts} prompts x "
        f"{settings.samples} responses = {most:,} responses"
        + (f", ending at {cap:,} reward calls" if cap is not None else "")
        + f"; creators that answer prompts twice and methods that sample while they learn spend "
        f"more; {times} evaluations of {asked:,} responses each"
    )
