"""The one policy-update loop: batches, token budget, schedule, clipping, steps."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from agents.policies.base import Policy
from agents.policies.batches import cut
from eva_env.types import Floats, Ints

Loss = Callable[[Ints], tuple[Tensor, dict[str, Tensor]]]
"""Indices of items -> the loss of each item (I,), and numbers of each (I,) to be averaged."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Settings that every gradient method shares."""

    lr: float = 5e-7
    """Peak learning rate."""
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
    """The optimiser's decay."""
    algorithm: Literal["adamw", "rmsprop"] = "adamw"
    """The optimiser."""
    micro_batch_tokens: int = 16_384
    """Gradients are accumulated over parts of an update that hold at most so many tokens."""

    def __post_init__(self) -> None:
        for name in ("lr", "epochs", "batch_size", "max_grad_norm", "micro_batch_tokens"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"warmup must lie in [0, 1], got {self.warmup}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")

    def optimizer(self, policy: Policy) -> torch.optim.Optimizer:
        """A fresh optimiser of the policy's parameters."""
        kind = torch.optim.AdamW if self.algorithm == "adamw" else torch.optim.RMSprop
        return kind(
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
    loss: Loss,
    lengths: Ints,
    training: OptimizerSettings,
    rng: np.random.Generator,
    optimizer: torch.optim.Optimizer | None = None,
    weights: Floats | None = None,
    items: int | None = None,
    before: Callable[[Ints], None] | None = None,
) -> dict[str, float]:
    """Minimise the mean of ``loss`` over items, in updates of some of them each.

    Args:
        policy: what is changed.
        loss: see ``Loss``.
        lengths: tokens of each item, (I,): an update is cut by length into parts that fit
            ``training.micro_batch_tokens``, whose gradients are accumulated.
        training: the settings.
        rng: shuffles the items before each pass.
        optimizer: one that lives on; None: a fresh one.
        weights: what each item counts for in the mean, (I,): an update's loss is the sum of
            its items' losses over the sum of their weights. None: one each.
        items: items of an update; None: ``training.batch_size``.
        before: called with an update's items before its gradients, for what the loss of one
            item takes from all of them.

    Returns the mean loss, numbers and gradient norm over the updates, and their number.
    Raises FloatingPointError, with the policy as it was before the update, if loss or gradient
    is not finite.
    """
    size = len(lengths)
    weights = np.ones(size) if weights is None else weights
    items = training.batch_size if items is None else items
    optimizer = optimizer or training.optimizer(policy)
    parameters = [p for p in policy.parameters() if p.requires_grad]
    batches = [
        order[start : start + items]
        for order in (rng.permutation(size) for _ in range(training.epochs))
        for start in range(0, size, items)
    ]
    history: list[dict[str, Tensor]] = []
    for step, batch in enumerate(batches):
        optimizer.zero_grad(set_to_none=True)
        if before:
            before(batch)
        parts = [batch[part] for part in cut(lengths[batch], training.micro_batch_tokens)]
        row = _accumulate(loss, parts, float(weights[batch].sum()), len(batch))
        norm = torch.nn.utils.clip_grad_norm_(parameters, training.max_grad_norm)
        if not torch.isfinite(row["loss"] + norm):
            raise FloatingPointError(
                f"the loss is {row['loss'].item()} and its gradient {norm.item()} at step "
                f"{step + 1} of {len(batches)}; lower lr (now {training.lr}) or look at the "
                f"rewards"
            )
        for group in optimizer.param_groups:
            group["lr"] = training.lr * training.factor(step, len(batches))
        optimizer.step()
        history.append({**row, "grad_norm": norm})
    logs = {key: float(torch.stack([h[key] for h in history]).mean()) for key in history[0]}
    return logs | {"gradient_steps": len(batches)}


def _accumulate(
    loss: Loss, parts: Sequence[Ints], weight: float, size: int
) -> dict[str, Tensor]:
    """Gradients of an update's parts added up; its loss, and means of the numbers."""
    total: dict[str, Tensor] = {}
    for part in parts:
        values, numbers = loss(part)
        value = values.sum() / weight
        value.backward()
        row = {key: number.detach().sum() / size for key, number in numbers.items()}
        row["loss"] = value.detach()
        total = {key: total[key] + row[key] if total else row[key] for key in row}
    return total
