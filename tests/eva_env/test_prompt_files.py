"""Worlds of prompt files: formats, columns, duplicates, suites, the split, the fingerprint."""

import copy
import hashlib
import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from eva_env.chat import as_prompt, messages_of
from eva_env.prompt_files import Prompts
from eva_env.prompt_files.data import prompts_in
from eva_env.testing import check_task

EXAMPLE = Path(__file__).parents[2] / "experiments" / "examples" / "prompts.jsonl"
TEXTS = [f"Write {n} words about the sea." for n in range(40)]
TURNS = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Name a bird"},
]
END = {"role": "assistant", "content": "A robin"}


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def all_prompts(world):
    return {*world.data.training, *(p for suite in world.suites.values() for p in suite)}


def test_the_example_is_a_world_that_keeps_the_contract():
    world = Prompts(EXAMPLE, topic_column="topic")
    check_task(world, 20)
    assert {world.topic(p) for p in world.data.training} >= {"nature", "cooking", "stories"}
    assert world.topic("a rewritten prompt") == ""
    assert world.deciding == "held-out"
    assert world.data.omitted == {}


def write_csv(folder):
    path = folder / "f.csv"
    path.write_text(
        'prompt,topic\n"one, with\na break",a\ntwo,b\nthree,c\n', encoding="utf-8-sig"
    )
    return path, {"one, with\na break", "two", "three"}


def write_txt(folder):
    path = folder / "f.txt"
    path.write_text("one\n\n  two \r\nthree")
    return path, {"one", "two", "three"}


def write_json_list(folder):
    path = folder / "f.json"
    path.write_text(json.dumps([{"prompt": "one"}, {"prompt": "two"}]))
    return path, {"one", "two"}


def write_parquet(folder):
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    path = folder / "f.parquet"
    rows = [{"prompt": [*TURNS, END], "n": 1}, {"prompt": TURNS[:1], "n": 2}]
    parquet.write_table(arrow.Table.from_pylist(rows), path)
    return path, {as_prompt(TURNS), "Hi"}


def write_folder(folder):
    inside = folder / "many"
    inside.mkdir()
    (inside / "README.md").write_text("about the data")
    (inside / "a.md").write_text("# A task\n\nin two paragraphs\n")
    (inside / "b.txt").write_text("one\ntwo\n")
    written(inside / "c.jsonl", [{"messages": TURNS}])
    return inside, {"# A task\n\nin two paragraphs", "one", "two", as_prompt(TURNS)}


@pytest.mark.parametrize(
    "write", [write_csv, write_txt, write_json_list, write_parquet, write_folder]
)
def test_every_format_gives_the_prompts_that_were_written(tmp_path, write):
    path, prompts = write(tmp_path)
    assert all_prompts(Prompts(path)) == prompts
    assert {text for _, text in prompts_in(path)} == prompts


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"prompt": "plain"}, "plain"),
        ({"prompt": TURNS}, as_prompt(TURNS)),
        ({"prompt": [*TURNS, END]}, as_prompt(TURNS)),
        ({"messages": [*TURNS, END]}, as_prompt(TURNS)),
        ({"messages": [TURNS[0], END]}, "Hi"),
        ({"prompt": json.dumps([*TURNS, END])}, as_prompt(TURNS)),
        ({"question": "the only text", "level": 3}, "the only text"),
        ({"prompt": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, "Hi"),
        ({"prompt": '[{"role": "admin"}]'}, '[{"role": "admin"}]'),
        ({"prompt": "[" * 5000}, "[" * 5000),
        ({"prompt": "preferred", "messages": TURNS}, "preferred"),
    ],
)
def test_a_row_has_its_prompt_as_trl_has_it(tmp_path, row, prompt):
    path = written(tmp_path / "f.jsonl", [row])
    assert [text for _, text in prompts_in(path)] == [prompt]


