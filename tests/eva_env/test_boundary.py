"""The boundary: what is no reward, no best value and no response is refused, in one line."""

import copy
import time
from decimal import Decimal
from fractions import Fraction
from itertools import repeat

import numpy as np
import pytest
import torch

from eva_env.boundary import LARGEST, Limits, score
from eva_env.deadline import DeadlineError, within
from eva_env.game import Game
from eva_env.rewards import (
    Ensemble,
    LengthBiased,
    MissingEndPenalty,
    Noisy,
    PairwiseWinRate,
    Retrained,
)
from eva_env.rewards.comparisons import Fitted
from eva_env.types import CREATOR, SOLVER, Proposal

NAN = float("nan")
RESPONSES = [["x", "y"], ["z", "x"]]


class Given:
    """A reward model that returns given values, whatever the responses are."""

    def __init__(self, rewards, best=None, **attributes):
        self.rewards = rewards
        vars(self).update(attributes)
        if best is not None:
            self.best = lambda prompts: best

    def __call__(self, prompts, responses):
        return self.rewards


def begun(model, **settings):
    settings = {"batch_size": 2, "samples": 2, "rounds": 2, "signal": "a_star_min"} | settings
    game = Game(model, **settings)
    game.reset(0)
    game.propose(Proposal(("a", "b", "c"), np.zeros(3)))
    return game


def payoffs(rewards, **settings):
    """The payoffs (creator, solver) of a round with given rewards."""
    model = rewards if isinstance(rewards, Given) else Given(rewards)
    round = begun(model, **settings).respond(RESPONSES)
    return round.payoffs[CREATOR], round.payoffs[SOLVER]


NUMBERS = {
    "list": [[0.0, 1.0], [1, 1]],
    "bool": np.array([[False, True], [True, True]]),
    "float32": np.array([[0, 1], [1, 1]], np.float32),
    "object": np.array([[0, 1.0], [True, 1]], object),
    "fractions": [[Fraction(0), Fraction(1)], [np.float16(1), np.int8(1)]],
    "tensor": torch.tensor([[0, 1], [1, 1]]),
    "bfloat16": torch.tensor([[0, 1], [1, 1]], dtype=torch.bfloat16),
    "gradient": torch.tensor([[0.0, 1.0], [1.0, 1.0]], requires_grad=True),
    "list of tensors": [[torch.tensor(0.0, requires_grad=True), 1.0], torch.ones(2)],
    "list of arrays": [np.array([0.0, 1.0]), [1.0, np.array(1.0)]],
    "the largest": None,
}


@pytest.mark.parametrize("rewards", NUMBERS.values(), ids=NUMBERS)
def test_real_numbers_are_paid(rewards):
    if rewards is None:
        assert payoffs([[0.0, LARGEST], [0.0, 0.0]]) == (LARGEST / 2, LARGEST / 4)
    else:
        assert payoffs(rewards) == (0.5, 0.75)


REFUSED = {
    "complex array": (np.ones((2, 2)) + 0j, "complex128 are not real"),
    "complex": ([[1j, 1.0]] * 2, "a complex is not a number"),
    "digits": ([["1", "2"]] * 2, "a str is not a number"),
    "array of digits": (np.array([["1", "2"]] * 2), "<U1 are not real"),
    "bytes": ([[b"1", b"2"]] * 2, "a bytes is not a number"),
    "masked": (np.ma.masked_array(np.ones((2, 2)), [[1, 0], [0, 0]]), "a masked array; give"),
    "dates": (np.full((2, 2), "2026-01-01", "M8[D]"), "datetime64.D. are not real"),
    "decimals": ([[Decimal("1.5"), 1.0]] * 2, "a Decimal is not a number"),
    "objects": (np.array([[0, 1], [1, "3"]], object), "a str is not a number"),
    "generator": ((row for row in [[0.0, 1.0]] * 2), "a generator is not a number"),
    "endless rows": ([repeat(1.0), repeat(1.0)], "a repeat is not a number"),
    "too large an integer": ([[10**400, 1]] * 2, "int too large to convert to float"),
    "None": (None, r"of shape \(2, 2\), got \(\)"),
    "flat": (np.ones(4), r"of shape \(2, 2\), got \(4,\)"),
    "deep": (np.ones((2, 2, 1)), r"of shape \(2, 2\), got \(2, 2, 1\)"),
    "ragged": ([[1.0, 2.0], [3.0]], r"got rows of lengths \[2, 1\]"),
    "NaN": ([[1.0, NAN]] * 2, r"nan for 2 of 4 .* response 2 to prompt '[abc]'; return None"),
    "infinity": (np.array([[0.0, 1.0], [np.inf, 0]]), "inf for 1 of 4 .* response 1 to prompt"),
    "overflow": (np.full((2, 2), 1e308), r"1e\+308 for 4 of 4 .* must lie in \[-1e\+18, "),
    "tensor of NaN": (torch.full((2, 2), NAN, requires_grad=True), "nan for 4 of 4"),
}  # fmt: skip


