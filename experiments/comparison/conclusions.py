"""Sentences about what the data support: the finding, its certainty, and what to do next."""

from collections.abc import Mapping
from typing import Any

from experiments.comparison.caveats import is_estimated, record_caveats, tuning_caveats
from experiments.comparison.contrasts import decided, main_comparisons
from experiments.comparison.next_step import next_step
from experiments.comparison.ranges import REGRET, SHARE_DIFFERENCE, UNBOUNDED, clip
from experiments.comparison.ties import tie_sentence, tied_score
from experiments.comparison.wording import interval, score_interval, value
from experiments.human_play.standings import agreement_sentence
from experiments.run.judging import score_name
from experiments.run.wording import counted, join

Summary = Mapping[str, Any]
Row = Mapping[str, Any]


SETTLED = 0.95
"""Share of bootstrap draws from which a support is called settled."""

SEEDS_FOR_SUPPORT = 10
"""Fewest seeds that can settle a support: fewer have too few different draws, which agree by
chance."""


def conclusions(summary: Summary) -> list[str]:
    """Return all sentences: the findings first, then their context, then the next step."""
    return [*findings(summary), *context(summary), *next_step(summary)]


def findings(summary: Summary) -> list[str]:
    """Return the headline, and a sentence for each comparison of the main family."""
    main = main_comparisons(summary)
    sentences = [headline(summary), *(contrast(row, summary["metric"]) for row in main)]
    split = [row for row in summary["comparisons"] if row["family"] == "within"]
    return [*sentences, within(split)] if split else sentences


def context(summary: Summary) -> list[str]:
    """Return what bounds the findings: head-room, power, tuning, equilibria and failures."""
    sentences = [
        head_room(summary),
        *summary["power"]["sentences"],
        *tuning_caveats(summary),
        *equilibrium(summary),
        *minimax(summary),
        *record_caveats(summary),
        agreement_sentence(summary["votes"]),
    ]
    return [sentence for sentence in sentences if sentence]


def headline(summary: Summary) -> str:
    """Return the sentence to quote: which arm comes first, and which strategy beats which."""
    ranked = sorted(competitors(summary), key=lambda name: -_score(summary, name)["mean"])
    if not ranked:
        return "No arm has finished, so there is no result."
    if tied_score(summary) is not None:
        return tie_sentence(summary)
    best, metric = _score(summary, ranked[0]), summary["metric"]
    first = (
        f"{ranked[0]} comes first of {len(ranked)} with a {metric_name(summary)} on "
        f"{summary['suite']} of {value(best['mean'], metric)}{score_interval(best, metric)}"
    )
    clauses = [first]
    main = main_comparisons(summary)
    decisions = [decided(row) for row in main]
    ahead = [f"{winner} beats {loser}" for winner, loser in decisions if winner]
    if ahead:
        averaged = any(row["family"] == "within" for row in summary["comparisons"])
        over = "averaged over the other player, " if averaged else ""
        clauses.append(f"{over}{join(ahead)}")
    open_pairs = [
        f"{row['a']} from {row['b']}"
        for row, (winner, _) in zip(main, decisions, strict=True)
        if not winner
    ]
    if open_pairs:
        clauses.append(f"the data cannot distinguish {', nor '.join(open_pairs)}")
    return f"{'; '.join(clauses)}."


def metric_name(summary: Summary) -> str:
    """Return the deciding score in words."""
    if summary["metric"] == "win_rate":
        return "win rate against the starting policy"
    return score_name(summary.get("judged_by", "gold"))


def competitors(summary: Summary) -> list[str]:
    """Return the names of all arms but the oracle's."""
    return [name for name, arm in summary["arms"].items() if not arm["ceiling"]]


def head_room(summary: Summary) -> str:
    """Return the scores of the starting policy and the oracle, between which results lie."""
    metric = summary["metric"]
    start = f"The starting policy scores {value(summary['power']['start'], metric)}"
    reached = ", ".join(
        f"{name} reaches {value(_score(summary, name)['mean'], metric)}"
        for name, arm in summary["arms"].items()
        if arm["ceiling"]
    )
    if not reached:
        return f"{start}; without the oracle's runs the head-room is unknown."
    return f"{start}; {reached}."


