"""The one policy-update loop: batches, schedule, clipping, steps."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from agents.base import Policy


@dataclass(frozen=True)
class Training:
    """Settings that every gradient method shares."""

    lr: float = 5e-7
    """Peak learning rate of AdamW."""
    epochs: int = 1
    """Passes over a round's data."""
    batch_size: int = 32
    """Items (pairs or responses) an update."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Learning rate within a round, after the warm-up."""
    warmup: float = 0.1
    """Share of a round's steps in which the learning rate rises."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    weight_decay: float = 0.0
    """AdamW's decay."""

    def __post_init__(self) -> None:
        for name in ("lr", "epochs", "batch_size", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"warmup must lie in [0, 1], got {self.warmup}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")

    def optimizer(self, policy: Policy) -> torch.optim.Optimizer:
        """A fresh AdamW over the policy's parameters."""
        return torch.optim.AdamW(
            policy.parameters(), lr=self.lr, weight_decay=self.weight_decay, foreach=True
        )

    def factor(self, step: int, steps: int) -> float:
        """Learning-rate factor in [0, 1] of one of a round's steps."""
        rising = self.warmup * steps
        if step < rising:
            return (step + 1) / (rising + 1)
        done = (step - rising) / max(1.0, steps - rising)
        if self.schedule == "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        return 1 - done if self.schedule == "linear" else 1.0


def optimise(
    policy: Policy,
    loss: Callable[[np.ndarray], tuple[Tensor, dict[str, Tensor]]],
    size: int,
    training: Training,
    rng: np.random.Generator,
    optimizer: torch.optim.Optimizer | None = None,
) -> dict[str, float]:
    """Minimise ``loss(indices) -> (scalar, metrics)`` over ``size`` items.

    Returns the mean loss, metrics and gradient norm over the steps, and their number. Raises
    FloatingPointError, with the policy as it was before the step, if loss or gradient is not
    finite.
    """
    optimizer = optimizer or training.optimizer(policy)
    parameters = [p for p in policy.parameters() if p.requires_grad]
    batches = [
        order[start : start + training.batch_size]
        for order in (rng.permutation(size) for _ in range(training.epochs))
        for start in range(0, size, training.batch_size)
    ]
    history: list[dict[str, Tensor]] = []
    for step, batch in enumerate(batches):
        value, metrics = loss(batch)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, training.max_grad_norm)
        if not torch.isfinite(value + norm):
            raise FloatingPointError(
                f"the loss is {value.item()} and its gradient {norm.item()} at step {step + 1} "
                f"of {len(batches)}; lower lr (now {training.lr}) or look at the rewards"
            )
        for group in optimizer.param_groups:
            group["lr"] = training.lr * training.factor(step, len(batches))
        optimizer.step()
        history.append({"loss": value.detach(), "grad_norm": norm, **metrics})
    logs = {key: float(torch.stack([h[key] for h in history]).mean()) for key in history[0]}
    return logs | {"gradient_steps": len(batches)}


@torch.no_grad()
def logprobs_in_chunks(
    policy: Policy, prompts: Sequence[Any], responses: Sequence[Any], size: int = 512
) -> Tensor:
    """Log-probabilities (P,) without gradients, a bounded number of sequences at a time."""
    return torch.cat(
        [
            policy.logprobs(prompts[i : i + size], responses[i : i + size])
            for i in range(0, len(prompts), size)
        ]
    )
