"""Time decoding by our sampler and by ``model.generate``, side by side in one run.

    python -m experiments.benchmarks.decoding

Both sample 6 responses to each of the same 512 hard prompts, at several batch sizes. They take
turns, and each ratio compares two times of the same turn.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from agents.policies.causal_lm import CausalLM
from agents.policies.decoding import decode
from agents.policies.sampling import Sampling, left_pad
from eva_env.wordlist import Wordlist

SAMPLES, PROMPTS, TURNS = 6, 512, 5
ROWS = (192, 384, 768, 1536)


def generate(policy: CausalLM, prompts: list[list[int]], rows: int) -> None:
    """Sample with ``model.generate``: batches of prompts sorted by length, n samples each."""
    prompts, size = sorted(prompts, key=len), rows // SAMPLES
    for start in range(0, len(prompts), size):
        ids, mask = left_pad(prompts[start : start + size], policy.model.device)
        policy.model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            top_k=0,
            num_return_sequences=SAMPLES,
            max_new_tokens=policy.sampling.max_tokens,
        )


def seconds(call: Callable[[], object]) -> float:
    """Return the wall time of one call, in seconds."""
    start_time = time.perf_counter()
    call()
    return time.perf_counter() - start_time


def main() -> None:
    """Measure, then print the medians and ratios."""
    torch.set_num_threads(1)
    policy = CausalLM.load("wordlist", Sampling())
    texts = Wordlist().seed(PROMPTS, np.random.default_rng(0), "hard")
    prompts = policy.encode(texts)
    seeds = np.arange(PROMPTS, dtype=np.uint64)
    table = Table("rows", "ours (s)", "generate (s)", "ratio (median, min to max)")
    best_seconds: dict[str, float] = {}
    for rows in ROWS:
        turns = []
        for _ in range(TURNS):
            ours = seconds(
                lambda rows=rows: decode(
                    policy.model,
                    prompts,
                    SAMPLES,
                    seeds,
                    policy.sampling,
                    rows // SAMPLES,
                    way=policy.layout.decoding,
                )
            )
            turns.append((ours, seconds(lambda rows=rows: generate(policy, prompts, rows))))
        ratios = [theirs / ours for ours, theirs in turns]
        medians = [statistics.median(column) for column in zip(*turns, strict=True)]
        for name, value in zip(("ours", "generate"), medians, strict=True):
            best_seconds[name] = min(value, best_seconds.get(name, value))
        table.add_row(
            str(rows),
            *(f"{value:.2f}" for value in medians),
            f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})",
        )
    console = Console()
    console.print(table)
    ratio = best_seconds["generate"] / best_seconds["ours"]
    console.print(f"ratio, each at its best batch size: {ratio:.1f}")


if __name__ == "__main__":
    main()
