"""A world: a task together with everything that training on it needs.

``Wordlist`` and ``TabularWorld`` are the worlds of this package. A user's own world is a
dataclass that derives from ``World``: ``seed``, ``suites`` and ``gold_reward`` are enough. No
code outside a world asks which world it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from eva_env.types import Floats, RewardModel

ResponseRewriter = Callable[[Sequence[Any], Sequence[Any], np.random.Generator], Sequence[Any]]
"""Improves responses: prompts (P,) and responses (P,) -> better responses (P,)."""

Rows = list[tuple[str, str]]
"""Terms, each with its explanation, for a person at the terminal."""


@dataclass(frozen=True)
class Sizes:
    """Sizes with which a run on a world learns in a short time."""

    rounds: int = 8
    prompts: int = 64
    """Prompts per round."""
    samples: int = 6
    """Responses to each prompt."""
    seeds: int = 3
    """Seeds of each arm in a comparison."""
    evaluate_every: int = 2
    """Rounds between evaluations."""
    evaluation_samples: int = 4
    """Responses to each prompt of a suite."""
    lr: float = 1.0
    """Factor of the methods' default learning rates, which suit small transformers."""
    max_tokens: int = 16
    """Most tokens of a response."""
    temperature: float = 1.0
    """Temperature at which responses are drawn."""
    top_p: float = 1.0
    """Mass of the nucleus that responses are drawn from, in (0, 1]."""
    max_cut_off: float = 0.5
    """Share of responses without an end, in [0, 1], above which an alarm is raised."""


class SoftmaxTable(NamedTuple):
    """The starting policy of a world whose prompts and responses are integers."""

    reference_logits: Floats
    """Log-probabilities (K, M) of the starting policy, in nats."""
    features: Floats | None = None
    """Features (K, d) that carry learning between prompts; None carries nothing."""


