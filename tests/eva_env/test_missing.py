"""Missing rewards: every number is what it would be if the response had not been drawn."""

import numpy as np
import pytest

from eva_env.debiasing import NOISE_FLOORS, debias, estimate_noise
from eva_env.envs import text
from eva_env.game import Game
from eva_env.missing import by_count, mean_reward, missing_share, prompt_means, with_signal
from eva_env.payoffs import signal_values
from eva_env.rewards import LengthBiased, win_rates
from eva_env.signals import (
    SIGNALS,
    alignment_potential,
    counterfactual_regret,
    pass_rate,
    signal_of,
)
from eva_env.statistics.win_rates import PlayerResponses, win_matrix, wins
from eva_env.types import CREATOR, SOLVER, Proposal, Round
from eva_env.wordlist import Wordlist

NAN = np.nan
PROMPTS = ("a", "b", "c")


def with_holes(rewards, extra, rng):
    """The rewards with ``extra`` missing ones at random places of each row, in order."""
    count = rewards.shape[-1] + extra
    wide = np.full((*rewards.shape[:-1], count), NAN)
    for place in np.ndindex(rewards.shape[:-1]):
        columns = np.sort(rng.choice(count, rewards.shape[-1], replace=False))
        wide[place][columns] = rewards[place]
    return wide


class Fixed:
    """A reward model that returns given rewards, whatever the responses are."""

    nan_is_missing = True

    def __init__(self, rewards, best=None):
        self.rewards = rewards
        if best is not None:
            self.best = lambda prompts: best

    def __call__(self, prompts, responses):
        return self.rewards


def played(rewards, signal="a_star_min", creator=None, best=None, **options):
    """A round with one draw of each of the prompts a, b and c."""
    model = Fixed(rewards, best)
    size, n = np.shape(rewards)
    game = Game(
        model,
        batch_size=size,
        samples=n,
        rounds=2,
        signal=signal,
        replacement=False,
        creator_reward_model=None if creator is None else Fixed(creator),
        **options,
    )
    game.reset(0)
    game.propose(Proposal(PROMPTS[:size], np.zeros(size)))
    return game.respond([[f"{i} {j}" for j in range(n)] for i in range(size)])


@pytest.mark.parametrize("name", ["regret", *SIGNALS])
def test_missing_columns_change_no_signal_and_no_payoff(name):
    rng = np.random.default_rng(0)
    rewards = rng.integers(0, 3, (3, 4)) / 2
    whole = played(rewards, name, best=np.ones(3))
    holes = played(with_holes(rewards, 3, rng), name, best=np.ones(3))
    assert np.array_equal(holes.signal, whole.signal)
    assert holes.payoffs == pytest.approx(dict(whole.payoffs), abs=1e-12)
    assert missing_share(holes.rewards) == pytest.approx(3 / 7)


def test_each_prompt_is_measured_on_its_own_number_of_scored_responses():
    rewards = np.array([[0.0, 1.0, NAN, 0.5], [NAN, 0.25, NAN, 0.75], [NAN, 0.5, NAN, NAN]])
    round = played(rewards)
    assert np.array_equal(round.signal, [1.0, 0.5, NAN], equal_nan=True)
    assert round.payoffs[CREATOR] == pytest.approx(0.75)  # the third prompt has no signal
    assert round.payoffs[SOLVER] == pytest.approx(0.5)  # its mean counts
    seen = with_signal(round)
    assert seen.prompts == tuple(round.prompts[i] for i in (0, 1))
    assert len(seen.responses) == len(seen.rewards) == len(seen.signal) == 2


def test_a_round_without_any_reward_pays_nothing():
    round = played(np.full((3, 2), NAN))
    assert round.payoffs == {CREATOR: 0.0, SOLVER: 0.0}
    assert np.isnan(round.signal).all()
    assert mean_reward(round.rewards) is None
    assert with_signal(round).prompts == ()
    invalid = Game(
        Fixed([[NAN] * 2]), batch_size=1, samples=2, rounds=1, signal="mean",
        valid=lambda prompt: prompt == "a",
    )  # fmt: skip
    invalid.propose(Proposal(("a", "x"), np.zeros(2)))
    assert invalid.respond([["", ""]]).payoffs[CREATOR] == -0.5


