"""``eva export``: rows in TRL's formats, from hand-made records."""

import json

import pytest

from eva_env.chat import as_prompt
from experiments import cli
from experiments.run.records import Run

TURNS = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Name a bird"},
]
COLUMNS = {
    "prompt-only": {"prompt"},
    "preference": {"prompt", "chosen", "rejected"},
    "unpaired": {"prompt", "completion", "label"},
}
"""The columns of each type in TRL's documentation, "Dataset formats and types"."""


def drawn(text, round, best, worst, good="good", bad="bad"):
    row = {"id": 0, "text": text, "round": round, "drawn": True, "best": best, "worst": worst}
    return row | {"best_response": good, "worst_response": bad}


ROWS = [
    drawn("one", 1, 0.9, 0.1),
    drawn("two", 1, 0.5, 0.5),
    drawn("three", 2, 0.5, 0.4, "better", "worse"),
    drawn("four", 2, None, None),
    drawn("one", 3, 1.0, 0.0, "better", "worse"),
    drawn("never drawn", 3, None, None, None, None) | {"id": 9, "drawn": False},
]


def recorded(folder, rows=ROWS):
    run = Run.create(folder, {"settings": {"type": "Settings"}})
    run.append("prompts", rows)
    return folder


def export(folder, *options, out=None):
    out = out or folder.parent / "out.jsonl"
    assert cli.main(["export", str(folder), "--out", str(out), *options]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def is_conversational(row):
    """As TRL decides it: a column holds a list of messages with a role."""
    names = {"prompt", "chosen", "rejected", "completion"} & row.keys()
    return any(isinstance(row[name], list) and "role" in row[name][0] for name in names)


def require_trl(rows, format):
    """The rules of TRL's documentation for a data set of one type."""
    forms = {is_conversational(row) for row in rows}
    assert len(forms) == 1, "a data set has one form"
    for row in rows:
        assert COLUMNS[format] <= row.keys()
        assert format == "prompt-only" or not {"messages"} & row.keys()
        if format == "unpaired":
            assert isinstance(row["label"], bool)
        for name in COLUMNS[format] - {"label"}:
            if forms == {False}:
                assert isinstance(row[name], str)
                continue
            assert all(turn.keys() == {"role", "content"} for turn in row[name])
            last = row[name][-1]["role"]
            assert last == ("user" if name == "prompt" else "assistant")


@pytest.mark.parametrize("format", COLUMNS)
@pytest.mark.parametrize("form", ["plain", "--conversational", "turns"])
def test_every_format_keeps_trls_rules(tmp_path, format, form):
    rows = [*ROWS, drawn(as_prompt(TURNS), 3, 1.0, 0.0)] if form == "turns" else ROWS
    folder = recorded(tmp_path / "run", rows)
    options = [form] if form.startswith("--") else []
    written = export(folder, "--format", format, *options)
    require_trl(written, format)
    assert is_conversational(written[0]) == (form != "plain")
    if form == "turns":
        assert written[-1]["prompt"] == TURNS


def test_a_pair_is_the_best_response_against_the_worst(tmp_path, capsys):
    folder = recorded(tmp_path / "run")
    pairs = export(folder)
    assert [(p["prompt"], p["chosen"], p["rejected"]) for p in pairs] == [
        ("one", "good", "bad"),
        ("three", "better", "worse"),
        ("one", "better", "worse"),
    ]
    assert [p["reward_gap"] for p in pairs] == pytest.approx([0.8, 0.1, 1.0])
    assert pairs[0]["score_chosen"] > pairs[0]["score_rejected"]
    printed = capsys.readouterr().out
    assert printed.startswith("wrote 3 preference rows to ")
    assert "from 5 drawn prompts of 1 run in " in printed
    assert printed.endswith("; left out: 1 tied, 1 without two rewards\n")
    assert printed.count("\n") == 1


def test_rounds_and_gap_choose_the_prompts(tmp_path, capsys):
    folder = recorded(tmp_path / "run")
    pairs = export(folder, "--first-round", "2", "--last-round", "2")
    assert [pair["prompt"] for pair in pairs] == ["three"]
    pairs = export(folder, "--min-gap", "0.5", out=tmp_path / "gap.jsonl")
    assert [pair["round"] for pair in pairs] == [1, 3]
    assert "1 below the least gap" in capsys.readouterr().out


def test_labels_of_unpaired_rows_follow_the_rewards(tmp_path):
    rows = export(recorded(tmp_path / "run"), "--format", "unpaired", "--last-round", "1")
    assert [(row["completion"], row["label"]) for row in rows] == [
        ("good", True),
        ("bad", False),
    ]


def test_prompts_come_once_and_a_comparison_gives_all_its_cells(tmp_path, capsys):
    for arm in ("fresh-dpo", "static-dpo"):
        recorded(tmp_path / "compare" / "cells" / arm / "seed-0000")
    rows = export(tmp_path / "compare", "--format", "prompt-only")
    assert [row["prompt"] for row in rows] == ["one", "two", "three", "four"]
    assert "of 2 runs in" in capsys.readouterr().out


def test_parquet_holds_the_same_rows(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = recorded(tmp_path / "run", [*ROWS, drawn(as_prompt(TURNS), 3, 1.0, 0.0)])
    out = tmp_path / "a.parquet"
    assert cli.main(["export", str(folder), "--out", str(out)]) == 0
    assert parquet.read_table(out).to_pylist() == export(folder)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "give the folder of a run"),
        (["RUN", "--out", "a.csv"], "must end in .jsonl or .parquet"),
        (["RUN", "--out", "TAKEN"], "exists already"),
        (
            ["RUN", "--min-gap", "2"],
            "left out: 1 tied, 3 below the least gap",
        ),
        (["RUN", "--min-gap", "-1"], "min_gap must be at least 0"),
        (["EMPTY"], "no run at"),
        (["INTEGERS"], "only worlds of text can be exported"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, options, says):
    monkeypatch.chdir(tmp_path)
    recorded(tmp_path / "run")
    recorded(tmp_path / "integers", [drawn(3, 1, 1.0, 0.0, 1, 2)])
    taken = tmp_path / "taken.jsonl"
    taken.write_text("")
    names = {"RUN": "run", "EMPTY": "empty", "TAKEN": str(taken), "INTEGERS": "integers"}
    assert cli.main(["export", *(names.get(word, word) for word in options)]) == 1
    printed = capsys.readouterr().err
    assert says in printed
    assert printed.count("\n") == 1
