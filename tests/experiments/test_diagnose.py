"""``eva diagnose``: its verdict, its record, and what it refuses."""

import json

import numpy as np
import pytest

from eva_env.wordlist import Wordlist
from experiments.cli import main
from experiments.commands import diagnose
from experiments.diagnosis.verdict import verdict
from experiments.run.records import Run

# Verdict


def estimated(value, low, high):
    return {"value": value, "low": low, "high": high}


def numbers(**changes):
    """A result in which all three conditions hold and the gain lies above 0."""
    operators = [
        {"operator": name, "pairs": 20, "heredity": estimated(value, value - 0.2, value + 0.2)}
        for name, value in (("keep", 0.7), ("lose", 0.1))
    ]
    result = {
        "samples": 12,
        "no_signal": estimated(0.5, 0.42, 0.6),
        "reliability": estimated(0.7, 0.62, 0.8),
        "heredity": estimated(0.6, 0.52, 0.7),
        "gain": estimated(0.4, 0.2, 0.6),
        "samples_needed": 20,
        "projection": "beta-binomial",
        "operators": operators,
    }
    return result | changes


def test_verdict_says_that_steering_can_help_and_not_that_it_does():
    result = verdict(numbers(), "a_star_min")
    assert result["can_help"]
    assert all(c["holds"] and c["resolved"] for c in result["conditions"].values())
    assert result["prediction"].startswith("Choosing parents by a_star_min can help")
    assert "+40% (+20% to +60%)" in result["prediction"]
    assert "is not measured here" in result["prediction"]
    assert result["next_steps"] == [
        "Compare creators at equal budget: eva compare --creators uniform eva --seeds 6."
    ]


@pytest.mark.parametrize(
    ("name", "condition", "advice"),
    [
        ("no_signal", "heterogeneity", "stricter --reward"),
        ("reliability", "reliability", "20 are projected to reach 0.80"),
        ("heredity", "heredity", "keep (0.70, 20 pairs) keeps the signal best and lose"),
    ],
)
def test_verdict_names_the_condition_that_fails_and_its_remedy(name, condition, advice):
    result = verdict(numbers(**{name: estimated(0.2, 0.1, 0.3)}), "variance")
    assert not result["can_help"]
    holding = {key: c["holds"] for key, c in result["conditions"].items()}
    assert [key for key, holds in holding.items() if not holds] == [condition]
    assert f"{condition} does not hold" in result["prediction"]
    assert advice in result["next_steps"][0]


@pytest.mark.parametrize(
    ("gain", "text"),
    [
        (estimated(0.1, -0.1, 0.3), "cannot be expected to help"),
        (estimated(-0.2, -0.3, -0.1), "lowers the signal"),
        (estimated(None, None, None), "Nothing can be predicted"),
    ],
)
def test_verdict_of_a_gain_that_is_not_above_0(gain, text):
    result = verdict(numbers(gain=gain), "a_star_min")
    assert not result["can_help"]
    assert text in result["prediction"]


def test_condition_that_its_interval_does_not_settle():
    """0.5 of (0.3 to 0.7) holds by its estimate; the interval includes the threshold 0.4."""
    result = verdict(numbers(no_signal=estimated(0.5, 0.3, 0.7)), "a_star_min")
    condition = result["conditions"]["heterogeneity"]
    assert condition["holds"]
    assert not condition["resolved"]
    assert "the interval includes the threshold" in condition["text"]
    assert "more --prompts" in result["next_steps"][-1]


# The command

TABULAR = ["diagnose", "task:tabular-world", "--prompts", "12", "--samples", "4"]


