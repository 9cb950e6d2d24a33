"""The rules on hand-worked games."""

import pickle

import numpy as np
import pytest

from eva_env.game import Game, draw_iid, draw_without_replacement, softmax
from eva_env.types import CREATOR, SOLVER, Proposal
from tests.support.games import Close, Sums

TASK = Sums()
FOUR = ("1+1", "1+2", "1+3", "1+4")


def sums(**kwargs):
    settings = {"batch_size": 2, "samples": 2, "rounds": 3}
    return Game(Close(), **settings | kwargs)


def checked(**kwargs):
    return sums(valid=TASK.valid, fallback=TASK.seed, **kwargs)


def only(prompt):
    return Proposal((prompt,), np.zeros(1))


class Table:
    """Rewards are the responses themselves, as floats."""

    def __call__(self, prompts, responses):
        return np.array([[float(response) for response in row] for row in responses])


def test_payoffs_by_hand():
    game = sums()
    game.propose(only("3+4"))
    # Rewards 1, 1/2 and 0, 1/3: regret 1/4 and 5/6, their mean 13/24; mean reward 11/24.
    round = game.respond([["7", "8"], ["seven", "5"]])
    assert round.rewards == pytest.approx(np.array([[1, 1 / 2], [0, 1 / 3]]))
    assert round.signal == pytest.approx([1 / 4, 5 / 6])
    assert round.payoffs == pytest.approx({CREATOR: 13 / 24, SOLVER: 11 / 24})
    assert game.totals == pytest.approx(round.payoffs)
    assert (round.index, round.prompts, round.invalid) == (0, ("3+4", "3+4"), 0.0)


@pytest.mark.parametrize(
    ("signal", "creator"),
    [("a_star_min", 1.5), ("a_star_avg", 0.75), (lambda rewards: rewards[:, 0], 2.0)],
)
@pytest.mark.parametrize("zero_sum", [False, True])
def test_signal_pays_the_creator_and_zero_sum_charges_the_solver(signal, creator, zero_sum):
    game = Game(Table(), batch_size=2, samples=2, rounds=1, signal=signal, zero_sum=zero_sum)
    game.propose(only("p"))
    payoffs = game.respond([["1", "2"], ["3", "5"]]).payoffs
    assert payoffs == pytest.approx({CREATOR: creator, SOLVER: -creator if zero_sum else 2.75})


def test_horizon_and_the_order_of_moves():
    game = sums(rounds=1)
    with pytest.raises(RuntimeError, match=r"creator is to move: call propose\(\)"):
        game.respond([["1", "1"]] * 2)
    game.propose(only("1+1"))
    with pytest.raises(RuntimeError, match=r"solver is to move: call respond\(\)"):
        game.propose(only("1+1"))
    game.respond([["1", "1"]] * 2)
    assert game.done
    with pytest.raises(RuntimeError, match=r"all 1 rounds are played; call reset\(\)"):
        game.propose(only("1+1"))


def test_draws_follow_the_logits_with_replacement():
    game = sums(batch_size=40_000)
    game.reset(0)
    drawn = game.propose(Proposal(FOUR, np.log([0.1, 0.2, 0.3, 0.4])))
    shares = [drawn.count(prompt) / 40_000 for prompt in FOUR]
    assert shares == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.012)


def test_draws_without_replacement_are_distinct_and_successive():
    rng = np.random.default_rng(0)
    probabilities = np.array([0.5, 0.3, 0.2])
    pairs = [tuple(draw_without_replacement(probabilities, 2, rng)) for _ in range(20_000)]
    # Successive draws: P(i, j) = p_i p_j / (1 - p_i).
    for i in range(3):
        for j in set(range(3)) - {i}:
            expected = probabilities[i] * probabilities[j] / (1 - probabilities[i])
            assert pairs.count((i, j)) / len(pairs) == pytest.approx(expected, abs=0.015)
    assert all(i != j for i, j in pairs)


def test_without_replacement_starts_over_when_the_support_is_used_up():
    rng = np.random.default_rng(0)
    drawn = draw_without_replacement(np.array([0.5, 0.0, 0.5]), 5, rng)
    assert sorted(drawn[:2]) == sorted(drawn[2:4]) == [0, 2]
    assert drawn[4] in (0, 2)


