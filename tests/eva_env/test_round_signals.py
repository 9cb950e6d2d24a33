"""Signals that read more of a round than its rewards: by hand, and on forks of a game."""

from dataclasses import replace

import numpy as np
import pytest

from agents.creators import Eva
from agents.creators.estimate import find_signal, measure
from eva_env.distributions import draw_iid
from eva_env.game import Game
from eva_env.signals import ROUND_SIGNALS, SIGNALS, alignment_potential, counterfactual_regret
from eva_env.tabular import exact
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal, Round


def a_round(rewards, logprobs=None, prompts=None):
    rewards = np.array(rewards, dtype=float)
    prompts = list(range(len(rewards))) if prompts is None else prompts
    paid = np.arange(len(rewards)) + 0.5
    proposal = Proposal(prompts, np.zeros(len(prompts)))
    round = Round(0, proposal, prompts, None, rewards, paid, {})
    return replace(round, logprobs=None if logprobs is None else np.array(logprobs))


def test_alignment_potential_by_hand():
    rewards = [[0, 2, 1], [0, 1, 4], [3, -3, 0]]
    logprobs = [[-1, -3, -9], [-2, -8, -2], [-1, -5, -9]]
    explicit = (np.array([2, 4, 6]) - 4) / np.sqrt(8 / 3)
    implicit = (np.array([2, 0, 4]) - 2) / np.sqrt(8 / 3)
    round = a_round(rewards, logprobs)
    assert alignment_potential(round) == pytest.approx(explicit - implicit)
    assert alignment_potential(round, 2.5) == pytest.approx(explicit - 2.5 * implicit)
    assert alignment_potential(round, 0.0) == pytest.approx(explicit)


def test_alignment_potential_falls_with_the_margin_of_the_solver():
    rewards = np.tile([0.0, 1.0], (4, 1))
    learned = [[-1.0, -1.0 + margin] for margin in (0.0, 0.5, -1.0, 2.0)]
    assert (np.diff(alignment_potential(a_round(rewards, learned))) < 0).all()


def test_margins_that_are_equal_for_all_prompts_count_as_zero():
    flat = a_round([[0.1, 0.4], [0.1, 0.4], [0.1, 0.4]], [[-0.1, -0.3]] * 3)
    assert alignment_potential(flat).tolist() == [0, 0, 0]
    constant = a_round([[0, 1], [0, 3]], [[-1, -2], [-2, -1]])
    assert alignment_potential(constant) == pytest.approx([-1, 1])


def test_alignment_potential_needs_log_probabilities():
    with pytest.raises(ValueError, match=r"needs round.logprobs.*replay.logprobs\(round\)"):
        alignment_potential(a_round([[0, 1]]))
    names = [*ROUND_SIGNALS, *SIGNALS]
    assert [name for name in names if Eva(signal=name).needs_logprobs] == [
        "alignment_potential"
    ]


@pytest.mark.parametrize("name", [*ROUND_SIGNALS, *SIGNALS])
def test_every_signal_is_measured_by_its_name(name):
    find_signal(name)
    rewards = np.random.default_rng(0).normal(0.8, size=(5, 6))
    round = a_round(rewards, -rewards)
    expected = SIGNALS[name](rewards) if name in SIGNALS else ROUND_SIGNALS[name](round)
    np.testing.assert_array_equal(measure(name, round), expected)


def test_the_payoff_signal_is_the_signal_of_the_round():
    assert measure("payoff", a_round(np.zeros((3, 2)))).tolist() == [0.5, 1.5, 2.5]


def test_an_unknown_signal_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'mood'; known signals: payoff, alignment_poten.*a_"):
        find_signal("mood")


def played_both_ways(world, ours, theirs, seed=0):
    """Return two rounds: the same drawn prompts, played on two forks of a game."""
    game = Game(world.reward_model(), batch_size=16, samples=4, rounds=1)
    game.reset(seed)
    prompts = world.trainable
    game.propose(Proposal(prompts, np.zeros(len(prompts))))
    drawn = np.asarray(game.prompts)
    return game.fork().respond(ours(drawn)), game.fork().respond(theirs(drawn))


def sampled(world, seed=1):
    policy = np.exp(world.reference_logits)

    def respond(prompts):
        draws = np.random.default_rng(seed).random((len(prompts), 4))
        return np.array(
            [draw_iid(policy[x], row) for x, row in zip(prompts, draws, strict=True)]
        )

    return respond


def test_counterfactual_regret_of_the_best_response_is_the_true_regret():
    world = TabularWorld(topics=2, levels=3, variants=2, responses=8)
    best = world.proxy.argmax(-1)
    played, other = played_both_ways(
        world, sampled(world), lambda prompts: np.tile(best[prompts][:, None], 4)
    )
    regret = counterfactual_regret(played, other)
    assert regret == pytest.approx(played.signal, abs=1e-12)
    assert counterfactual_regret(other, played) == pytest.approx(-regret)
    assert (regret >= 0).all()
    assert regret.max() > 0.1
    always = np.eye(8)[np.zeros(world.size, int)]
    first, other = played_both_ways(
        world, lambda x: np.zeros((16, 4), int), lambda x: np.tile(best[x][:, None], 4)
    )
    exactly = exact.regret(always, world.proxy)[np.asarray(first.prompts)]
    assert counterfactual_regret(first, other) == pytest.approx(exactly, abs=1e-12)


def test_counterfactual_regret_between_equal_responses_is_zero():
    world = TabularWorld(topics=2, levels=3, variants=2, responses=8, noise=0.2)
    same = played_both_ways(world, sampled(world), sampled(world))
    assert counterfactual_regret(*same).tolist() == [0] * 16
    other = played_both_ways(world, sampled(world), sampled(world, seed=2))
    assert np.abs(counterfactual_regret(*other)).max() > 0.1


def test_counterfactual_regret_needs_rounds_with_the_same_prompts():
    with pytest.raises(ValueError, match="same prompts"):
        counterfactual_regret(a_round([[0, 1]]), a_round([[0, 1]], prompts=["other"]))