@pytest.mark.parametrize(("rewards", "message"), REFUSED.values(), ids=REFUSED)
def test_other_rewards_are_refused_and_the_round_is_still_to_be_played(rewards, message):
    game = begun(Given(rewards))
    before = copy.deepcopy(game.state_dict())
    with pytest.raises(ValueError, match=message) as error:
        game.respond(RESPONSES)
    assert "\n" not in str(error.value)
    assert "Given" in str(error.value)
    assert repr(game.state_dict()) == repr(before)


BEST = {
    "NaN": (np.array([NAN, 1.0]), "got nan"),
    "infinity": (np.array([np.inf, 1.0]), "got inf"),
    "overflow": (np.full(2, 1e308), r"got 1e\+308 .at most 1e\+18"),
    "column": (np.array([[1.0], [4.0]]), r"got \(2, 1\)"),
    "one number": (1.0, r"got \(\)"),
    "complex": (np.array([1 + 1j, 2]), "complex128 are not real"),
    "digits": (["1", "2"], "a str is not a number"),
    "None": ([None, 1.0], "got nan"),
}


@pytest.mark.parametrize(("best", "message"), BEST.values(), ids=BEST)
@pytest.mark.parametrize("rewards", [[[0.0, 1.0], [1.0, 1.0]], [[0.0, None], [None, None]]])
def test_best_is_a_finite_number_for_each_prompt(best, message, rewards):
    with pytest.raises(ValueError, match=rf"Given.best must return finite .*{message}"):
        payoffs(Given(rewards, best), signal="regret")


def test_best_may_be_a_list_or_a_tensor_with_a_gradient():
    for best in ([1.0, 2], torch.tensor([1.0, 2.0], requires_grad=True)):
        given = Given([[0.0, 1.0], [1.0, 1.0]], best)
        assert payoffs(given, signal="regret")[0] == (0.5 + 1.0) / 2


def test_signals_are_finite_numbers_of_bounded_size():
    for signal, message in (
        (lambda rewards: np.full(2, 1e308), r"got 1e\+308 .at most 1e\+37"),
        (lambda rewards: rewards.sum(-1) + 1j, "complex128 are not real"),
        (lambda rewards: ["1", "2"], "a str is not a number"),
        (lambda rewards: rewards.sum(-1)[:, None], r"of shape \(2,\).* got \(2, 1\)"),
    ):
        with pytest.raises(ValueError, match=f"signal <lambda> must return .*{message}"):
            payoffs([[0.0, 1.0], [1.0, 1.0]], signal=signal)


def test_nan_is_missing_only_where_the_reward_model_declares_it():
    holes = np.array([[0.0, 1.0], [NAN, 0.5]])
    assert payoffs([[0.0, 1.0], [None, 0.5]]) == (1.0, 0.5)  # None is always a declaration
    assert payoffs(Given(holes, nan_is_missing=True)) == (1.0, 0.5)
    for undeclared in (Given(holes), Given(holes, nan_is_missing=1)):
        with pytest.raises(ValueError, match="nan for 1 of 4"):
            payoffs(undeclared)
        with pytest.raises(ValueError, match="Given returned nan for 1 of 4"):
            LengthBiased(bias=1.0).over(undeclared)(["a", "b"], RESPONSES)
    listed = LengthBiased(bias=1.0).over(Given([[0.0, 1.0], [None, 0.5]]))
    assert np.array_equal(listed(["a", "b"], RESPONSES), [[1, 2], [NAN, 1.5]], equal_nan=True)
    assert payoffs([[None, None]] * 2) == (0.0, 0.0)


def test_a_judge_makes_no_comparison_of_a_response_without_a_reward():
    """A missing reward of the judge is no lost comparison."""
    gold = Given([[None, 0.0, 1.0], [None, None, 0.5]])
    pairs = Retrained(sharpness=1e9).draw_comparisons(
        gold, ["p", "q"], [["a", "b", "c"]] * 2, np.random.default_rng(0)
    )
    assert (pairs.prompts, pairs.chosen, pairs.rejected) == (["p"], ["c"], ["b"])
    assert issubclass(Retrained, Fitted)