def test_inverse_cdf_never_leaves_the_support():
    # Rounding: the largest uniform times the total may reach the total itself.
    last = np.nextafter(1, 0)
    for total in (1.0, 1 / 3, 0.1 + 0.2, 7.3):
        probabilities = np.array([0.0, total, 0.0])
        assert draw_iid(probabilities, np.array([0.0, 0.5, last])).tolist() == [1, 1, 1]
    halves = np.array([0.5, 0.5])
    assert draw_iid(halves, np.array([0.0, np.nextafter(0.5, 0), 0.5])).tolist() == [0, 0, 1]


def test_invalid_prompts_are_never_drawn_and_cost_their_probability():
    game = checked(batch_size=500)
    game.reset(0)
    proposal = Proposal(("1+1", "nonsense", "", "2+2"), np.log([0.3, 0.2, 0.4, 0.1]))
    drawn = game.propose(proposal)
    # The unused slot has no probability: 0.2 of the remaining 0.6 is invalid.
    assert game.invalid == pytest.approx(1 / 3)
    assert drawn.count("1+1") / 500 == pytest.approx(3 / 4, abs=0.06)
    assert set(drawn) == {"1+1", "2+2"}
    round = game.respond([["0", "0"]] * 500)
    clean = 1 - round.rewards.mean()
    assert round.payoffs[CREATOR] == pytest.approx(clean - 1 / 3)
    assert round.payoffs[SOLVER] == pytest.approx(round.rewards.mean())


@pytest.mark.parametrize("prompts", [("nonsense", ""), ("", ""), ("99+99", "a+b")])
def test_round_without_a_valid_prompt_is_played_on_seed_prompts_for_the_penalty_alone(prompts):
    game = checked(invalid_penalty=0.7)
    drawn = game.propose(Proposal(prompts, np.zeros(2)))
    assert all(TASK.valid(prompt) for prompt in drawn)
    assert game.invalid == 1.0
    assert game.respond([["1", "1"]] * 2).payoffs[CREATOR] == -0.7


def test_unused_slots_with_huge_logits_leave_the_probabilities_of_the_others():
    game = checked(batch_size=20)
    drawn = game.propose(Proposal(("", "1+1", "2+2"), np.array([5000.0, 0.0, 0.0])))
    assert set(drawn) == {"1+1", "2+2"}
    assert game.invalid == 0.0
    assert game.probabilities == pytest.approx([0, 0.5, 0.5])


def test_nothing_is_lost_when_the_reward_model_fails():
    class Flaky(Close):
        calls = 0

        def __call__(self, prompts, responses):
            rewards = super().__call__(prompts, responses)
            Flaky.calls += 1
            if Flaky.calls == 1:
                rewards[1, 0] = np.inf
            return rewards

    game = Game(Flaky(), batch_size=2, samples=2, rounds=2)
    game.propose(only("2+2"))
    before = pickle.dumps(game.rng.bit_generator.state)
    with pytest.raises(ValueError, match=r"Flaky returned inf for 1 of 4 .* prompt '2\+2'"):
        game.respond([["4", "4"], ["3", "4"]])
    assert game.index == 0
    assert game.last is None
    assert pickle.dumps(game.rng.bit_generator.state) == before
    assert game.respond([["4", "4"], ["3", "4"]]).payoffs[SOLVER] == pytest.approx(3.5 / 4)


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        ([["1", "1"]], "2 rows of 2, .* got rows of lengths .2."),
        ([["1"], ["1", "1"]], r"got rows of lengths \[1, 2\]"),
        (np.zeros((2, 3)), r"got rows of lengths \[3, 3\]"),
    ],
)
def test_wrong_shapes_of_responses(responses, message):
    game = sums()
    game.propose(only("1+1"))
    with pytest.raises(ValueError, match=message):
        game.respond(responses)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (np.zeros(3), r"logits must be .* shape \(2,\), one for each prompt, got \(3,\)"),
        (np.array([0.0, np.nan]), "logits must be finite"),
        (np.array([0.0, -np.inf]), "logits must be finite"),
        (np.array([np.inf, 0.0]), "logits must be finite"),
    ],
)
def test_wrong_logits(logits, message):
    with pytest.raises(ValueError, match=message):
        sums().propose(Proposal(("1+1", "1+2"), logits))


