"""LoRA: small trainable matrices over weights that stay as they are; Hu et al. 2021.

The adapter is inside an ordinary Hugging Face model, whose own weights need no gradient. A
frozen copy of the policy shares these weights and has an adapter of its own, so that a run from
a tuned adapter compares with that start, and no adapter is ever switched on or off.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import torch

from agents.policies.causal_lm import CausalLM
from agents.policies.checkpoints import (
    ADAPTER,
    REAL,
    in_one_line,
    read_json,
    refuse_pickles,
)

WEIGHTS = "adapter_model.safetensors"
NAME = "default"
"""The name of the one adapter, as PEFT has it."""

SEED = 0
"""Seed of new adapters: all runs start from the same one."""

UNFIT = {
    kind: ["out_proj", "conv1d"]
    for kind in ("falcon_h1", "mamba", "mamba2", "falcon_mamba", "nemotron_h")
}
"""Modules that PEFT does not adapt, by type of the model; all-linear leaves them out."""

PLAIN: dict[str, Any] = {"bias": "none", "modules_to_save": None, "use_dora": False}
PLAIN |= {"trainable_token_indices": None, "layer_replication": None}
PLAIN |= {"megatron_config": None}  # with it, PEFT imports the module that megatron_core names
"""Settings of the adapters that can be read; others change more than LoRA's matrices."""


