"""Sections on the solver: proxy against gold, drift, logs, responses before and after."""

from collections.abc import Mapping, Sequence
from typing import Any

from eva_env.chat import readable
from experiments.report.blocks import Fold, Grid, Responses, Section, Switch
from experiments.report.charts import line_chart, path_chart
from experiments.report.numbers import is_number, number, title
from experiments.report.record import Record
from experiments.report.series import Series
from experiments.run.judging import score_name, shown

Row = Mapping[str, Any]

AWAY = "√KL to the starting policy, √nats"


def over_optimisation(record: Record) -> Section | None:
    """Return the training reward against the gold reward of the same responses."""
    proxy = line_chart("Proxy reward on the suites", record.judged("proxy"))
    if not proxy:
        return None
    across, gold_away, proxy_away = [], [], []
    for suite, rows in record.suites.items():
        gold, proxy_rewards = ([row.get(key) for row in rows] for key in ("gold", "proxy"))
        # An estimate of KL may come out negative near 0.
        away = [max(row["kl"], 0) ** 0.5 if is_number(row.get("kl")) else None for row in rows]
        across.append(Series(suite, proxy_rewards, gold))
        gold_away.append(Series(suite, away, gold))
        proxy_away.append(Series(suite, away, proxy_rewards))
    score, is_gold = score_name(record.judge), record.judge == "gold"
    name, short = f"{score[0].upper()}{score[1:]}", "Gold" if is_gold else "Judge"
    charts = [
        line_chart(f"{name} on the suites", record.judged("gold")),
        proxy,
        path_chart(f"{short} against proxy", across, "proxy reward", score),
        path_chart(f"{short} by distance", gold_away, AWAY, score),
        path_chart("Proxy by distance", proxy_away, AWAY, "proxy reward"),
    ]
    judge = shown(record.judge)
    lead = f"The solver is trained on the proxy and judged by {judge}. "
    falling = "gold" if is_gold else "the judge's reward"
    lead += f"Over-optimisation is where the proxy still rises and {falling} falls."
    return Section(
        f"Proxy against {short.lower()}", [Grid([chart for chart in charts if chart])], lead
    )


def health(record: Record) -> Section | None:
    """Return how far the policy has moved, and the length and use of its responses."""
    lengths = [*record.judged("length"), record.column("response_length", "in play")]
    unused = [record.column("no_gradient")]
    charts = [
        line_chart("KL to the starting policy", record.judged("kl"), y="nats per response"),
        line_chart("Length of the responses", lengths, y="words"),
        line_chart("Prompts without a gradient", unused, y="of the drawn prompts", share=True),
    ]
    charts = [chart for chart in charts if chart]
    lead = "All responses to a prompt without a gradient have the same reward."
    return Section("Drift of the policy", [Grid(charts)], lead) if charts else None


def logs(record: Record) -> Section | None:
    """Return the losses and all other numbers that the players log."""
    names = dict.fromkeys(name for row in record.rounds for name in row.get("logs", {}))
    rounds = [row["round"] for row in record.rounds]
    charts = []
    for name in sorted(names, key=lambda name: "loss" not in name):
        values = [row.get("logs", {}).get(name) for row in record.rounds]
        charts.append(line_chart(title(name), [Series("", rounds, values)]))
    charts = [chart for chart in charts if chart]
    return Section("Losses and logs", [Grid(charts)]) if charts else None


def responses(record: Record) -> Section | None:
    """Return responses before and after training."""
    block = transcripts(record.transcripts)
    lead = (
        "The first prompts of each suite, and prompts that were played. The number before each "
    )
    lead += f"response is its {score_name(record.judge)}."
    return Section("Before and after", [block], lead) if block else None


def transcripts(rows: Sequence[Row], earlier: bool = True) -> Switch | None:
    """Return the last responses by suite; those of earlier rounds are folded."""
    suites: dict[str, dict[int, list[Responses]]] = {}
    for row in rows:
        rounds = suites.setdefault(row["suite"], {})
        rounds.setdefault(row["round"], []).append(_responses(row))
    options: dict[str, list[Any]] = {}
    for suite, rounds in suites.items():
        *before, last = sorted(rounds)
        folds = [Fold(f"After round {r}", rounds[r]) for r in reversed(before) if r and earlier]
        options[suite] = [*rounds[last], *folds]
    return Switch("Prompts", options) if options else None


def _responses(row: Row) -> Responses:
    operator = row.get("operator")
    parent = readable(str(row.get("parent")))
    origin = f"Rewritten by {operator} from: {parent}" if operator else ""
    before, after = (
        [
            (number(reward, 2), str(response))
            for reward, response in zip(row[f"{side}_rewards"], row[side], strict=False)
        ]
        for side in ("before", "after")
    )
    return Responses(readable(str(row["prompt"])), origin, before, after)