class World(ABC):
    """A task with its rewards, starting policy, environment and sizes.

    Subclasses are frozen dataclasses; their fields become options such as ``--task.size``.
    """

    sizes: ClassVar[Sizes] = Sizes()
    """Defaults of ``rounds``, ``prompts`` and the like in every command."""

    environment: ClassVar[str] = "eva/Text-v0"
    """Id of the PettingZoo environment. This one takes text; ``eva/Tabular-v0``, with integers,
    takes a ``TabularWorld``, so integers in another world need an environment of their own."""

    broad_distribution: ClassVar[str] = "human"
    """The distribution of ``seed`` from which members of a reward ensemble are trained."""

    real_text: ClassVar[bool] = False
    """True if prompts are ordinary language, so that a sentence embedder can compare them."""

    proxy_can_pass: ClassVar[bool] = False
    """True if a response that passes by gold has a proxy reward of 1 too."""

    oracle: ClassVar[bool] = True
    """True if ``seed`` knows the distribution of the deciding suite, from which an oracle and
    the validation prompts of tuning are drawn."""

    @property
    def operators(self) -> Sequence[str]:
        """Names of the rewrite operators of ``mutate``; without any, prompts cannot evolve."""
        return ()

    @property
    @abstractmethod
    def suites(self) -> Mapping[str, Sequence[Any]]:
        """Fixed evaluation prompts by suite; no creator ever sees them."""

    @property
    def deciding(self) -> str:
        """Name of the suite that decides comparisons: "hard", or the first without one."""
        return deciding_suite(self.suites)

    @abstractmethod
    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[Any]:
        """Draw n prompts of a named distribution, none of them in a suite.

        An oracle draws from the distribution that has the name of the deciding suite.
        """

    @abstractmethod
    def gold_reward(self) -> RewardModel:
        """Return the reward that judges, and that trains without ``--reward proxy``."""

    def proxy_reward(self) -> RewardModel | str | None:
        """Return the imperfect reward that trains under ``--reward proxy``, or None.

        A string names the checkpoint of a learned reward model.
        """
        return None

    def starting_policy(self) -> Any:
        """Return the policy that every run starts from, unless ``policy:`` names another.

        It is a ``SoftmaxTable``, an object with the methods of ``agents.policies.base.Policy``,
        or a string or path that names a checkpoint of a causal language model. Raises
        ValueError, with the remedy, for a world without one.
        """
        raise ValueError(
            f"{type(self).__name__} has no starting policy; give policy:FOLDER, or define "
            f"starting_policy()"
        )

    def mutate(self, prompt: Any, operator: str, rng: np.random.Generator) -> Any | None:
        """Return the prompt rewritten by an operator; None if the operator does not apply."""
        raise ValueError(
            f"unknown operator {operator!r}; {type(self).__name__} has: "
            f"{', '.join(self.operators) or 'none'}"
        )

    def describe_operator(self, operator: str) -> str:
        """Return one line on a rewrite operator, for ``eva list operators``."""
        return ""

    def valid(self, prompt: Any) -> bool:
        """Return True if a creator may publish the prompt; by default, if no suite has it."""
        return not any(prompt in suite for suite in self.suites.values())

    def topic(self, prompt: Any) -> str:
        """Return the prompt's subject, for topic-balanced drawing."""
        return ""

    def for_seed(self, seed: int) -> Self:
        """Return the world of a comparison's seed; by default the same for all seeds."""
        return self

    def environment_options(self, reward_model: RewardModel, proposals: int) -> dict[str, Any]:
        """Return the arguments of ``pettingzoo.make`` other than sizes and signal.

        ``proposals`` is N, the number of prompts of a proposal. The environment draws them
        without replacement, so each of them once.
        """
        return {
            "task": self,
            "reward_model": reward_model,
            "proposals": proposals,
            "replacement": False,
        }

    def read_prompt(self, text: str) -> Any:
        """Return the prompt in a line of a prompt file; it may be one of a suite.

        Raises ValueError, with the remedy, for text that is not a prompt of this world.
        """
        if not self.valid(text) and not any(text in suite for suite in self.suites.values()):
            raise ValueError("write a prompt that valid() accepts")
        return text

    def response_rewriter(self) -> ResponseRewriter | None:
        """Return a function that improves responses, for methods that need one, or None."""
        return None

    def regret_game(self) -> Any | None:
        """Return the ``eva_env.tabular.regret_game.RegretGame``; None if it is not solvable."""
        return None

    def house_rules(self) -> "HouseRules":
        """Return the rules for a person who plays at the terminal."""
        return HouseRules(self)

    def pinned(self) -> Self:
        """Return the world as a record keeps it, with fingerprints of the files that it reads.

        Called before a run starts. Raises ValueError, with the remedy, for files that cannot
        be used.
        """
        return self

    def facts(self) -> dict[str, Any]:
        """Return facts about the world's prompts that config.json keeps, as JSON."""
        return {}

    def remarks(self) -> list[str]:
        """Return lines about the world's prompts that a command prints before it starts."""
        return []


def deciding_suite(names: Iterable[str]) -> str:
    """Return "hard" if it is among the names of suites, otherwise the first."""
    names = list(names)
    return "hard" if "hard" in names or not names else names[0]


@dataclass(frozen=True)
class HouseRules:
    """The rules of ``eva play`` for a person: valid input and help texts, for text worlds."""

    world: Any
    """The ``World`` of the game."""

    def prompt(self, text: str) -> Any:
        """Return the typed prompt; ValueError says why it cannot be published."""
        if not self.world.valid(text):
            raise ValueError(f"{text!r} is not a valid prompt of {type(self.world).__name__}")
        return text

    def named(self, prompt: Any) -> str:
        """Return the prompt as a person reads it."""
        return str(prompt)

    def prompts(self) -> Rows:
        """Return the form of prompts."""
        return [("a prompt", "one line of text")]

    def response(self, text: str) -> Any:
        """Return the typed response; ValueError says what is wrong."""
        return text

    def responses(self, prompt: Any) -> Rows:
        """Return the form of responses to a prompt."""
        return [("a response", "one line of text")]

    def remarks(self, prompt: Any, responses: Sequence[Any]) -> list[str]:
        """Return a remark on what each response lacks; "" for nothing."""
        return [""] * len(responses)