class AdaptedLM(CausalLM):
    """A causal LM of which only a LoRA adapter learns.

    The model is a Hugging Face one that ``add_adapter`` or ``read_adapter`` has changed. The
    adapter is in float32, whatever the type of the weights below it. Checkpoints hold the
    adapter alone, in PEFT's format.
    """

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """Yield the parameters of the adapter; none of a frozen copy."""
        return (weight for weight in self.model.parameters() if weight.requires_grad)

    def frozen(self) -> Self:
        """Return a copy that shares the base weights and has an adapter of its own."""
        shared = {id(weight): weight for weight in self.model.parameters()}
        for name in adapter_of(self.model):
            del shared[id(self.model.get_parameter(name))]
        twin = copy.deepcopy(self.model, shared)
        for name in adapter_of(twin):
            twin.get_parameter(name).requires_grad_(False)
        return self._with_model(twin)

    def state_dict(self) -> dict[str, Any]:
        """Return the adapter's parameters, by name."""
        return adapter_of(self.model)

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Copy the parameters of ``state_dict()``; ValueError for those of another adapter."""
        mine = adapter_of(self.model)
        shapes = [{name: tensor.shape for name, tensor in of.items()} for of in (mine, state)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "the adapter belongs to another model, or has another rank or other targets; "
                "keep --policy.lora-rank and --policy.lora-targets"
            )
        if not all(tensor.isfinite().all() for tensor in state.values()):
            raise ValueError("the adapter holds NaN or infinity; take another one")
        with torch.no_grad():
            for name, tensor in mine.items():
                tensor.copy_(state[name])

    def save(self, folder: Path) -> None:
        """Write the adapter as PEFT does, with the path of its base, and the tokenizer."""
        from safetensors.torch import save_file

        tensors = {
            f"base_model.model.{_in_file(name)}": tensor.contiguous()
            for name, tensor in self.state_dict().items()
        }
        config = copy.copy(self.model.peft_config[NAME])
        config.inference_mode = True
        config.save_pretrained(folder)
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
        self.tokenizer.save_pretrained(folder)

    def restore(self, folder: Path) -> None:
        """Copy the adapter of a checkpoint that ``save`` wrote."""
        from safetensors.torch import load_file

        names = {f"base_model.model.{_in_file(name)}": name for name in self.state_dict()}
        with in_one_line(f"cannot read the adapter in {folder}"):
            stored = load_file(folder / WEIGHTS)
        self.load_state_dict({names.get(key, key): tensor for key, tensor in stored.items()})


def add_adapter(model: Any, base: Path, rank: int, alpha: float, targets: str) -> Any:
    """Return the model with a new LoRA adapter inside, whose effect is 0 at first.

    ``targets`` is "all-linear" or names of modules with commas between them. ValueError for
    names that the model lacks.
    """
    require_peft()
    from peft import LoraConfig, get_peft_model

    is_all = targets == "all-linear"
    config = LoraConfig(
        task_type="CAUSAL_LM",
        base_model_name_or_path=str(base.resolve()),
        r=rank,
        lora_alpha=alpha,  # pyright: ignore[reportArgumentType] - PEFT divides it by r
        target_modules=targets if is_all else [name.strip() for name in targets.split(",")],
        exclude_modules=UNFIT.get(model.config.model_type) if is_all else None,
        lora_dropout=0.0,
    )
    refused = (
        f"cannot add a LoRA adapter to --policy.lora-targets {targets}; name modules of the "
        f"model, such as q_proj,v_proj or, in Mamba, in_proj,x_proj"
    )
    with in_one_line(refused), torch.random.fork_rng([]):
        torch.manual_seed(SEED)
        adapted: Any = get_peft_model(model, config).get_base_model()
    adapted.peft_config[NAME].base_model_name_or_path = str(base.resolve())
    return adapted


def read_adapter(model: Any, folder: Path) -> Any:
    """Return the model with the LoRA adapter of a folder inside, trainable.

    ValueError for adapters of another kind and for incomplete weights.
    """
    require_peft()
    from peft import PeftModel
    from safetensors import safe_open

    config = read_json(folder / ADAPTER)
    changed = [name for name, plain in PLAIN.items() if config.get(name, plain) != plain]
    if config.get("peft_type") != "LORA" or changed:
        raise ValueError(
            f"the adapter in {folder} is not plain LoRA ({', '.join(changed) or 'PEFT type'}); "
            f"merge it into its base model and give that folder"
        )
    if not (folder / WEIGHTS).is_file():  # PEFT would read a pickle, or ask the Hub
        refuse_pickles(folder)
        raise ValueError(f"the adapter in {folder} has no weights: {WEIGHTS} is missing")
    with in_one_line(f"cannot read the adapter in {folder}"):
        adapted = PeftModel.from_pretrained(model, folder, is_trainable=True).get_base_model()
        with safe_open(folder / WEIGHTS, "pt") as file:
            stored = {*file.keys()}
    needed = {f"base_model.model.{_in_file(name)}" for name in adapter_of(adapted)}
    if needed != stored:
        raise ValueError(
            f"the adapter in {folder} does not fit its base model: {len(needed ^ stored)} "
            f"tensors are missing or left over; give the base model that it was trained on"
        )
    if not all(tensor.isfinite().all() for tensor in adapter_of(adapted).values()):
        raise ValueError(f"the adapter in {folder} holds NaN or infinity; give another one")
    return adapted


def base_of(folder: Path) -> Path:
    """Return the path of the model that the adapter in a folder changes."""
    base = read_json(folder / ADAPTER).get("base_model_name_or_path")
    for path in (Path(base or ""), folder / (base or "")):
        if base and path.exists():
            return path
    raise FileNotFoundError(
        f"the adapter in {folder} changes the model {base!r}, which is not there; write the "
        f"path of that model into base_model_name_or_path of its {ADAPTER}"
    )


def adapter_of(model: Any) -> dict[str, torch.Tensor]:
    """Return the tensors of a model's adapter by name, detached; changing them changes it."""
    return {
        name: weight.detach() for name, weight in model.named_parameters() if ".lora_" in name
    }


def require_peft() -> None:
    """Raise ValueError with the install command if PEFT is missing."""
    if find_spec("peft") is None:
        raise ValueError(f"the package peft, which LoRA needs, is missing: {REAL}")


def _in_file(name: str) -> str:
    """The name of an adapter's tensor in PEFT's files: without that of the adapter."""
    return re.sub(rf"(\.lora_\w+)\.{NAME}(?=\.|$)", r"\1", name)
