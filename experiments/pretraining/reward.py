"""Train the learned reward model of the wordlist world (the proxy) from noisy comparisons.

    python -m experiments.pretraining.reward --out agents/pretrained/wordlist-reward

A judge who sees two responses prefers the one of higher gold reward with probability
sigmoid(sharpness * difference). The model starts from the body of the starting policy and is
fitted to such choices by the Bradley-Terry likelihood. training.json reports its accuracy.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.progress import track
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from agents.policies.causal_lm import CausalLM
from agents.policies.checkpoints import resolve
from agents.policies.learned_reward import LearnedReward
from eva_env.types import Floats
from eva_env.wordlist import Gold, Wordlist
from eva_env.wordlist.demonstrations import demonstrate
from eva_env.wordlist.feasibility import satisfy
from eva_env.wordlist.instruction import parse
from eva_env.wordlist.prompts import draw_training_instruction
from experiments.pretraining.solver import optimizers, step, trapezoid, write_card

ABOUT = """# Learned reward model of the wordlist world: the proxy

A sequence classifier with one label. `python -m experiments.pretraining.reward` starts from the
body of the starting policy and fits it, on one CPU core, to noisy comparisons of responses by
the Bradley-Terry likelihood. Only differences between scores of the same prompt have a meaning.
`pair_accuracy` is, by suite, the share of pairs of the starting policy's own samples with
unequal gold rewards that the model orders as gold does.
"""


@dataclass(frozen=True)
class RewardTraining:
    """Settings of the proxy; the defaults give the shipped checkpoint."""

    out: Path = Path("wordlist-reward")
    """Folder to write the checkpoint to."""
    solver: str = "wordlist"
    """Starting policy: training starts from its body, and its samples are compared."""
    prompts: int = 96_000
    """Number of prompts; each has six responses, hence fifteen comparisons."""
    epochs: int = 1
    """Passes over the prompts."""
    batch_size: int = 16
    """Prompts per gradient step."""
    sharpness: float = 20.0
    """Log-odds that the judge prefers the better response, per unit of gold reward."""
    muon_lr: float = 0.003
    """Peak learning rate of the matrices."""
    adam_lr: float = 3e-3
    """Peak learning rate of everything else."""
    seed: int = 0
    """Seed of the prompts, the responses and the judge's choices."""


def compared_responses(
    prompts: Sequence[str], solver: CausalLM, rng: np.random.Generator
) -> list[list[str]]:
    """Return six responses to each prompt: four of the solver, one careless, one perfect.

    The last two resemble the responses of a solver that has learned.
    """
    sampled = solver.sample(prompts, 4, rng)
    instructions = [parse(prompt) for prompt in prompts]
    return [
        [*row, " ".join(demonstrate(instruction, rng)), " ".join(satisfy(instruction, rng))]
        for row, instruction in zip(sampled, instructions, strict=True)
        if instruction is not None
    ]


def bradley_terry(scores: torch.Tensor, prefers: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log-likelihood of choices, in nats (Bradley & Terry 1952).

    Scores are (B, n); prefers (B, n, n) is 1 where response i was preferred to j. Only the
    pairs i < j count.
    """
    difference = scores[:, :, None] - scores[:, None, :]
    i, j = torch.triu_indices(scores.shape[1], scores.shape[1], offset=1)
    return torch.nn.functional.binary_cross_entropy_with_logits(
        difference[:, i, j], prefers[:, i, j]
    )


def pair_accuracy(scores: Floats, gold: Floats) -> float:
    """Return the share of pairs of unequal gold reward, (B, n), that scores order as gold."""
    i, j = np.triu_indices(gold.shape[1], k=1)
    true, guess = gold[:, i] - gold[:, j], scores[:, i] - scores[:, j]
    return float((np.sign(guess) == np.sign(true))[np.abs(true) > 1e-9].mean())


def train_reward(settings: RewardTraining) -> LearnedReward:
    """Train the reward model, save it with a model card, and return it."""
    start_time = time.time()
    rng = np.random.default_rng(settings.seed)
    torch.manual_seed(settings.seed)
    folder = resolve(settings.solver, "solver")
    solver = CausalLM.load(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    reward = LearnedReward(model, AutoTokenizer.from_pretrained(folder))
    optimisers = optimizers(model, settings.muon_lr, settings.adam_lr)
    steps = settings.epochs * settings.prompts // settings.batch_size
    batches = comparisons(steps, settings.batch_size, solver, rng)
    for i, (prompts, responses, true) in enumerate(track(batches, "reward", total=steps)):
        chance = torch.sigmoid(settings.sharpness * (true[:, :, None] - true[:, None, :]))
        prefers = (torch.from_numpy(rng.random(chance.shape)) < chance).float()
        flat = [response for row in responses for response in row]
        repeated = [prompt for prompt in prompts for _ in range(true.shape[1])]
        scores = reward.scores(reward.encode(repeated, flat)).view(true.shape)
        step(optimisers, bradley_terry(scores, prefers), trapezoid(i / steps))
    model.eval()
    reward.save(settings.out)
    facts: dict[str, Any] = {"seconds": round(time.time() - start_time)}
    facts |= {"parameters": sum(p.numel() for p in model.parameters())}
    facts["pair_accuracy"] = measure(reward, solver)
    write_card(settings.out, ABOUT, {"settings": asdict(settings) | {"out": None}} | facts)
    return reward


def comparisons(
    steps: int, batch_size: int, solver: CausalLM, rng: np.random.Generator
) -> Iterator[tuple[list[str], list[list[str]], torch.Tensor]]:
    """Yield batches of prompts, their six responses each, and their gold rewards (batch, 6)."""
    block = 64
    for first_step in range(0, steps, block):
        prompts = draw_prompts(min(block, steps - first_step) * batch_size, rng)
        responses = compared_responses(prompts, solver, rng)
        gold = torch.from_numpy(Gold()(prompts, responses))
        for start in range(0, len(prompts), batch_size):
            rows = slice(start, start + batch_size)
            yield prompts[rows], responses[rows], gold[rows]


def draw_prompts(n: int, rng: np.random.Generator) -> list[str]:
    """Draw training prompts: a third human, a third hard, a third like the demonstrations."""
    names = ("human", "hard", "demonstrations")
    return [str(draw_training_instruction(names[i % 3], rng)) for i in range(n)]


def measure(reward: LearnedReward, solver: CausalLM) -> dict[str, float]:
    """Return the pair accuracy by suite on the solver's own samples, six per prompt."""
    accuracy = {}
    for name, suite in Wordlist().suites.items():
        responses = solver.sample(suite, 6, np.random.default_rng(1))
        accuracy[name] = pair_accuracy(reward(suite, responses), Gold()(suite, responses))
    return accuracy


if __name__ == "__main__":
    train_reward(tyro.cli(RewardTraining))
