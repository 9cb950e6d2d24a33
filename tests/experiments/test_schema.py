"""The schema of a record: a value or one line that names file, line and field; never more."""

import json
import math
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agents.creators import Eva, Fresh
from agents.solvers import DPO
from eva_env.prompt_files.data import prompts_in
from eva_env.tabular.world import TabularWorld
from experiments.comparison.settings import Comparison
from experiments.run.config import from_json, overlay, read_toml, to_json
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.schema import ROWS, Config, SummaryFile, object_of, parse, rows_of
from experiments.run.settings import Settings
from experiments.run.specifications import read

PATH = Path("run/rows.jsonl")
DEEP = b"[" * 100_000 + b"]" * 100_000

ROW = {
    "rounds": {
        "round": 1,
        "reward_mean": 0.5,
        "budget": {"reward_calls": 4},
        "logs": {"a": None},
    },
    "prompts": {"round": 1, "id": 0, "text": 7, "parent": None, "rewards": [0.5, None]},
    "evaluations": {"round": 0, "suite": "hard", "gold": 0.5, "win_rate": None},
    "answers": {"suite": "hard", "prompt": "a", "rewards": [1.0], "lengths": None},
    "alarms": {"round": 1, "alarm": "entropy", "value": 0.1, "begins": True},
    "transcripts": {"round": 1, "prompt": "a", "before": ["b"], "before_rewards": [None]},
    "final": {"prompt": 3, "probability": 0.25, "drawn": 2},
    "crossplay": {"creator": "eva-dpo", "prompts": [1], "drawn": [3], "regret": [0.5]},
    "tuning": {"arm": "eva-dpo", "configuration": 0, "seed": 0, "gold": None},
    "votes": {"a": "eva", "b": "start", "winner": "tie", "judge": "person"},
}


def refused(content, schema, keys=()):
    with pytest.raises(UserError) as error:
        rows_of(content, PATH, schema, keys)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


def line(row):
    return json.dumps(row).encode() + b"\n"


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_returned_as_they_are_with_keys_that_no_schema_names(name):
    row = ROW[name] | {"a column of yours": {"deep": [1, {"b": None}]}}
    assert rows_of(line(row) * 2 + b'{"torn', PATH, ROWS[name]) == [row, row]
    assert all(type(value) is type(row[key]) for key, value in ROW[name].items())


@pytest.mark.parametrize("name", ROWS)
def test_every_field_of_every_row_is_checked(name):
    for field, value in ROW[name].items():
        wrong = {"not": ["the type"]} if not isinstance(value, dict) else ["no object"]
        text = refused(line(ROW[name]) + line(ROW[name] | {field: wrong}), ROWS[name])
        assert text.startswith(f"run/rows.jsonl, line 2, field {field}: expected ")
    for field in ROWS[name].__required_keys__:
        lacking = {key: value for key, value in ROW[name].items() if key != field}
        text = refused(line(lacking), ROWS[name])
        assert text == f"run/rows.jsonl, line 1, lacks {field!r}: the file is damaged"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"null\n", "line 1, is no object"),
        (b"[]\n", "line 1, is no object"),
        (b"\n", "line 1, is not JSON"),
        (b'{"round": 1\n', "line 1, is not JSON"),
        (b"\xff\xfe\x00\n", "line 1, is not JSON"),
        (b'{"round": 1, "logs": "\xff"}\n', "line 1, is not JSON"),
        (b'\xef\xbb\xbf{"round": 1}\n', "line 1, is not JSON: Unexpected UTF-8 BOM"),
        (b'{"round": NaN}\n', "line 1, is not JSON: NaN is no number of JSON"),
        (b'{"entropy": -Infinity, "round": 1}\n', "line 1, is not JSON: -Infinity is no"),
        (b'{"round": 1, "entropy": 1e400}\n', "line 1, is not JSON: 1e400 is too large"),
        (b'{"round": ' + b"9" * 5000 + b"}\n", "line 1, is not JSON: "),
        (b'{"round": 1' + b"0" * 30 + b"}\n", "line 1, field round: expected int"),
        (b'{"round": -1}\n', "line 1, field round: expected int >= 0"),
        (b'{"round": 1.5}\n', "line 1, field round: expected int, got float"),
        (b'{"round": true}\n', "line 1, field round: expected int, got bool"),
        (b'{"round": 1, "cut_off": 1.5}\n', "line 1, field cut_off: expected float <= 1"),
        (b'{"round": 1, "budget": {"tokens": "x"}}\n', "line 1, field budget[...]: expected"),
        (b'{"round": 1, "x": ' + DEEP + b"}\n", "line 1, is not JSON: it is nested too deeply"),
        (b'{"round": 1, "x": ' + b"[" * 300 + b"]" * 300 + b"}\n", "line 1, field x: it is n"),
        (DEEP + b"\n", "line 1, is not JSON: it is nested too deeply"),
    ],
)
def test_what_is_wrong_is_named(content, reason):
    assert reason in refused(content, ROWS["rounds"])


