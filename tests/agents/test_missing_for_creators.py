"""Creators and the loop, with rewards that are missing or come from two reward models."""

import typing
from dataclasses import dataclass

import numpy as np
import pytest

from agents.base import Budget, Creator, Replay, Solver
from agents.creators import PAIRED, AnyCreator, Eva, Fresh, Static
from agents.play import play
from agents.testing.creators import check_creator, game_for, play_rounds
from eva_env.envs import text
from eva_env.missing import with_signal
from eva_env.types import CREATOR, SOLVER
from eva_env.wordlist import Gold, Wordlist

CREATORS = typing.get_args(AnyCreator)
TASK = Wordlist()


class Numbers(Solver):
    """Four numbers a prompt, which are its rewards; ``holes`` adds two missing ones."""

    def __init__(self, holes):
        self.holes, self.rng = holes, np.random.default_rng(0)

    def respond(self, prompts, n, rng):
        numbers = self.rng.integers(0, 3, (len(prompts), 4)) / 2
        return np.insert(numbers, [1, 4], np.nan, 1) if self.holes else numbers

    def logprobs(self, round):
        return np.where(np.isnan(round.rewards), -9.0, -round.rewards)


@pytest.mark.parametrize("creator", CREATORS, ids=lambda cls: cls.__name__)
def test_missing_columns_change_nothing_that_a_creator_does(creator):
    seen = []
    for holes in (False, True):
        game = game_for(TASK, 12, 12)
        game.samples = 6 if holes else 4
        rounds = play_rounds(creator(), TASK, 12, 6, game, solver=Numbers(holes))
        seen.append([(list(r.proposal.prompts), dict(r.logs)) for r in rounds])
    for whole, holes in zip(*seen, strict=True):
        assert holes[0] == whole[0]
        assert holes[1] == pytest.approx(whole[1])


def test_the_contract_finds_a_creator_that_breaks_on_missing_rewards():
    @dataclass
    class Careless(Fresh):
        def learn(self, round, rng):
            return {"mean": float(round.rewards.mean())}

    with pytest.raises(AssertionError, match="cope with missing rewards"):
        check_creator(Careless())


class Recorder(Creator):
    """Publishes fresh prompts and keeps the rounds that it learns from."""

    def __init__(self):
        self.rounds = []

    def propose(self, task, n, rng):
        return Fresh().propose(task, n, rng)

    def learn(self, round, rng):
        self.rounds.append(round)
        return {"learned": 1.0}


class Learner(Solver):
    """Answers with one of two words and keeps the rounds that it learns from."""

    def __init__(self):
        self.rounds = []

    def respond(self, prompts, n, rng):
        return [["cat", "dog", "owl"][:n]] * len(prompts)

    def learn(self, round, rng):
        self.rounds.append(round)
        return {}


def run(reward, creator_reward=None, creator=None, rounds=2):
    env = text.raw_env(
        TASK, reward, proposals=2, batch_size=2, samples=3, max_cycles=rounds,
        signal="a_star_min", replacement=False, creator_reward_model=creator_reward,
    )  # fmt: skip
    env.reset(0)
    creator, solver, budget = creator or Recorder(), Learner(), Budget()
    rngs = np.random.default_rng(0), np.random.default_rng(1)
    played = list(play(env, creator, solver, rngs, budget))
    return played, creator, solver, budget


def test_a_round_without_a_reward_teaches_nobody_and_play_goes_on():
    played, creator, solver, budget = run(lambda p, r: [[None] * 3] * 2)
    assert len(played) == 2
    assert creator.rounds == solver.rounds == []
    assert dict(played[0].payoffs) == {CREATOR: 0.0, SOLVER: 0.0}
    assert budget.reward_calls == 12  # they were asked for all the same


def test_the_creator_learns_from_prompts_with_two_rewards():
    rewards = np.array([[0.0, np.nan, 1.0], [np.nan, 0.5, np.nan]])
    _, creator, solver, _ = run(lambda p, r: [[0.0, None, 1.0], [None, 0.5, None]])
    assert [len(round.prompts) for round in creator.rounds] == [1, 1]
    assert np.array_equal(creator.rounds[0].rewards, rewards[:1], equal_nan=True)
    assert np.array_equal(solver.rounds[0].rewards, rewards, equal_nan=True)


def test_each_player_reads_its_own_reward_model_and_both_are_metered():
    mine, yours = np.arange(6.0).reshape(2, 3), -(np.arange(6.0).reshape(2, 3) ** 2)
    played, creator, solver, budget = run(lambda p, r: mine, lambda p, r: yours)
    assert np.array_equal(solver.rounds[0].rewards, mine)
    assert np.array_equal(creator.rounds[0].rewards, yours)
    assert np.array_equal(creator.rounds[0].other_rewards, mine)
    assert played[0].payoffs[CREATOR] == (4 + 16) / 2  # best minus worst: 0 + 4, -9 + 25
    assert played[0].payoffs[SOLVER] == 2.5
    assert np.array_equal(played[0].other_rewards, yours)
    assert budget.reward_calls == 2 * 12


def test_replays_show_the_creator_its_rewards_and_train_others_on_the_solver_s():
    mine, yours = np.arange(6.0).reshape(2, 3), -(np.arange(6.0).reshape(2, 3) ** 2)

    class Replaying(Recorder):
        def observe_round(self, round, replay, rng):
            observed = replay()
            self.other = Learner()
            replay.train(self.other, observed)
            return observed

    _, creator, _, budget = run(lambda p, r: mine, lambda p, r: yours, Replaying())
    assert np.array_equal(creator.rounds[0].rewards, yours)
    assert np.array_equal(creator.other.rounds[0].rewards, mine)
    assert budget.reward_calls == 2 * 2 * 12


def test_paired_pays_the_antagonist_s_best_scored_response():
    game = game_for(TASK, 2, 2)
    game.samples = 3
    creator = PAIRED()
    proposal = Static().propose(TASK, 2, np.random.default_rng(0))
    game.propose(proposal)

    class Answers(Solver):
        def __init__(self, rewards):
            self.rewards = rewards

        def respond(self, prompts, n, rng):
            return np.array(self.rewards)

        def twin(self):
            return Answers([[np.nan, 0.75, 0.5], [np.nan] * 3])

    solver = Answers([[0.5, np.nan, 0.0], [0.0, 1.0, 1.0]])
    replay = Replay(game.fork(), proposal, solver, np.random.default_rng(0), Budget())
    round = game.respond(solver.respond(game.prompts, 3, None))
    observed = creator.observe_round(round, replay, np.random.default_rng(0))
    assert np.array_equal(observed.signal, [0.5, np.nan], equal_nan=True)
    assert len(with_signal(observed).prompts) == 1


def test_eva_estimates_the_noise_of_scored_responses():
    creator = Eva(noise="estimate", resample=False)
    list(
        play_rounds(
            creator, TASK, 12, 3, _missing(game_for(TASK, 12, 12)), solver=Numbers(True)
        )
    )
    assert np.isfinite(creator.estimated.pooled)
    assert creator.values.size > 0
    assert np.isfinite(creator.values).all()


def _missing(game):
    game.samples = 6
    return game


def test_gold_is_left_alone():
    """One reward model without missing rewards: the same round as always."""
    played, *_ = run(Gold())
    assert played[0].other_rewards is None
    assert with_signal(played[0]) is played[0]
