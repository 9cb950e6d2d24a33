"""The shipped checks: each rule is broken once, and the message must name it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from eva_env import tabular_v0, text_v0
from eva_env.signals import ROUND_SIGNALS, SIGNALS
from eva_env.tabular.world import TabularWorld
from eva_env.testing import (
    check_env,
    check_reward_model,
    check_round_signal,
    check_signal,
    check_task,
)
from eva_env.wordlist import Gold, Wordlist
from tests.support.games import Close, Sums

PROMPTS, RESPONSES = ["1+2", "3+4"], [["3", "4", "x"], ["7", "", "9"]]


@pytest.mark.parametrize(
    "task", [Sums(), Wordlist(), TabularWorld()], ids=lambda t: type(t).__name__
)
def test_sound_tasks_pass(task):
    check_task(task)


class NoTopic:
    operators, suites, seed, mutate, valid = (), {}, None, None, None


class Few(Sums):
    def seed(self, n, rng, distribution="human"):
        return super().seed(n - 1, rng)


class GlobalRandomness(Sums):
    def seed(self, n, rng, distribution="human"):
        return super().seed(n, np.random.default_rng())


class Deaf(Sums):
    def seed(self, n, rng, distribution="human"):
        return super().seed(n, np.random.default_rng(0))


class Unhashable(Sums):
    def seed(self, n, rng, distribution="human"):
        return [[prompt] for prompt in super().seed(n, rng)]


class Blank(Sums):
    def seed(self, n, rng, distribution="human"):
        return ["", *super().seed(n - 1, rng)]


class Strict(Sums):
    def valid(self, prompt):
        return "9" not in prompt


class Trains(Sums):
    def valid(self, prompt):
        return True


class Restless(Sums):
    @property
    def suites(self):
        return {"hard": (f"99+{np.random.default_rng().integers(10**9)}",)}

    @suites.setter
    def suites(self, value):
        pass


class RandomOperator(Sums):
    def mutate(self, prompt, operator, rng):
        return (
            super().mutate(prompt, operator, rng)
            and f"{np.random.default_rng().integers(90)}+1"
        )


class Barren(Sums):
    def mutate(self, prompt, operator, rng):
        super().mutate(prompt, operator, rng)


class Outlaw(Sums):
    def mutate(self, prompt, operator, rng):
        return super().mutate(prompt, operator, rng) and "one+two"


class Lenient(Sums):
    def mutate(self, prompt, operator, rng):
        return super().mutate(prompt, "grow", rng)


class Numbered(Sums):
    def topic(self, prompt):
        return 7


BROKEN_TASKS = [
    (NoTopic(), "needs topic"),
    (Few(), r"seed\(64, rng\) must give 64 prompts, got 63"),
    (GlobalRandomness(), "seed must draw only from its rng"),
    (Deaf(), "seed must use its rng"),
    (Unhashable(), "prompts must be hashable"),
    (Blank(), "unused slot"),
    (Strict(), "which valid rejects"),
    (replace(Sums(), suites=()), "suites must be a mapping"),
    (replace(Sums(), suites={"hard": ()}), "suite 'hard' is empty"),
    (Restless(), "suite 'hard' changes"),
    (replace(Sums(), suites={"a": ("99+99",), "hard": ("99+99",)}), "suites 'a' and 'hard'"),
    (Trains(), "valid must reject '99"),
    (RandomOperator(), "operator 'grow' must draw only from its rng"),
    (Barren(), "operator 'grow' applies to none of 64"),
    (Outlaw(), "operator 'grow' makes valid prompts from none"),
    (Lenient(), "mutate must raise ValueError"),
    (Numbered(), "must be a string, got 7"),
]


@pytest.mark.parametrize(("task", "message"), BROKEN_TASKS, ids=lambda x: type(x).__name__)
def test_broken_tasks_raise_an_error_that_names_the_rule(task, message):
    with pytest.raises(AssertionError, match=message):
        check_task(task)


def test_sound_reward_models_pass():
    check_reward_model(Close(), PROMPTS, RESPONSES)
    prompts = Wordlist().seed(3, np.random.default_rng(0))
    check_reward_model(Gold(), prompts, [["cat dog", "", "?"]] * 3)
    world = TabularWorld(noise=1.0)
    answers = np.arange(6).reshape(2, 3)
    check_reward_model(world.reward_model("gold"), [1, 2], answers)
    check_reward_model(world.reward_model("proxy"), [1, 2], answers, noisy=True)


@dataclass
class Model:
    """A reward model made of functions, so that each can be broken."""

    score: object = Close()
    top: object = Close().best
    step: object = None

    def __call__(self, prompts, responses):
        return self.score(prompts, responses)

    def best(self, prompts):
        return self.top(prompts)

    def advance(self, round):
        return self.step(self) if self.step else self


def spoil(model):
    model.score = lambda prompts, responses: Close()(prompts, responses) - 1
    return model


def fails_on_empty(prompts, responses):
    rewards = Close()(prompts, responses)
    empty = np.array([[response == "" for response in row] for row in responses])
    return np.where(empty.all(), np.nan, rewards)


BROKEN_MODELS = [
    (Model(lambda p, r: np.zeros(2)), r"shape \(2, 3\), got \(2,\)"),
    (Model(lambda p, r: np.full((2, 3), np.nan)), "must be finite, got .nan"),
    (Model(lambda p, r: np.full((2, 3), "1")), "must be real numbers"),
    (
        Model(lambda p, r: np.random.default_rng().random((2, 3)) / 9),
        "same call must give the same",
    ),
    (Model(fails_on_empty), "must be finite"),
    (Model(top=lambda p: np.ones(3)), "best must give 2 finite numbers"),
    (Model(top=lambda p: np.array([1.0, 0.5])), r"a reward to '3\+4' is higher"),
    (Model(step=lambda model: None), "advance must give a reward model"),
    (Model(step=spoil), "leave this one unchanged"),
]


@pytest.mark.parametrize(("model", "message"), BROKEN_MODELS)
def test_broken_reward_models_raise_an_error_that_names_the_rule(model, message):
    with pytest.raises(AssertionError, match=message):
        check_reward_model(model, PROMPTS, RESPONSES)


@pytest.mark.parametrize(
    "env",
    [
        tabular_v0.env(max_cycles=3),
        tabular_v0.raw_env(max_cycles=3, replacement=False),
        text_v0.env(max_cycles=3),
        text_v0.env(task=Sums(), reward_model=Close(), max_cycles=3),
    ],
)
def test_sound_envs_pass(env):
    check_env(env)


class NoFork(tabular_v0.raw_env):
    fork = property()


class Swapped(tabular_v0.raw_env):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.possible_agents = self.possible_agents[::-1]


class Parallelizable(tabular_v0.raw_env):
    metadata = tabular_v0.raw_env.metadata | {"is_parallelizable": True}


class BoolArray(tabular_v0.raw_env):
    def observe(self, agent):
        return super().observe(agent).astype(np.float64)


class Unseeded(tabular_v0.raw_env):
    def reset(self, seed=None, options=None):
        super().reset(None, options)
        self.game.rng = np.random.default_rng()


class Frozen(tabular_v0.raw_env):
    def reset(self, seed=None, options=None):
        super().reset(0, options)


class IllegalAction(tabular_v0.raw_env):
    def creator_action(self, proposal):
        return super().creator_action(proposal) * 2


class Forgets(tabular_v0.raw_env):
    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.game.rng = np.random.default_rng(9)


class SharedGame(tabular_v0.raw_env):
    def fork(self):
        twin = super().fork()
        twin.game.rng = np.random.default_rng(9)
        return twin


class PickledFresh(tabular_v0.raw_env):
    def __getstate__(self):
        return vars(self) | {"game": self.game.fork(), "changed": True}

    def __setstate__(self, state):
        vars(self).update(state)
        self.game.rng = np.random.default_rng(9)


class EndsEarly(tabular_v0.raw_env):
    def step(self, action):
        super().step(action)
        if self.agents and self.game.index == 2:
            self.terminations = dict.fromkeys(self.terminations, True)


BROKEN_ENVS = [
    (NoFork, "an env needs fork"),
    (Swapped, "possible_agents must be"),
    (Parallelizable, "is_parallelizable: False"),
    (BoolArray, "Out of bounds observation"),
    (Unseeded, "same seed and actions must give the same episode"),
    (Frozen, "another seed must give another episode"),
    (IllegalAction, "creator_action must give legal actions"),
    (Forgets, "state_dict in mid-round"),
    (SharedGame, "fork in mid-round"),
    (PickledFresh, "pickle in mid-round"),
    (EndsEarly, "after 2 of 4 rounds"),
]


@pytest.mark.parametrize(("env", "message"), BROKEN_ENVS)
def test_broken_envs_raise_an_error_that_names_the_rule(env, message):
    with pytest.raises(AssertionError, match=message):
        check_env(env(max_cycles=4))


# Signals


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
def test_every_shipped_signal_passes(signal):
    check_signal(signal)


@pytest.mark.parametrize("signal", ROUND_SIGNALS.values(), ids=ROUND_SIGNALS)
def test_every_shipped_round_signal_passes(signal):
    check_round_signal(signal)


def sorts_its_input(rewards):
    rewards.sort(-1)
    return rewards[..., -1] - rewards[..., 0]


def over_the_games(rewards):
    return rewards.mean(-1) - rewards.mean()


def noisy_signal(rewards):
    return np.random.default_rng().random(rewards.shape[:-1])


BROKEN_SIGNALS = {
    "keeps the responses": (lambda r: r, r"shape \(8, 6\) must give \(8,\), got \(8, 6\)"),
    "one number": (lambda r: r.mean(), r"one number for each prompt: .* got \(\)"),
    "first axis": (lambda r: r.std(1), r"\(3, 8, 6\) must give \(3, 8\), got \(3, 6\)"),
    "divides by zero": (lambda r: r.mean(-1) / np.ptp(r, -1), "must be finite, got .(nan|inf)"),
    "text": (lambda r: np.full(r.shape[:-1], "high"), "must be real, got dtype <U4"),
    "complex": (lambda r: r.mean(-1) * 1j, "must be real, got dtype complex"),
    "sorts its input": (sorts_its_input, "must not change its input: rewards"),
    "over the games": (over_the_games, "leading axes must be separate batches"),
    "random": (noisy_signal, "must be deterministic"),
    "first response": (lambda r: r[..., 0], "must not depend on the order of the n responses"),
}


@pytest.mark.parametrize(("signal", "message"), BROKEN_SIGNALS.values(), ids=BROKEN_SIGNALS)
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning")
def test_broken_signals_raise_an_error_that_names_the_rule(signal, message):
    with pytest.raises(AssertionError, match=message):
        check_signal(signal)


def clears_the_logits(round):
    round.proposal.logits[:] = 1
    return round.signal


BROKEN_ROUND_SIGNALS = {
    "rewards": (lambda round: round.rewards, r"a round of shape \(8, 6\) must give \(8,\)"),
    "logarithm": (lambda round: np.log(round.logprobs).mean(-1), "must be finite, got .nan"),
    "clears the logits": (clears_the_logits, "must not change its input: a round"),
    "random": (lambda round: noisy_signal(round.rewards), "must be deterministic"),
    "first response": (lambda round: round.logprobs[:, 0], "must not depend on the order"),
}


@pytest.mark.parametrize(
    ("signal", "message"), BROKEN_ROUND_SIGNALS.values(), ids=BROKEN_ROUND_SIGNALS
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_broken_round_signals_raise_an_error_that_names_the_rule(signal, message):
    with pytest.raises(AssertionError, match=message):
        check_round_signal(signal)
