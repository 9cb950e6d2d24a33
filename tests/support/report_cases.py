"""Folders to report on: real runs on a small world, a comparison of them, a hostile record."""

import json

import numpy as np

from agents.creators import Eva, Fresh, Oracle, UniformEvolve
from agents.solvers import DPO, RLOO
from eva_env.tabular.world import TabularWorld
from experiments.comparison.contrasts import mean_estimate
from experiments.run.config import describe
from experiments.run.records import Run
from experiments.run.settings import Settings
from experiments.run.train import train

WORLD = TabularWorld(topics=2, levels=4, variants=2, responses=6)
CREATORS = {"fresh": Fresh(), "uniform-evolve": UniformEvolve(), "eva": Eva()}
CREATORS |= {"oracle": Oracle()}
SOLVERS = {"dpo": DPO(lr=0.1), "rloo": RLOO(lr=0.1)}

ATTACKS = (
    "</script><img src=x onerror=alert(1)>",
    '"><svg onload=alert(2)>',
    "<!--<script>alert(3)</script>",
    "{{ 7 * 7 }} {% raw %} $x_1$ \u2028\u2029 \x00\x1b[31m \ud800 \u202e ]]> &lt;b&gt;",
    "javascript:alert(4)",
)

GENERATIONS = 5
"""How often the attacks descend from each other."""


def recorded_run(folder, **changes):
    """A run of a few rounds, to its end."""
    given = {"rounds": 4, "prompts": 8, "samples": 3, "seed": 5, "task": WORLD}
    given |= {"reward": "proxy"} | changes
    settings = Settings(**({"creator": Eva(), "solver": DPO(lr=0.1)} | given))
    run = Run.create(folder, describe(settings, ["train", "--seed", str(settings.seed)]))
    for _ in train(run, settings):
        pass
    return run


def hostile(folder):
    """A run in which every text is an attack, the prompts in one line of descent."""
    first, second, third, fourth, fifth = ATTACKS
    config = {"settings": {"type": first, "creator": {"type": second}, third: fourth}}
    config |= {
        "argv": list(ATTACKS),
        "versions": {first: second},
        "commit": third,
        "seed": 5,
        "judged_by": fifth,
    }
    run = Run.create(folder, config)
    for i, text in enumerate(ATTACKS * GENERATIONS):
        row = {"id": i, "text": text, "parent": i - 1 if i else None, "operator": text}
        row |= {"round": 1, "signal": 0.5, "mean": 0.5, "best": 1.0, "worst": 0.0}
        row |= {"rewards": [0.0, 1.0], "best_response": text, "worst_response": text}
        run.append("prompts", [row | {"drawn": True}])
    for text in ATTACKS:
        run.append("transcripts", [transcript(text)])
        run.append("evaluations", [{"round": r, "suite": text, "gold": 0.5} for r in (0, 1)])
        run.append("alarms", [{"round": 1, "alarm": text, "text": text, "value": 1.0}])
    logs = {text: 0.5 for text in ATTACKS}
    run.append("rounds", [{"round": 1, "payoffs": logs, "logs": logs, "entropy": 1.0}])
    return run


def transcript(text):
    sides = {"before": [text], "after": [text], "before_rewards": [0.1], "after_rewards": [0.9]}
    return {
        "round": 1,
        "suite": text,
        "prompt": text,
        "parent": text,
        "operator": text,
        **sides,
    }


def recorded_comparison(folder, seeds=(0, 1), **changes):
    """Three creators and the oracle against two solvers: real cells, and a summary."""
    arms = {}
    for creator, player in CREATORS.items():
        for solver, method in SOLVERS.items():
            arm = f"{creator}-{solver}"
            settings = {"creator": player, "solver": method, "evaluate_every": 2} | changes
            runs = [
                recorded_run(folder / "cells" / arm / f"seed-{seed:04d}", seed=seed, **settings)
                for seed in seeds
            ]
            arms[arm] = {"creator": creator, "solver": solver, **arm_summary(runs, seeds)}
            arms[arm]["ceiling"] = creator == "oracle"
    conditions = runs[0].config["settings"] | {"type": "Conditions"}
    given = {"type": "Comparison", "creators": ["fresh", "uniform-evolve", "eva:rewrites=2"]}
    given |= {"solvers": [*SOLVERS], "seeds": len(seeds), "conditions": conditions}
    (folder / "config.json").write_text(json.dumps(runs[0].config | {"settings": given}))
    summary = summarise(arms, seeds)
    (folder / "summary.json").write_text(json.dumps(summary))
    return summary