def test_readers_name_the_keys_that_they_need():
    row = line({"round": 1, "budget": {"tokens": 3}})
    keys = ("budget.reward_calls",)
    assert "line 1, lacks 'budget.reward_calls'" in refused(row, ROWS["rounds"], keys)
    assert rows_of(row, PATH, ROWS["rounds"], ("budget.tokens",)) == [json.loads(row)]


def test_numbers_and_text_are_those_of_json():
    values = [0.1, 1e-320, 5e-324, 2**53 - 1, 10**30, -0.0, 123456789.123456789, "\ud800 \x00"]
    row = {"round": 1, "yours": values}
    (again,) = rows_of(line(row), PATH, ROWS["rounds"])
    assert again == row
    assert math.copysign(1, again["yours"][5]) == -1
    (twice,) = rows_of(b'{"round": 1, "round": 2}\n', PATH, ROWS["rounds"])
    assert twice == {"round": 2}  # the last one counts, as in json.loads


@pytest.mark.parametrize("schema", [Config, SummaryFile])
@pytest.mark.parametrize("content", [b"", b"null", b"[]", DEEP, b"{", b"\xff\x00", b"3"])
def test_files_of_one_object(schema, content):
    with pytest.raises(UserError, match=r"^run/rows.jsonl is not ") as error:
        object_of(content, PATH, schema)
    assert "\n" not in str(error.value)


CHANGES = {
    "rounds": ["six", None, 1.5, -1, {}, []],
    "seed": [None, "0", -1],
    "reward": [None, 5, {}],
    "creator": [None, {}, [], {"type": None}, {"type": "unheard-of"}, {"type": 3}],
    "task": ["wordlist", {"type": "tabular-world", "levels": "many"}, {"type": []}],
    "guards": [None, {"type": "Alarms"}, {"type": "Guards", "ngram": "x"}, {"type": {}}],
    "policy": [{"type": "pretrained", "lora_rank": "two"}],
    "keep": ["some", 3],
    "alarms": [[1], {"type": "Alarms", "stop": "yes"}],
    "unheard_of": [1],
}


@pytest.mark.parametrize("field", CHANGES)
def test_settings_of_a_wrong_type_are_one_line(field, tmp_path):
    data = to_json(Settings(creator=Fresh(), task=TabularWorld()))
    for value in CHANGES[field]:
        with pytest.raises(UserError) as error:
            from_json(data | {field: value}, Settings)
        assert "\n" not in str(error.value)
    folder = tmp_path / "run"
    folder.mkdir()
    config = {"settings": data | {field: CHANGES[field][0]}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"run/config.json, settings: "):
        Run.open(folder).settings(Settings)


@pytest.mark.parametrize("value", [{}, ["fresh", 3], None, "fresh"])
def test_creators_of_a_comparison_are_a_list_of_text(value):
    data = to_json(Comparison())
    with pytest.raises(UserError, match="creators"):
        from_json(data | {"creators": value}, Comparison)


