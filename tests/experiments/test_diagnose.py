"""``eva diagnose``: its verdict, its record, and what it refuses."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from agents.policies.causal_lm import CausalLM
from eva_env.instruct import Instruct
from eva_env.wordlist import Wordlist
from experiments.cli import main
from experiments.commands import diagnose
from experiments.diagnosis.responses import draw_prompts
from experiments.diagnosis.settings import Diagnosis
from experiments.diagnosis.verdict import verdict
from experiments.examples.own_reward import concise
from experiments.run.lock import locked
from experiments.run.parts import names
from experiments.run.records import Run
from experiments.run.schema import DiagnosisAnswer

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:'-[]{}\"_?\n"

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
        "children": 40,
        "mean_reward": 0.3,
        "zero_signal": estimated(0.4, 0.3, 0.5),
        "no_signal": estimated(0.5, 0.42, 0.6),
        "reliability": estimated(0.7, 0.62, 0.8),
        "heredity": estimated(0.6, 0.52, 0.7),
        "gain": estimated(0.4, 0.2, 0.6),
        "samples_needed": 20,
        "projection": "beta-binomial",
        "folder": "runs/d",
        "signals": [
            {"signal": "a_star_min", "reliability": estimated(0.5, 0.3, 0.7)},
            {"signal": "variance", "reliability": estimated(0.7, 0.6, 0.8)},
        ],
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
        "Compare creators at equal budget: eva compare task:NAME --creators uniform-evolve "
        "eva --seeds 6."
    ]
    assert {"uniform-evolve", "eva"} <= set(names("creator"))


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


def test_verdict_without_any_signal_names_the_cause_and_not_the_operators():
    none, zero = estimated(None, None, None), estimated(1.0, 1.0, 1.0)
    flat = dict(no_signal=zero, zero_signal=zero, reliability=none, heredity=none, gain=none)
    result = verdict(numbers(**flat), "a_star_min")
    assert "no human prompt has a signal" in result["prediction"]
    assert len(result["next_steps"]) == 1
    assert "--reward" in result["next_steps"][0]
    assert "operators" not in result["next_steps"][0]


def test_verdict_without_children_says_that_they_are_needed():
    none = estimated(None, None, None)
    result = verdict(numbers(children=0, heredity=none, gain=none, operators=[]), "variance")
    assert "give --children 2" in result["next_steps"][0]


def test_verdict_names_a_more_reliable_signal_of_the_same_responses():
    unreliable = numbers(reliability=estimated(0.2, 0.1, 0.3), samples_needed=None)
    advice = verdict(unreliable, "a_star_min")["next_steps"][0]
    assert "no number of --samples" in advice
    assert "variance has a reliability of 0.70" in advice
    assert "eva diagnose --resume runs/d --signal variance" in advice
    unreliable["signals"] = unreliable["signals"][:1]  # 0.5, below the threshold
    assert "On the same" not in verdict(unreliable, "a_star_min")["next_steps"][0]


def test_condition_that_its_interval_does_not_settle():
    """0.5 of (0.3 to 0.7) holds by its estimate; the interval includes the threshold 0.4."""
    result = verdict(numbers(no_signal=estimated(0.5, 0.3, 0.7)), "a_star_min")
    condition = result["conditions"]["heterogeneity"]
    assert condition["holds"]
    assert not condition["resolved"]
    assert "the interval includes the threshold" in condition["text"]
    assert "more --prompts" in result["next_steps"][-1]


# The prompts and the command

TABULAR = ["diagnose", "task:tabular-world", "--prompts", "12", "--samples", "4"]


def test_diagnosis_of_integers_is_recorded(tmp_path, capsys):
    assert main([*TABULAR, "--children", "1", "--out", str(tmp_path / "d")]) == 0
    out, err = capsys.readouterr()
    assert "will draw and score 144 responses: 8 to each of 12 human prompts" in err
    assert "Heterogeneity" in out
    assert "Choosing parents by a_star_min" in out
    run = Run.open(tmp_path / "d")
    rows = run.rows("answers", DiagnosisAnswer)
    assert [row["half"] for row in rows[:4]] == [0, 1, 0, 1]
    assert all(len(row["responses"]) == len(row["rewards"]) == 4 for row in rows)
    result = json.loads((tmp_path / "d" / "diagnosis.json").read_text())
    rewards = np.array([row["rewards"] for row in rows if row["parent"] is None])
    assert result["mean_reward"] == pytest.approx(rewards.mean())
    assert result["parents"] == 12
    assert result["samples"] == 4


@pytest.mark.parametrize("world", [Wordlist(), Instruct()])
def test_prompts_of_the_suites_are_never_used(world):
    rows = draw_prompts(Diagnosis(task=world, prompts=200, children=2), world)
    held_out = {prompt for suite in world.suites.values() for prompt in suite}
    used = {row["prompt"] for row in rows}
    assert not used & held_out
    humans = [row["prompt"] for row in rows if row["parent"] is None]
    children = [row for row in rows if row["parent"] is not None]
    assert len(set(humans)) == len(humans) == 200
    assert len(children) == 400
    assert {row["operator"] for row in children} <= set(world.operators)
    assert all(world.valid(prompt) for prompt in used)


def test_interrupted_diagnosis_is_resumed_to_the_same_numbers(tmp_path, monkeypatch, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main([*TABULAR, "--out", str(whole)]) == 0

    def interrupted(*arguments):
        for number, responses in enumerate(respond(*arguments)):
            if number == 1:
                raise KeyboardInterrupt
            yield responses

    respond = diagnose.respond
    monkeypatch.setattr(diagnose, "respond", interrupted)
    assert main([*TABULAR, "--out", str(broken)]) == 130
    assert f"eva diagnose --resume {broken}" in capsys.readouterr().err
    assert not (broken / "diagnosis.json").exists()
    monkeypatch.undo()
    # A kill may also leave some rows of a chunk, and half of the last one.
    text = (broken / "answers.jsonl").read_text()
    assert len(text.splitlines()) < len((whole / "answers.jsonl").read_text().splitlines())
    (broken / "answers.jsonl").write_text(text[: len(text) * 3 // 4])
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
    rows = Run.open(tmp_path / "d").rows("answers", DiagnosisAnswer)
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


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[1:],
        lambda lines: [*lines, *lines[-2:]],  # as a second process leaves them
        lambda lines: [
            *lines[:3],
            lines[3].replace('"rewards": [', '"rewards": [0, '),
            *lines[4:],
        ],
    ],
)
def test_answers_that_do_not_fit_the_prompts_are_one_line(damage, tmp_path, capsys):
    folder = tmp_path / "d"
    assert main([*TABULAR, "--out", str(folder)]) == 0
    path = folder / "answers.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(damage(lines)))
    capsys.readouterr()
    assert main(["diagnose", "--resume", str(folder)]) == 1
    assert f"delete {path} and give eva diagnose --resume" in capsys.readouterr().err
    path.unlink()
    assert main(["diagnose", "--resume", str(folder)]) == 0
    assert path.read_text() == "".join(lines)


def test_a_second_process_on_the_folder_stops_and_spoils_nothing(tmp_path, capsys):
    folder = tmp_path / "d"
    assert main([*TABULAR, "--out", str(folder)]) == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with ThreadPoolExecutor(1) as other, locked(folder):
        assert other.submit(main, ["diagnose", "--resume", str(folder)]).result() == 1
    assert f"{folder} is in use by process {os.getpid()} on " in capsys.readouterr().err
    before.pop(".lock")
    assert before.items() <= {p.name: p.read_bytes() for p in folder.iterdir()}.items()


def test_lost_prompts_are_named(tmp_path, capsys):
    folder = tmp_path / "d"
    assert main([*TABULAR, "--out", str(folder)]) == 0
    (folder / "prompts.jsonl").write_text("")
    capsys.readouterr()
    assert main(["diagnose", "--resume", str(folder)]) == 1
    assert re.search(r"prompts.jsonl has 0 of \d+ rows", capsys.readouterr().err)


def test_other_commands_name_a_diagnosis_for_what_it_is(tmp_path, capsys):
    folder = str(tmp_path / "runs" / "d")
    assert main([*TABULAR, "--out", folder]) == 0
    for command in ("report", "export", "evaluate", "train --resume", "compare --resume"):
        capsys.readouterr()
        assert main([*command.split(), folder]) == 1
        message = capsys.readouterr().err
        assert f"{folder} is a diagnosis, not a " in message
        assert "eva diagnose --resume" in message
    assert main(["runs", str(tmp_path / "runs")]) == 0
    line = capsys.readouterr().out.splitlines()[3]
    assert "diagnosis" in line
    assert "rounds" not in line
    page = (tmp_path / "runs" / "index.html").read_text()
    assert f"to read it: eva diagnose --resume {folder}" in page


def test_a_run_is_not_read_as_a_diagnosis(tmp_path, capsys):
    Run.create(tmp_path / "r", {"settings": {"type": "Settings"}})
    assert main(["diagnose", "--resume", str(tmp_path / "r")]) == 1
    assert "is a run, not a diagnosis; eva train --resume" in capsys.readouterr().err


def test_operators_are_drawn_by_the_weights_of_the_task():
    """At heredity 1 all children keep the families of their parents' constraints."""
    world = Instruct(heredity=1.0)
    rows = draw_prompts(Diagnosis(task=world, prompts=50), world)
    kept = {name for name, weight in world.operator_weights.items() if weight > 0}
    assert kept < set(world.operators)
    assert {row["operator"] for row in rows if row["operator"]} == kept


