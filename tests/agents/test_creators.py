import pickle
from dataclasses import fields

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
from eva_env.signals import SIGNALS
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from tests.support.creators import CREATORS, game_for, make, play
from tests.support.tiny_task import Tiny, level

TASKS = [Tiny(), TabularWorld(), Wordlist()]


# The contract of every creator


@pytest.mark.parametrize("cls", CREATORS)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
@pytest.mark.parametrize(("n", "batch"), [(48, 48), (48, 12)])
def test_proposals_are_valid_with_known_parents_and_distinct(cls, task, n, batch):
    known = set()
    for round in play(make(cls), task, n, 8, game_for(task, n, batch)):
        proposal = round.proposal
        assert 0 < len(proposal.prompts) <= n
        assert all(map(task.valid, proposal.prompts))
        assert len(proposal.parents) == len(proposal.operators) == len(proposal.prompts)
        assert proposal.logits.shape == (len(proposal.prompts),)
        assert np.isfinite(proposal.logits).all()
        known |= set(proposal.prompts)
        for parent, operator in zip(proposal.parents, proposal.operators, strict=True):
            assert (parent is None) == (operator is None)
            assert parent is None or parent in known
            assert operator is None or set(operator.split(" > ")) <= set(task.operators)
        if isinstance(task, Wordlist):
            assert len(set(proposal.prompts)) == n


@pytest.mark.parametrize("cls", CREATORS)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_a_saved_creator_continues_identically(cls, task):
    game, rng, creator = game_for(task, 16, 16), np.random.default_rng(3), make(cls)
    *_, _ = play(creator, task, 16, 6, game, rng)
    saved = pickle.dumps((creator.state_dict(), game.state_dict(), rng))
    live = creator.state_dict()
    first = [round.proposal.prompts for round in play(creator, task, 16, 6, game, rng)]
    state = pickle.loads(saved)[0]
    for name, value in state.items():
        np.testing.assert_equal(live[name], value, "playing on changed the saved state")
    for _ in range(2):
        _, game_state, rng = pickle.loads(saved)
        twin, game = make(cls), game_for(task, 16, 16)
        game.load_state_dict(game_state)
        twin.load_state_dict(state)
        again = [round.proposal.prompts for round in play(twin, task, 16, 6, game, rng)]
        assert again == first


@pytest.mark.parametrize("cls", CREATORS)
def test_settings_alone_are_fields(cls):
    used = make(cls)
    *_, _ = play(used, Tiny(), 16, 2)
    assert used == make(cls)
    assert all(spec.init for spec in fields(used))
    assert not set(used.state_dict()) & {spec.name for spec in fields(used)}


@pytest.mark.parametrize("cls", CREATORS)
def test_logs_are_finite_numbers_under_other_names_than_the_solvers(cls):
    for round in play(make(cls), Tiny(), 16, 3):
        assert np.isfinite(list(round.logs.values())).all()
        assert not set(round.logs) & {"kl", "loss", "grad_norm", "gradient_steps", "accuracy"}


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