def test_none_is_missing_and_infinity_is_refused():
    listed = played([[None, 1.0, 0.5]])
    assert np.array_equal(listed.rewards, [[NAN, 1.0, 0.5]], equal_nan=True)
    assert listed.payoffs == {CREATOR: 0.5, SOLVER: 0.75}
    for bad in (np.inf, -np.inf):
        with pytest.raises(ValueError, match=r"Fixed returned -?inf for 1 of 3 .* NaN"):
            played([[NAN, bad, 0.5]])
    with pytest.raises(ValueError, match="got no array of numbers"):
        played([["good", 1.0]])


def test_signals_that_compare_prompts_compare_all_of_them():
    rewards = np.array([[0.0, 0.0, NAN], [0.5, 0.5, 0.5], [NAN, 1.0, 1.0], [NAN, NAN, 1.0]])
    expected = [1.0, 0.5, 0.0, NAN]
    assert np.array_equal(signal_of(SIGNALS["inverse_mean"], rewards), expected, equal_nan=True)


def test_a_user_s_signal_never_sees_a_missing_reward():
    shapes = []

    def spread(rewards):
        shapes.append(rewards.shape)
        assert np.isfinite(rewards).all()
        return np.ptp(rewards, -1)

    rewards = np.array(
        [[[0.0, 1.0, NAN], [0.0, 0.5, 0.25]], [[NAN, 0.5, 1.0], [0.0, 0.0, 0.0]]]
    )
    values = signal_values(spread, Fixed(None), None, rewards, missing=True)
    assert values.tolist() == [[1.0, 0.5], [0.5, 0.0]]
    assert shapes == [(1, 2), (1, 3), (1, 2), (1, 3)]  # leading axes are separate batches
    with pytest.raises(ValueError, match="one number for each prompt"):
        by_count(lambda rewards: rewards, rewards[0])
    with pytest.raises(ValueError, match="signal <lambda> must return finite numbers"):
        played(rewards[0], lambda rewards: rewards.sum(-1) * np.inf)


def test_pass_rates_count_scored_responses_alone():
    rewards = np.array([[1.0, NAN, 0.0, NAN], [NAN, 1.0, 1.0, 0.0], [NAN] * 4])
    assert np.allclose(pass_rate(rewards), [0.5, 2 / 3, NAN], equal_nan=True)
    assert np.allclose(prompt_means(rewards), [0.5, 2 / 3, NAN], equal_nan=True)
    assert mean_reward(rewards) == pytest.approx((0.5 + 2 / 3) / 2)


@pytest.mark.parametrize("signal", NOISE_FLOORS, ids=lambda signal: signal.__name__)
def test_the_noise_floor_is_that_of_the_scored_responses(signal):
    rng = np.random.default_rng(1)
    rewards, std = rng.random((5, 4)), rng.random(5)
    for clip in (False, True):
        expected = debias(signal, rewards, std, clip)
        assert np.allclose(debias(signal, with_holes(rewards, 2, rng), std, clip), expected)


def test_noise_is_estimated_without_missing_rewards():
    rewards = np.array([[1.0, 3.0, NAN, 7.0], [2.0, NAN, 2.0, NAN]])
    responses = [["x", "x", "x", "y"], ["x", "y", "y", "y"]]
    estimate = estimate_noise(["p", "q"], responses, rewards, ["one", "two"])
    assert estimate.squares == {"one": 2.0, "two": 0.0}
    assert estimate.freedom == {"one": 1, "two": 0}


def test_round_signals_read_scored_responses():
    rng = np.random.default_rng(2)
    rewards, logprobs = rng.random((4, 3)), -rng.random((4, 3))

    def round_of(rewards, logprobs):
        size = (len(rewards), rewards.shape[1])
        responses = np.full(size, "x")
        proposal = Proposal(range(4), np.zeros(4))
        signal, payoffs = np.zeros(4), {CREATOR: 0.0, SOLVER: 0.0}
        return Round(
            0, proposal, range(4), responses, rewards, signal, payoffs, logprobs=logprobs
        )

    wide, wide_logprobs = np.insert(rewards, 1, NAN, 1), np.insert(logprobs, 1, -9.0, 1)
    whole, holes = round_of(rewards, logprobs), round_of(wide, wide_logprobs)
    assert np.allclose(alignment_potential(holes), alignment_potential(whole))
    assert np.allclose(counterfactual_regret(holes, whole), 0.0)


