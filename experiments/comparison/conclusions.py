"""What the data do and do not support, a plain sentence each."""

from collections.abc import Mapping
from typing import Any

from experiments.comparison.caveats import trouble, tuning
from experiments.comparison.wording import interval, spread, value
from experiments.human_play.standings import agreement_sentence
from experiments.run.wording import counted, join

Summary = Mapping[str, Any]
Row = Mapping[str, Any]

METRICS = {"win_rate": "win rate against the start", "gold": "gold reward"}
SETTLED, SEEDS = 0.95, 10
"""Share of bootstrap draws from which a support is called settled, and the fewest seeds: fewer
cannot be drawn in enough ways, and agree by chance."""


def conclusions(summary: Summary) -> list[str]:
    """All sentences, the headline first."""
    told = [headline(summary), bracket(summary), *summary["power"]["sentences"]]
    for row in summary["comparisons"]:
        if row["family"] == "main":
            told.append(contrast(row, summary["metric"]))
    split = [row for row in summary["comparisons"] if row["family"] == "within"]
    if split:
        told.append(within(split))
    told += [*tuning(summary), *equilibrium(summary), *exact(summary), *trouble(summary)]
    told.append(agreement_sentence(summary["votes"]))
    return [sentence for sentence in told if sentence]


def headline(summary: Summary) -> str:
    """Who wins, and from whom that tells it apart: the one line that is quoted."""
    ranked = sorted(competitors(summary), key=lambda name: -_score(summary, name)["mean"])
    if not ranked:
        return "No arm has finished: nothing can be said."
    best = _score(summary, ranked[0])
    first = (
        f"{ranked[0]} comes first of {len(ranked)} with a {METRICS[summary['metric']]} on "
        f"{summary['suite']} of {value(best['mean'], summary)}{spread(best, summary)}"
    )
    main = [row for row in summary["comparisons"] if row["family"] == "main"]
    ahead = [f"{won} beats {lost}" for won, lost in map(decided, main) if won]
    open_ = [f"{row['a']} from {row['b']}" for row in main if not decided(row)[0]]
    says = []
    if ahead:
        others = any(row["family"] == "within" for row in summary["comparisons"])
        says.append(f"{'averaged over the other player, ' * others}{join(ahead)}")
    if open_:
        says.append(f"these data do not tell {', nor '.join(open_)}")
    return f"{first}; {'; '.join(says)}." if says else f"{first}."


def competitors(summary: Summary) -> list[str]:
    """The arms but for the oracles'."""
    return [name for name, arm in summary["arms"].items() if not arm["ceiling"]]


def bracket(summary: Summary) -> str:
    """Where start and oracle stand."""
    ceilings = [name for name, arm in summary["arms"].items() if arm["ceiling"]]
    if not ceilings:
        return "The oracle's runs are missing: nothing shows how much there was to gain."
    reached = ", ".join(
        f"{name} reaches {value(_score(summary, name)['mean'], summary)}" for name in ceilings
    )
    return f"The start stands at {value(summary['power']['start'], summary)}; {reached}."


def contrast(row: Row, metric: str) -> str:
    """One paired comparison: its interval, and what that supports."""
    if row["mean"] is None:
        return f"{row['a']} and {row['b']} cannot be compared: no seed has all of their cells."
    unit, scale, digits = ("points", 100, 1) if metric == "win_rate" else ("", 1, 4)
    says = f"{row['a']} - {row['b']}: {scale * row['mean']:+.{digits}f} {unit}".rstrip()
    if row["low"] is None:
        return f"{says} on {row['seeds']} seed: one seed shows nothing."
    says += (
        f", 95 % interval {scale * row['low']:+.{digits}f} to {scale * row['high']:+.{digits}f}"
    )
    says += f", p = {min(1.0, row['p'] * row['comparisons']):.2g}"
    if row["comparisons"] > 1:
        says += f" (both corrected for {row['comparisons']} comparisons)"
    says += f", {row['seeds']} seeds"
    won, lost = decided(row)
    if won:
        return f"{says}: {won} is ahead of {lost}."
    return f"{says}: these data do not tell which of the two is ahead."


def decided(row: Row) -> tuple[str | None, str | None]:
    """Winner and loser of a comparison, None for both if the data do not tell."""
    if row["low"] is None or row["low"] <= 0 <= row["high"]:
        return None, None
    return (row["a"], row["b"]) if row["mean"] > 0 else (row["b"], row["a"])


def within(rows: list[Row]) -> str:
    """Which of the comparisons within one other player hold for themselves."""
    held = [
        f"{won} beats {lost} with {row['within']}"
        for row in rows
        for won, lost in [decided(row)]
        if won
    ]
    count = f"Of {len(rows)} comparisons within one solver or one creator, corrected together, "
    if not held:
        return f"{count}none holds."
    return f"{count}{len(held)} {'holds' if len(held) == 1 else 'hold'}: {join(held)}."


def equilibrium(summary: Summary) -> list[str]:
    """The game of creators' prompts against solvers, and how settled its solution is."""
    game = summary["games"].get("crossplay")
    if not game or game["value"]["mean"] is None:
        return []
    told = [
        f"Creators' prompts against solvers, the measured strategies have an equilibrium at a "
        f"regret of {game['value']['mean']:.3f}{interval(game['value'], 3)}."
    ]
    for player, what in (("row", "creators"), ("column", "solvers")):
        played = [
            f"{name} with probability {own['probability']:.2f}{_share(own['support'])}"
            for name, own in game[player].items()
            if own["probability"] and own["probability"] > 1e-3
        ]
        shares = [own["support"] for own in game[player].values()]
        told.append(f"There the {what} play {join(played)}: {_settled(shares, summary)}.")
    return told


def _settled(shares: list[float | None], summary: Summary) -> str:
    """Whether the support would be the same with other seeds and prompts."""
    seeds = len(summary["seeds"])
    if seeds < SEEDS or None in shares:
        return f"{counted(seeds, 'seed')} cannot settle the support"
    sure = all(
        share >= SETTLED or share <= 1 - SETTLED for share in shares if share is not None
    )
    return f"these data {'settle' if sure else 'do not settle'} the support"


def _share(support: float | None) -> str:
    return "" if support is None else f" (in {support:.0%} of bootstrap draws)"


def exact(summary: Summary) -> list[str]:
    """Distance to minimax regret, where the rung is exact."""
    known = summary["exact"]
    if not known or not known["arms"]:
        return []
    rivals = [name for name in known["arms"] if name in competitors(summary)]
    if not rivals:
        return []
    ranked = sorted(rivals, key=lambda arm: known["arms"][arm]["distance"]["mean"])
    best = known["arms"][ranked[0]]
    least = "at least " if best["lower_bound"] else ""
    says = (
        f"No policy of this class can guarantee a true regret below "
        f"{known['value']['mean']:.3f} (exact); {ranked[0]} comes nearest, with a worst case "
        f"{least}{best['distance']['mean']:.3f} above it{interval(best['distance'], 3)}"
    )
    if "nash_conv" in best:
        name = "a lower bound on its NashConv" if least else "its NashConv"
        says += f"; {name} is {best['nash_conv']['mean']:.3f}"
    trivial = known["upper"]["mean"] == 0
    why = (
        " The value is 0 because this solver can answer every prompt best: --task.blind variant"
    )
    return [f"{says}.{why} makes the equilibrium worth asking for." if trivial else f"{says}."]


def _score(summary: Summary, arm: str) -> Row:
    return summary["arms"][arm]["suites"][summary["suite"]][summary["metric"]]
