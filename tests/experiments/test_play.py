"""`eva play` as creator and as solver: the screen, the game, the record."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
from rich.console import Console

from eva_env.tabular.world import TabularWorld
from eva_env.types import CREATOR, SOLVER
from eva_env.wordlist import Gold, Wordlist
from experiments import cli
from experiments.commands import play
from experiments.human_play.creator import CreatorSession
from experiments.human_play.terminal import Terminal
from experiments.run.errors import UserError
from experiments.run.match import Match
from experiments.run.records import Run
from experiments.run.settings import Settings

WORLD = TabularWorld(topics=2, levels=4, variants=2, responses=6)
TABULAR = ["task:tabular-world", "--task.topics", "2", "--task.levels", "4"]
TABULAR += ["--task.variants", "2", "--task.responses", "6"]
WORDLIST = ["task:wordlist", "--task.suite-size", "4"]

ASKED = "List four foods, ending with soup."


def terminal(*lines, screen=None, end=EOFError):
    """A terminal at which a person types some lines and then leaves."""
    typed = iter(lines)

    def read(question):
        print(question, file=screen)
        line = next(typed, None)
        if line is None:
            raise end
        return line

    return Terminal(read, Console(file=screen, width=80))


def sit(seat, args, *lines, end=EOFError):
    """Play a session; return its status, its screen without line ends, and its record."""
    screen = io.StringIO()
    folder = args[args.index("--out") + 1]
    status = play.sit(seat, list(args), terminal(*lines, screen=screen, end=end))
    return status, " ".join(screen.getvalue().split()), Run.open(folder)


@pytest.fixture(scope="module")
def created(tmp_path_factory):
    args = ["--out", str(tmp_path_factory.mktemp("creator") / "run"), "--rounds", "2"]
    lines = ["hello", "!mix", "-", "?", ASKED.lower(), "!deep", "-", "!deep", "", "!x", "quit"]
    return sit("creator", [*args, "--prompts", "2", "--samples", "3", *WORDLIST], *lines)


def test_an_impossible_line_is_explained_and_asked_again(created):
    screen = created[1]
    assert (
        "not a prompt of the wordlist world; write one like 'List three animals, without"
        in screen
    )
    assert screen.count("there is no prompt to rewrite yet") == 1
    assert screen.count("there is no prompt to remove") == 1
    assert "a human prompt" in screen
    assert "in reverse alphabetical order" in screen
    assert "operators: !constraints, !deepening" in screen


def test_a_creator_sees_answers_best_first_and_is_paid_the_mean_regret(created):
    status, screen, run = created
    assert status == 0
    (row,) = run.rows("rounds")
    drawn = [prompt for prompt in run.rows("prompts") if prompt["drawn"]]
    regrets = [1 - np.mean(prompt["rewards"]) for prompt in drawn]
    assert row["payoffs"][CREATOR] == pytest.approx(np.mean(regrets))
    assert f"you earned {np.mean(regrets):.2f}, {np.mean(regrets):.2f} in total" in screen
    for prompt, regret in zip(drawn, regrets, strict=True):
        shown = screen[screen.index(f"{prompt['text']} true regret {regret:.2f}") :]
        assert shown.index(prompt["best_response"]) <= shown.index(prompt["worst_response"])
        assert Gold()([prompt["text"]], [[prompt["best_response"]]]) == prompt["best"]


def test_rewrites_are_recorded_with_parent_and_operator(created):
    run = created[2]
    parent, child = run.rows("prompts")
    assert {parent["text"], child["text"]} == {ASKED, ASKED.replace("four", "five")}
    parent, child = sorted((parent, child), key=lambda row: row["operator"] or "")
    assert (parent["operator"], child["operator"]) == (None, "deepening")
    assert child["parent"] == parent["id"]
    assert run.config["seat"] == "creator"
    assert run.settings(Settings).task == Wordlist(suite_size=4)


def test_the_last_line_names_the_record(created):
    assert created[1].endswith(f"the end after 1 of 2 rounds, recorded in {created[2].folder}")


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("List six animals and three foods.", "exceeds the limits"),
        ("List three animals, starting with cat, ending with cow, with no repeats, each with "
         "the letter e.", "no response can satisfy that"),
        ("List two animals, only short words, including cat.", "only in the suite 'unseen'"),
        (Wordlist(suite_size=4).suites["easy"][0], "held out for the evaluation"),
        ("", "not a prompt of the wordlist world"),
    ],
)  # fmt: skip
def test_each_reason_to_refuse_a_prompt_has_its_own_message(prompt, reason):
    task = Wordlist(suite_size=4)
    assert not task.valid(prompt)
    with pytest.raises(ValueError, match=reason):
        task.house_rules().prompt(prompt)


@pytest.mark.parametrize("task", [Wordlist(suite_size=4), WORLD])
def test_every_valid_prompt_may_be_typed(task):
    rules, rng = task.house_rules(), np.random.default_rng(0)
    for distribution in ("human", "hard"):
        prompts = [p for p in task.seed(50, rng, distribution) if task.valid(p)]
        assert [rules.prompt(str(prompt)) for prompt in prompts] == prompts


@pytest.mark.parametrize("text", ["-1", "16", "99999999999", "1.5", "one", "\u0661", "0"])
def test_numbers_that_are_no_prompt_are_refused(text):
    with pytest.raises(ValueError, match=r"numbers in 0|held out"):
        WORLD.house_rules().prompt(text)


def test_human_prompts_earn_their_expected_regret():
    """In expectation, human prompts earn the exact regret of a solver that does not learn."""
    settings = Settings(task=WORLD, reward="gold", prompts=2, samples=4, rounds=1)
    settings = Settings(**vars(settings) | {"solver": play.Fixed()})
    session = CreatorSession(Match.open(settings), settings, terminal())
    policy, gold = session.policy.probabilities(), WORLD.gold
    regret = gold.max(-1) - (policy * gold).sum(-1)
    human = np.unique(WORLD.seed(1000, np.random.default_rng(0)))
    std = np.sqrt((policy * gold**2).sum(-1) - (policy * gold).sum(-1) ** 2).max()
    assert session.human_payoff() == pytest.approx(
        regret[human].mean(), abs=4 * std / np.sqrt(256)
    )
    assert session.game.index == 0
    assert session.match.budget.responses == 0


def solve(folder, *lines, args=(), end=EOFError):
    options = ["--out", str(folder), "--rounds", "2", *args, *TABULAR]
    return sit("solver", options, *lines, end=end)


def test_a_person_is_asked_each_answer_once_and_the_creator_learns_from_it(tmp_path):
    """Eva has her prompts answered again, and the person is not asked twice. Only the prompt
    whose answers earn different rewards is informative, so all rewrites descend from it."""
    _, _, trial = solve(tmp_path / "trial", *["0", ""] * 2)
    same, other = [row["text"] for row in trial.rows("prompts")]
    best, high, low = (
        int(WORLD.gold[same].argmax()),
        int(WORLD.gold[other].argmax()),
        int(WORLD.gold[other].argmin()),
    )
    lines = ["?", best, "", "nine", low, "-", high, low, "0", "", "0", ""]
    status, screen, run = solve(tmp_path / "run", *map(str, lines))
    assert (status, len(run.rows("rounds"))) == (0, 2)
    assert "responses are numbers in 0 ... 5" in screen
    spread = WORLD.gold[other, high] - WORLD.gold[other, low]
    payoffs = run.rows("rounds")[0]["payoffs"]
    assert payoffs[CREATOR] == pytest.approx(spread / 4)
    mean = (2 * WORLD.gold[same, best] + WORLD.gold[other, high] + WORLD.gold[other, low]) / 4
    assert payoffs[SOLVER] == pytest.approx(mean)
    rows = run.rows("prompts")
    parents = [row["parent"] for row in rows if row["round"] == 2]
    (root,) = [row["id"] for row in rows if row["text"] == other][:1]
    ids = {row["id"]: row["parent"] for row in rows}
    assert all(root in (parent, ids.get(parent)) for parent in parents)


def test_a_person_sees_the_models_most_likely_response(tmp_path):
    _, screen, run = solve(tmp_path / "run", *["0", ""] * 2, args=["--prompts", "1"])
    prompt = run.rows("prompts")[0]["text"]
    likely = WORLD.reference_logits[prompt].argmax()
    reward = WORLD.gold[prompt, likely]
    assert f"{reward:.2f} model {likely}" in screen
    assert f"{WORLD.gold[prompt, 0]:.2f} you 0" in screen
    assert f"the model would earn {reward:.2f}, {reward:.2f} in total" in screen
    assert run.rows("rounds")[0]["logs"]["rival"] == pytest.approx(reward)


def test_ctrl_c_keeps_the_finished_rounds(tmp_path):
    status, screen, run = solve(tmp_path / "run", *["1"] * 6, end=KeyboardInterrupt)
    assert status == 130
    assert screen.endswith(f"stopped after 1 of 2 rounds, recorded in {run.folder}")
    assert len(run.rows("rounds")) == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["creator:paired"], "a person has none"),
        (["creator:eva", "--creator.signal", "alignment_potential"], "log-probabilities"),
    ],
)
def test_creators_that_need_more_than_answers_are_refused(args, message, tmp_path):
    with pytest.raises(UserError, match=message):
        solve(tmp_path / "run", "0", args=args)
    assert not (tmp_path / "run").exists()


def test_a_solver_that_learns_leaves_a_checkpoint_to_evaluate(tmp_path, capsys):
    args = ["--out", str(tmp_path / "run"), "--rounds", "1", "--prompts", "4", "solver:dpo"]
    args += ["--solver.lr", "0.5", *TABULAR]
    hard = [p for p in WORLD.trainable if WORLD.prompt_levels[p] == 2]
    status, screen, run = sit("creator", args, *map(str, hard), "")
    assert status == 0
    assert run.checkpoints == [1]
    assert f"eva evaluate {run.folder}" in screen
    assert "learns from its answers by DPO" in screen
    assert cli.main(["evaluate", str(run.folder), "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["gold"] != judged["start_gold"]


def test_gold_is_shown_next_to_a_proxy_that_pays(tmp_path):
    """Two of six responses earn 1 from the proxy and 0 from gold."""
    args = ["--out", str(tmp_path / "run"), "--reward", "proxy", "--signal", "a_star_avg"]
    args += ["--samples", "400", "--prompts", "1", *TABULAR, "--task.hackable", "2"]
    _, screen, run = sit("creator", args, "5", "")
    (row,) = run.rows("prompts")
    assert row["best"] == 1.0
    assert f"estimated regret {1 - np.mean(row['rewards']):.2f}" in screen
    assert "proxy 1.00 gold 0.00" in screen
    assert "true regret" not in screen


@pytest.mark.parametrize("args", [[], ["--as"], ["--as", "nobody"], ["--as=king"]])
def test_without_a_seat_one_line_lists_the_seats(args, capsys):
    assert cli.main(["play", *args]) == 1
    assert capsys.readouterr().err.startswith(
        "eva play: take a seat: --as creator, --as solver"
    )


def test_sizes_are_checked():
    with pytest.raises(UserError, match="samples must be at least 2, got 1"):
        play.sit("creator", ["--samples", "1"], terminal())


def eva(tmp_path, *args, **kwargs):
    command = [sys.executable, "-m", "experiments", "play", *args, "--out", "run", *TABULAR]
    env = os.environ | {"PYTHONPATH": os.getcwd(), "TERM": "dumb", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        cwd=tmp_path,
        env=env,
        stderr=subprocess.STDOUT,
        # A test suite in the background may ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **kwargs,
    )


def heard(terminal, seconds=60):
    """Return the next output on a terminal; fail after ``seconds`` without output."""
    assert select.select([terminal], [], [], seconds)[0], "no output"
    return os.read(terminal, 1024)


def test_creator_through_a_pipe(tmp_path):
    game = eva(tmp_path, "--as", "creator", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    screen, _ = game.communicate(b"\xff\x1b[2J\n3\n\n", timeout=60)
    assert game.returncode == 0
    assert b"prompt 1> 3" in screen
    assert b"you earned" in screen
    assert b"\x1b" not in screen
    assert screen.endswith(b"after 1 of 5 rounds, recorded in run\n")


def test_solver_at_a_terminal_leaves_by_ctrl_c(tmp_path):
    ours, theirs = pty.openpty()
    game = eva(tmp_path, "--as", "solver", stdin=theirs, stdout=theirs, start_new_session=True)
    os.close(theirs)
    screen = b""
    while b"answer 1 of 2> " not in screen:
        screen += heard(ours)
    time.sleep(0.5)  # Python loses a signal between writing the question and waiting for a key
    game.send_signal(signal.SIGINT)
    with suppress(OSError):  # the other end is closed
        while True:
            screen += heard(ours)
    assert game.wait(60) == 130
    assert b"stopped after 0 of 5 rounds, recorded in run" in screen
    assert b"Traceback" not in screen
