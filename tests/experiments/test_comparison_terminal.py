"""The tables that a comparison prints are titled by what they measure."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from experiments.comparison import terminal


@pytest.fixture
def printed(monkeypatch):
    """Returns what is printed of a summary with one arm."""
    for name in ("standings", "print_sentences"):
        monkeypatch.setattr(terminal, name, lambda *_: "")
    estimate = {"mean": 0.5, "low": None, "high": None}
    spent = {"tokens": 1, "reward_calls": 1, "gradient_steps": 1, "seconds": 1}
    cell = {"mean": [[0.5]], "low": [[None]], "high": [[None]]}

    def show(unit, judged_by):
        suites = {"held-out": {"win_rate": estimate, "gold": estimate}}
        arm = {"creator": "fresh", "solver": "dpo", "seeds": [0], "suites": suites}
        summary = {
            "arms": {"fresh-dpo": arm | {"budget": spent}}, "seeds": [0], "suite": "held-out",
            "suites": ["held-out"], "judged_by": judged_by, "exact": None,
            "crossplay": {"unit": unit, "rows": ["fresh-dpo"], "columns": ["fresh-dpo"]} | cell,
            "wins": {"players": ["fresh-dpo"]} | cell, "wins_length_controlled": None,
        }  # fmt: skip
        screen = io.StringIO()
        terminal.print_summary(summary, Console(file=screen, width=120), Path("runs/a"))
        return " ".join(screen.getvalue().split())

    return show


def test_cross_play_is_titled_by_what_it_measures(printed):
    estimated = printed("estimated regret", "/home/me/score.py:judge")
    assert "Cross-play: regret estimate a_star_avg, in thousandths" in estimated
    assert "true regret" not in estimated
    assert "Cross-play: true regret, in thousandths" in printed("regret", "gold")


def test_only_gold_is_called_gold(printed):
    estimated = printed("estimated regret", "/home/me/score.py:judge")
    assert "judge's reward" in estimated
    assert "gold" not in estimated
    assert "gold reward" in printed("regret", "gold")


def test_the_next_command_quotes_its_folder():
    summary = {"failures": {"a": "x"}, "seeds": [0], "comparisons": [], "arms": {}}
    command = terminal.next_command(summary, Path("my runs/a"))
    assert command == "eva compare --resume 'my runs/a'"
