"""The responses and reward calls that a run will spend."""

import math

from experiments.run.settings import Conditions


def forecast(settings: Conditions) -> str:
    """Return the responses, reward calls and rewrites of a run in one sentence."""
    responses = settings.rounds * settings.prompts * settings.samples
    cap = settings.max_reward_calls
    end = "" if cap is None else f", ending at {cap:,} reward calls"
    suite_prompts = sum(len(suite) for suite in settings.task.suites.values())
    evaluations = 1 + math.ceil(settings.rounds / settings.evaluate_every)
    return (
        f"will play {settings.rounds} rounds of {settings.prompts} prompts x "
        f"{settings.samples} responses = {responses:,} responses{end}; creators that sample "
        f"responses twice and methods that sample while they learn spend more; {evaluations} "
        f"evaluations of {suite_prompts * settings.evaluation_samples:,} responses each"
        f"{_rewriting(settings)}"
    )


def _rewriting(settings: Conditions) -> str:
    """The replies of a language model that rewrites each prompt of a round once; or nothing."""
    if settings.rewriter is None:
        return ""
    rewriting = settings.rewriting
    rewrites = (settings.rounds - 1) * settings.prompts
    rated = ", and as many ratings" if rewriting.judge else ""
    return (
        f"; rewriting takes up to {rewrites * (1 + rewriting.retries):,} replies of "
        f"{rewriting.max_tokens} tokens{rated}, if every prompt is rewritten once a round"
    )
