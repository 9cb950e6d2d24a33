"""The opening of a run's page: its result, its interval, and the next command."""

from pathlib import Path

import pytest

from experiments.report import result
from experiments.report.record import Record
from tests.support.report_cases import (
    recorded_run,
)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    recorded_run(folder)
    return folder


def of_kind(blocks, kind):
    return [block for block in blocks if type(block).__name__ == kind]


def evaluation(round, gold, suite="hard", **more):
    return {"round": round, "suite": suite, "gold": gold, "win_rate": 0.5} | more


def with_answers(rows, rewards, **settings):
    answers = [{"suite": "hard", "rewards": r} for r in rewards]
    return Record({"settings": settings}, (), (), rows, (), (), answers)


def test_a_run_opens_with_its_result_and_interval_and_says_that_a_seed_shows_nothing():
    """Of prompt means 0.2, 0.4 and 0.6, Student's half width is 4.303 x 0.2 / sqrt(3)."""
    rows = [evaluation(0, 0.3), evaluation(1, 0.7), evaluation(2, 0.4, win_rate=0.9)]
    run = with_answers(rows, [[0.1, 0.3], [0.4, 0.4], [0.5, 0.7]])
    headline, warning = of_kind(result.result(run).blocks, "Text")
    assert headline.lines[0].startswith(
        "After round 2 the gold reward on the hard suite is 0.400 (95 % interval -0.097 to "
        "0.897), before training 0.300; the win rate against the starting policy is 90.0 % "
        "(95 % interval "
    )
    assert headline.lines[0].endswith("The best evaluation was after round 1: gold 0.700.")
    assert "one seed: it shows nothing about which creator" in warning.lines[0]
    best = of_kind(of_kind(result.result(run).blocks, "Columns")[0].blocks, "Table")[0].rows[0]
    assert [(entry.text, entry.detail) for entry in best[1:4]] == [
        ("0.300", ""),
        ("0.700", "round 1"),
        ("0.400", "-0.097 to 0.897"),
    ]


def test_the_interval_of_a_win_rate_is_wilson_s():
    """Of 18 of 20: 0.699 to 0.972 (Wilson 1927); the bounds 0 and 1 are never left."""
    rows = [evaluation(0, 0.5), evaluation(1, 0.5, win_rate=0.9)]
    run = with_answers(rows, [[0.5]] * 20)
    estimate = result.win_rate_estimate(run, "hard", rows[1])
    assert (estimate["low"], estimate["high"]) == pytest.approx((0.6990, 0.9721), abs=1e-4)
    assert "low" not in result.win_rate_estimate(run, "hard", rows[0]), "not recorded"
    sure = [rows[0], evaluation(1, 0.5, win_rate=1.0)]
    estimate = result.win_rate_estimate(with_answers(sure, [[0.5]] * 20), "hard", sure[1])
    assert (estimate["low"], estimate["high"]) == pytest.approx((0.8389, 1.0), abs=1e-4)


def test_responses_of_another_evaluation_give_no_interval():
    rows = [evaluation(0, 0.3), evaluation(1, 0.7)]
    estimate = result.gold_estimate(with_answers(rows, [[0.1], [0.2]]), "hard", rows[1])
    assert estimate == {"mean": 0.7}


def test_the_next_command_finishes_the_run_or_compares(played):
    def command(record):
        return result.next_steps(record)[0].text

    assert command(Record.read(played)) == (
        "eva compare task:tabular-world --task.topics 2 --task.levels 4 --task.variants 2 "
        "--task.responses 6 --reward proxy --rounds 4 --prompts 8 --samples 3 "
        "--evaluate-every 2 --evaluation-samples 4 --creators fresh eva --solvers dpo:lr=0.1 "
        "--seeds 5"
    )
    unfinished = Record({"settings": {"rounds": 3}}, (), (), (), (), (), (), Path("runs/a b"))
    assert command(unfinished) == "eva train --resume 'runs/a b'"
