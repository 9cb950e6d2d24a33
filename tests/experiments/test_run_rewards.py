"""Rewards by name: what trains, what pays the creator, what judges, from option to report."""

import json
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest

from agents.creators import SFL, Fresh
from agents.solvers import DPO, SPPO
from eva_env.plugins import load_object
from eva_env.rewards import LengthBiased, PairwiseWinRate
from eva_env.wordlist import Gold, Wordlist
from experiments.cli import main
from experiments.commands import evaluate as evaluate_command
from experiments.run.alarms import Alarms
from experiments.run.errors import UserError
from experiments.run.judging import SAME, judge_of, judged_by
from experiments.run.match import Match
from experiments.run.records import Run
from experiments.run.rewards import canonical, form_of, reward_of, training_reward
from experiments.run.settings import Settings, check, remarks
from experiments.run.train import evaluator_of
from tests.support.tiny_models import tiny_classifier, tiny_folder

SMALL = ["--rounds", "1", "--prompts", "4", "--samples", "3", "--evaluation-samples", "2"]

FUNCTIONS = """
import math

def words(prompts, responses):
    return [[len(response.split()) / 10 for response in row] for row in responses]

def holes(prompts, responses):
    return [[None if i == 0 else len(r) / 10 for i, r in enumerate(row)] for row in responses]

def nothing(prompts, responses):
    return [[None] * len(row) for row in responses]

def flat(prompts, responses):
    return [1.0 for row in responses for response in row]

def broken(prompts, responses):
    raise KeyError("the service is down")

def late(prompts, responses):
    if len(prompts) > 2:
        raise KeyError("the service is down")
    return words(prompts, responses)

def exits(prompts, responses):
    raise SystemExit(3)

def stops(prompts, responses):
    raise GeneratorExit

async def later(prompts, responses):
    return words(prompts, responses)

def single(response):
    return 1.0

def infinite(prompts, responses):
    return [[math.inf] * len(row) for row in responses]

def factory():
    return words

class Shouting:
    def __call__(self, prompts, responses):
        return [[float(response.isupper()) for response in row] for row in responses]

class Choosy:
    def __init__(self, key):
        self.key = key

number = 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FUNCTIONS)
    return path


@dataclass(frozen=True)
class Tiny(Wordlist):
    """A suite of three prompts, which is scored quickly."""

    @property
    def suites(self):
        return {"hard": super().suites["hard"][:3]}


@dataclass(frozen=True)
class Ungraded(Tiny):
    """A world without a gold reward, as prompts from a file are."""

    def gold_reward(self):
        raise ValueError("prompts have no gold reward; give --reward ...")


TINY = f"task:{__file__}:Tiny"
UNGRADED = f"{__file__}:Ungraded"
PROMPTS = ["List two animals.", "Name three tools."]
RESPONSES = [["cat dog", "cat"], ["saw", ""]]


def test_forms_are_told_apart(tmp_path, file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rm").mkdir()
    (tmp_path / "wordlist").mkdir()
    kinds = {
        "gold": "gold", "proxy": "proxy", "rm": "classifier", "./rm": "classifier",
        "pairwise:rm": "pairwise", "mine.py:words": "function", "my.module.words": "function",
        "wordlist": "world", "tabular-world:topics=2": "world", "./wordlist": "classifier",
    }  # fmt: skip
    assert {spec: form_of(spec).kind for spec in kinds} == kinds
    assert canonical("rm") == str(tmp_path / "rm")
    assert canonical("pairwise:rm") == f"pairwise:{tmp_path / 'rm'}"
    assert canonical("mine.py:words") == f"{file}:words"
    for spec in ("gold", "wordlist", "my.module.words", "godl", None):
        assert canonical(spec) == spec


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("godl", r"reward 'godl' must be gold, proxy, the FOLDER of .*wordlist.*nearest: gold"),
        ("runs/rm", "there is no folder runs/rm"),
        ("pairwise:rm", "reward pairwise:rm: there is no folder 'rm'; write pairwise:FOLDER"),
        ("mine.py", "must be gold, proxy"),
        ("nowhere.words", "cannot import nowhere"),
        ("FILE:wrods", "has no 'wrods'; the nearest: words"),
        ("FILE:number", "must be a function .prompts, responses. -> .B, n.*got 3"),
        ("FILE:Choosy", "cannot be made without arguments"),
        ("FILE:flat", r"mine.py:flat fails .*shape \(2, 2\), got \(4,\)"),
        ("FILE:broken", "mine.py:broken failed: KeyError: 'the service is down'; return None"),
        ("FILE:exits", "mine.py:exits failed: SystemExit: 3; return None"),
        ("FILE:stops", "mine.py:stops failed: GeneratorExit: ; return None"),
        ("FILE:later", "mine.py:later is an async function; give a plain one"),
        ("FILE:single", r"mine.py:single failed: .*; it must accept \(prompts, responses\)"),
        ("FILE:infinite", "infinite returned inf for 4 of 4 responses, .* it may return None"),
        ("tabular-world", "task: it scores integers, and the prompts of Wordlist are text"),
        ("", "--reward is empty; give a value, or leave it out"),
    ],
)
def test_what_is_no_reward_is_refused_in_one_line(spec, message, file, capsys):
    spec = spec.replace("FILE", str(file))
    args = ["train", "--reward", spec, *SMALL, "--out", str(file.parent / "run")]
    assert main(args) == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1
    assert not (file.parent / "run").exists()  # nothing is spent


@pytest.mark.parametrize("role", ["judge", "creator-reward"])
@pytest.mark.parametrize("name", ["broken", "later"])
def test_errors_name_the_role_of_a_function(role, name, file, capsys):
    args = ["train", f"--{role}", f"{file}:{name}", *SMALL, "--out", str(file.parent / "run")]
    assert main(args) == 1
    error = capsys.readouterr().err
    assert f"{role.replace('-', ' ')} {file}:{name} " in error
    assert error.count("\n") == 1


def test_a_file_that_exits_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "ends.py").write_text("raise SystemExit('bye')")
    assert main(["train", "--reward", f"{tmp_path / 'ends.py'}:words", *SMALL]) == 1
    assert "ends.py: SystemExit: bye" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["words", "factory"])
def test_functions_and_factories_score(name, file):
    reward = reward_of(f"{file}:{name}", Wordlist())
    assert reward(PROMPTS, RESPONSES).tolist() == [[0.2, 0.1], [0.1, 0.0]]
    assert reward_of(f"{file}:Shouting", Wordlist())(PROMPTS, [["A", "a"]] * 2)[0, 0] == 1


def test_a_world_s_name_is_its_verifier():
    reward = reward_of("wordlist", Ungraded())
    assert np.array_equal(reward(PROMPTS, RESPONSES), Gold()(PROMPTS, RESPONSES))
    with pytest.raises(UserError, match="tabular-world fails on two prompts of the task"):
        reward_of("tabular-world", Wordlist())


def run_of(folder, *args):
    world = [] if args[0].startswith("task:") else [TINY]
    assert main(["train", *world, *args, *SMALL, "--out", str(folder)]) == 0
    return Run.open(folder)


def test_a_run_on_a_function_with_holes_counts_and_shows_them(file, tmp_path, capsys):
    run = run_of(tmp_path / "run", "--reward", f"{file}:holes", "creator:eva-lite")
    printed = capsys.readouterr().out
    (row,) = run.rows("rounds")
    assert row["rewards_missing"] == pytest.approx(1 / 3)
    assert row["reward_mean"] > 0
    for prompt in run.rows("prompts"):
        assert prompt["rewards"][0] is None
        assert prompt["best"] == max(prompt["rewards"][1:])
        assert prompt["worst"] == min(prompt["rewards"][1:])
        assert prompt["best_response"] is not None
        assert prompt["signal"] >= 0
    assert [alarm["alarm"] for alarm in run.rows("alarms")].count("rewards_missing") == 1
    assert "33% of the responses got no reward" in printed
    evaluations = run.rows("evaluations")
    assert evaluations[-1]["rewards_missing"] == 0.0  # gold judges
    assert evaluations[-1]["proxy"] is not None  # so over-optimisation can be seen
    assert run.config["judged_by"] == "gold"
    assert run.config["settings"]["reward"] == f"{file}:holes"
    for name in ("rounds", "prompts", "evaluations", "answers", "transcripts"):
        assert "NaN" not in (run.folder / f"{name}.jsonl").read_text()
    assert main(["report", str(run.folder)]) == 0
    page = (run.folder / "report.html").read_text()
    assert "rewards missing" in page
    assert "judged by gold" in page


def test_a_run_without_any_reward_ends_and_says_so(file, tmp_path, capsys):
    run = run_of(tmp_path / "run", "--reward", f"{file}:nothing")
    (row,) = run.rows("rounds")
    assert row["payoffs"] == {"creator_0": 0.0, "solver_0": 0.0}
    assert row["reward_mean"] is row["reward_max"] is row["signal_mean"] is None
    assert row["no_gradient"] == 1.0
    assert "no response got a reward" in capsys.readouterr().out
    assert run.rows("prompts")[0]["best_response"] is None
    assert run.rows("evaluations")[-1]["proxy"] is None


def test_a_function_that_fails_later_ends_the_run_in_one_line(file, tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["train", TINY, "--reward", f"{file}:late", *SMALL, "--out", str(folder)]) == 1
    assert (
        "late failed: KeyError: 'the service is down'; return None" in capsys.readouterr().err
    )


def test_a_classifier_trains_another_pays_the_creator_and_a_function_judges(
    file, tmp_path, capsys
):
    llama = tiny_classifier(tmp_path / "llama", "llama")
    bert = tiny_classifier(tmp_path / "bert", "bert")
    run = run_of(
        tmp_path / "run", "--reward", str(llama), "--creator-reward", str(bert),
        "--judge", f"{file}:words", "reward-model:length-biased",
    )  # fmt: skip
    (row,) = run.rows("rounds")
    assert row["reward_mean"] != row["creator_reward_mean"]
    assert row["creator_rewards_missing"] == 0.0
    assert row["budget"]["reward_calls"] >= 2 * 12
    for prompt in run.rows("prompts"):
        creator = np.array(prompt["creator_rewards"])
        assert prompt["signal"] == pytest.approx(creator.max() - creator.mean())
        assert prompt["mean"] == pytest.approx(np.mean(prompt["rewards"]))
    answers = run.rows("answers")
    assert answers[0]["rewards"] == [len(r.split()) / 10 for r in answers[0]["responses"]]
    evaluation = run.rows("evaluations")[-1]
    assert evaluation["proxy"] is not None
    assert run.config["judged_by"] == f"{file}:words"
    # eva evaluate reads the same judge from the run, and another one if it is given.
    capsys.readouterr()
    code = ["--code", TINY.removeprefix("task:"), f"{file}:words"]
    assert main(["evaluate", str(run.folder), "--samples", "2", "--json", *code]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["judged_by"] == f"{file}:words"
    assert result["gold"] == pytest.approx(evaluation_of(run, "hard")["gold"])
    assert result["proxy"] is not None
    other = ["--judge", "wordlist", "--samples", "2", "--json", *code]
    assert main(["evaluate", str(run.folder), *other]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["gold"] <= 1
    resumed = ["train", "--resume", str(run.folder), "--rounds", "2"]
    assert main([*resumed, *code]) == 0
    assert len(run.rows("rounds")) == 2


def evaluation_of(run, suite):
    return [row for row in run.rows("evaluations") if row["suite"] == suite][-1]


def test_a_world_without_gold_is_judged_by_what_trains_and_says_so(file, tmp_path, capsys):
    assert main(["train", f"task:{UNGRADED}", *SMALL, "--out", str(tmp_path / "no")]) == 1
    assert "give --reward" in capsys.readouterr().err
    run = run_of(tmp_path / "run", f"task:{UNGRADED}", "--reward", f"{file}:words")
    printed = " ".join(capsys.readouterr().out.split())
    assert "Judged by mine.py:words, the reward that trains: a gain may be" in printed
    assert "hard: judge's reward" in printed or "hard judge's reward" in printed
    assert "gold" not in printed.replace(str(tmp_path), "")
    assert run.config["judged_by"] == SAME
    assert run.rows("evaluations")[-1]["proxy"] is None  # the same numbers
    assert main(["report", str(run.folder)]) == 0
    page = (run.folder / "report.html").read_text()
    assert "a gain may be over-optimisation" in page
    assert "trained on the mine.py:words reward" in page
    assert "the judge&#39;s reward on the hard suite is" in page
    assert f"{file}:words reward" not in page
    capsys.readouterr()
    code = ["--code", UNGRADED, f"{file}:words"]
    assert main(["evaluate", str(run.folder), "--samples", "2", *code]) == 0
    printed = capsys.readouterr().out
    assert "Judged by mine.py:words, the reward that trains" in printed
    assert "over-optimisation" in printed
    assert "gold" not in printed.replace(str(tmp_path), "")
    judged = run_of(
        tmp_path / "judged", f"task:{UNGRADED}", "--reward", f"{file}:words",
        "--judge", "wordlist",
    )  # fmt: skip
    assert judged.config["judged_by"] == "wordlist"
    assert evaluation_of(judged, "hard")["proxy"] is not None


def test_pass_rates_are_those_of_rewards_in_the_unit_interval(file, tmp_path):
    llama = tiny_classifier(tmp_path / "llama", "llama")
    passes = {"wordlist": True, f"{file}:words": True, str(llama): False}
    for judge, expected in passes.items():
        settings = Settings(
            task=Tiny(), judge=judge, prompts=2, samples=2, evaluation_samples=2
        )
        match = Match.open(settings)
        assert match.judge.passes is expected
    evaluator = evaluator_of(settings, match)
    rows, _ = evaluator.evaluate(match.solver, 0)
    assert all(row["pass_rate"] is None for row in rows)


def test_a_pairwise_ranker_trains_and_judges_against_the_start(tmp_path):
    folder = tiny_folder(tmp_path / "ranker")
    settings = Settings(
        task=Tiny(),
        reward=f"pairwise:{folder}", judge=f"pairwise:{folder}", solver=SPPO(pairwise=True),
        creator=Fresh(), rounds=1, prompts=2, samples=2, evaluation_samples=2,
    )  # fmt: skip
    match = Match.open(settings)
    game = match.env.unwrapped.game
    rewards = game.reward_model(PROMPTS, RESPONSES)
    assert rewards.sum(1) == pytest.approx([1.0, 1.0])  # win rates among the samples
    judge = evaluator_of(settings, match).gold
    start = match.start().sample(PROMPTS, 2, np.random.default_rng(1))
    expected = game.reward_model.against(PROMPTS, RESPONSES, start)
    assert judge(PROMPTS, RESPONSES) == pytest.approx(expected)
    assert match.judge.model is game.reward_model  # one copy of the weights
    list(match.rounds())


def test_win_rates_need_sppo_to_know_and_scales_are_remarked_on(tmp_path):
    folder = tiny_folder(tmp_path / "ranker")
    ranked = Settings(reward=f"pairwise:{folder}", solver=SPPO())
    with pytest.raises(
        ValueError, match=r"win rates that --reward pairwise:.* --solver.pairwise"
    ):
        check(ranked)
    check(replace(ranked, solver=SPPO(pairwise=True)))
    check(replace(ranked, solver=DPO()))
    with pytest.raises(ValueError, match="gives win rates already"):
        check(replace(ranked, reward_model=PairwiseWinRate()))
    (text,) = remarks(replace(ranked, creator=SFL()))
    assert "are win rates; watch the pass rate" in text
    assert remarks(replace(ranked, creator=SFL(), creator_reward="wordlist")) == []


def test_the_judge_of_a_wrapper_s_comparisons_is_the_judge(file):
    settings = Settings(task=Ungraded(), reward="proxy", judge="wordlist")
    assert judged_by(settings) == "wordlist"
    biased = replace(settings, reward_model=LengthBiased(bias=1.0))
    match = Match.open(replace(biased, prompts=2, samples=2))
    assert isinstance(match.judge.model, Gold)


def test_an_alarm_reads_the_evaluations_too():
    bounds = Alarms(max_missing=0.25)
    with pytest.raises(ValueError, match=r"max_missing must lie in \[0, 1\], got 2"):
        Alarms(max_missing=2)
    from experiments.run.alarms import of_policy

    row = {"suite": "hard", "round": 0, "gold": None, "proxy": 0.1, "rewards_missing": 0.5}
    (sign,) = of_policy(bounds, [row, row | {"round": 1}])
    assert sign[:3] == ("evaluation_missing", 0.5, 0.25)


def test_a_judge_that_scores_nothing_is_said_by_evaluate(file, capsys):
    args = ["evaluate", "wordlist", "--judge", f"{file}:nothing", "--samples", "2"]
    assert main(args) == 1
    assert "gave too few rewards to compare" in capsys.readouterr().err


def test_own_reward_model_still_evaluates(file):
    command = evaluate_command.Command(
        checkpoint="wordlist", reward_model=lambda p, r: np.ones((len(p), len(r[0]))), samples=2
    )
    assert evaluate_command.report(command)["gold"] == 1.0


def test_list_rewards_names_the_forms(capsys):
    assert main(["list", "rewards"]) == 0
    printed = capsys.readouterr().out
    for word in ("gold", "proxy", "FOLDER", "pairwise:FOLDER", "file.py:function", "wordlist"):
        assert word in printed
    assert "noisy" in printed
    assert main(["list", "rewards", "pairwise:FOLDER"]) == 0
    assert "win rate" in capsys.readouterr().out


def test_a_function_that_trains_and_judges_is_tried_out_once(tmp_path):
    """A trial costs calls of a paid judge."""
    file = tmp_path / "paid.py"
    file.write_text(
        "calls = []\n"
        "def score(prompts, responses):\n"
        "    calls.append(len(prompts))\n"
        "    return [[float(len(text)) for text in row] for row in responses]\n"
    )
    name = f"{file}:score"
    settings = Settings.suited(Wordlist(), reward=name, judge=name)
    training = training_reward(settings.task, settings.reward, settings.reward_model)
    judge = judge_of(settings, training)
    assert judge.spec == settings.judge
    assert load_object(f"{file}:calls") == [2]
