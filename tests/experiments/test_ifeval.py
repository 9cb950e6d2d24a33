"""IFEval: verifiers, accuracies, collapse, stored responses, and the command end to end."""

import json
import re
import shutil
import sys

import numpy as np
import pytest

from agents.creators import Fresh
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.solvers import DPO, RLOO
from eva_env.cache import cache_folder
from eva_env.tabular.world import TabularWorld
from experiments.cli import main
from experiments.comparison.settings import Comparison
from experiments.ifeval import scores
from experiments.ifeval.collapse import signs
from experiments.ifeval.comparison import arm_row, between
from experiments.ifeval.conclusion import resolved, sentences
from experiments.ifeval.constant import CONSTANT, constant_responses
from experiments.ifeval.official import Item, benchmark, loose_variants, official
from experiments.ifeval.responses import Draw, fingerprint, key_of, respond, responses_folder
from experiments.ifeval.subset import stratified
from experiments.ifeval.tokenizers import in_place_of_nltk, word_tokenize
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.settings import Conditions, Settings
from experiments.run.train import train
from tests.support.letters import Letters
from tests.support.mini_ifeval import write_mini_ifeval
from tests.support.tiny_models import tiny_folder

FETCHED = (cache_folder() / "ifeval").is_dir()
needs_official = pytest.mark.skipif(not FETCHED, reason="eva fetch ifeval")


@pytest.fixture
def mini(tmp_path, monkeypatch):
    monkeypatch.setenv("EVA_CACHE", str(tmp_path / "cache"))
    write_mini_ifeval(tmp_path / "cache")
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_folder(tmp_path_factory.mktemp("models") / "llama")


# Verifiers


@pytest.mark.parametrize(
    ("text", "capitals"),
    [
        ("I'm at NASA.", ["I", "NASA"]),
        ("DON'T say I'LL", ["DO", "N'T", "I", "'LL"]),
        ("WELL-KNOWN, A/B and U.S.A. too", ["WELL-KNOWN", "A/B", "U.S.A."]),
        ("you CANNOT go", ["CAN", "NOT"]),
        ('"WOW!" (NO) *YES* [X]', ["WOW", "NO", "YES", "X"]),
        ("ONE--TWO...THREE", ["ONE", "TWO", "THREE"]),
        ("10:30 AM", ["AM"]),
        ("IT'S. But IT'S.", ["IT'S.", "IT", "'S"]),
    ],
)
def test_words_in_capitals_are_those_of_the_treebank(text, capitals):
    """The expected words are those that nltk 3.10.4 gives."""
    assert [word for word in word_tokenize(text) if word.isupper()] == capitals


def test_the_stand_in_for_nltk_is_gone_after_the_import():
    before = sys.modules.get("nltk")
    with in_place_of_nltk(str.split):
        import nltk

        assert nltk.data.load("punkt").tokenize("a b") == ["a", "b"]
        assert nltk.tokenize.RegexpTokenizer(r"\w+").tokenize("It's 1.") == ["It", "s", "1"]
    assert sys.modules.get("nltk") is before


def test_loose_variants_leave_out_lines_and_asterisks():
    """The seven variants of the published evaluation."""
    expected = {"two\nthree", "*one*\ntwo", "two", "one\ntwo\nthree", "one\ntwo"}
    assert set(loose_variants("*one*\ntwo\nthree")) == expected


def test_verdicts_are_strict_and_loose(mini):
    bench = benchmark()
    item = bench.items[2]  # no comma, at least 3 words
    assert bench.verdicts(item, "Sure, here:\na white field") == (
        (False, True),
        (True, True),
    )
    assert bench.verdicts(item, "white, field") == ((False, False), (False, False))
    assert bench.verdicts(item, "  \n") == ((False, False), (False, False))


def test_a_character_that_is_no_letter_is_counted_itself(mini):
    arguments = {"letter": "#", "let_frequency": 2, "let_relation": "at least"}
    check = official("keywords:letter_frequency", arguments)
    assert (check("#a #b"), check("#a"), check("zz zz")) == (True, False, False)


