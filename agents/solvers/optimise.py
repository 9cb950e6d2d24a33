"""The one policy-update loop: batches, token budget, schedule, clipping, steps."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from agents.base import Grid
from agents.policies.base import Policy
from agents.policies.batches import cut
from agents.solvers.nonfinite import Explained, Failure
from eva_env.require import require
from eva_env.types import Floats, Ints

Loss = Callable[[Ints], tuple[Tensor, dict[str, Tensor]]]
"""Indices of items -> the loss of each item (I,), and metrics of each item (I,) to average."""

LR_GRID: Grid = {"lr": (0.25, 0.5, 1.0, 2.0, 4.0)}
"""Factors of the learning rate that a fair comparison tries for every gradient method."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Settings that every gradient method shares."""

    lr: float = 5e-7
    """Peak learning rate."""
    epochs: int = 1
    """Passes over a round's data."""
    batch_size: int = 32
    """Items (pairs or responses) per update."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Learning rate within a round, after the warm-up."""
    warmup: float = 0.1
    """Share of a round's steps in which the learning rate rises."""
    max_grad_norm: float = 1.0
    """Gradients of a larger norm are scaled down to this norm."""
    weight_decay: float = 0.0
    """Weight decay of the optimiser."""
    algorithm: Literal["adamw", "rmsprop"] = "adamw"
    """The optimiser."""
    micro_batch_tokens: int = 16_384
    """Gradients are accumulated over parts of an update that hold at most this many tokens."""

    def __post_init__(self) -> None:
        require(self, "(0, inf)", "lr")
        require(self, "[1, inf)", "epochs", "batch_size", "micro_batch_tokens")
        require(self, "(0, inf]", "max_grad_norm")
        require(self, "[0, 1]", "warmup")
        require(self, "[0, inf)", "weight_decay")

    def optimizer(self, policy: Policy) -> torch.optim.Optimizer:
        """Return a new optimiser of the policy's parameters."""
        kind = torch.optim.AdamW if self.algorithm == "adamw" else torch.optim.RMSprop
        return kind(
            policy.parameters(), lr=self.lr, weight_decay=self.weight_decay, foreach=True
        )

    def factor(self, step: int, steps: int) -> float:
        """Return the learning-rate factor in [0, 1] at one of a round's steps."""
        warmup_steps = self.warmup * steps
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        progress = (step - warmup_steps) / max(1.0, steps - warmup_steps)
        if self.schedule == "cosine":
            return (1 + math.cos(math.pi * progress)) / 2
        return 1 - progress if self.schedule == "linear" else 1.0


def optimise(
    policy: Policy,
    loss: Loss,
    lengths: Ints,
    settings: OptimizerSettings,
    rng: np.random.Generator,
    optimizer: torch.optim.Optimizer | None = None,
    weights: Floats | None = None,
    items_per_update: int | None = None,
    before_update: Callable[[Ints], None] | None = None,
    explained: Explained | None = None,
) -> dict[str, float]:
    """Minimise the mean of ``loss`` over items, in updates of some of them each.

    Args:
        policy: the policy whose parameters change.
        loss: see ``Loss``.
        lengths: tokens of each item, (I,): an update is cut by length into parts that fit
            ``settings.micro_batch_tokens``, whose gradients are accumulated.
        settings: the optimiser's settings.
        rng: shuffles the items before each pass.
        optimizer: an optimiser that keeps its state between rounds; None: a new one.
        weights: the weight of each item in the mean, (I,): an update's loss is the sum of
            its items' losses over the sum of their weights. None: 1 each.
        items_per_update: None: ``settings.batch_size``.
        before_update: called with an update's items before its gradients, for a loss of one
            item that depends on all of them.
        explained: names the entry and the term of the loss in the error message.

    Returns the mean loss, metrics and gradient norm over the updates, and their number.
    Raises FloatingPointError, with the policy as it was before the update and the cause, if
    loss or gradient is not finite.
    """
    size = len(lengths)
    weights = np.ones(size) if weights is None else weights
    items_per_update = items_per_update or settings.batch_size
    optimizer = optimizer or settings.optimizer(policy)
    parameters = [p for p in policy.parameters() if p.requires_grad]
    trained = bool(optimizer.state)

    # 1. Each pass visits all items in a new order, cut into updates.
    updates: list[Ints] = []
    for _ in range(settings.epochs):
        order = rng.permutation(size)
        updates += [order[i : i + items_per_update] for i in range(0, size, items_per_update)]

    history: list[dict[str, Tensor]] = []
    for step, items in enumerate(updates):
        optimizer.zero_grad(set_to_none=True)
        if before_update:
            before_update(items)
        # 2. An update may not fit in memory, so parts of similar length add up its gradient.
        parts = [items[part] for part in cut(lengths[items], settings.micro_batch_tokens)]
        row = _accumulate(loss, parts, float(weights[items].sum()), len(items))
        norm = clip(parameters, settings.max_grad_norm)
        # 3. A step along a gradient that is not finite would destroy the policy.
        if not torch.isfinite(row["loss"] + norm):
            optimizer.zero_grad(set_to_none=True)
            failure = Failure(
                policy,
                loss,
                items,
                step,
                len(updates),
                trained=trained or step > 0,
                lr=settings.lr,
                explained=explained,
            )
            raise FloatingPointError(failure.message())
        # 4. The schedule restarts every round, even if the optimiser keeps its moments.
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * settings.factor(step, len(updates))
        optimizer.step()
        history.append({**row, "grad_norm": norm})
    logs = {key: _mean([row[key] for row in history]) for key in history[0]}
    return logs | {"gradient_steps": len(updates)}


def _mean(values: Sequence[Tensor]) -> float:
    """Return the mean of numbers, of the widest of their types."""
    widest = max((value.dtype for value in values), key=lambda dtype: dtype.itemsize)
    return float(torch.stack([value.to(widest) for value in values]).mean())


def clip(parameters: Sequence[Tensor], max_norm: float) -> Tensor:
    """Scale gradients of a larger norm down to ``max_norm``; return the norm that they had.

    The squares of gradients from 1e19 on overflow in float32, and their norm with them. Such
    gradients are divided by the largest of them first, if ``max_norm`` is finite.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if norm.isfinite() or not math.isfinite(max_norm):
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
        return norm
    largest = max(gradient.abs().max().item() for gradient in gradients)
    if not all(gradient.isfinite().all() for gradient in gradients):
        return norm
    for gradient in gradients:
        gradient.div_(largest)
    share = torch.nn.utils.get_total_norm(gradients)
    for gradient in gradients:
        gradient.mul_(max_norm / share.item())
    return share.double() * largest


def _accumulate(
    loss: Loss, parts: Sequence[Ints], weight: float, size: int
) -> dict[str, Tensor]:
    """Add up the gradients of an update's parts; return its loss and mean metrics."""
    total: dict[str, Tensor] = {}
    for part in parts:
        losses, metrics = loss(part)
        share = losses.sum() / weight
        share.backward()
        row = {key: values.detach().sum() / size for key, values in metrics.items()}
        row["loss"] = share.detach()
        total = {key: total[key] + row[key] if total else row[key] for key in row}
    return total
