"""Arbitrary moves and rewards: each is played with finite payoffs, or refused and undone.

The corpus is ``HOSTILE``: values that were once played, hung or raised another error.
"""

import math
import pickle
from fractions import Fraction

import gymnasium
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eva_env import tabular_v0, text_v0
from eva_env.game import Game
from eva_env.types import Proposal
from tests.support.games import Close, Sums

FUZZ = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

HOSTILE = [
    *(None, True, 0, -1, 10**400, 1e308, math.nan, math.inf, 1j, Fraction(1, 3)),
    *("", "ab", "1+1", "\ud800", "\x00\x1b[2J", "\u202e", "x" * 70_000, b"12"),
    *([], {}, set(), (), [[]], ["ab", "ab"], [["1", "2"], ["3", "4"]], [[None, 1.0]] * 2),
    *([[1e308, 1e308]] * 2, [[1.0], [1.0, 2.0]], [[math.nan, 1]] * 2, [[1e19, 0]] * 2),
    *(np.zeros((2, 2)), np.ones((2, 2)) + 0j, np.full((2, 1), 4.0), np.array("1")),
    *(np.array([["1", "2"]] * 2), np.array([[None, object()]] * 2), np.full((2, 2), np.nan)),
    np.ma.masked_array(np.ones((2, 2)), [[1, 0], [0, 0]]),
    *(np.full(8, np.nan, np.float32), np.full(8, 1e30), np.zeros(8, "M8[s]"), np.zeros(0)),
    *(np.full(4, 2**62), np.zeros(4, np.uint8), [0, 1, 2, 3], [0.5] * 4, range(4)),
    {"logits": [0.0, math.nan], "prompts": ("1+1", "2+2")},
    {"logits": np.zeros(2), "prompts": "ab"},
    {"logits": ["1", "2"], "prompts": ("1+1", "2+2")},
    {"logits": np.zeros(2), "prompts": (1, None)},
    {"logits": np.zeros(2), "prompts": ("\ud800", "1+1")},
    {"logits": np.zeros(2)},
    {"logits": np.full(2, 1e308), "prompts": ("1+1", "2+2")},
    {"creator_0": None, "solver_0": None},
]

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4),
    st.complex_numbers(), st.binary(max_size=3), st.sampled_from(HOSTILE),
)  # fmt: skip
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, min_size=2, max_size=2),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from(["logits", "prompts", "creator_0"]), inner),
    ),
    max_leaves=6,
)
PAIRS = st.lists(st.lists(SCALARS, min_size=2, max_size=2), min_size=2, max_size=2)
VALUES = NESTED | PAIRS


def with_corpus(test):
    """The test with each value of the corpus as an explicit example."""
    for value in HOSTILE:
        test = example(value)(test)
    return test


def state_of(part):
    """The state of a game or an env, for a comparison."""
    return pickle.dumps(part.state_dict())


def tried(part, move):
    """Make a move; it may be refused in one line, which changes nothing. True if played."""
    before = state_of(part)
    refusal = None
    try:
        move()
    except (ValueError, TypeError) as error:
        refusal = str(error)
    if refusal is None:
        return True
    assert "\n" not in refusal
    assert len(refusal) < 1_000
    assert state_of(part) == before
    return False


class Returns:
    """A reward model that returns a value, as rewards and as the best values."""

    def __init__(self, rewards, best=(1.0, 1.0)):
        self.rewards, self.value = rewards, best

    def __call__(self, prompts, responses):
        return self.rewards

    def best(self, prompts):
        return self.value

    def __reduce__(self):  # what it returns may not be picklable
        return (Returns, (0, 0))


@FUZZ
@with_corpus
@given(VALUES)
@pytest.mark.filterwarnings("error")
def test_whatever_a_reward_model_returns_payoffs_are_finite(value):
    for model, signal in (
        (Returns(value), "a_star_min"), (Returns([[0.0, 1.0]] * 2, value), "regret"),
        (Returns(value), "variance"), (Returns([[0.0, 1.0]] * 2), lambda rewards: value),
    ):  # fmt: skip
        game = Game(model, batch_size=2, samples=2, rounds=1, signal=signal)
        game.reset(0)
        game.propose(Proposal(("a", "b"), np.zeros(2)))
        if tried(game, lambda game=game: game.respond([["x", "y"]] * 2)):
            assert all(map(math.isfinite, game.last.payoffs.values()))
            assert game.last.rewards.shape == (2, 2)


@FUZZ
@with_corpus
@given(VALUES)
@pytest.mark.filterwarnings("error")
def test_whatever_is_proposed_or_responded_the_game_plays_or_refuses_it(value):
    def valid(prompt):
        return isinstance(prompt, str) and Sums().valid(prompt)

    game = Game(Close(), batch_size=2, samples=2, rounds=1, valid=valid, fallback=Sums().seed)
    game.reset(0)
    tried(game, lambda: game.propose(Proposal(("1+1", "2+2"), value)))
    game.reset(0)
    if not tried(game, lambda: game.propose(Proposal(value, np.zeros(2)))):
        game.propose(Proposal(("1+1", "2+2"), np.zeros(2)))
    assert len(game.prompts) == 2
    constant = Game(
        Returns([[0.0, 1.0]] * 2), batch_size=2, samples=2, rounds=1, signal="a_star_min"
    )
    constant.reset(0)
    constant.propose(Proposal(("1+1", "2+2"), np.zeros(2)))
    if tried(constant, lambda: constant.respond(value)):
        assert constant.last.payoffs == {"creator_0": 1.0, "solver_0": 0.5}


@FUZZ
@with_corpus
@given(VALUES)
@pytest.mark.filterwarnings("error")
def test_whatever_the_action_the_envs_play_or_refuse_it(value):
    sizes = {"batch_size": 2, "samples": 2, "max_cycles": 2}
    text = {"task": Sums(), "reward_model": Close(), "proposals": 2}
    for module, options in ((tabular_v0, {}), (text_v0, text)):
        env = module.raw_env(**sizes, **options)
        env.reset(seed=0)
        if not tried(env, lambda env=env: env.step(value)):  # the creator's move
            env.step(env.creator_action(env.reference(np.random.default_rng(0))))
        if tried(env, lambda env=env: env.step(value)):  # the solver's
            assert all(map(math.isfinite, env.rewards.values()))
        parallel = module.parallel_env(**sizes, **options)
        parallel.reset(seed=0)
        tried(parallel, lambda parallel=parallel: parallel.step(value))
        legal = parallel.creator_action(parallel.reference(np.random.default_rng(0)))
        both = {"creator_0": legal, "solver_0": value}
        tried(parallel, lambda parallel=parallel, both=both: parallel.step(both))


@pytest.mark.parametrize("id", ["eva/TabularCreator-v0", "eva/TabularSolver-v0"])
def test_a_vector_step_that_is_refused_changes_nothing(id):
    vector, twin = (gymnasium.make_vec(id, num_envs=2) for _ in range(2))
    for env in (vector, twin):
        env.reset(seed=0)
        env.action_space.seed(0)
    for value in HOSTILE:
        with pytest.raises((ValueError, TypeError)):
            vector.step(value)
    for _ in range(20):
        action = twin.action_space.sample()
        for mine, other in zip(vector.step(action)[:4], twin.step(action)[:4], strict=True):
            assert np.array_equal(mine, other)