def contrast(row: Row, metric: str) -> str:
    """Return one paired comparison with its interval, and the decision that supports.

    Where several comparisons are corrected together, both the interval and p are corrected.
    """
    a, b = row["a"], row["b"]
    if row["mean"] is None:
        return f"{a} and {b} cannot be compared: no seed has all of their cells."
    shares = metric == "win_rate"
    unit, scale, digits = (" points", 100, 1) if shares else ("", 1, 4)
    difference = f"{a} - {b}: {scale * row['mean']:+.{digits}f}{unit}"
    low, high, *clipped = clip(row, SHARE_DIFFERENCE if shares else UNBOUNDED)
    if low is None or high is None:
        return f"{difference} on {row['seeds']} seed: one seed shows nothing."
    ends = f"{scale * low:+.{digits}f} to {scale * high:+.{digits}f}"
    mark = " (clipped)" if any(clipped) else ""
    p = row["p_corrected"]
    test = f"95 % interval {ends}{mark}, {'p < 0.0001' if p < 1e-4 else f'p = {p:.2g}'}"
    if row["comparisons"] > 1:
        test += f" (both corrected for {row['comparisons']} comparisons)"
    winner, loser = decided(row)
    says = f"{winner} is ahead of {loser}" if winner else "the data cannot distinguish them"
    return f"{difference}, {test}, {row['seeds']} seeds: {says}."


def within(rows: list[Row]) -> str:
    """Return which of the comparisons under one opponent are decided."""
    held = []
    for row in rows:
        winner, loser = decided(row)
        if winner:
            held.append(f"{winner} beats {loser} with {row['within']}")
    count = f"Of {len(rows)} comparisons within one solver or one creator, corrected together, "
    if not held:
        return f"{count}none is decided."
    return f"{count}{len(held)} {'is' if len(held) == 1 else 'are'} decided: {join(held)}."


def equilibrium(summary: Summary) -> list[str]:
    """Return the equilibrium of creators' prompts against solvers, and if it is settled."""
    game = summary["games"].get("crossplay")
    if not game or game["value"]["mean"] is None:
        return []
    regret = "an estimated regret" if is_estimated(summary) else "a regret"
    sentences = [
        f"In cross-play of creators' prompts against solvers, the measured strategies have an "
        f"equilibrium with {regret} of {game['value']['mean']:.3f}"
        f"{interval(game['value'], 3, REGRET)}."
    ]
    for player, role in (("row", "creators"), ("column", "solvers")):
        played = [
            f"{name} with probability {entry['probability']:.2f}{_share(entry['support'])}"
            for name, entry in game[player].items()
            if entry["probability"] and entry["probability"] > 1e-3
        ]
        shares = [entry["support"] for entry in game[player].values()]
        sentences.append(f"In it {role} play {join(played)}: {_settled(shares, summary)}.")
    return sentences


def _settled(shares: list[float | None], summary: Summary) -> str:
    """Return whether other seeds and prompts would give the same support."""
    seeds = len(summary["seeds"])
    if seeds < SEEDS_FOR_SUPPORT or None in shares:
        return f"{counted(seeds, 'seed')} cannot settle the support"
    certain = all(
        share >= SETTLED or share <= 1 - SETTLED for share in shares if share is not None
    )
    return f"the data {'settle' if certain else 'do not settle'} the support"


def _share(support: float | None) -> str:
    return "" if support is None else f" (in {100 * support:.0f} % of bootstrap draws)"


def minimax(summary: Summary) -> list[str]:
    """Return the distance to minimax regret, where the game is solved exactly."""
    game = summary["exact"]
    arms = game["arms"] if game else {}
    measured = [name for name in competitors(summary) if name in arms]
    if not measured:
        return []
    nearest = min(measured, key=lambda name: arms[name]["distance"]["mean"])
    best = arms[nearest]
    least = "at least " if best["lower_bound"] else ""
    says = (
        f"No policy of this class can guarantee a true regret below "
        f"{game['value']['mean']:.3f} (exact); {nearest} comes nearest, with a worst case "
        f"{least}{best['distance']['mean']:.3f} above it"
        f"{interval(best['distance'], 3, REGRET)}"
    )
    if "nash_conv" in best:
        name = "a lower bound on its NashConv" if least else "its NashConv"
        says += f"; {name} is {best['nash_conv']['mean']:.3f}"
    if game["upper"]["mean"] == 0:
        says += (
            ". The value is 0 because this solver can give every prompt its best response; "
            "--task.blind variant makes the equilibrium non-trivial"
        )
    return [f"{says}."]


def _score(summary: Summary, arm: str) -> Row:
    return summary["arms"][arm]["suites"][summary["suite"]][summary["metric"]]
