"""Time a DPO update of ours and of TRL's ``DPOTrainer``, side by side in one run.

    python -m experiments.benchmarks.training    (needs ``pip install trl``)

All train the shipped wordlist model on the same pairs, with the same settings, batch size and
number of updates. The three contestants (ours, and TRL in two modes) take turns, and each ratio
compares two times of the same turn. Only the training call is timed. Ours includes everything:
pairs, tokens, and the log-probabilities of the reference. TRL tokenises, and in one mode
computes the reference's log-probabilities, when its trainer is made, which is not timed.
"""

import importlib
import logging
import statistics
import tempfile
import time
import warnings
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import PrinterCallback
from transformers.utils.logging import disable_progress_bar

from agents.policies.causal_lm import CausalLM
from agents.solvers import DPO, PolicySolver
from agents.solvers.pairs import build
from eva_env.types import Proposal, Round
from eva_env.wordlist import Gold, Wordlist

PROMPTS, SAMPLES, TURNS, EPOCHS, BATCH = 512, 6, 5, 4, 32
LR, BETA = 6e-4, 0.3


def scored_round() -> Round:
    """Return a round of hard prompts with the starting policy's responses, scored by gold."""
    rng = np.random.default_rng(0)
    prompts = Wordlist().seed(PROMPTS, rng, "hard")
    responses = CausalLM.load("wordlist").sample(prompts, SAMPLES, rng)
    rewards = Gold()(prompts, responses)
    proposal = Proposal(prompts, np.zeros(PROMPTS))
    return Round(0, proposal, prompts, responses, rewards, rewards.max(1), {})


def ours(round: Round) -> tuple[float, float]:
    """Return the seconds per update, and the mean loss."""
    method = DPO(lr=LR, beta=BETA, epochs=EPOCHS, batch_size=BATCH)
    solver = PolicySolver(CausalLM.load("wordlist"), method)
    start_time = time.perf_counter()
    logs = solver.learn(round, np.random.default_rng(0))
    return (time.perf_counter() - start_time) / logs["gradient_steps"], logs["loss"]


def theirs(pairs: list[dict[str, Any]], precompute: bool) -> tuple[float, float]:
    """Return the seconds per update of TRL's trainer, and the mean loss."""
    trl, datasets = importlib.import_module("trl"), importlib.import_module("datasets")
    datasets.disable_progress_bars()
    policy = CausalLM.load("wordlist")
    with tempfile.TemporaryDirectory() as folder:
        config = trl_config(
            folder,
            per_device_train_batch_size=BATCH,
            num_train_epochs=EPOCHS,
            learning_rate=LR,
            beta=BETA,
            lr_scheduler_type="cosine",
            warmup_steps=0.1,
            precompute_ref_log_probs=precompute,
            precompute_ref_batch_size=512,
        )
        trainer = trl.DPOTrainer(
            policy.model,
            args=config,
            train_dataset=datasets.Dataset.from_list(pairs),
            processing_class=policy.tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        start_time = time.perf_counter()
        result = trainer.train()
        seconds = time.perf_counter() - start_time
    return seconds / result.global_step, result.training_loss


def trl_config(folder: str, **settings: Any) -> Any:
    """Return settings of TRL's trainer, on the CPU and without anything but training."""
    return importlib.import_module("trl").DPOConfig(
        output_dir=folder,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_steps=10_000,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **settings,
    )


def conversations(round: Round) -> list[dict[str, Any]]:
    """Return the round's best-against-worst pairs in TRL's format."""
    pairs = build(round)
    return [
        {
            "prompt": [{"role": "user", "content": prompt}],
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        }
        for prompt, chosen, rejected in zip(
            pairs.prompts, pairs.chosen, pairs.rejected, strict=True
        )
    ]


def main() -> None:
    """Measure, then print the medians and the ratios."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    disable_progress_bar()
    torch.set_num_threads(1)
    round = scored_round()
    pairs = conversations(round)
    turns = [(ours(round), theirs(pairs, True), theirs(pairs, False)) for _ in range(TURNS)]
    names = (
        "ours, with the reference",
        "TRL, reference precomputed",
        "TRL, reference in each step",
    )
    table = Table("", "ms per update (median)", "mean loss", "ratio (median, min to max)")
    for name, column in zip(names, zip(*turns, strict=True), strict=True):
        ratios = [timed[0] / turn[0][0] for timed, turn in zip(column, turns, strict=True)]
        table.add_row(
            name,
            f"{1000 * statistics.median(timed[0] for timed in column):.1f}",
            f"{column[0][1]:.3f}",
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
