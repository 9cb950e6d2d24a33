from dataclasses import fields, replace

import numpy as np
import pytest

from agents.creators import (
    PLR,
    Eva,
    EvaOnline,
    Fresh,
    Oracle,
    Static,
    UniformEvolve,
)
from agents.creators.estimate import SignalCreator, measure
from agents.creators.guarded import Guarded
from agents.guards import Guards
from agents.testing import check_creator
from eva_env.signals import SIGNALS
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal, Round
from eva_env.wordlist import Wordlist
from tests.support.creators import CREATORS, SMALL, game_for, make, play
from tests.support.tiny_task import Tiny, level

TASKS = [Tiny(), TabularWorld(), Wordlist()]


# The contract of every creator


@pytest.mark.parametrize("cls", CREATORS)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_every_creator_passes_the_check_that_users_call(cls, task):
    check_creator(make(cls), task)


@pytest.mark.parametrize("cls", CREATORS)
@pytest.mark.parametrize("batch", [48, 12])
def test_prompts_of_text_fill_the_proposal_and_are_distinct(cls, batch):
    for round in play(make(cls), Wordlist(), 48, 8, game_for(Wordlist(), 48, batch)):
        proposal = round.proposal
        assert len(set(proposal.prompts)) == 48
        # A user's creator may leave these empty; the records of ours show every origin.
        assert len(proposal.parents) == len(proposal.operators) == 48


@pytest.mark.parametrize("cls", [Eva, EvaOnline])
def test_a_signal_that_is_not_finite_is_named(cls, monkeypatch):
    monkeypatch.setitem(SIGNALS, "mine", lambda rewards: rewards.mean(-1) * [1, 1, np.nan, 1])
    creator = cls(signal="mine")
    with pytest.raises(
        ValueError, match=r"signal 'mine' is nan for 1 of 4 prompts, the first '"
    ):
        list(play(creator, Tiny(), 4, 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Eva(signal="regre"),
            "unknown signal 'regre'; known signals: payoff, align",
        ),
        (lambda: Eva(fraction=0.0), r"fraction must lie in \(0, 1\], got 0.0"),
        (lambda: Eva(rewrites=0), "rewrites must be at least 1, got 0"),
        (lambda: UniformEvolve(old_share=1.2), r"old_share must lie in \[0, 1\], got 1.2"),
        (lambda: EvaOnline(signal="x"), "unknown signal 'x'"),
        (lambda: EvaOnline(capacity=0), "capacity must be at least 1, got 0"),
        (lambda: EvaOnline(ratio_evol=-0.1), r"ratio_evol must lie in \[0, 1\], got -0.1"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Signals of one's own


FOLLOWERS = [cls for cls in CREATORS if issubclass(cls, SignalCreator)]


@pytest.fixture
def signals(tmp_path):
    path = tmp_path / "signals.py"
    path.write_text(
        """
def top(rewards):
    return rewards.max(-1) - rewards.mean(-1)

def one_number(rewards):
    return rewards.max()

threshold = 0.5
"""
    )
    return path


def test_every_creator_with_a_signal_setting_is_a_signal_creator():
    with_signal = [cls for cls in CREATORS if "signal" in {spec.name for spec in fields(cls)}]
    assert with_signal == FOLLOWERS
    assert len(FOLLOWERS) >= 16


@pytest.mark.parametrize("cls", FOLLOWERS)
def test_a_function_in_a_file_is_a_signal(cls, signals):
    """``top`` is a_star_avg, so the same prompts must come out."""
    settings = {**SMALL.get(cls, {}), "signal": f"{signals}:top"}
    named = {**SMALL.get(cls, {}), "signal": "a_star_avg"}
    ours, theirs = (
        [round.proposal.prompts for round in play(cls(**chosen), Tiny(), 16, 4)]
        for chosen in (settings, named)
    )
    assert ours == theirs


def test_a_signal_by_import_path_measures_like_its_name():
    rewards = np.random.default_rng(0).random((3, 4))
    round = Round(0, Proposal("abc", np.zeros(3)), "abc", None, rewards, rewards[:, 0], {})
    by_path = measure("eva_env.signals.variance", round)
    np.testing.assert_array_equal(by_path, measure("variance", round))


def test_the_path_of_a_signal_is_made_absolute(signals, monkeypatch):
    monkeypatch.chdir(signals.parent)
    assert Eva(signal="signals.py:top").signal == f"{signals}:top"
    assert Eva(signal="eva_env.signals.variance").signal == "eva_env.signals.variance"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("tip", ValueError, "has no 'tip'; the nearest: top"),
        ("threshold", ValueError, r"must be a function: rewards .*, got 0.5"),
    ],
)
def test_a_signal_that_cannot_be_used_is_refused_at_once(signals, name, error, message):
    with pytest.raises(error, match=message):
        Eva(signal=f"{signals}:{name}")


def test_a_missing_file_of_a_signal_is_named(tmp_path):
    with pytest.raises(ImportError, match=r"there is no file .*none.py"):
        Eva(signal=f"{tmp_path / 'none.py'}:top")


def test_a_signal_of_a_wrong_shape_is_named(signals):
    with pytest.raises(
        ValueError, match=r"must return shape \(4,\), a number for each .* \(\)"
    ):
        list(play(Eva(signal=f"{signals}:one_number"), Tiny(), 4, 1))


# Hooks


def test_creators_that_count_passes_say_so():
    counting = {cls.__name__ for cls in CREATORS if make(cls).counts_passes}
    assert counting == {"SFL", "RZero", "AZR", "STP"}
    assert Eva(signal="learnability").counts_passes
    assert Guarded(Eva(signal="band_pass"), Guards()).counts_passes


def test_creators_that_read_log_probabilities_say_so():
    assert not any(make(cls).needs_logprobs for cls in CREATORS)
    assert PLR(signal="alignment_potential").needs_logprobs
    assert Guarded(PLR(signal="alignment_potential"), Guards()).needs_logprobs


HUMAN = {"Static", "Fresh", "DomainRandomisation", "Oracle", "PLR", "RobustPLR", "SFL"}


@pytest.mark.parametrize("cls", CREATORS)
def test_creators_that_rewrite_refuse_a_task_without_operators(cls):
    make(cls).check_task(Tiny())
    without = replace(Tiny(), operators=())
    if cls.__name__ in HUMAN:
        make(cls).check_task(without)
    else:
        with pytest.raises(ValueError, match="Tiny has no rewrite operators"):
            make(cls).check_task(without)


def test_operators_that_the_task_lacks_are_refused_before_play():
    for creator in (Eva(operators={"shout": 1.0}), Guarded(Eva(operators={"x": 1}), Guards())):
        with pytest.raises(ValueError, match="operators must give weights >= 0"):
            creator.check_task(Tiny())


# Human prompts


def test_static_repeats_and_fresh_renews():
    static = [round.proposal.prompts for round in play(Static(), Tiny(), 10, 3)]
    fresh = [round.proposal.prompts for round in play(Fresh(), Tiny(), 10, 3)]
    assert static[0] == static[1] == static[2]
    assert len(set().union(*fresh)) == 30
    assert {level(prompt) for prompt in static[0] + fresh[2]} == {0}


def test_oracle_draws_from_the_suites_distribution():
    (round,) = play(Oracle(), Tiny(), 10, 1)
    assert {level(prompt) for prompt in round.prompts} == {5}
    with pytest.raises(ValueError, match="reserves all prompts of the distribution 'unseen'"):
        Oracle("unseen").propose(Wordlist(), 8, np.random.default_rng(0))