def hostile_comparison(folder):
    """A comparison whose every text is an attack, but for the names that pages look up."""
    summary = recorded_comparison(folder, rounds=2)
    # Arms are folders, and the other names are those of scores and suites.
    kept = {*summary["arms"], "start", "easy", "hard", "win_rate", "gold", "regret"}
    (folder / "summary.json").write_text(json.dumps(attacked(summary, kept)))
    for path in folder.glob("cells/*/seed-*/*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(attacked(row, kept)) + "\n" for row in rows))


def attacked(value, kept):
    """JSON whose texts, but for those of ``kept``, end in attacks."""
    if isinstance(value, dict):
        return {key: attacked(item, kept) for key, item in value.items()}
    if isinstance(value, list):
        return [attacked(item, kept) for item in value]
    return value + "".join(ATTACKS) if isinstance(value, str) and value not in kept else value


def arm_summary(runs, seeds):
    """Return an arm's part of summary.json."""
    suites, curves = {}, {}
    for suite in ("easy", "hard"):
        rows = [[r for r in run.rows("evaluations") if r["suite"] == suite] for run in runs]
        scores = {key: [[r[key] for r in own] for own in rows] for key in ("gold", "win_rate")}
        suites[suite] = {
            key: estimate([own[-1] for own in table]) for key, table in scores.items()
        }
        suites[suite] |= {
            f"{key}_area": estimate([sum(own[1:]) / len(own[1:]) for own in table])
            for key, table in scores.items()
        }
        spent = {unit: [r["budget"][unit] for r in rows[0]] for unit in rows[0][0]["budget"]}
        curves[suite] = {"budget": spent, "rounds": [r["round"] for r in rows[0]]}
        curves[suite] |= {key: band(np.array(table)) for key, table in scores.items()}
    played = [run.rows("rounds") for run in runs]
    names = ("entropy", "distinct_prompts", "complexity", "signal_mean")
    rounds = {n: np.mean([[r[n] for r in own] for own in played], 0).tolist() for n in names}
    budget = played[0][-1]["budget"] | {"seconds": sum(r["seconds"] for r in played[0])}
    return {"seeds": list(seeds), "suites": suites, "curves": curves} | {
        "rounds": rounds,
        "budget": budget,
    }


def estimate(values):
    return mean_estimate(values, range(len(values)))


def band(table):
    columns = [estimate(column.tolist()) for column in table.T]
    return {key: [column[key] for column in columns] for key in ("mean", "low", "high")}


def summarise(arms, seeds):
    """The rest of summary.json, by hand: a cyclic game of three, and a missing cell."""
    names = list(arms)
    players = ["fresh-dpo", "uniform-evolve-dpo", "eva-dpo", "start"]
    mean = [[0.5, 0.7, 0.3, 0.8], [0.3, 0.5, 0.7, 0.75], [0.7, 0.3, 0.5, 0.9]]
    mean += [[0.2, 0.25, 0.1, 0.5]]
    wins = {"players": players, "mean": mean}
    wins |= {"low": shifted(mean, -0.04), "high": shifted(mean, 0.04)}
    regret = [[0.1 + 0.05 * (i + j) for j in range(len(names) + 1)] for i in range(len(names))]
    regret[1][2] = None
    crossplay = {"rows": names, "columns": [*names, "start"], "unit": "regret", "mean": regret}
    crossplay |= {"low": shifted(regret, -0.02), "high": shifted(regret, 0.02)}
    nash = {name: {"probability": 1 / 3, "support": 0.9} for name in players[:3]}
    alpha = {name: {"mass": 1 / 3, "first": 0.4} for name in players[:3]}
    pairs = {name: 0.125 for name in players[:3]}
    factors = [{"solver.lr": by} for by in (0.3, 1.0, 3.0)]
    sweep = [{"configuration": i, "factors": factors[i], "mean": i / 10} for i in range(3)]
    tuned = {"configuration": 2, "factors": factors[2], "edges": ["solver.lr"], "sweep": sweep}
    regrets = {"worst_regret": estimate([0.5, 0.6]), "distance": estimate([0.2, 0.25])}
    regrets |= {"nash_conv": estimate([0.3, 0.4]), "lower_bound": True}
    row = {"a": "eva-dpo", "b": "fresh-dpo", "within": "dpo", "kind": "creator"}
    row |= {
        "mean": 0.1,
        "low": 0.05,
        "high": 0.15,
        "p": 0.01,
        "p_holm": 0.02,
        "seeds": len(seeds),
    }
    alarm = {"round": 3, "alarm": "entropy", "text": "prompts collapse", "value": 0.1}
    return {
        "settings": {},
        "task": "TabularWorld",
        "suites": ["easy", "hard"],
        "suite": "hard",
        "metric": "win_rate",
        "seeds": list(seeds),
        "arms": arms,
        "start": {"easy": {"gold": 0.5}, "hard": {"gold": 0.3}},
        "crossplay": crossplay,
        "wins": wins,
        "wins_length_controlled": wins,
        "games": {
            "crossplay": {
                "value": estimate([0.2, 0.3]),
                "row": nash,
                "column": nash,
                "nash_conv": pairs,
            },
            "wins": {"nash_averaging": nash, "alpha_rank": alpha},
        },
        "simplex": {"players": players[:3], "payoffs": [row[:3] for row in mean[:3]]},
        "ratings": {
            n: {"bradley_terry": estimate([0.1, 0.2]), "elo": estimate([10, 20])}
            for n in players
        },
        "votes": None,
        "exact": {"value": estimate([0.3, 0.35]), "arms": {name: regrets for name in names}},
        "comparisons": [row],
        "conclusions": [
            "eva-dpo is ahead of fresh-dpo on the hard suite, by 10.0 points (5.0 to 15.0).",
            "The data cannot distinguish eva-dpo from uniform-evolve-dpo.",
        ],
        "power": {"sentences": ["Two seeds show differences of 8 points."], "enough": False},
        "tuning": {"eva-dpo": tuned},
        "alarms": {"eva-dpo/seed-0000": [alarm]},
        "failures": {"fresh-rloo/seed-0001": "Traceback ...\nValueError: NaN"},
    }


def shifted(matrix, by):
    return [[None if v is None else v + by for v in row] for row in matrix]