def test_what_is_missing_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("EVA_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="give: eva fetch ifeval"):
        benchmark()
    folder = write_mini_ifeval(tmp_path)
    (folder / "instructions_util.py").write_text("import no_such_package_eva")
    with pytest.raises(UserError, match=r"no_such_package_eva: pip install .eva-env\[instruct"):
        benchmark()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("data/input_data.jsonl", ""),
        ("data/input_data.jsonl", "{}\n"),
        ("data/input_data.jsonl", "torn"),
        ("instructions_util.py", "def torn("),
        ("instructions_util.py", "from . import none"),
    ],
)
def test_damaged_files_are_one_line_with_the_remedy(file, text, tmp_path, monkeypatch):
    monkeypatch.setenv("EVA_CACHE", str(tmp_path))
    folder = write_mini_ifeval(tmp_path)
    (folder / file).write_text(text)
    with pytest.raises(UserError, match=r"are damaged; delete .*ifeval and give: eva fetch"):
        benchmark()


@needs_official
def test_the_official_benchmark_scores_the_constant_as_published_in_the_docs():
    bench = benchmark()
    verdicts = scores.judge(bench, bench.items, constant_responses(bench.items))
    followed, size = verdicts.sums("prompt_strict")
    assert (len(size), followed.sum()) == (541, 122)
    followed, size = verdicts.sums("instruction_strict")
    assert (size.sum(), followed.sum()) == (834, 305)


@needs_official
def test_verdicts_equal_the_official_functions():
    bench = benchmark()
    evaluation = sys.modules["eva_fetched_ifeval.evaluation"]
    texts = (CONSTANT, "Well, I'm A.\n\n* one\n* two\n\nP.S. bye", '"ALL IS WELL HERE"', "")
    for item in bench.items[::4]:
        if item.key in (1122, 1129):
            continue
        example = evaluation.InputExample(
            item.key, list(item.ids), item.prompt, [dict(given) for given in item.arguments]
        )
        for text in texts:
            strict, loose = bench.verdicts(item, text)
            replies = {item.prompt: text}
            expected = evaluation.test_instruction_following_strict(example, replies)
            assert list(strict) == expected.follow_instruction_list
            expected = evaluation.test_instruction_following_loose(example, replies)
            assert list(loose) == expected.follow_instruction_list


@needs_official
def test_repaired_prompts_are_deterministic():
    bench = benchmark()
    item = next(item for item in bench.items if item.key == 1122)
    tweet = "new issue out now #one #two #three #four, we hope that you like it"
    assert {bench.verdicts(item, tweet)[0] for _ in range(20)} == {(True, True)}
    assert not bench.verdicts(item, tweet.replace("#four", "four"))[0][1]


# Accuracies


def verdicts(*tables):
    arrays = tuple(np.array(table, dtype=bool) for table in tables)
    return scores.Verdicts(arrays, arrays)


TWO = verdicts([[1], [0]], [[1, 1], [1, 0]], [[0, 0], [0, 1]])
"""Three prompts, two responses: 1, 2 and 2 instructions."""


def test_accuracies_by_hand():
    """Prompt level: 1/2, 1/2, 0. Instruction level: (1 + 3 + 1) / 2 of 5."""
    estimates = scores.accuracies(TWO, seed=0)
    assert estimates["prompt_strict"]["mean"] == pytest.approx(1 / 3)
    assert estimates["instruction_strict"]["mean"] == pytest.approx(0.5)
    assert estimates["prompt_strict"]["low"] <= 1 / 3 <= estimates["prompt_strict"]["high"]


def test_the_interval_of_many_prompts_is_the_normal_one():
    followed = (np.arange(400) % 4 == 0).astype(float)
    estimate = scores.estimate(followed, np.ones(400), seed=1)
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert estimate["low"] == pytest.approx(0.25 - half, abs=0.005)
    assert estimate["high"] == pytest.approx(0.25 + half, abs=0.005)
    corrected = scores.estimate(followed, np.ones(400), seed=1, comparisons=10)
    half = 2.807 * np.sqrt(0.25 * 0.75 / 400)  # the normal quantile at 1 - 0.025 / 10
    assert corrected["low"] == pytest.approx(0.25 - half, abs=0.01)


def test_differences_are_paired_over_prompts_and_signed():
    before = verdicts(*[[[1 if i < 100 else 0]] for i in range(200)])
    after = verdicts(*[[[1 if i < 120 else 0]] for i in range(200)])
    gap = scores.paired(after, before, seed=0)["prompt_strict"]
    half = 1.96 * np.sqrt(0.1 * 0.9 / 200)  # of the paired difference, 20 of 200
    assert gap["mean"] == pytest.approx(0.1)
    assert gap["low"] == pytest.approx(0.1 - half, abs=0.01)