def test_several_turns_come_back_whole(tmp_path):
    world = Prompts(written(tmp_path / "f.jsonl", [{"prompt": [*TURNS, END]}, {"prompt": "x"}]))
    (prompt,) = [p for p in all_prompts(world) if p != "x"]
    assert messages_of(prompt) == TURNS
    assert world.data.cut == 1
    assert any("1 conversations are cut off" in line for line in world.remarks())


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [
        ('{"prompt": "a"}\n{"prompt": 3}\n', {}, "f.jsonl, line 2: prompt must be text"),
        ('{"prompt": "a"}\n\n{"prompt"\n', {}, "f.jsonl, line 3: invalid JSON"),
        ('{"prompt": "a"}\n["b"]\n', {}, "f.jsonl, line 2: a row must be an object"),
        ('{"a": "x", "b": "y"}\n', {}, "prompt or messages; name one of a, b"),
        ('{"a": "x", "b": "y"}\n', {"column": "c"}, "(--task.column); it has a, b"),
        ('{"prompt": "x"}\n{"q": "y"}\n', {}, "line 2: no column 'prompt'"),
        ('{"prompt": "x"}\n', {"topic_column": "t"}, "no column 't' (--task.topic-column)"),
        ('{"prompt": [{"role": "user"}]}\n', {}, "a message of prompt must be"),
        ('{"prompt": [{"role": "me", "content": "x"}]}\n', {}, "a role must be system"),
        ('{"prompt": [{"role": "system", "content": "x"}]}\n', {}, "must end with"),
        ('{"prompt": "\\ud800"}\n', {}, "half of a surrogate pair"),
        ('{"prompt": "x"}\n', {}, "holds 1 usable prompts; at least 2"),
        ('{"prompt": "x"}\n' * 2, {}, "; left out duplicates: 1 (f.jsonl, line 2)"),
        (
            '{"prompt": "xyz"}\n',
            {"max_characters": 2},
            "longer than 2 characters: 1 (f.jsonl, line 1); raise --task.max-characters",
        ),
        ('{"prompt": ' + "[" * 100_000 + "\n", {}, "line 1: the JSON is nested too deeply"),
        ('[{"prompt": "a"}, {"prompt": "b"}]\n', {}, "name it f.json"),
        ('[\n{"prompt": "a"}\n]\n', {}, "holds one JSON list, not an object a line; name it"),
        ('{"prompt": "x", "s": "easy"}\n', {"suite_column": "s"}, "holds no training prompts"),
        ('{"prompt": "x", "s": "played"}\n', {"suite_column": "s"}, "'played'"),
    ],
)  # fmt: skip
def test_a_bad_row_is_one_line_with_its_place(tmp_path, text, settings, says):
    (tmp_path / "f.jsonl").write_text(text)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are compared below
        Prompts(tmp_path / "f.jsonl", **settings).pinned()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_one_line(tmp_path):
    (tmp_path / "f.txt").write_bytes(b"a\n\xff\n")
    (tmp_path / "f.docx").write_text("a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("prompt\na,b\n")
    for name, says in {
        "none.jsonl": "there is no file or folder",
        "f.txt": "is not UTF-8 (byte 2",
        "f.docx": "its name must end in .jsonl",
        "empty": "has no file that ends in",
        "bad.csv": "line 2: the row has more fields than the header",
    }.items():
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            Prompts(tmp_path / name).pinned()
        assert says in str(caught.value)
    with pytest.raises(ValueError, match=r"give --task\.file"):
        Prompts().pinned()


def test_duplicates_empty_and_overlong_rows_are_left_out_and_named(tmp_path):
    rows = ["a b", "a b", "a  b", "", None, "x" * 30, *TEXTS[:4]]
    path = written(tmp_path / "f.jsonl", [{"prompt": text} for text in rows])
    world = Prompts(path, max_characters=29)
    assert all_prompts(world) == {"a b", *(t for t in TEXTS[:4] if len(t) <= 29)}
    left = {reason: (o.count, o.places) for reason, o in world.data.omitted.items()}
    assert left == {
        "duplicates": (1, ["f.jsonl, line 2"]),
        "duplicates but for white space": (1, ["f.jsonl, line 3"]),
        "empty": (2, ["f.jsonl, line 4", "f.jsonl, line 5"]),
        "longer than 29 characters": (1, ["f.jsonl, line 6"]),
    }
    assert world.facts()["left_out"]["empty"] == {"rows": 2, "first": left["empty"][1]}
    assert "f.jsonl: left out duplicates: 1 (f.jsonl, line 2)" in world.remarks()
    assert not world.valid("x" * 30)
    assert not world.valid(" ")


def test_suites_by_column_and_no_training_prompt_is_in_one(tmp_path):
    rows = [{"prompt": t, "s": ["", "train", "easy", None][i % 4]} for i, t in enumerate(TEXTS)]
    rows.append({"prompt": rows[2]["prompt"].replace(" ", "  "), "s": ""})
    world = Prompts(written(tmp_path / "f.jsonl", rows), suite_column="s")
    assert world.suites == {"easy": tuple(TEXTS[2::4])}
    assert not {*world.data.training} & {*TEXTS[2::4]}
    assert world.data.omitted["equal to a prompt of a suite"].places == ["f.jsonl, line 41"]
    assert not world.valid(rows[2]["prompt"].replace(" ", "\n"))
    assert not world.data.split


def test_suites_of_a_second_file(tmp_path):
    train = written(tmp_path / "train.jsonl", [{"prompt": text} for text in TEXTS[:20]])
    suite = written(tmp_path / "poems.jsonl", [{"prompt": text} for text in TEXTS[15:30]])
    world = Prompts(train, suite_file=suite)
    assert world.suites == {"poems": tuple(TEXTS[15:30])}
    assert world.data.training == tuple(TEXTS[:15])
    assert world.deciding == "poems"
    rows = [{"prompt": t, "s": "hard" if i % 2 else "soft"} for i, t in enumerate(TEXTS[20:])]
    named = [{"prompt": text, "s": ""} for text in TEXTS[:20]]
    world = Prompts(
        written(tmp_path / "named.jsonl", named),
        suite_file=written(tmp_path / "two.jsonl", rows),
        suite_column="s",
    )
    assert set(world.suites) == {"soft", "hard"}
    assert world.deciding == "hard"


def test_the_split_depends_on_texts_and_seed_and_not_on_the_order(tmp_path):
    def suite(texts, name="f", **settings):
        path = written(tmp_path / f"{name}.jsonl", [{"prompt": text} for text in texts])
        return Prompts(path, **settings).suites["held-out"]

    shuffled = random.Random(0).sample(TEXTS, len(TEXTS))
    first = suite(TEXTS)
    assert suite(shuffled, "g") == first
    assert len(first) == 8  # the least, more than a tenth of 40
    assert len(suite(TEXTS, "h", held_out=0.3)) == 12
    assert len(suite(TEXTS[:6], "i")) == 3  # at most half
    assert len(suite([f"prompt {i}" for i in range(2000)], "j")) == 128
    assert {*suite(TEXTS, split_seed=1)} != {*first}
    by_hand = sorted(TEXTS, key=lambda t: hashlib.sha256(f"0\n{t}".encode()).hexdigest())
    assert first == tuple(by_hand[:8])


def test_seed_draws_every_prompt_once_before_any_comes_again():
    world, rng = Prompts(EXAMPLE), np.random.default_rng(0)
    count = len(world.data.training)
    assert sorted(world.seed(count, rng)) == sorted(world.data.training)
    drawn = world.seed(2 * count + 3, rng)
    times = [drawn.count(prompt) for prompt in world.data.training]
    assert (min(times), max(times), sum(times)) == (2, 3, 2 * count + 3)
    assert world.seed(0, rng) == []
    with pytest.raises(ValueError, match="only the distribution 'human', not 'held-out'"):
        world.seed(2, rng, "held-out")


def test_what_a_file_lacks_is_refused_with_the_remedy():
    world = Prompts(EXAMPLE)
    assert world.operators == ()
    for call, remedy in (
        (lambda: world.mutate("x", "deepening", np.random.default_rng(0)), "--rewriter solver"),
        (world.gold_reward, "give --reward FOLDER, --reward file.py:function or --judge"),
        (world.starting_policy, "give --policy FOLDER"),
    ):
        with pytest.raises(ValueError, match=remedy):
            call()
    for settings in (
        {"held_out": 0},
        {"held_out": 1},
        {"max_characters": 0},
        {"split_seed": -1},
    ):
        with pytest.raises(ValueError, match=next(iter(settings))):
            Prompts(EXAMPLE, **settings)


def test_a_file_that_changed_in_one_line_is_refused(tmp_path):
    path = written(tmp_path / "f.jsonl", [{"prompt": text} for text in TEXTS])
    pinned = Prompts(path).pinned()
    assert pinned.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    assert pinned.pinned() == pinned
    written(path, [{"prompt": text} for text in [*TEXTS[:-1], "another"]])
    with pytest.raises(ValueError, match="has changed since the record was begun"):
        copy.copy(pinned).pinned()


def test_only_settings_travel(tmp_path):
    world = Prompts(EXAMPLE, topic_column="topic")
    copied = pickle.loads(pickle.dumps(world))
    assert len(pickle.dumps(world)) < 1000
    assert "data" not in vars(copied)
    assert copied == world
    assert copied.suites == world.suites


def test_a_person_types_several_lines():
    rules = Prompts(EXAMPLE).house_rules()
    assert rules.prompt(r"Name a bird:\n- one\n- two") == "Name a bird:\n- one\n- two"
    assert rules.response(r"a\nb") == "a\nb"
    assert rules.named(as_prompt(TURNS)).splitlines()[1] == "assistant: Hello"
    held_out = Prompts(EXAMPLE).suites["held-out"][0]
    for text, reason in (
        (held_out, "is held out"),
        (" ", "is empty"),
        ("x" * 8001, "is longer"),
    ):
        with pytest.raises(ValueError, match=reason):
            rules.prompt(text)
