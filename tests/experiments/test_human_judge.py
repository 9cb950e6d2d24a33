"""`eva play --as judge`: the screen, the recorded votes, and the ratings from votes."""

import io
import json
import os
import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from rich.console import Console

from agents.solvers import RLOO
from eva_env.statistics.ratings import bradley_terry
from eva_env.tabular.world import TabularWorld
from experiments import cli
from experiments.human_play.answer_pairs import Question, RecordedAnswers, recorded_answers
from experiments.human_play.judge import Judging, judge
from experiments.human_play.standings import standings
from experiments.human_play.terminal import Terminal
from experiments.human_play.votes import (
    agreement,
    first_shown,
    read_votes,
    resampled,
    win_matrix,
)
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.settings import Settings
from experiments.run.train import train

ARMS = {"eva-dpo": 0.9, "fresh-dpo": 0.6, "start": 0.3}
PROMPTS = ["one", "two", "three", "four"]
ESCAPE = "\x1b[2J"


def reward(text):
    return float(text.split()[1])


@pytest.fixture
def comparison(tmp_path):
    """Three arms, two seeds, two suites; the better arm's answers earn more, and the second
    response to the prompt "four" is the same from all."""
    for arm, level in ARMS.items():
        for seed in (0, 1):
            cell = Run(tmp_path / "cells" / arm / f"seed-{seed:04d}")
            cell.folder.mkdir(parents=True)
            for suite in ("easy", "hard"):
                for prompt in PROMPTS:
                    earned = (level, level + 0.05)
                    texts = [f"{arm}{seed} {value:g} {ESCAPE}[b]" for value in earned]
                    if prompt == "four":
                        texts = ["same 0.5", "same 0.5"]
                    rewards = [reward(text) for text in texts]
                    row = {"suite": suite, "prompt": prompt, "responses": texts}
                    cell.append("answers", [row | {"rewards": rewards, "lengths": [2, 2]}])
    return tmp_path


def sit(folder, choose, end=EOFError, **options):
    """Judge with a function of the two answers on the screen; return status and screen."""
    screen = io.StringIO()

    def read(question):
        shown = re.findall(r"^  [ab]  (.*?) *$", screen.getvalue(), re.M)[-2:]
        choice = choose(*shown)
        if choice is None:
            raise end
        return choice

    terminal = Terminal(read, Console(file=screen, width=80))
    status = judge(Judging(folder, **options), terminal)
    return status, screen.getvalue()


def scripted(*choices):
    left = iter(choices)
    return lambda *shown: next(left, None)


def better(first, second):
    return "a" if reward(first) > reward(second) else "b"


def vote(a, b, winner, **more):
    return {"a": a, "b": b, "winner": winner, "first": "a", "reward_a": 1, "reward_b": 0} | more


VOTES = [
    vote("x", "y", "a"),
    vote("x", "y", "a", reward_a=0),
    vote("x", "y", "b", first="b"),
    vote("x", "y", "tie"),
    vote("y", "z", "b", reward_b=2),
    vote("gone", "z", "a"),
]


def test_votes_become_wins():
    """x beats y twice and once they tie: 2.5 to 1.5; z beats y; no other players have met."""
    expected = [[0, 2.5, 0], [1.5, 0, 0], [0, 1, 0]]
    assert win_matrix(VOTES, ["x", "y", "z"]).tolist() == expected
    swapped = np.array(expected)[[2, 1, 0]][:, [2, 1, 0]]
    assert win_matrix(VOTES, ["z", "y", "x"]).tolist() == swapped.tolist()


def test_votes_rate_two_players_by_the_odds_of_their_wins():
    """Bradley-Terry of two players: the difference is log(2.5 / 1.5)."""
    x, y = bradley_terry(win_matrix(VOTES, ["x", "y"]))
    assert x - y == pytest.approx(np.log(2.5 / 1.5))


def test_agreement_ignores_ties_and_counts_votes_for_the_first_shown():
    """Of x-y: a over b agrees, an even pair, b over the better a disagrees, a tie; then z's
    better answer wins, and gone's."""
    assert agreement(VOTES) == (3, 4)
    assert first_shown(VOTES) == (4, 5)


def test_resampled_votes_keep_their_number_and_mean():
    players = ["x", "y", "z", "gone"]
    drawn = resampled(VOTES, players, 4000, np.random.default_rng(0))
    assert (drawn.sum((1, 2)) == len(VOTES)).all()
    assert drawn.mean(0) == pytest.approx(win_matrix(VOTES, players), abs=0.1)


