"""A world: a task together with everything that training on it needs.

``Wordlist`` and ``TabularWorld`` are the worlds of this package. A user's own world is a
dataclass that derives from ``World``: ``seed``, ``suites`` and ``gold_reward`` are enough. No
code outside a world asks which world it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from eva_env.types import Floats, RewardModel

ResponseRewriter = Callable[[Sequence[Any], Sequence[Any], np.random.Generator], Sequence[Any]]
"""Rewrites responses: prompts (P,) and responses (P,) -> better responses (P,)."""

Rows = list[tuple[str, str]]
"""Terms, each with its explanation, as a person at the terminal reads them."""


@dataclass(frozen=True)
class Sizes:
    """The sizes with which a run on a world learns in reasonable time."""

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
    """Factor of a method's default learning rate; the defaults suit small transformers."""


class SoftmaxTable(NamedTuple):
    """The starting policy of a world whose prompts and responses are integers."""

    reference_logits: Floats
    """Log-probabilities (K, M) at the start, in nats."""
    features: Floats | None = None
    """(K, d), through which prompts share what they learn; None: they share nothing."""


class World(ABC):
    """A task with its rewards, starting policy, environment, sizes and house rules.

    Subclasses are frozen dataclasses; their fields become options such as ``--task.size``.
    """

    sizes: ClassVar[Sizes] = Sizes()
    """Defaults of ``rounds``, ``prompts`` and the like in every command."""

    environment: ClassVar[str] = "eva/Text-v0"
    """Id of the PettingZoo environment. This one takes text; ``eva/Tabular-v0``, with integers,
    takes a ``TabularWorld``, so integers in another world need an environment of their own."""

    broad_distribution: ClassVar[str] = "human"
    """The distribution of ``seed`` from which members of a reward ensemble are trained."""

    proxy_can_pass: ClassVar[bool] = False
    """Whether a response that passes by gold has a reward of 1 by the proxy as well."""

    @property
    def operators(self) -> Sequence[str]:
        """Names of the rewrite operators that ``mutate`` accepts; none: prompts cannot evolve."""
        return ()

    @property
    @abstractmethod
    def suites(self) -> Mapping[str, Sequence[Any]]:
        """Fixed evaluation prompts by name; no creator is ever shown them."""

    @abstractmethod
    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[Any]:
        """Draw n prompts of a named distribution, none of them in a suite.

        An oracle draws from the distribution that is named like the suite that decides.
        """

    @abstractmethod
    def gold_reward(self) -> RewardModel:
        """The reward that judges, and that trains unless ``--reward proxy`` is given."""

    def proxy_reward(self) -> RewardModel | str | None:
        """The imperfect reward that trains under ``--reward proxy``; None if there is none.

        A string names the checkpoint of a learned reward model.
        """
        return None

    def starting_policy(self) -> Any:
        """The policy that every run starts from, unless ``policy:`` names another.

        A string or path names a checkpoint of a causal language model; otherwise a
        ``SoftmaxTable`` or an object with the methods of ``agents.policies.base.Policy``.
        """
        raise ValueError(
            f"{type(self).__name__} has no starting policy; give policy:FOLDER, or define "
            f"starting_policy()"
        )

    def mutate(self, prompt: Any, operator: str, rng: np.random.Generator) -> Any | None:
        """The prompt rewritten by one operator; None where the operator does not apply."""
        raise ValueError(
            f"unknown operator {operator!r}; {type(self).__name__} has: "
            f"{', '.join(self.operators) or 'none'}"
        )

    def describe_operator(self, operator: str) -> str:
        """One line on a rewrite operator, for ``eva list operators``."""
        return ""

    def valid(self, prompt: Any) -> bool:
        """Whether a creator may publish the prompt: by default, whether no suite holds it."""
        return not any(prompt in suite for suite in self.suites.values())

    def topic(self, prompt: Any) -> str:
        """The prompt's subject, for topic-balanced drawing."""
        return ""

    def for_seed(self, seed: int) -> Self:
        """The world that a comparison plays with a seed; by default the same for all."""
        return self

    def environment_options(self, reward_model: RewardModel, proposals: int) -> dict[str, Any]:
        """Arguments of ``pettingzoo.make`` besides sizes and signal.

        ``proposals`` is N, the prompts of a proposal. They are drawn without replacement, so
        each of them once.
        """
        return {
            "task": self,
            "reward_model": reward_model,
            "proposals": proposals,
            "replacement": False,
        }

    def read_prompt(self, text: str) -> Any:
        """The prompt that a line of a prompt file holds, which a suite may hold as well.

        Raises ValueError, with the remedy, for text that is no prompt of this world.
        """
        if not self.valid(text) and not any(text in suite for suite in self.suites.values()):
            raise ValueError("write a prompt that valid() accepts")
        return text

    def response_rewriter(self) -> ResponseRewriter | None:
        """A function that improves responses, for methods that train on improved ones."""
        return None

    def regret_game(self) -> Any | None:
        """The world's ``eva_env.tabular.regret_game.RegretGame``; None if it cannot be solved."""
        return None

    def house_rules(self) -> "HouseRules":
        """The rules as a person who plays at the terminal has to know them."""
        return HouseRules(self)


@dataclass(frozen=True)
class HouseRules:
    """What a person may type in ``eva play``, and what it means; here for any text world."""

    world: Any
    """The ``World`` that is played in."""

    def prompt(self, text: str) -> Any:
        """The prompt that the text stands for; ValueError says why it cannot be published."""
        if not self.world.valid(text):
            raise ValueError(f"{type(self.world).__name__} accepts no prompt like that")
        return text

    def named(self, prompt: Any) -> str:
        """The prompt as a person reads it."""
        return str(prompt)

    def prompts(self) -> Rows:
        """How prompts are written."""
        return [("a prompt", "one line of text")]

    def response(self, text: str) -> Any:
        """The response that the text stands for; ValueError says what is wrong."""
        return text

    def responses(self, prompt: Any) -> Rows:
        """How responses to a prompt are written."""
        return [("a response", "one line of text")]

    def remarks(self, prompt: Any, responses: Sequence[Any]) -> list[str]:
        """What each response falls short in, as far as the world can say; "" for nothing."""
        return [""] * len(responses)
