"""A comparison as tables in a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Column, Table

Summary = Mapping[str, Any]
Figure = Mapping[str, float | None]


def tell(summary: Summary, console: Console) -> None:
    """Three tables, the solutions, and a sentence for each conclusion."""
    console.print(strategies(summary))
    key = numbers(summary)
    console.print(
        pairs(
            summary["crossplay"], "rows", "columns", key, 1000, 0,
            "Cross-play: true regret, in thousandths, of solvers (columns)\n"
            "on what creators (rows) propose for the round after the last",
        )
    )  # fmt: skip
    title = f"Solver against solver: % of answers won by the row, suite {summary['suite']}"
    console.print(pairs(summary["wins"], "players", "players", key, 100, 1, title))
    if summary["wins_length_controlled"]:
        even = summary["wins_length_controlled"]
        console.print(
            pairs(even, "players", "players", key, 100, 1, f"{title}, at equal length")
        )
    console.print(standings(summary))
    if summary["exact"]:
        console.print(exact(summary["exact"]))
    for sentence in summary["conclusions"]:
        console.print(f"• {sentence}", highlight=False, markup=False)


def numbers(summary: Summary) -> dict[str, str]:
    """The number by which matrices name a player, to be narrow."""
    return {name: str(i) for i, name in enumerate(summary["wins"]["players"], 1)}


def label(name: str, summary: Summary) -> str:
    """A player's name on two lines, creator and solver, to be narrow."""
    arm = summary["arms"].get(name)
    return f"{arm['creator']}\n  {arm['solver']}" if arm else name


def strategies(summary: Summary) -> Table:
    """Gold reward and win rate of every arm on every suite, and what it has spent."""
    table = Table(
        "arm",
        *(f"{suite}: win %\ngold reward" for suite in summary["suites"]),
        "tokens\nreward calls", "steps\nseconds",
        title="Strategies on the fixed suites, means and 95 % intervals",
        caption=f"{len(summary['seeds'])} seeds. win %: against the starting model. "
        "The oracle's arms are a ceiling, no competitors.",
        show_lines=True,
    )  # fmt: skip
    key = numbers(summary)
    for name, arm in summary["arms"].items():
        spent = arm["budget"]
        scores = [
            f"{pm(own['win_rate'], 100, 1)}\n{pm(own['gold'], 1, 3)}"
            for own in arm["suites"].values()
        ]
        table.add_row(
            f"{key[name]} {label(name, summary)}{_fewer(arm, summary)}", *scores,
            f"{spent['tokens']:,.0f}\n{spent['reward_calls']:,.0f}",
            f"{spent['gradient_steps']:,.0f}\n{spent['seconds']:.1f}",
        )  # fmt: skip
    return table


def _fewer(arm: Summary, summary: Summary) -> str:
    seeds = len(arm["seeds"])
    return "" if seeds == len(summary["seeds"]) else f" ({seeds} seeds)"


def pairs(
    matrix: Summary, rows: str, columns: str, key: Mapping[str, str], scale: float, digits: int,
    title: str,
) -> Table:  # fmt: skip
    """A matrix with its intervals; players are numbered as among the strategies."""
    heads = [key[name] for name in matrix[columns]]
    table = Table("", *heads, title=title, show_lines=True)
    for i, name in enumerate(matrix[rows]):
        cells = [
            pm({end: matrix[end][i][j] for end in ("mean", "low", "high")}, scale, digits, "\n")
            for j in range(len(heads))
        ]
        table.add_row(key[name], *cells)
    return table


def standings(summary: Summary) -> Table:
    """Equilibria, ranks and ratings, each beside how often the bootstrap agrees."""
    games, rated = summary["games"], summary["ratings"]
    table = Table(
        "", "Elo", "alpha-Rank\n(first in)", "Nash average\n(support in)",
        "cross-play:\nprompts", "cross-play:\nanswers",
        title="As players of a game: ratings and shares of equilibria,\n"
        "in brackets how often a bootstrap draw agrees", show_lines=True,
        caption=f"Cross-play value: regret {pm(games['crossplay']['value'], 1, 3)}",
    )  # fmt: skip
    wins, cross = games["wins"], games["crossplay"]
    for name in rated:
        rank = wins["alpha_rank"].get(name)
        table.add_row(
            label(name, summary),
            pm(rated[name]["elo"], 1, 0),
            _share(rank and rank["mass"], rank and rank["first"]),
            *(
                _share(own and own["probability"], own and own["support"])
                for own in (
                    wins["nash_averaging"].get(name),
                    cross["row"].get(name),
                    cross["column"].get(name),
                )
            ),
        )
    return table


def exact(known: Summary) -> Table:
    """The tabular rung's exact figures."""
    bound = any(own["lower_bound"] for own in known["arms"].values())
    head = "NashConv,\nlower bound" if bound else "NashConv"
    value = f"value of the game: {pm(known['value'], 1, 4)}"
    if bound:
        value = (
            f"value of the game: from {pm(known['value'], 1, 4)} to {pm(known['upper'], 1, 4)}"
        )
    table = Table(
        Column("", overflow="fold"), "worst-case\ntrue regret", "above the\nvalue", head,
        title="Exact, on gold rewards", caption=value,
    )  # fmt: skip
    for name, own in known["arms"].items():
        figures = (own.get(key) for key in ("worst_regret", "distance", "nash_conv"))
        table.add_row(name, *(pm(figure, 1, 3) if figure else "" for figure in figures))
    return table


def pm(figure: Figure, scale: float, digits: int, gap: str = " ") -> str:
    """70.9 ±0.7; the half-width is missing with one seed, everything in a missing cell."""
    mean, low, high = (figure[end] for end in ("mean", "low", "high"))
    if mean is None:
        return "-"
    half = "" if low is None or high is None else f"{gap}±{scale * (high - low) / 2:.{digits}f}"
    return f"{scale * mean:.{digits}f}{half}"


def _share(value: float | None, frequency: float | None) -> str:
    if value is None or frequency is None:
        return ""
    return f"{value:.2f} ({frequency:.0%})"
