"""Why an update is not finite: the parameter, the batch entry and the term of its loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.policies.base import Policy
from eva_env.types import Ints

UNDER_POLICY = "under the policy"
"""End of the name of each input that the policy computes now."""

ADVANTAGES = "advantages"
"""Name of the input that is made of rewards."""

Inputs = Callable[[Ints], dict[str, Tensor]]
"""Indices of items -> the numbers that their loss is made of, by name."""


@dataclass(frozen=True)
class Explained:
    """What an error message names: the items' prompts (I,), and the inputs of their loss."""

    prompts: Sequence[Any]
    inputs: Inputs


@dataclass(frozen=True)
class Failure:
    """An update whose loss or gradient is not finite.

    ``items`` are its entries; ``loss`` is that of ``optimise``; ``step`` of ``steps`` counts
    from 0; ``trained`` says whether this optimiser has changed the policy before; ``lr`` is the
    peak learning rate.
    """

    policy: Policy
    loss: Callable[[Ints], tuple[Tensor, dict[str, Tensor]]]
    items: Ints
    step: int
    steps: int
    trained: bool
    lr: float
    explained: Explained | None = None

    def message(self) -> str:
        """Return the cause and the remedy, in one line."""
        return f"update {self.step + 1} of {self.steps} is not made: {self._cause()}"

    def _cause(self) -> str:
        broken = [
            name
            for name, value in self.policy.state_dict().items()
            if isinstance(value, Tensor) and not value.isfinite().all()
        ]
        if broken:
            return (
                f"{len(broken)} parameters of the policy are not finite, the first "
                f"{broken[0]}; {self._lower_lr() or 'load an earlier checkpoint'}"
            )
        for item in self.items:
            value = self._loss(item)
            if not value.isfinite().all():
                return self._cause_of_loss(item, value.sum().item())
        for item in self.items:
            wrong = self._wrong_gradient(item)
            if wrong:
                return (
                    f"the loss of {self._name(item)} is finite, and its gradient is not "
                    f"({wrong}){self._remedy(item, 'load the policy in float32')}"
                )
        return (
            f"the gradients of its {len(self.items)} entries are finite, and their sum or its "
            f"norm is not; scale the rewards down or set max_grad_norm"
        )

    def _cause_of_loss(self, item: int, value: float) -> str:
        """Return the cause where the loss of an item is not finite."""
        text = f"the loss of {self._name(item)} is {value}"
        wrong = [name for name, x in self._inputs(item).items() if not x.isfinite().all()]
        if not wrong:
            return f"{text}{self._remedy(item, 'look at the method and its settings')}"
        text += f", since its {wrong[0]} is not finite"
        if wrong[0] == ADVANTAGES:
            return f"{text}; scale the rewards down"
        lower_lr = self._lower_lr() if wrong[0].endswith(UNDER_POLICY) else None
        return f"{text}; {lower_lr or 'look at the weights and the dtype of that model'}"

    def _lower_lr(self) -> str | None:
        """Return the remedy for a policy that its updates have broken; None without any."""
        if not self.trained:
            return None
        return f"the policy was fine before its updates: lower lr (now {self.lr:g})"

    def _remedy(self, item: int, otherwise: str) -> str:
        """Return the largest input of a loss whose inputs are finite, and what to do."""
        sizes = {name: x.abs().max().item() for name, x in self._inputs(item).items()}
        if not sizes:
            return f"; {otherwise}"
        name = max(sizes, key=sizes.__getitem__)
        if name == ADVANTAGES:
            otherwise = "scale the rewards down"
        elif name.endswith(UNDER_POLICY):
            otherwise = self._lower_lr() or otherwise
        return f"; its largest input, {name}, is {sizes[name]:.3g} in size; {otherwise}"

    def _name(self, item: int) -> str:
        if self.explained is None:
            return f"entry {item} of the batch"
        text = " ".join(str(self.explained.prompts[item]).split())
        text = text if len(text) <= 60 else f"{text[:57]}..."
        return f"entry {item} of the batch (prompt {text!r})"

    @torch.no_grad()
    def _loss(self, item: int) -> Tensor:
        return self.loss(np.array([item]))[0]

    def _wrong_gradient(self, item: int) -> str | None:
        """Return the first parameter whose gradient by an item is not finite."""
        parameters = [p for p in self.policy.parameters() if p.requires_grad]
        total = self.loss(np.array([item]))[0].sum()
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
        for number, gradient in enumerate(gradients):
            if gradient is not None and not gradient.isfinite().all():
                return f"parameter {number} of {len(gradients)}, shape {tuple(gradient.shape)}"
        return None

    @torch.no_grad()
    def _inputs(self, item: int) -> dict[str, Tensor]:
        return {} if self.explained is None else self.explained.inputs(np.array([item]))
