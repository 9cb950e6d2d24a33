import numpy as np
import pytest

from agents.creators import (
    Eva,
    EvaOnline,
    Fresh,
    Oracle,
    Static,
    UniformEvolve,
)
from agents.testing import check_creator
from eva_env.signals import SIGNALS
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from tests.support.creators import CREATORS, game_for, make, play
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
        assert len(set(round.proposal.prompts)) == 48


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
