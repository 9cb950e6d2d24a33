"""Time sampling, a DPO update and a whole round on a real model, side by side in one run.

    python -m experiments.benchmarks.real FOLDER --dtype bfloat16    (needs ``pip install trl``)

FOLDER holds a causal LM. We compare ours with ``model.generate`` and TRL's ``DPOTrainer``, on
the same weights, dtype, prompts, number of responses and pairs. Each measurement has a process
to itself, so that its peak memory is known; the contestants take turns, and each ratio compares
two measurements of one turn. Times are CPU seconds of one thread, which other work on the
machine changes little. Sampling is counted in drawn tokens a second, since random responses
differ in length.
"""

import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from transformers import PrinterCallback

from agents.policies.causal_lm import CausalLM
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling, left_pad
from agents.solvers import DPO, PolicySolver
from eva_env.types import Floats, Proposal, Round
from experiments.benchmarks.training import conversations, trl_config

SUBJECTS = ("the sea", "an old bridge", "a clever fox", "the first snow", "a lost key")
FORMS = ("Describe {}.", "Write a short story about {}.", "Write four lines about {}.")
DEMANDS = ("", " Use at most 40 words.", " End with a question.", " Do not use any commas.")

Work = Literal["sample", "train", "round"]
WORK: dict[Work, str] = {
    "sample": "drawn tokens a CPU second",
    "train": "CPU seconds a DPO update, reference included",
    "round": "CPU seconds a round: sample, score, train",
}


@dataclass(frozen=True)
class Command:
    """What to measure."""

    folder: Annotated[str, tyro.conf.Positional]
    """Folder of a causal LM with a chat template."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of the weights."""
    prompts: int = 32
    """Prompts of a round."""
    samples: int = 4
    """Responses to each prompt."""
    max_tokens: int = 72
    """Most tokens of a response."""
    top_p: float = 1.0
    """Nucleus of the sampling."""
    batch: int = 8
    """Pairs of an update."""
    turns: int = 3
    """Turns of each contestant."""
    work: tuple[Work, ...] = ("sample", "train", "round")
    """The measurements."""
    contestant: str | None = None
    """Measure this contestant only, and print JSON: the processes are started with it."""


def texts(count: int) -> list[str]:
    """Return requests of different length."""
    requests = [
        form.format(subject) + demand
        for demand in DEMANDS
        for form in FORMS
        for subject in SUBJECTS
    ]
    return [requests[i % len(requests)] for i in range(count)]


def reward(prompts: list[str], responses: Any) -> Floats:
    """Return a reward that is cheap and rarely ties: distinct words per word, (B, n)."""
    rows = [[text.lower().split() for text in row] for row in responses]
    return np.array([[len(set(words)) / (len(words) + 1) for words in row] for row in rows])


def opened(command: Command) -> CausalLM:
    """Return the policy."""
    sampling = Sampling(0.7 if command.top_p < 1 else 1.0, command.top_p, command.max_tokens)
    return Pretrained(folder=command.folder, dtype=command.dtype).load(sampling)


def scored(prompts: list[str], responses: Any) -> Round:
    """Return the round of these responses."""
    rewards = reward(prompts, responses)
    proposal = Proposal(prompts, np.zeros(len(prompts)))
    return Round(0, proposal, prompts, responses, rewards, rewards.max(1), {})


# The contestants. Each returns the number to report: tokens a second, or seconds.


def our_sampling(command: Command) -> dict[str, float]:
    """Sample with the policy."""
    policy = opened(command)
    policy.sample(texts(2), 2, np.random.default_rng(1))
    before, start = policy.tokens, time.process_time()
    policy.sample(texts(command.prompts), command.samples, np.random.default_rng(0))
    seconds = time.process_time() - start
    return {"value": (policy.tokens - before) / seconds}


def generate(policy: CausalLM, command: Command) -> tuple[list[list[str]], int]:
    """Sample with ``model.generate``, one batch; return the responses and their tokens."""
    prompts = policy.encode(texts(command.prompts))
    ids, mask = left_pad(prompts, policy.model.device)
    drawn = policy.model.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=True,
        temperature=policy.sampling.temperature,
        top_k=0,
        top_p=command.top_p,
        num_return_sequences=command.samples,
        max_new_tokens=command.max_tokens,
    )[:, ids.shape[1] :]
    end = policy.tokenizer.eos_token_id
    ended = (drawn == end).cumsum(1)
    tokens = int((ended - (drawn == end).long() == 0).sum())
    flat = policy.tokenizer.batch_decode(drawn, skip_special_tokens=True)
    n = command.samples
    return [flat[i : i + n] for i in range(0, len(flat), n)], tokens


def their_sampling(command: Command) -> dict[str, float]:
    """Sample with ``model.generate``."""
    policy = opened(command)
    start = time.process_time()
    _, tokens = generate(policy, command)
    return {"value": tokens / (time.process_time() - start)}


def our_training(command: Command) -> dict[str, float]:
    """Train on one round's pairs with ``DPO``; the reference reads them within the time."""
    policy = opened(command)
    round = fixed_round(policy, command)
    solver = PolicySolver(policy, DPO(lr=1e-5, epochs=1, batch_size=command.batch))
    start = time.process_time()
    steps = solver.learn(round, np.random.default_rng(0))["gradient_steps"]
    return {"value": (time.process_time() - start) / steps}