def test_text_of_a_language_model_is_forecast_in_tokens_and_shown_in_tenths(tmp_path, capsys):
    sizes = ["--prompts", "10", "--samples", "2", "--sampling.max-tokens", "5"]
    assert main(["diagnose", *sizes, "--children", "0", "--out", str(tmp_path / "d")]) == 0
    out, err = capsys.readouterr()
    assert "will draw and score 40 responses" in err
    assert "so about 200 tokens at most" in err
    assert "without children there is no heredity" in err
    assert "32 of 40 responses\n" in err
    assert "Heredity is undefined" in out
    assert "Nothing can be predicted" in out


def test_prompts_of_a_file_with_a_model_that_rewrites(tmp_path, capsys):
    """A random model rewrites nothing usable: the diagnosis says that it cannot predict."""
    CausalLM.untrained(LETTERS).save(tmp_path / "model")
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("".join(f"Name {n} birds of the sea.\n" for n in range(24)))
    command = ["diagnose", "task:prompts", "--task.file", str(prompts), "--policy"]
    command += [str(tmp_path / "model"), "--reward", f"{concise.__module__}.concise"]
    command += ["--prompts", "8", "--samples", "2", "--sampling.max-tokens", "4", "--rewriter"]
    command += ["solver", "--rewriting.max-tokens", "4", "--rewriting.retries", "0"]
    out = str(tmp_path / "d")
    assert main([*command, "--out", out]) == 0
    printed = capsys.readouterr()
    assert "rewriting takes up to 16 replies of a language model" in printed.err
    assert "Reliability" in printed.out
    assert "Choosing parents" in printed.out or "Nothing can be predicted" in printed.out
    rows = Run.open(Path(out)).rows("answers", DiagnosisAnswer)
    assert len(rows) >= 16
    # A prompt file that has changed is refused while responses are missing.
    (Path(out) / "answers.jsonl").write_text("")
    prompts.write_text(prompts.read_text().replace("Name 7", "Name seven"))
    assert main(["diagnose", "--resume", out]) == 1
    assert "has changed since the record was begun" in capsys.readouterr().err


def test_resumed_diagnosis_keeps_its_settings(tmp_path, capsys):
    folder = str(tmp_path / "d")
    main([*TABULAR, "--out", folder])
    assert main(["diagnose", "--resume", folder, "--seed", "3"]) == 1
    assert "was begun with seed = 0, not 3" in capsys.readouterr().err