def test_rates_by_instruction_count_each_occurrence_and_each_prompt_once():
    items = [
        Item(1, "a", ("x",), ({},)),
        Item(2, "b", ("x", "x"), ({}, {})),
        Item(3, "c", ("y", "x"), ({}, {})),
    ]
    rates = scores.by_instruction(items, TWO)
    assert rates["x"] == {"rate": pytest.approx((0.5 + 1 + 0.5 + 0.5) / 4), "prompts": 3}
    assert rates["y"] == {"rate": 0.0, "prompts": 1}


def test_how_responses_read_by_hand():
    """a b c a b c: of the trigrams abc bca cab abc one is a repeat."""
    assert scores.repeated_trigrams("a b c a b c") == 0.25
    assert scores.repeated_trigrams("a b") == 0
    texts = [["a b c a b c", "x"], ["x", "y z"]]
    text = scores.reading(texts, np.array([[6, 1], [1, 2]]))
    assert (text["words"], text["tokens"], text["copied"]) == (2.5, 2.5, 0.5)
    assert text["repeated_trigrams"] == 0.0625
    assert text["cut_off"] is None


def test_prompts_that_the_limit_rules_out_are_counted():
    long = Item(1, "a", ("n",), ({"num_words": 300, "relation": "at least"},))
    short = Item(2, "b", ("n",), ({"num_words": 300, "relation": "less than"},))
    repeat = Item(3, "c", ("r",), ({"prompt_to_repeat": "a b c"},))
    assert scores.unmet_below([long, short, repeat], 256) == 1
    assert scores.unmet_below([long, short, repeat], 300) == 0
    assert scores.unmet_below([long, short, repeat], 2) == 2


def test_a_quick_look_is_nested_and_spread_over_the_instructions():
    items = [Item(i, str(i), (f"id{i % 5}",), ({},)) for i in range(100)]
    small, large = stratified(items, 20), stratified(items, 50)
    assert small == large[:20] == stratified(items, 20)
    for part in (small, large):
        counts = [sum(item.ids[0] == f"id{k}" for item in part) for k in range(5)]
        assert max(counts) - min(counts) <= 2
    assert stratified(items, None) == stratified(items, 100) == items


# The collapse rule and the conclusion

READS = {"words": 100.0, "repeated_trigrams": 0.2, "copied": 0.0, "logprob": -1.5}


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        ({"words": 49.0}, "49 words instead of 100"),
        ({"repeated_trigrams": 0.31}, "repeated trigrams rose by 0.11"),
        ({"copied": 0.2}, "several prompts rose by 0.20"),
        ({"logprob": -3.1}, "went from -1.50 to -3.10 nats"),
        ({"logprob": -0.7}, "went from -1.50 to -0.70 nats"),
    ],
)
def test_each_sign_of_collapse_has_its_bound(change, sign):
    (clause,) = signs(READS | change, READS)
    assert re.search(sign, clause)


def test_ordinary_changes_are_no_collapse():
    after = {"words": 51.0, "repeated_trigrams": 0.29, "copied": 0.09, "logprob": -0.8}
    assert signs(after, READS) == []
    assert signs(READS, READS | {"logprob": None}) == []
    assert signs(READS | {"logprob": -2.9}, READS) == []
    assert signs(READS | {"words": 300.0, "repeated_trigrams": 0.0}, READS) == []


def result(mean, low, high, samples=4, after=None, **changes):
    rows = {
        "checkpoint": {"prompt_strict": {"mean": 0.3}, "text": READS | (after or {})},
        "start": {"prompt_strict": {"mean": 0.3 - mean}, "text": READS},
        "constant": {"prompt_strict": {"mean": 0.226}, "text": READS},
    }
    return {
        "policies": rows,
        "difference": {"prompt_strict": {"mean": mean, "low": low, "high": high}},
        "samples": samples,
        "prompts": 541,
        "prompts_in_all": 541,
        "unmet": 0,
        "sampling": {"temperature": 0.7, "top_p": 0.95, "max_tokens": 512},
    } | changes


