"""``task:prompts`` through the commands: train, resume, evaluate, compare, play, notebook."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agents.creators import Fresh, Static
from agents.policies.causal_lm import CausalLM
from agents.solvers import DPO
from eva_env.chat import as_prompt
from eva_env.prompt_files import Prompts
from experiments import cli, notebook
from experiments.commands import compare, evaluate, report
from experiments.commands.options import Arguments
from experiments.comparison.settings import Comparison, check_fit
from experiments.examples.own_reward import concise
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.settings import Settings
from tests.support.scored_prompts import Scored

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:'-[]{}\"_\n"
SCORED = "task:tests.support.scored_prompts.Scored"
SMALL = ["--rounds", "1", "--prompts", "4", "--samples", "2", "--sampling.max-tokens", "4"]
TURNS = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Name a bird"},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    CausalLM.untrained(LETTERS).save(folder)
    return str(folder)


@pytest.fixture
def prompts(tmp_path):
    rows = [{"prompt": f"Name {n} birds of the sea."} for n in range(12)]
    rows += [{"prompt": TURNS}, {"prompt": "Name 3 birds of the sea."}]
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_run_records_its_prompts_and_is_shown_and_evaluated(prompts, model, tmp_path, capsys):
    out = str(tmp_path / "run")
    command = [SCORED, "--task.file", str(prompts), "--policy", model, "--out", out, *SMALL]
    assert cli.main(["train", "creator:fresh", "solver:dpo", *command]) == 0
    printed = capsys.readouterr()
    assert "left out duplicates: 1 (prompts.jsonl, line 14)" in printed.err
    assert "6 of 13 prompts are held out as 'held-out'" in printed.err
    assert "suite held-out: gold reward" in printed.out
    config = Run.open(Path(out)).config
    assert config["world"]["suites"] == {"held-out": 6}
    assert config["world"]["sha256"] == config["settings"]["task"]["fingerprint"]
    assert config["settings"]["sampling"]["temperature"] == 0.7
    code = ["--code", SCORED.removeprefix("task:")]
    assert report.main([out]) == 0
    assert "held-out" in Path(out, "report.html").read_text()
    assert evaluate.main([out, "--samples", "2", "--json", *code]) == 0
    assert '"judged_on": "held-out"' in capsys.readouterr().out
    assert (
        evaluate.main([out, "--prompts", str(prompts), "--samples", "2", "--json", *code]) == 0
    )
    assert '"prompts": 14' in capsys.readouterr().out
    # A changed line is refused by resume and by evaluate, before a model is loaded.
    prompts.write_text(prompts.read_text().replace("Name 7", "Name seven"))
    for again in (["train", "--resume", out, "--rounds", "2"], ["evaluate", out]):
        assert cli.main([*again, *code]) == 1
        error = capsys.readouterr().err
        assert "has changed since the record was begun" in error
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["task:prompts"], "task:prompts needs a file; give --task.file prompts.jsonl"),
        (["task:prompts", "--task.file", "none.jsonl"], "there is no file or folder"),
        (["task:prompts", "--task.file", "FILE", "--task.column", "q"], "no column 'q'"),
        (["task:prompts", "--task.file", "FILE"], "give --policy FOLDER"),
        ([SCORED, "--task.file", "FILE", "creator:eva"], "--rewriter solver"),
    ],
)
def test_what_is_missing_is_one_line(prompts, model, tmp_path, capsys, options, says):
    words = [str(prompts) if word == "FILE" else word for word in options]
    if options[0] == SCORED:
        words += ["--policy", model]
    assert cli.main(["train", *words, "--out", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("eva train: ")
    assert says in error
    assert not (tmp_path / "run").exists()


def test_sizes_are_those_of_real_models(prompts):
    settings = Settings.suited(Prompts(prompts))
    assert (settings.rounds, settings.prompts, settings.samples) == (4, 32, 4)
    sampling = settings.sampling
    assert (sampling.max_tokens, sampling.temperature, sampling.top_p) == (256, 0.7, 1.0)
    sampling = Settings().sampling
    assert (sampling.max_tokens, sampling.temperature, sampling.top_p) == (16, 1.0, 1.0)


def test_a_comparison_has_no_oracle_and_decides_by_the_held_out_suite(prompts, model):
    words = [SCORED, "--task.file", str(prompts), "--policy", model, *SMALL]
    words += ["--creators", "static", "fresh", "--solvers", "dpo"]
    command = compare.begin(Arguments.of(words, compare.ROLES))
    comparison = command.settings
    assert (comparison.suite, comparison.oracle) == ("held-out", False)
    assert comparison.task.fingerprint
    check_fit(comparison)
    for changes, says in (
        ({"oracle": True}, "only the distribution 'human', not 'held-out'.*--no-oracle"),
        ({"tune": 2}, "only the distribution 'human', not 'held-out'.*--tune 0"),
        ({"creators": ("uniform-lite",)}, "--rewriter solver"),
    ):
        with pytest.raises(UserError, match=says):
            check_fit(replace(comparison, **changes))


def test_a_notebook_trains_on_it(prompts, model, capsys):
    sizes = {"rounds": 1, "prompts": 4, "samples": 2, "policy": model}
    sampling = Settings().sampling
    run = notebook.train(
        Static(), DPO(), Scored(prompts), progress=False, sampling=sampling, **sizes
    )
    assert {row["suite"] for row in run.evaluations} == {"held-out"}
    assert len(run.prompts) == 4
    assert "held out as 'held-out'" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"give --task\.file"):
        notebook.train(Fresh(), DPO(), Prompts())


def test_the_deciding_suite_is_hard_or_the_first():
    assert Comparison().deciding == "hard"
    assert Comparison().pinned().suite == "hard"


def test_the_example_reward_prefers_different_words_and_short_text():
    words = " ".join(map(str, range(80)))
    rewards = concise(["p"], [["a b c d", "a a a a", words, ""]])
    assert rewards == [[1.0, 0.25, 0.5, None]]


def test_a_conversation_is_evaluated_whole(prompts, model):
    seen = evaluate.read_prompts(prompts, Prompts(prompts))
    assert as_prompt(TURNS) in seen