RESPONSES_REFUSED = {
    "one string for a row": (["ab"] * 2, "responses must be rows: .* got str 'ab' as a row"),
    "one string": ("abcd", "must be a list of 2 rows, .* got str"),
    "endless rows": (repeat(["x", "y"]), "must be a list of 2 rows, .* got repeat"),
    "endless responses": ([repeat("x"), repeat("y")], "must be rows: .* got repeat"),
    "a dictionary": ([{1: 2, 3: 4}] * 2, "must be rows: .* got dict"),
    "None": ([["x", None]] * 2, "got NoneType for response 2 to prompt '[abc]'"),
    "bytes": ([[b"x", b"y"]] * 2, "got bytes for response 1"),
    "both kinds": ([["x", 1]] * 2, "got int for response 2"),
    "bools": ([[True, False]] * 2, "got bool for response 1"),
    "lists": ([[["x"], ["y"]]] * 2, "got list for response 1"),
    "no rows": (np.array("x"), "must be a list of 2 rows, .* got ndarray"),
    "too few": ([["x"], ["y", "z"]], r"rows of lengths \[1, 2\]"),
    "too long": ([["x", "y" * 6], ["z", "x"]], "at most 5 characters .* got 6 for response 2"),
}


@pytest.mark.parametrize(
    ("responses", "message"), RESPONSES_REFUSED.values(), ids=RESPONSES_REFUSED
)
def test_responses_are_rows_of_strings_or_numbers_of_bounded_length(responses, message):
    model, limits = Given(np.ones((2, 2))), Limits(characters=5)
    with pytest.raises(ValueError, match=message) as error:
        begun(model, limits=limits).respond(responses)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=message):  # evaluations pass the same boundary
        score(model, ["a", "b"], responses, limits, samples=2)
    begun(model, limits=limits).respond([["x", "y" * 5], ("", "é")])


def test_a_reward_model_that_fails_to_advance_changes_nothing():
    class Failing(Given):
        def advance(self, round):
            if self.fails:
                raise ValueError("no next model")
            return self

    solver, creator = Given([[0.0, 1.0]] * 2), Failing([[0.0, 1.0]] * 2, fails=True)
    solver.advance = lambda round: Given([[5.0, 5.0]] * 2)
    game = begun(solver, creator_reward_model=creator)
    with pytest.raises(ValueError, match="no next model"):
        game.respond(RESPONSES)
    assert game.reward_model is solver
    creator.fails = False
    assert game.respond(RESPONSES).payoffs[SOLVER] == 0.5
    solver.advance = lambda round: None
    with pytest.raises(ValueError, match=r"Given.advance must return a reward model, got None"):
        begun(solver).respond(RESPONSES)


def test_a_call_beyond_its_deadline_is_refused_and_the_round_can_be_played_again():
    class Server(Given):
        """A reward model outside the process, which may hang."""

        seconds = 5.0

        def __call__(self, prompts, responses):
            time.sleep(self.seconds)
            return self.rewards

    model = Server([[0.0, 1.0], [1.0, 1.0]])
    game = begun(model, limits=Limits(reward_deadline=0.05))
    before, began = repr(game.state_dict()), time.perf_counter()
    with pytest.raises(DeadlineError, match=r"Server has not returned .* 0.05 s; .*deadline"):
        game.respond(RESPONSES)
    assert time.perf_counter() - began < 2.5
    assert repr(game.state_dict()) == before
    model.seconds = 0.0
    assert game.respond(RESPONSES).payoffs[SOLVER] == 0.75
    with pytest.raises(ValueError, match="reward_deadline must be positive and finite, got 0"):
        Limits(reward_deadline=0)


def test_a_deadline_passes_results_and_errors_on():
    def fail():
        raise KeyError("down")

    assert within(None, lambda: 3, "f") == within(5, lambda: 3, "f") == 3
    assert within(5, lambda: None, "f") is None
    for seconds in (None, 5):
        with pytest.raises(KeyError, match="down"):
            within(seconds, fail, "f")


def test_wrappers_check_their_base():
    base = Given([["1", "2"]] * 2)
    for wrapper in (LengthBiased(), Noisy(), MissingEndPenalty(), PairwiseWinRate()):
        with pytest.raises(ValueError, match=r"Given must return rewards .* a str is not"):
            wrapper.over(base)(["a", "b"], RESPONSES)
    with pytest.raises(ValueError, match="Given must return rewards"):
        Ensemble().over([base, base])(["a", "b"], RESPONSES)