def test_small_differences_need_four_samples():
    small = {"mean": 0.03, "low": 0.01, "high": 0.05}
    assert resolved(small, 4)
    assert not resolved(small, 3)
    assert resolved({"mean": -0.06, "low": -0.09, "high": -0.02}, 1)
    assert not resolved({"mean": 0.06, "low": -0.01, "high": 0.13}, 8)
    text = " ".join(sentences(result(0.03, 0.01, 0.05, samples=1)))
    assert "is not resolved" in text
    assert (
        "with 1 sample a prompt no difference up to 0.03 is claimed, give --samples 4" in text
    )


def test_a_gain_that_comes_with_collapse_is_called_one():
    good = " ".join(sentences(result(0.05, 0.02, 0.08)))
    assert "follows more prompts" in good
    assert "no sign of collapse" in good
    bad = " ".join(sentences(result(0.05, 0.02, 0.08, after={"words": 10.0})))
    assert "The gain comes with collapse" in bad
    worse = " ".join(sentences(result(-0.05, -0.08, -0.02, after={"words": 10.0})))
    assert "follows fewer prompts" in worse
    assert "The responses show collapse" in worse


def test_the_constant_the_limit_and_the_subset_are_caveats():
    few = result(0.0, -0.1, 0.1, prompts=60, unmet=3)
    few["sampling"]["max_tokens"] = 256
    few["policies"]["constant"]["prompt_strict"]["mean"] = 0.3
    text = " ".join(sentences(few))
    for part in ("quick look at 60 of 541", "max-tokens 512", "At least 3 of the 60"):
        assert part in text
    assert "One constant text for every prompt scores 0.300, no less" in text


# Stored responses


class Coin:
    """A policy that draws digits, and counts its batches."""

    tokens = 0
    batches = 0

    def __init__(self, stop=None):
        self.stop = stop

    def state_dict(self):
        return {}

    def prompt_lengths(self, prompts):
        return np.array([len(prompt) for prompt in prompts])

    def sample(self, prompts, n, rng):
        self.batches += 1
        if self.batches == self.stop:
            raise KeyboardInterrupt
        return [[str(rng.integers(10**6)) for _ in range(n)] for _ in prompts]


def draw(samples, prompts=75):
    texts = tuple("x" * (1 + i % 7) + str(i) for i in range(prompts))
    return Draw(texts, samples, Sampling(), seed=1)


def ignore(number):
    pass


def test_responses_are_drawn_once_and_do_not_depend_on_their_number(mini):
    one, coin = Coin(), Coin()
    alone = respond(one, "a", draw(1), ignore)
    assert one.batches == 3  # 75 prompts, 32 a batch
    both = respond(coin, "a", draw(2), ignore)
    assert coin.batches == 3  # sample 0 was kept
    assert [row[:1] for row in both] == alone
    assert both == respond(Coin(), "b", draw(2), ignore)
    assert all(row[0] != row[1] for row in both)


def test_an_interrupted_draw_continues_after_a_torn_line(mini):
    counted = []
    with pytest.raises(KeyboardInterrupt):
        respond(Coin(stop=3), "a", draw(1), counted.append)
    assert counted == [32, 32]
    path = responses_folder() / "a.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    resumed = Coin()
    assert respond(resumed, "a", draw(1), ignore) == respond(Coin(), "b", draw(1), ignore)
    assert resumed.batches == 2  # the torn one and the missing one
    assert len(path.read_text().splitlines()) == 75


def test_responses_that_cannot_be_kept_or_read_are_one_line(mini):
    respond(Coin(), "a", draw(1), ignore)
    path = responses_folder() / "a.jsonl"
    path.write_text('{"prompt": 0}\n' + path.read_text())
    with pytest.raises(UserError, match=r"a\.jsonl, line 1, lacks 'sample'.*delete the file"):
        respond(Coin(), "a", draw(1), ignore)
    shutil.rmtree(path.parent)
    path.parent.write_text("")
    with pytest.raises(UserError, match="set EVA_CACHE to another folder"):
        respond(Coin(), "a", draw(1), ignore)


def test_a_policy_without_texts_is_refused(mini):
    coin = Coin()
    coin.sample = lambda prompts, n, rng: [[1]] * len(prompts)
    with pytest.raises(UserError, match="of a language model"):
        respond(coin, "a", draw(1), ignore)