def test_gold_wins_split_each_question_over_all_pairs_of_responses():
    """Rewards (1, 0.5) against (0.5, 0): pairs (1, 2) and (2, 1) are a win and a tie, 3/4."""
    first, second = Question(0, "s", "p"), Question(0, "s", "q")
    left = {first: (["a", "b"], [1.0, 0.5]), second: (["a", "b"], [0.0, 0.0])}
    right = {first: (["c", "d"], [0.5, 0.0])}
    shown = RecordedAnswers({"left": left, "right": right, "none": {}})
    assert shown.gold_wins().tolist() == [[0, 0.75, 0], [0.25, 0, 0], [0, 0, 0]]


def test_the_next_pair_is_where_a_vote_is_most_informative():
    """p (1 - p) is 0.25 between x and y, 0.09 between either and z (odds of 9): two votes on x
    and y come before the first on z, since 0.25 / 2 > 0.09 > 0.25 / 3."""
    of_x = {Question(0, "s", str(k)): (["r", "s"], [0.0, 0.0]) for k in range(9)}
    of_y = {question: (["t", "u"], [0.0, 0.0]) for question in of_x}
    of_z = {question: (["v", "w"], [0.0, 0.0]) for question in of_x}
    answers = RecordedAnswers({"x": of_x, "y": of_y, "z": of_z})
    ratings, votes, seen, shown = np.array([0, 0, -np.log(9)]), np.zeros((3, 3)), set(), []
    for _ in range(4):
        pair = answers.next_pair(ratings, votes, seen, 0)
        shown.append(pair.a + pair.b)
        seen.add(pair.key)
        votes += win_matrix([vote(pair.a, pair.b, "tie")], ["x", "y", "z"])
    assert shown[:2] == ["xy", "xy"]
    assert set(shown[2:]) == {"xz", "yz"}


def test_a_judge_who_prefers_what_gold_prefers_agrees_with_it(comparison):
    status, screen = sit(comparison, better, name="ann")
    votes = read_votes(Run(comparison))
    assert status == 0
    assert "nothing is left to judge" in screen
    assert len(votes) == 3 * 2 * 2 * 3  # pairs, seeds, suites, prompts; "four" shows nothing
    assert {v["first"] for v in votes} == {"a", "b"}
    for v in votes:
        assert reward(v["response_a"]) == v["reward_a"]
        assert v["winner"] == ("a" if v["reward_a"] > v["reward_b"] else "b")
        assert v["response_a"].startswith(f"{v['a']}{v['seed']} ")
        assert (v["judge"], v["prompt"] in PROMPTS[:3]) == ("ann", True)
    words = " ".join(screen.split())
    assert "You agree with gold in 36 of the 36" in words
    assert "36 votes, 48 games by gold reward" in words
    assert words.index("eva-dpo 24 24") < words.index("fresh-dpo 24 12")
    assert words.index("fresh-dpo 24 12") < words.index("start 24 0")


def test_what_is_shown_is_blind_and_without_control_characters(comparison):
    _, screen = sit(comparison, scripted("a", "b"))
    before = screen[: screen.index("  player")]
    assert "\x1b" not in screen
    assert "[2J[b]" in before
    assert ESCAPE in read_votes(Run(comparison))[0]["response_a"]
    texts = [re.sub(r"^(eva|fresh)-dpo\d|^start\d", "", line) for line in before.split("  ")]
    assert not any(arm in text for text in texts for arm in ("eva-dpo", "start"))


def test_a_second_session_continues_where_the_first_one_ended(comparison, tmp_path):
    def votes_without_time():
        votes = read_votes(Run(comparison))
        return [{k: v for k, v in vote.items() if k != "time"} for vote in votes]

    status, screen = sit(comparison, scripted("a", "tie", "b"), end=KeyboardInterrupt)
    assert (status, len(votes_without_time())) == (130, 3)
    assert "stopped after 3 votes of yours, 3 in total" in " ".join(screen.split())
    assert "Elo" not in screen
    sit(comparison, scripted("b", "a", "a"))
    parts = votes_without_time()
    (comparison / "votes.jsonl").unlink()
    sit(comparison, scripted("a", "tie", "b", "b", "a", "a", "q", "a"))
    assert votes_without_time() == parts
    asked = [(row["a"], row["b"], row["seed"], row["suite"], row["prompt"]) for row in parts]
    assert len(set(asked)) == 6
    sit(comparison, scripted("a"), name="bob")
    assert tuple(list(votes_without_time()[-1].values())[:5]) in asked[:2]


def test_undo_takes_votes_and_skips_back_and_asks_again(comparison):
    path, seen = comparison / "votes.jsonl", []
    choices = iter(["undo", "a", "skip", "u", "undo", "b", "s", "quit"])

    def choose(first, second):
        seen.append((first, second))
        return next(choices)

    _, screen = sit(comparison, choose)
    assert screen.count("there is nothing to undo") == 1
    assert seen[0] == seen[1] == seen[5]
    assert seen[2] == seen[4] == seen[6]
    assert seen[3] == seen[7] != seen[2]
    (row,) = read_votes(Run(comparison))
    assert row["winner"] == ("b" if row["first"] == "a" else "a")
    assert len(path.read_text().splitlines()) == 1


