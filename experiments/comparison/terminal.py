"""Print a comparison in a terminal: tables, then its context, then what it concludes."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from eva_env.plain_text import clean
from experiments.comparison.caveats import is_estimated
from experiments.comparison.conclusions import context, findings
from experiments.comparison.forest import forest
from experiments.comparison.next_step import next_seeds, next_step
from experiments.comparison.ranges import (
    REGRET,
    SHARE,
    UNBOUNDED,
    Range,
    mean_with_interval,
    range_of,
)
from experiments.run.judging import score_name

Summary = Mapping[str, Any]

CLIPPED = "≥, ≤: the interval reaches to the end of the possible range."


def print_summary(summary: Summary, console: Console, folder: Path) -> None:
    """Print the tables, then all sentences: what was found and what to do next come last."""
    key = numbers(summary)
    console.print(strategies(summary))
    regret = "regret estimate a_star_avg" if is_estimated(summary) else "true regret"
    console.print(
        matrix(
            summary["crossplay"], "rows", "columns", key, REGRET, 1000, 0,
            f"Cross-play: {regret}, in thousandths, of solvers (columns)\n"
            "on what creators (rows) propose for the round after the last",
        )
    )  # fmt: skip
    title = f"Solver against solver: % of responses won by the row, suite {summary['suite']}"
    console.print(matrix(summary["wins"], "players", "players", key, SHARE, 100, 1, title))
    even = summary["wins_length_controlled"]
    if even:
        title = f"{title}, at equal length"
        console.print(matrix(even, "players", "players", key, SHARE, 100, 1, title))
    console.print(standings(summary))
    if summary["exact"]:
        console.print(true_game(summary["exact"]))
    print_sentences(summary, console, folder)


def print_sentences(summary: Summary, console: Console, folder: Path) -> None:
    """Print context, findings and next step, with the command that takes this step."""
    lines = forest(summary)
    if lines:
        title = "Paired differences, with intervals corrected for all of them"
        for line in ["", title, *lines]:
            console.print(clean(line), highlight=False, markup=False, soft_wrap=True)
    for heading, sentences in (
        ("Context", context(summary)),
        ("Findings", [*findings(summary), *next_step(summary)]),
    ):
        console.print(f"\n{heading}", highlight=False)
        for sentence in sentences:
            console.print(f"• {clean(sentence)}", highlight=False, markup=False)
    command = next_command(summary, folder)
    if command:
        console.print(command, highlight=False, markup=False, soft_wrap=True)


def next_command(summary: Summary, folder: Path) -> str:
    """Return the command that takes the next step; empty if resuming does not help."""
    seeds = next_seeds(summary)
    if summary["failures"]:
        return shlex.join(["eva", "compare", "--resume", str(folder)])
    if not seeds:
        return ""
    return shlex.join(["eva", "compare", "--resume", str(folder), "--seeds", str(seeds)])


def numbers(summary: Summary) -> dict[str, str]:
    """Return the number that stands for each player in narrow tables."""
    return {name: str(i) for i, name in enumerate(summary["wins"]["players"], 1)}


def label(name: str, summary: Summary) -> str:
    """Return a player's name on two narrow lines: creator and solver."""
    arm = summary["arms"].get(name)
    return f"{arm['creator']}\n  {arm['solver']}" if arm else name


def strategies(summary: Summary) -> Table:
    """Return the table of each arm's mean reward and win rate by suite, and its budget."""
    score = score_name(summary.get("judged_by", "gold"))
    table = Table(
        "arm",
        *(f"{suite}: win %\n{score}" for suite in summary["suites"]),
        "tokens\nreward calls", "steps\nseconds",
        title="Strategies on the fixed suites, means and 95 % intervals",
        caption=f"{len(summary['seeds'])} seeds. win %: against the starting policy. "
        f"The oracle is a ceiling and does not compete. {CLIPPED}",
        show_lines=True,
    )  # fmt: skip
    key = numbers(summary)
    for name, arm in summary["arms"].items():
        spent = arm["budget"]
        scores = [
            f"{_cell(suite, 'win_rate', 100, 1)}\n{_cell(suite, 'gold', 1, 3)}"
            for suite in arm["suites"].values()
        ]
        table.add_row(
            f"{key[name]} {label(name, summary)}{_seeds(arm, summary)}", *scores,
            f"{_tokens(spent)}\n{spent['reward_calls']:,.0f}",
            f"{spent['gradient_steps']:,.0f}\n{spent['seconds']:.1f}",
        )  # fmt: skip
    return table