def test_a_fingerprint_changes_with_weights_and_template(model):
    policy = Pretrained(str(model)).load(Sampling(max_tokens=4))
    first = fingerprint(policy, ["Hi"])
    assert first == fingerprint(Pretrained(str(model)).load(Sampling()), ["Hi"])
    system = Pretrained(str(model), system="Be brief.").load(Sampling(max_tokens=4))
    assert fingerprint(system, ["Hi"]) != first
    next(iter(policy.parameters())).data[0, 0] += 1e-3
    assert fingerprint(policy, ["Hi"]) != first
    assert key_of("a", 1) != key_of("a", 2)


# The command

LETTERS = ["--code", "tests.support.letters.Letters"]
SMALL = ("--samples", "2", "--sampling.max-tokens", "6")


def trained(folder, model, seed=0, solver=None):
    chosen = Settings(
        task=Letters(),
        creator=Fresh(),
        solver=solver or DPO(lr=1e-2, batch_size=2),
        policy=Pretrained(str(model)),
        sampling=Sampling(max_tokens=4),
        evaluation_samples=2,
        rounds=1,
        prompts=2,
        samples=2,
        seed=seed,
        evaluate_every=1,
    )
    run = Run.create(folder, describe(chosen, []))
    list(train(run, chosen))
    return run


