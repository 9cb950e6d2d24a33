"""The settings of a run: players, world, reward and sizes."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

import torch

from agents.base import Creator
from agents.creators import Eva
from agents.guards import Guards
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.solvers import DPO, SPPO, Method
from eva_env.boundary import Limits
from eva_env.require import require
from eva_env.rewards import PairwiseWinRate, Plain
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.run.alarms import Alarms
from experiments.run.parts import short_name
from experiments.run.rewards import canonical, form_of, has_scale
from experiments.run.rewriting import SOLVER, Rewriting, resolved, seen_task
from experiments.run.similarity import CHOICES
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
    reward: str = "gold"
    """The reward that trains: gold, proxy (the world's imperfect one), the FOLDER of a
    classifier, pairwise:FOLDER, file.py:function, or a world's name for its verifier; see eva
    list rewards."""
    creator_reward: str | None = None
    """The reward that pays the creator, written as the one that trains. None: the same.
    Another one is scored in addition."""
    judge: str | None = None
    """The reward that decides in evaluations, written as the one that trains. None: the
    world's gold reward; in a world without one, the reward that trains."""
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
    rewriter: str | None = None
    """Rewrite prompts by a language model: solver, the policy that learns, or the folder of
    another one. None: by the operators of the world."""
    rewriting: Rewriting = field(default_factory=Rewriting)
    """Settings of that model."""
    similarity: str = "auto"
    """Compare prompts of real text, for near-duplicates and clusters, by words, by a sentence
    embedder, or by the embedder in a FOLDER. auto: by the embedder if it is on this machine
    (eva fetch embedder). Rows of the record say which it was."""
    alarms: Alarms = field(default_factory=Alarms)
    """Bounds at which an alarm fires, and whether it ends the run."""
    limits: Limits = field(default_factory=Limits)
    """Limits of responses, and of the time that rewards and the solver may take."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "rounds", "prompts", "evaluate_every", "max_reward_calls")
        require(self, "[2, inf)", "samples", "evaluation_samples")
        # A run is resumed from any working directory.
        object.__setattr__(self, "rewriter", resolved(self.rewriter, (SOLVER,)))
        object.__setattr__(self, "similarity", resolved(self.similarity, CHOICES))
        require(self, "[0, inf)", "missing_end_penalty")
        for name in ("reward", "creator_reward", "judge"):  # a run resumes in any folder
            object.__setattr__(self, name, canonical(getattr(self, name)))

    @classmethod
    def suited(cls, world: World, **settings: Any) -> Self:
        """Return settings whose sizes suit a world; a setting that is None is the world's."""
        sizes = {name: getattr(world.sizes, name) for name in SIZES}
        sizes["sampling"] = sampling_of(world)
        sizes["alarms"] = Alarms(max_cut_off=world.sizes.max_cut_off)
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
    task = seen_task(settings.task, settings.rewriter, settings.rewriting)
    settings.creator.check_task(task)
    part = isinstance(settings.reward_model, PairwiseWinRate)
    ranked = settings.reward.startswith("pairwise:")
    pairwise = isinstance(settings.solver, SPPO) and settings.solver.pairwise
    if pairwise and not part and form_of(settings.reward).kind in ("classifier", "proxy"):
        raise ValueError(
            f"--solver.pairwise needs win rates in [0, 1], and the scores of --reward "
            f"{settings.reward} are not; leave it off, or add reward-model:pairwise-win-rate"
        )
    if not (part or ranked):
        return
    given = "reward-model:pairwise-win-rate" if part else f"--reward {settings.reward}"
    if part and ranked:
        raise ValueError(
            f"--reward {settings.reward} gives win rates already; leave out "
            f"reward-model:pairwise-win-rate"
        )
    if isinstance(settings.solver, SPPO) and not settings.solver.pairwise:
        raise ValueError(
            f"SPPO would make win rates of the win rates that {given} gives; add "
            f"--solver.pairwise"
        )


def remarks(settings: Settings) -> list[str]:
    """Return warnings about settings that are allowed and probably not meant."""
    creator, world, policy = settings.creator, settings.task, settings.policy
    paying = settings.creator_reward or settings.reward
    texts = []
    if creator.counts_passes and not has_scale(paying, world):
        rewards = (
            "the proxy's rewards are" if paying == "proxy" else f"the rewards of {paying} are"
        )
        kind = "win rates" if paying.startswith("pairwise:") else "logits without a scale"
        texts.append(
            f"{short_name(creator)} counts the responses that pass, but {rewards} {kind}; "
            f"watch the pass rate, set --creator.passing where there is one, or use --reward "
            f"gold"
        )
    if settings.rewriter is not None and not world.operators and _plays(creator, world):
        texts.append(
            f"{short_name(creator)} rewrites no prompts, so --rewriter has no effect on them; "
            f"leave it out, or play creator:eva"
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


def _plays(creator: Creator, task: World) -> bool:
    """Return whether a creator can play a task, such as one without operators."""
    try:
        creator.check_task(task)
    except ValueError:
        return False
    return True