def test_diagnosis_of_integers_is_recorded(tmp_path, capsys):
    assert main([*TABULAR, "--children", "1", "--out", str(tmp_path / "d")]) == 0
    out, err = capsys.readouterr()
    assert "will draw and score 144 responses: 8 to each of 12 human prompts" in err
    assert "Heterogeneity" in out
    assert "Choosing parents by a_star_min" in out
    run = Run.open(tmp_path / "d")
    rows = run.rows("answers", ("prompt", "half"))
    assert [row["half"] for row in rows[:4]] == [0, 1, 0, 1]
    assert all(len(row["responses"]) == len(row["rewards"]) == 4 for row in rows)
    result = json.loads((tmp_path / "d" / "diagnosis.json").read_text())
    rewards = np.array([row["rewards"] for row in rows if row["parent"] is None])
    assert result["mean_reward"] == pytest.approx(rewards.mean())
    assert result["parents"] == 12
    assert result["samples"] == 4


def test_prompts_of_the_suites_are_never_used(tmp_path):
    main(["diagnose", "--prompts", "40", "--samples", "2", "--out", str(tmp_path / "d")])
    rows = Run.open(tmp_path / "d").rows("prompts", ("prompt",))
    held_out = {prompt for suite in Wordlist().suites.values() for prompt in suite}
    used = {row["prompt"] for row in rows}
    assert not used & held_out
    humans = [row["prompt"] for row in rows if row["parent"] is None]
    children = [row for row in rows if row["parent"] is not None]
    assert len(set(humans)) == len(humans) == 40
    assert len(children) == 80
    assert {row["operator"] for row in children} <= set(Wordlist().operators)


def test_interrupted_diagnosis_is_resumed_to_the_same_numbers(tmp_path, monkeypatch, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main([*TABULAR, "--out", str(whole)]) == 0

    def interrupted(*arguments):
        for number, responses in enumerate(respond(*arguments)):
            if number == 2:
                raise KeyboardInterrupt
            yield responses

    respond = diagnose.respond
    monkeypatch.setattr(diagnose, "respond", interrupted)
    assert main([*TABULAR, "--out", str(broken)]) == 130
    assert f"eva diagnose --resume {broken}" in capsys.readouterr().err
    assert not (broken / "diagnosis.json").exists()
    monkeypatch.undo()
    assert main(["diagnose", "--resume", str(broken)]) == 0
    assert (whole / "answers.jsonl").read_text() == (broken / "answers.jsonl").read_text()
    first, second = (json.loads((d / "diagnosis.json").read_text()) for d in (whole, broken))
    assert first | {"folder": ""} == second | {"folder": ""}


def test_finished_diagnosis_is_read_with_another_signal(tmp_path, monkeypatch, capsys):
    folder = str(tmp_path / "d")
    main([*TABULAR, "--out", folder])
    capsys.readouterr()
    monkeypatch.setattr(diagnose.Respondent, "open", None)  # nothing is loaded
    assert main(["diagnose", "--resume", folder, "--signal", "variance", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    rows = Run.open(tmp_path / "d").rows("answers", ("rewards",))
    rewards = np.array([row["rewards"] for row in rows if row["parent"] is not None])
    assert result["signal"] == "variance"
    assert np.mean([row.var() for row in rewards]) == pytest.approx(
        result["children_mean_signal"]["value"], abs=0.02
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--signal", "payoff"], "unknown signal 'payoff'"),
        (["--prompts", "3"], "prompts must be at least 8, got 3"),
        (["--rewriter", "solver"], "--rewriter rewrites text"),
        (["creator:eva"], "creator:eva has no place here"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_folder(options, text, tmp_path, capsys):
    assert main([*TABULAR, *options, "--out", str(tmp_path / "d")]) == 1
    err = capsys.readouterr().err
    assert text in err
    assert err.count("\n") == 1
    assert not (tmp_path / "d").exists()


def test_resumed_diagnosis_keeps_its_settings(tmp_path, capsys):
    folder = str(tmp_path / "d")
    main([*TABULAR, "--out", folder])
    assert main(["diagnose", "--resume", folder, "--seed", "3"]) == 1
    assert "was begun with seed = 0, not 3" in capsys.readouterr().err