def test_a_run_is_compared_with_its_starting_policy(mini, model, capsys):
    run = trained(mini / "run", model)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    before.pop(run.folder / ".lock")  # it names the last writer
    command = ["evaluate", str(run.folder), "--suite", "ifeval", *SMALL, *LETTERS]
    assert main(command) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("IFEval: 4 prompts, 2 samples", "constant text", "minus starting policy:"):
        assert part in shown
    assert "do not compare" in shown
    # 1. The file holds what is printed as JSON; other files are as they were.
    kept = sorted(responses_folder().iterdir())
    assert main([*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((run.folder / "ifeval.json").read_text())
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(responses_folder().iterdir()) == kept
    # 2. The constant fails two prompts: it has no "#", and words enough without a comma.
    rows = printed["policies"]
    assert list(rows) == ["checkpoint", "start", "constant"]
    assert rows["constant"]["prompt_strict"]["mean"] == 0.75
    assert rows["constant"]["instruction_strict"]["mean"] == 0.8
    assert rows["start"]["text"]["logprob"] < 0
    gap = rows["checkpoint"]["prompt_strict"]["mean"] - rows["start"]["prompt_strict"]["mean"]
    assert printed["difference"]["prompt_strict"]["mean"] == pytest.approx(gap)
    assert [row["constant"] for row in printed["by_prompt"]] == [1, 1, 1, 0]
    shares = [row["start"] for row in printed["by_prompt"]]
    assert np.mean(shares) == pytest.approx(rows["start"]["prompt_strict"]["mean"])
    checkpoint = str(run.checkpoint(1))
    assert main(["evaluate", checkpoint, "--suite", "ifeval", *SMALL, *LETTERS]) == 0
    assert (run.folder / "ifeval-round-0001.json").is_file()


def test_a_folder_alone_has_no_difference_and_a_start_may_be_given(mini, model, capsys):
    command = ["evaluate", str(model), "--suite=ifeval", "--json", "--quick", "3", *SMALL]
    assert main(command) == 0
    alone = json.loads(capsys.readouterr().out)
    assert list(alone["policies"]) == ["checkpoint", "constant"]
    assert "difference" not in alone
    assert alone["prompts"] == 3
    assert main([*command, "--policy", str(model)]) == 0
    same = json.loads(capsys.readouterr().out)
    assert same["difference"]["prompt_strict"] == {"mean": 0, "low": 0, "high": 0}
    assert not same["resolved"]
    assert not (model / "ifeval.json").exists()


def test_a_short_limit_cuts_off_and_the_constant_does_not(mini, model, capsys):
    command = ["evaluate", str(model), "--suite", "ifeval", "--json", "--sampling.max-tokens=1"]
    assert main(command) == 0
    rows = json.loads(capsys.readouterr().out)["policies"]
    assert rows["checkpoint"]["text"]["cut_off"] > 0.5
    assert rows["constant"]["text"]["cut_off"] == 0
    assert rows["constant"]["text"]["words"] == len(CONSTANT.split())


def test_mistakes_are_one_line(mini, model, capsys):
    world = TabularWorld(topics=2, levels=2, variants=2, responses=4)
    table = Settings(creator=Fresh(), solver=RLOO(), task=world, rounds=1, prompts=4)
    run = Run.create(mini / "table", describe(table, []))
    list(train(run, table))
    for words, message in (
        (["--suite", "ifeval"], "give a checkpoint"),
        ([str(run.folder), "--suite", "ifeval"], "that of a language model"),
        ([str(model), "--suite", "ifeval", "--samples", "0"], "samples must be"),
        ([str(model), "--suite", "ifeval", "reward-model:plain"], "its own verifiers"),
    ):
        assert main(["evaluate", *words]) == 1
        assert message in capsys.readouterr().err


# Comparisons


def test_arms_are_paired_with_the_start_over_prompts_and_seeds():
    before = np.zeros(50)
    values = np.zeros((2, 50))
    values[0, :10], values[1, :12] = 1, 1
    row = arm_row(values, before, [0, 1], arms=1, seed=0)
    assert row["prompt_strict"]["mean"] == row["difference"]["mean"] == pytest.approx(0.22)
    assert row["difference"]["low"] < 0.22 < row["difference"]["high"]
    only = arm_row(values[:1], before, [0], arms=1, seed=0)
    assert only["difference"]["mean"] == pytest.approx(0.2)
    assert only["difference"]["low"] > 0


def test_arms_of_one_seed_are_compared_over_prompts():
    arms = Comparison(creators=("fresh", "eva-lite"), solvers=("dpo",), oracle=False).arms
    values = np.zeros((1, 2, 40))
    values[0, 1, :20] = 1
    (row,) = between(values, arms, seed=0)
    assert (row["a"], row["b"], row["mean"]) == ("eva-lite", "fresh", 0.5)
    assert row["low"] > 0.2
    assert between(np.concatenate([values, values]), arms, seed=0)[0]["mean"] == 0.5
    values[:, 0] = np.nan  # no cell of this arm has finished
    assert between(values, arms, seed=0) == []
    assert between(np.concatenate([values, values]), arms, seed=0) == []


def test_a_comparison_has_a_row_per_arm(mini, model, capsys):
    conditions = Conditions(
        task=Letters(),
        policy=Pretrained(str(model)),
        sampling=Sampling(max_tokens=4),
        rounds=1,
        prompts=2,
        samples=2,
        evaluation_samples=2,
        evaluate_every=1,
    )
    setting = Comparison(
        creators=("fresh",),
        solvers=("dpo:lr=1e-2,batch_size=2", "orpo:lr=1e-2,batch_size=2"),
        seeds=2,
        oracle=False,
        conditions=conditions,
    )
    folder = mini / "comparison"
    Run.create(folder, describe(setting, []))
    for arm in setting.arms:
        for seed in range(2):
            chosen = setting.settings(arm, seed)
            path = folder / "cells" / arm.name / f"seed-{seed:04d}"
            run = Run.create(path, describe(chosen, []))
            list(train(run, chosen))
            run.write("final", [])
    assert main(["evaluate", str(folder), "--suite", "ifeval", "--json", *SMALL, *LETTERS]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((folder / "ifeval.json").read_text())
    assert list(printed["arms"]) == ["fresh-dpo", "fresh-orpo"]
    assert list(printed["policies"]) == ["start", "constant"]
    cells = [printed["cells"][f"fresh-dpo/seed-000{seed}"] for seed in range(2)]
    mean = np.mean([cell["prompt_strict"]["mean"] for cell in cells])
    assert printed["arms"]["fresh-dpo"]["prompt_strict"]["mean"] == pytest.approx(mean)
    (row,) = printed["differences"]
    assert (row["a"], row["b"], row["comparisons"]) == ("orpo", "dpo", 1)
    assert main(["evaluate", str(folder), "--suite", "ifeval", *SMALL, *LETTERS]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "fresh-orpo minus the starting policy:" in shown
    assert main(["evaluate", str(folder), "--suite", "ifeval", "task:wordlist"]) == 1
    assert "leave out task:" in capsys.readouterr().err
    (folder / "cells").rename(folder / "gone")
    (folder / "cells").mkdir()
    assert main(["evaluate", str(folder), "--suite", "ifeval", *LETTERS]) == 1
    assert "no cell of" in capsys.readouterr().err