def test_empty_proposals_and_misshapen_rewards_and_signals():
    with pytest.raises(ValueError, match="at least one"):
        sums().propose(Proposal((), np.zeros(0)))

    def flat(prompts, responses):
        return np.zeros(4)

    game = sums(signal=lambda rewards: rewards)
    game.propose(only("1+1"))
    with pytest.raises(
        ValueError, match=r"numbers of shape \(2,\), one for each prompt, got \(2, 2\)"
    ):
        game.respond([["1", "1"]] * 2)
    game = Game(flat, batch_size=2, samples=2, rounds=1, signal="a_star_avg")
    game.propose(only("1+1"))
    with pytest.raises(
        ValueError, match=r"flat must return rewards of shape \(2, 2\), got \(4,\)"
    ):
        game.respond([["1", "1"]] * 2)


@pytest.mark.parametrize("rewards", [[[1.0, 2.0], [3.0]], [["good", "bad"]] * 2])
def test_rewards_that_are_not_numbers_name_the_reward_model(rewards):
    def judge(prompts, responses):
        return rewards

    game = Game(judge, batch_size=2, samples=2, rounds=1, signal="a_star_avg")
    game.propose(only("1+1"))
    with pytest.raises(ValueError, match=r"judge must return rewards of shape \(2, 2\)"):
        game.respond([["1", "1"]] * 2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"samples": 1}, "samples must be at least 2, got 1"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"signal": "regrett"}, "unknown signal 'regrett'; known signals: regret, a_star_min"),
    ],
)
def test_bad_settings_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        sums(**kwargs)


def test_regret_needs_a_best():
    with pytest.raises(ValueError, match="Table has none; give signal='a_star_avg'"):
        Game(Table(), batch_size=1, samples=2, rounds=1)


class Drifting(Table):
    def __init__(self, offset=0.0):
        self.offset = offset

    def __call__(self, prompts, responses):
        return super().__call__(prompts, responses) + self.offset

    def advance(self, round):
        return Drifting(self.offset + round.payoffs[SOLVER])


def play_on(game, rounds):
    trace = []
    for _ in range(rounds):
        game.propose(Proposal(FOUR, np.arange(4.0)))
        trace.append((game.prompts, dict(game.respond([["1", "2"]] * 3).payoffs)))
    return trace


def test_reward_model_drifts_from_round_to_round_and_reset_restores_it():
    game = Game(Drifting(), batch_size=3, samples=2, rounds=3, signal="a_star_min")
    for _ in range(2):
        game.reset(0)
        # Offsets 0, 1.5, 1.5 + 3: each model is made from the previous one.
        paid = [payoffs[SOLVER] for _, payoffs in play_on(game, 3)]
        assert paid == pytest.approx([1.5, 3.0, 6.0])


def test_fork_and_state_continue_identically_and_independently():
    game = Game(Drifting(), batch_size=3, samples=2, rounds=6, signal="a_star_min")
    game.reset(3)
    play_on(game, 2)
    game.propose(Proposal(FOUR, np.zeros(4)))
    fork, state = game.fork(), pickle.dumps(game.state_dict())
    other = Game(Drifting(), batch_size=3, samples=2, rounds=6, signal="a_star_min")
    other.load_state_dict(pickle.loads(state))
    ends, drawn = [], game.prompts
    for twin in (game, fork, other):
        assert (twin.index, twin.prompts) == (2, drawn)
        payoffs = dict(twin.respond([["1", "2"]] * 3).payoffs)
        ends.append(([payoffs, *play_on(twin, 3)], twin.totals))
    assert ends[0] == ends[1] == ends[2]
    assert game.done


def test_softmax_is_invariant_to_shifts_and_does_not_overflow():
    logits = np.array([[0.0, np.log(3)], [1000.0, 1000.0]])
    assert softmax(logits) == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))