def _tokens(spent: Mapping[str, float]) -> str:
    """Return an arm's tokens: those of responses, and those of rewriting if there are any."""
    written = spent.get("creator_tokens")
    return f"{spent['tokens']:,.0f}" + (f" + {written:,.0f} rewriting" if written else "")


def _cell(suite: Summary, score: str, scale: float, digits: int) -> str:
    return mean_with_interval(suite[score], range_of(score), scale, digits)


def _seeds(arm: Summary, summary: Summary) -> str:
    """Return the seeds of an arm that has fewer than the comparison."""
    seeds = len(arm["seeds"])
    return "" if seeds == len(summary["seeds"]) else f" ({seeds} seeds)"


def matrix(
    means: Summary, rows: str, columns: str, key: Mapping[str, str], possible: Range,
    scale: float, digits: int, title: str,
) -> Table:  # fmt: skip
    """Return the table of a matrix with its intervals; players have their numbers."""
    heads = [key[name] for name in means[columns]]
    table = Table("", *heads, title=title, show_lines=True)
    for i, name in enumerate(means[rows]):
        estimates = [
            {end: means[end][i][j] for end in ("mean", "low", "high")}
            for j in range(len(heads))
        ]
        cells = [mean_with_interval(e, possible, scale, digits, "\n") for e in estimates]
        table.add_row(key[name], *cells)
    return table


def standings(summary: Summary) -> Table:
    """Return the table of equilibria, ranks and ratings, with the bootstrap's agreement."""
    games, rated = summary["games"], summary["ratings"]
    value = mean_with_interval(games["crossplay"]["value"], REGRET, 1, 3)
    regret = "estimated regret" if is_estimated(summary) else "regret"
    table = Table(
        "", "Elo", "alpha-Rank\n(first in)", "Nash average\n(support in)",
        "cross-play:\nprompts", "cross-play:\nresponses",
        title="As players of a game: ratings and probabilities in equilibria,\n"
        "in brackets how often a bootstrap draw agrees", show_lines=True,
        caption=f"Cross-play value: {regret} {value}",
    )  # fmt: skip
    wins, cross = games["wins"], games["crossplay"]
    strategies = (wins["nash_averaging"], cross["row"], cross["column"])
    for name in rated:
        rank = wins["alpha_rank"].get(name)
        probabilities = [
            _share(entry["probability"], entry["support"]) if entry else ""
            for entry in (strategy.get(name) for strategy in strategies)
        ]
        table.add_row(
            label(name, summary),
            mean_with_interval(rated[name]["elo"], UNBOUNDED, 1, 0),
            _share(rank["mass"], rank["first"]) if rank else "",
            *probabilities,
        )
    return table


def true_game(game: Summary) -> Table:
    """Return the table of worst-case true regret and NashConv, where the game is solved."""
    bounded = any(entry["lower_bound"] for entry in game["arms"].values())
    value = f"value of the game: {mean_with_interval(game['value'], REGRET, 1, 4)}"
    if bounded:
        upper = mean_with_interval(game["upper"], REGRET, 1, 4)
        value = f"{value.replace('game:', 'game: from')} to {upper}"
    table = Table(
        Column("", overflow="fold"), "worst-case\ntrue regret", "above the\nvalue",
        "NashConv,\nlower bound" if bounded else "NashConv",
        title="Exact, on gold rewards", caption=value,
    )  # fmt: skip
    for name, entry in game["arms"].items():
        estimates = [entry.get(score) for score in ("worst_regret", "distance", "nash_conv")]
        cells = [mean_with_interval(e, REGRET, 1, 3) if e else "" for e in estimates]
        table.add_row(name, *cells)
    return table


def _share(probability: float | None, frequency: float | None) -> str:
    if probability is None or frequency is None:
        return ""
    return f"{probability:.2f} ({100 * frequency:.0f} %)"
