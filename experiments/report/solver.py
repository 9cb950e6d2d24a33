"""What the solver did: proxy against gold, KL and length, logs, answers before and after."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.report.blocks import Answers, Fold, Grid, Section, Switch
from experiments.report.figures import Series, lines, paths
from experiments.report.numbers import known, number, title
from experiments.report.record import Record

Row = Mapping[str, Any]

AWAY = "√KL to the start, √nats"


def over_optimisation(record: Record) -> Section | None:
    """Training reward against gold reward on the same answers."""
    proxy = lines("Proxy reward on the suites", record.judged("proxy"))
    if not proxy:
        return None
    across, gold_away, proxy_away = [], [], []
    for suite, rows in record.suites.items():
        gold, paid = ([row.get(key) for row in rows] for key in ("gold", "proxy"))
        # An estimate of KL may come out negative near 0.
        away = [max(row["kl"], 0) ** 0.5 if known(row.get("kl")) else None for row in rows]
        across.append(Series(suite, paid, gold))
        gold_away.append(Series(suite, away, gold))
        proxy_away.append(Series(suite, away, paid))
    plots = [
        lines("Gold reward on the suites", record.judged("gold")),
        proxy,
        paths("Gold against proxy", across, "proxy reward", "gold reward"),
        paths("Gold by distance", gold_away, AWAY, "gold reward"),
        paths("Proxy by distance", proxy_away, AWAY, "proxy reward"),
    ]
    lead = "The solver is trained on the proxy and judged by gold. Over-optimisation is where "
    lead += "the proxy still rises and gold falls."
    return Section("Proxy against gold", [Grid([p for p in plots if p])], lead)


def health(record: Record) -> Section | None:
    """How far the policy has moved, how long its answers are, how much of the data teaches."""
    lengths = [*record.judged("length"), record.column("response_length", "in play")]
    taught = [record.column("no_gradient")]
    plots = [
        lines("KL to the starting policy", record.judged("kl"), y="nats per response"),
        lines("Length of the answers", lengths, y="words"),
        lines("Prompts without a gradient", taught, y="of the drawn prompts", share=True),
    ]
    plots = [plot for plot in plots if plot]
    lead = "Prompts without a gradient are those whose answers are all rewarded alike."
    return Section("Drift of the policy", [Grid(plots)], lead) if plots else None


def logs(record: Record) -> Section | None:
    """Losses and whatever else the players log."""
    names = dict.fromkeys(name for row in record.rounds for name in row.get("logs", {}))
    rounds = [row["round"] for row in record.rounds]
    plots = []
    for name in sorted(names, key=lambda name: "loss" not in name):
        values = [row.get("logs", {}).get(name) for row in record.rounds]
        plots.append(lines(title(name), [Series("", rounds, values)]))
    plots = [plot for plot in plots if plot]
    return Section("Losses and logs", [Grid(plots)]) if plots else None


def answers(record: Record) -> Section | None:
    """Answers before and after training."""
    block = transcripts(record.transcripts)
    lead = "The first prompts of each suite, and prompts that were played. The gold reward "
    lead += "stands before each answer."
    return Section("Before and after", [block], lead) if block else None


def transcripts(rows: Sequence[Row], earlier: bool = True) -> Switch | None:
    """By suite: the last answers, those of earlier rounds folded away."""
    suites: dict[str, dict[int, list[Answers]]] = {}
    for row in rows:
        rounds = suites.setdefault(row["suite"], {})
        rounds.setdefault(row["round"], []).append(_answers(row))
    options: dict[str, list[Any]] = {}
    for suite, rounds in suites.items():
        *before, last = sorted(rounds)
        folds = [Fold(f"After round {r}", rounds[r]) for r in reversed(before) if r and earlier]
        options[suite] = [*rounds[last], *folds]
    return Switch("Prompts", options) if options else None


def _answers(row: Row) -> Answers:
    operator = row.get("operator")
    origin = f"Rewritten by {operator} from: {row.get('parent')}" if operator else ""
    before, after = (
        [
            (number(reward, 2), str(answer))
            for reward, answer in zip(row[f"{side}_rewards"], row[side], strict=False)
        ]
        for side in ("before", "after")
    )
    return Answers(str(row["prompt"]), origin, before, after)