# Fuzz: text, bytes and JSON give a value or a UserError, and nothing else. What once failed is
# kept as an example.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "round", "creator", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FUZZ = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def attempt(function, *arguments):
    """The value, or None for a UserError in one line."""
    message = ""
    try:
        return function(*arguments)
    except UserError as error:
        message = str(error)
    assert "\n" not in message
    return None


@FUZZ
@given(st.binary(max_size=60), st.sampled_from(sorted(ROWS)))
@example(b'{"round": 1e400}\n', "rounds")
@example(b"\xed\xa0\x80\n", "rounds")
@example(b"9" * 5000 + b"\n", "final")
def test_the_row_parser(content, name):
    attempt(rows_of, content + b"\n", PATH, ROWS[name])


@FUZZ
@given(JSON, st.sampled_from(sorted(ROWS)))
@example({"round": 2**70}, "rounds")
@example({"round": 1, "entropy": 10**400}, "rounds")
def test_rows_of_any_json(row, name):
    content = json.dumps(row).encode() + b"\n"
    rows = attempt(rows_of, content, PATH, ROWS[name])
    assert rows is None or rows == [json.loads(content)]


@FUZZ
@given(st.sampled_from(sorted(to_json(Settings()))), JSON)
@example("creator", {"type": "eva", "signal": "a_star_min", "operators": {"x": None}})
@example("creator", {"round": 1})
@example("task", {"type": ""})
@example("policy", {"type": "."})
@example("type", [])
@example("sampling", {"type": "Sampling", "temperature": True})
def test_settings_of_any_json(field, value):
    data = to_json(Settings(creator=Eva(), solver=DPO())) | {field: value}
    restored = attempt(from_json, data, Settings)
    assert restored is None or isinstance(restored, Settings) or field == "type"


@FUZZ
@given(st.sampled_from(["creator", "solver", "task"]), st.text(max_size=30))
@example("creator", "eva:signal=variance,rewrites=2,")
@example("creator", "eva:rewrites=" + "(" * 500)
@example("creator", "eva:rewrites=" + "-" * 5000 + "1")
@example("solver", "dpo:**{}")
@example("solver", "dpo:beta=1e999")
@example("task", "\x00:")
@example("creator", "eva:rewrites=\x00")
@example("creator", "eva:x=1\n")
def test_specifications(role, text):
    if "." not in text.partition(":")[0] and ".py:" not in text:
        attempt(read, role, text)


@FUZZ
@given(st.binary(max_size=80))
@example(b"a = " + b"[" * 5000)
@example(b"rounds = 'six'\n")
@example(b"creator = {type = 3}\n")
@example(b"\xff")
def test_config_files(content):
    path = Path("/tmp") / "never.toml"

    class File(type(path)):
        def read_text(self, encoding=None, errors=None):
            return content.decode(encoding or "utf-8")

    table = attempt(read_toml, File(path))
    if table:
        attempt(overlay, Settings(), table, "file.toml")


@FUZZ
@given(st.binary(max_size=80), st.sampled_from([".txt", ".jsonl", ".json", ".csv"]))
@example(DEEP, ".json")
@example(b'{"prompt": ' + DEEP + b"}\n", ".jsonl")
@example(b"[1, 2]", ".json")
@example(b'{"prompt": 1e999}\n', ".jsonl")
def test_prompt_files(tmp_path, content, suffix):
    path = tmp_path / f"prompts{suffix}"
    path.write_bytes(content)
    prompts = []
    with suppress(ValueError):  # task:prompts and eva evaluate name the file
        prompts = [*prompts_in(path, None)]
    assert all(isinstance(text, str) for _, text in prompts)


def test_msgspec_and_json_agree():
    for row in ROW.values():
        assert msgspec.json.decode(line(row)) == parse(line(row)) == row
