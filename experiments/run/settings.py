"""The settings of a run: players, world, reward and sizes."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

import torch

from agents.base import Creator
from agents.creators import Eva
from agents.guards import Guards
from agents.policies.decoding import Sampling
from agents.policies.pretrained import Pretrained
from agents.solvers import DPO, SPPO, Method
from eva_env.require import require
from eva_env.rewards import PairwiseWinRate, Plain
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.run.alarms import Alarms
from experiments.run.parts import short_name
from experiments.run.setup import Reward
from experiments.run.specifications import suited

SIZES = ("rounds", "prompts", "samples", "evaluate_every", "evaluation_samples")
"""Settings whose default the world decides."""


@dataclass(frozen=True)
class Conditions:
    """The settings of a run without players and seed; a comparison's cells share them."""

    guards: Guards = field(default_factory=Guards)
    """Checks on proposed prompts, around any creator."""
    task: World = field(default_factory=Wordlist)
    """The world: prompts, suites, gold reward and starting policy."""
    reward: Reward = "gold"
    """The reward that trains: gold, or the world's imperfect proxy. Gold always judges."""
    reward_model: Any = field(default_factory=Plain)
    """A wrapper around that reward, such as noise; or your own reward model in its place."""
    missing_end_penalty: float = 0.0
    """Subtracted from the training reward of a response that was cut off at
    --sampling.max-tokens, in reward-model units."""
    signal: str | None = None
    """The creator's payoff: regret, or the name of a signal. None: true regret where the reward
    model knows the best response, otherwise its estimate a_star_avg."""
    rounds: int = Wordlist.sizes.rounds
    """Rounds to play."""
    prompts: int = Wordlist.sizes.prompts
    """Prompts proposed and drawn per round."""
    samples: int = Wordlist.sizes.samples
    """Responses to each prompt."""
    max_reward_calls: int | None = None
    """Stop before a round that would exceed this total of reward calls. Creators and methods
    differ in the responses they score per round; the limit makes budgets equal. None: play all
    rounds; a comparison sets rounds * prompts * samples."""
    policy: Any = None
    """The starting policy: a ``Pretrained``, the name or folder of a checkpoint, or your own
    policy. None: the world's."""
    device: str = "cpu"
    """Where language models compute: cpu, cuda, cuda:1 or mps. One device for the policy,
    reward models and the rewriter."""
    sampling: Sampling = field(default_factory=Sampling)
    """Sampling of a language model's responses, in play and in evaluations."""
    evaluate_every: int = Wordlist.sizes.evaluate_every
    """Rounds between evaluations on the fixed suites; the last round is always evaluated."""
    evaluation_samples: int = Wordlist.sizes.evaluation_samples
    """Responses to each prompt of a suite."""
    alarms: Alarms = field(default_factory=Alarms)
    """Bounds at which an alarm fires, and whether it ends the run."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "rounds", "prompts", "evaluate_every", "max_reward_calls")
        require(self, "[2, inf)", "samples", "evaluation_samples")
        require(self, "[0, inf)", "missing_end_penalty")

    @classmethod
    def suited(cls, world: World, **settings: Any) -> Self:
        """Return settings whose sizes suit a world; a setting that is None is the world's."""
        sizes = {name: getattr(world.sizes, name) for name in SIZES}
        sizes["sampling"] = sampling_of(world)
        chosen = {name: value for name, value in settings.items() if value is not None}
        return cls(task=world, **sizes | chosen)


@dataclass(frozen=True)
class Settings(Conditions):
    """The settings of one run: a creator against a solver in a world, with a seed."""

    creator: Creator = field(default_factory=Eva)
    """The creator, who makes the prompts."""
    solver: Method = field(default_factory=DPO)
    """The method by which the solver learns."""
    seed: int = 0
    """Seed of creator, solver and environment."""
    checkpoint_every: int = 1
    """Rounds between checkpoints; the last round always has one."""
    keep: Literal["all", "last", "best"] = "all"
    """Checkpoints to keep: all, the last one, or also the one with the best win rate on the
    deciding suite. A checkpoint with all weights of a large model is large."""

    @classmethod
    def suited(cls, world: World, **settings: Any) -> Self:
        """Return settings whose sizes and method's learning rate suit a world."""
        solver = suited(settings.pop("solver", None) or DPO(), world)
        return super().suited(world, solver=solver, **settings)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "[0, inf]", "seed")
        require(self, "[1, inf)", "checkpoint_every")

    @property
    def name(self) -> str:
        """The players' names, such as eva-dpo."""
        return f"{short_name(self.creator)}-{short_name(self.solver)}"


def sampling_of(world: World) -> Sampling:
    """Return the settings of sampling that suit the responses of a world."""
    sizes = world.sizes
    return Sampling(
        temperature=sizes.temperature, top_p=sizes.top_p, max_tokens=sizes.max_tokens
    )


def check(settings: Settings) -> None:
    """Raise ValueError for players that do not fit the world or the reward."""
    settings.creator.check_task(settings.task)
    pairwise = isinstance(settings.reward_model, PairwiseWinRate)
    if pairwise and isinstance(settings.solver, SPPO) and not settings.solver.pairwise:
        raise ValueError(
            "SPPO would make win rates of the win rates that reward-model:pairwise-win-rate "
            "gives; add --solver.pairwise"
        )


def remarks(settings: Settings) -> list[str]:
    """Return warnings about settings that are allowed and probably not meant."""
    creator, world, policy = settings.creator, settings.task, settings.policy
    texts = []
    if creator.counts_passes and settings.reward == "proxy" and not world.proxy_can_pass:
        texts.append(
            f"{short_name(creator)} counts the responses that pass, but the proxy's rewards "
            f"are logits without a scale; watch the pass rate, set --creator.passing where "
            f"there is one, or use --reward gold"
        )
    if isinstance(policy, Pretrained):
        if policy.dtype in ("bfloat16", "float16") and not policy.is_adapted:
            texts.append(
                f"{policy.dtype} weights round small steps of full fine-tuning away; keep "
                f"--policy.dtype float32, or train an adapter with --policy.lora-rank 16"
            )
        if settings.device == "cpu" and torch.cuda.is_available():
            texts.append("a CUDA device is available and unused; give --device cuda")
    return texts