def test_undo_keeps_a_vote_that_another_judge_has_followed(comparison):
    other = vote("eva-dpo", "start", "a", judge="bob", seed=0, suite="easy", prompt="one")
    choices = iter(["a", "undo", None])

    def choose(*shown):
        choice = next(choices)
        if choice == "undo":
            Run(comparison).append("votes", [other])
        return choice

    _, screen = sit(comparison, choose)
    assert "another judge has voted since; your vote is kept" in screen
    assert len(read_votes(Run(comparison))) == 2


def test_a_line_truncated_by_a_crash_is_dropped(comparison):
    sit(comparison, scripted("a"))
    path = comparison / "votes.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"a": "eva')
    sit(comparison, scripted("b"))
    first, second = map(json.loads, path.read_text().splitlines())
    assert (json.dumps(first) + "\n", second["judge"]) == (whole, "person")


def test_judging_one_suite_shows_only_its_prompts(comparison):
    sit(comparison, better, suite="hard")
    votes = read_votes(Run(comparison))
    assert {row["suite"] for row in votes} == {"hard"}
    assert len(votes) == 18


def test_a_run_compares_its_last_responses_with_those_of_its_starting_policy(tmp_path):
    world = TabularWorld(topics=2, levels=4, variants=2, responses=6)
    settings = Settings(task=world, solver=RLOO(lr=0.5), rounds=2, prompts=32, samples=4)
    run = Run.create(tmp_path / "run", describe(settings, []))
    list(train(run, settings))
    last = [row for row in run.rows("transcripts") if row["round"] == 2]
    answers = recorded_answers(run.folder, None)
    assert answers.players == ["start", "trained"]
    row = last[0]
    question = Question(0, row["suite"], row["prompt"])
    assert answers.answers["trained"][question] == (row["after"], row["after_rewards"])
    assert answers.answers["start"][question] == (row["before"], row["before_rewards"])
    assert len(answers.answers["start"]) == len(last)
    gold = answers.gold_wins()
    assert gold.sum() == len(last)
    assert gold[1, 0] > gold[0, 1]
    assert sit(run.folder, scripted("a"))[0] == 0
    assert len(read_votes(run)) == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "nowhere is neither a comparison nor a run"),
        ([".", "--suite", "harder"], "unknown suite 'harder'; suites of .: easy, hard"),
    ],
)
def test_mistakes_end_in_one_line(args, message, comparison, monkeypatch, capsys):
    monkeypatch.chdir(comparison)
    assert cli.main(["play", "--as", "judge", *args]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"eva play: {message}")
    assert printed.count("\n") == 1


def test_a_comparison_without_cells_has_nothing_to_judge(tmp_path):
    (tmp_path / "cells").mkdir()
    with pytest.raises(UserError, match="no responses of two players yet"):
        recorded_answers(tmp_path, None)


def test_judge_through_a_pipe(comparison):
    command = [sys.executable, "-m", "experiments", "play", "--as", "judge", "."]
    env = os.environ | {"PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=comparison, env=env, input=b"a\nu\nb\n", capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert done.stdout.endswith(b"the end: 1 vote of yours, 1 in total, in votes.jsonl\n")
    assert len(read_votes(Run(comparison))) == 1
    assert all(a != b for a, b in pairwise(done.stdout.split(b"better> ")))


def test_votes_join_the_ratings_of_the_comparison():
    """a beat b twice and tied once, gold says 30 to 10: log odds 3 / 1, and 33 / 11.

    With half a win of everyone over everyone, of 2.5 + .5 to .5 + .5 games.
    """
    votes = [{"a": "x", "b": "y", "winner": w, "judge": "me"} for w in ("a", "a", "tie")]
    gold = np.array([[0.0, 30.0], [10.0, 0.0]])
    rated = standings(votes, ["y", "x"], gold.T)
    assert list(rated) == ["x", "y"]
    apart = rated["x"]["elo_by_votes"]["mean"] - rated["y"]["elo_by_votes"]["mean"]
    assert apart == pytest.approx(400 * np.log10(3.0 / 1.0))
    both = rated["x"]["elo_with_gold"] - rated["y"]["elo_with_gold"]
    assert both == pytest.approx(400 * np.log10(33.0 / 11.0))
    assert (rated["x"]["votes"], rated["x"]["won"], rated["y"]["won"]) == (3, 2.5, 0.5)
    interval = rated["x"]["elo_by_votes"]
    assert interval["low"] < interval["mean"] < interval["high"]
