"""The settings of a diagnosis: world, policy, reward, signal, operators and sizes."""

from dataclasses import dataclass, field
from typing import Any, Self

from agents.policies.sampling import Sampling
from eva_env.plugins import absolute
from eva_env.require import require
from eva_env.rewards import Plain
from eva_env.wordlist import Wordlist
from eva_env.world import World
from experiments.run.rewards import canonical
from experiments.run.rewriting import SOLVER, Rewriting, resolved
from experiments.run.settings import sampling_of


@dataclass(frozen=True)
class Diagnosis:
    """The settings of one diagnosis; those of a run have the same names."""

    task: World = field(default_factory=Wordlist)
    """The world: human prompts, operators, gold reward and starting policy."""
    reward: str = "gold"
    """The reward that the signal reads: gold, proxy, the FOLDER of a classifier,
    pairwise:FOLDER, file.py:function, or a world's name for its verifier; see eva list
    rewards."""
    reward_model: Any = field(default_factory=Plain)
    """A wrapper around that reward, such as noise; or your own reward model in its place."""
    signal: str = "a_star_min"
    """The signal that would choose the parents; see eva list signals. A finished diagnosis is
    read with another signal by --resume FOLDER --signal NAME, without new responses."""
    prompts: int = 64
    """Human prompts, all different; the parents."""
    samples: int = Wordlist.sizes.samples
    """Responses n that a signal reads. Each parent gets 2 n, each child n."""
    children: int = 2
    """Children of each parent, each by one operator."""
    policy: Any = None
    """The policy that responds, from which a run would start: a ``Pretrained``, the name or
    folder of a checkpoint, or your own policy. None: the world's starting policy."""
    device: str = "cpu"
    """Where language models compute: cpu, cuda, cuda:1 or mps."""
    sampling: Sampling = field(default_factory=Sampling)
    """Sampling of a language model's responses."""
    rewriter: str | None = None
    """Rewrite prompts by a language model: solver, the policy that responds, or the folder of
    another one. None: by the operators of the world."""
    rewriting: Rewriting = field(default_factory=Rewriting)
    """Settings of that model."""
    seed: int = 0
    """Seed of the prompts, the operators, the responses and the bootstrap."""

    def __post_init__(self) -> None:
        require(self, "[2, inf)", "samples")
        require(self, "[8, inf)", "prompts")
        require(self, "[0, inf)", "children")
        require(self, "[0, inf]", "seed")
        # A diagnosis is resumed from any working directory.
        object.__setattr__(self, "rewriter", resolved(self.rewriter, (SOLVER,)))
        object.__setattr__(self, "reward", canonical(self.reward))
        if ".py:" in self.signal:
            object.__setattr__(self, "signal", absolute(self.signal))

    @classmethod
    def suited(cls, world: World) -> Self:
        """Return settings whose samples and sampling suit a world."""
        return cls(task=world, samples=world.sizes.samples, sampling=sampling_of(world))