def their_training(command: Command) -> dict[str, float]:
    """Train on the same pairs with ``DPOTrainer``, its reference in each step."""
    policy = opened(command)
    trainer = dpo_trainer(policy, fixed_round(policy, command), command)
    start = time.process_time()
    steps = trainer.train().global_step
    return {"value": (time.process_time() - start) / steps}


def our_round(command: Command) -> dict[str, float]:
    """Sample, score and train; also the share of the time outside the model."""
    policy = opened(command)
    prompts = texts(command.prompts)
    solver = PolicySolver(policy, DPO(lr=1e-5, epochs=1, batch_size=command.batch))
    with timed() as spent:
        start = time.process_time()
        rng = np.random.default_rng(0)
        solver.learn(scored(prompts, solver.respond(prompts, command.samples, rng)), rng)
        seconds = time.process_time() - start
    return {"value": seconds, "outside": 1 - spent[0] / seconds}


def their_round(command: Command) -> dict[str, float]:
    """Sample with ``generate``, score, and train with ``DPOTrainer``."""
    policy = opened(command)
    start = time.process_time()
    responses, _ = generate(policy, command)
    dpo_trainer(policy, scored(texts(command.prompts), responses), command).train()
    return {"value": time.process_time() - start}


CONTESTANTS = {
    "sample": {"ours": our_sampling, "generate": their_sampling},
    "train": {"ours": our_training, "TRL": their_training},
    "round": {"ours": our_round, "generate and TRL": their_round},
}


def fixed_round(policy: CausalLM, command: Command) -> Round:
    """Return a round of the policy's samples, the same for both contestants."""
    prompts = texts(command.prompts)
    return scored(prompts, policy.sample(prompts, 2, np.random.default_rng(0)))


def dpo_trainer(policy: CausalLM, round: Round, command: Command) -> Any:
    """Return TRL's trainer for the round's pairs."""
    trl, datasets = importlib.import_module("trl"), importlib.import_module("datasets")

    datasets.disable_progress_bars()
    config = trl_config(
        tempfile.mkdtemp(),
        per_device_train_batch_size=command.batch,
        num_train_epochs=1,
        learning_rate=1e-5,
    )
    trainer = trl.DPOTrainer(
        policy.model,
        args=config,
        train_dataset=datasets.Dataset.from_list(conversations(round)),
        processing_class=policy.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


@contextmanager
def timed() -> Iterator[list[float]]:
    """Add up the CPU seconds in modules, backward passes and optimiser steps."""
    spent, depth = [0.0], [0]

    def clocked(call: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            depth[0] += 1
            start = time.process_time()
            try:
                return call(*args, **kwargs)
            finally:
                depth[0] -= 1
                if not depth[0]:
                    spent[0] += time.process_time() - start

        return run

    owners = [
        (torch.nn.Module, "__call__"),
        (torch.Tensor, "backward"),
        (torch.optim.AdamW, "step"),
    ]
    originals = [getattr(owner, name) for owner, name in owners]
    for (owner, name), call in zip(owners, originals, strict=True):
        setattr(owner, name, clocked(call))
    try:
        yield spent
    finally:
        for (owner, name), call in zip(owners, originals, strict=True):
            setattr(owner, name, call)


def measured(arguments: list[str], work: str, contestant: str) -> dict[str, float]:
    """Return a contestant's measurement, made in a process of its own."""
    command = [sys.executable, "-m", "experiments.benchmarks.real", *arguments]
    command += ["--work", work, "--contestant", contestant]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(process.stderr[-2000:])
    return json.loads(process.stdout.splitlines()[-1])


def main() -> None:
    """Measure, then print the medians, the ratios and the peak memory."""
    arguments = sys.argv[1:]
    command = tyro.cli(Command, args=arguments)
    torch.set_num_threads(1)
    if command.contestant:
        (work,) = command.work
        result = CONTESTANTS[work][command.contestant](command)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(json.dumps(result | {"gib": peak}))
        return
    table = Table("what", "ours", "theirs", "times as fast", "memory (GiB), ours and theirs")
    for work in command.work:
        names = list(CONTESTANTS[work])
        turns = [
            [measured(arguments, work, name) for name in names] for _ in range(command.turns)
        ]
        ratios = [
            (b["value"] / a["value"]) ** (-1 if work == "sample" else 1) for a, b in turns
        ]
        ours, theirs = ([turn[i] for turn in turns] for i in range(2))
        outside = [row["outside"] for row in ours if "outside" in row]
        note = f" ({median(outside):.1%} outside the model)" if outside else ""
        table.add_row(
            WORK[work] + note,
            *(f"{median(row['value'] for row in side):.3g}" for side in (ours, theirs)),
            f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            " and ".join(f"{max(row['gib'] for row in side):.1f}" for side in (ours, theirs)),
        )
    print(f"{Path(command.folder).name}, {command.dtype}, top-p {command.top_p}")
    Console().print(table)


if __name__ == "__main__":
    main()