def test_win_rates_leave_missing_responses_out():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 3, (2, 6, 4)) / 2
    expected = wins(PlayerResponses(a), PlayerResponses(b))
    wide = [np.insert(rewards, [0, 2, 4], NAN, 1) for rewards in (a, b)]
    got = wins(PlayerResponses(wide[0]), PlayerResponses(wide[1]))
    assert np.allclose(got, expected)
    # By hand: pairs (0, 1), 1 > .5, and (0, 2), 1 = 1, count; the others lack a reward.
    first, second = np.array([[1.0, NAN, NAN]]), np.array([[NAN, 0.5, 1.0]])
    matrix = win_matrix([PlayerResponses(first), PlayerResponses(second)])
    assert np.array_equal(matrix[:, :, 0], [[0.5, 0.75], [0.25, 0.5]])
    unscored = PlayerResponses(np.full((1, 3), NAN))
    assert np.isnan(wins(unscored, PlayerResponses(second))).all()
    with pytest.raises(ValueError, match="must not be infinite"):
        PlayerResponses(np.array([[np.inf, 0.0]]))


def test_pairwise_win_rates_leave_missing_responses_out():
    preferred = np.random.default_rng(4).random((2, 3, 3))
    for include_self in (True, False):
        expected = win_rates(preferred, include_self)
        wide = np.insert(np.insert(preferred, 1, NAN, 1), 1, NAN, 2)
        got = win_rates(wide, include_self)
        assert np.allclose(np.delete(got, 1, 1), expected)
        assert np.isnan(got[:, 1]).all()
    alone = np.full((1, 2, 2), NAN)
    alone[0, 0, 0] = 0.5
    assert np.isnan(win_rates(alone)).all()


def test_wrappers_keep_missing_rewards_missing():
    base = Fixed(np.array([[NAN, 0.5]]))
    biased = LengthBiased(bias=1.0).over(base)(["p"], [["a b", "a b"]])
    assert np.array_equal(biased, [[NAN, 2.5]], equal_nan=True)


def test_two_reward_models_split_what_the_players_read():
    solver, creator = np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[5.0, 9.0], [NAN, 7.0]])
    round = played(solver, "a_star_min", creator)
    assert round.payoffs == {CREATOR: 4.0, SOLVER: 0.75}
    assert np.array_equal(round.rewards, solver)
    other = round.for_other_player()
    assert np.array_equal(other.rewards, creator, equal_nan=True)
    assert other.for_other_player().rewards is round.rewards
    assert np.array_equal(round.signal, [4.0, NAN], equal_nan=True)
    one = played(solver)
    assert one.other_rewards is None
    assert one.for_other_player() is one


def test_the_creator_s_reward_model_advances_and_is_saved():
    class Counting:
        def __init__(self, count):
            self.count = count

        def __call__(self, prompts, responses):
            return np.array([[0.0, self.count]])

        def advance(self, round):
            assert round.rewards[0, 1] == self.count  # its own rewards
            return Counting(self.count + 1)

    options = {"batch_size": 1, "samples": 2, "rounds": 3, "signal": "a_star_min"}
    game = Game(Fixed([[0.0, 0.0]]), creator_reward_model=Counting(1), **options)
    payoffs = []
    for _ in range(2):
        game.propose(Proposal(("a",), np.zeros(1)))
        payoffs.append(game.respond([["x", "y"]]).payoffs[CREATOR])
    assert payoffs == [1.0, 2.0]
    assert game.reward_calls == 4
    twin = Game(Fixed([[0.0, 0.0]]), creator_reward_model=Counting(1), **options)
    twin.load_state_dict(game.state_dict())
    assert twin.creator_reward_model.count == 3
    game.reset()
    assert game.creator_reward_model.count == 1
    options["signal"] = "regret"
    with pytest.raises(ValueError, match=r"a reward model with best.*Counting has none"):
        Game(Fixed([[0.0]], best=1), creator_reward_model=Counting(1), **options)


def test_observations_hold_no_missing_number():
    rewards = np.array([[0.25, NAN, 0.75], [NAN, NAN, NAN]])
    env = text.raw_env(Wordlist(), Fixed(rewards), batch_size=2, samples=3, signal="a_star_min")
    env.reset(0)
    prompts = Wordlist().seed(2, np.random.default_rng(0))
    env.step(env.creator_action(Proposal(prompts, np.zeros(2))))
    env.step((("cat",) * 3,) * 2)
    observed = env.observe(CREATOR)
    assert env.observation_space(CREATOR).contains(observed)
    assert observed["rewards"].tolist() == [[0.25, 0.5, 0.75], [0.0, 0.0, 0.0]]
    assert env.state_space.contains(env.state())
    assert env.state()[2:].tolist() == [0.5, 0.0, 0.5, 0.0]
    assert "nan" in env.ansi()  # a person sees that a reward is missing
