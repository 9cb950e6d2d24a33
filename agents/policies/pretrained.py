"""A policy from files: which weights, in which type, trained how, prompted how."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import torch

from agents.policies.adapters import AdaptedLM, add_adapter, base_of, read_adapter
from agents.policies.causal_lm import CausalLM
from agents.policies.chat import Chat, Truncation, context_length
from agents.policies.checkpoints import ADAPTER, find_causal_lm, in_one_line, read_causal_lm
from agents.policies.sampling import Sampling
from eva_env.require import require


@dataclass(frozen=True)
class Pretrained:
    """The checkpoint of a causal language model, and how it is used.

    Files that a folder brings along as code never run.
    """

    folder: str = ""
    """The folder of a Hugging Face model or of a LoRA adapter, a GGUF file, or the name of a
    shipped model. Empty: the world's starting policy."""
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    """Type of the weights; auto is that of the files. Full fine-tuning needs float32, since
    the others round small steps away; a LoRA adapter is always float32."""
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    """Implementation of attention; auto is transformers' choice."""
    lora_rank: int = 0
    """Rank of a new LoRA adapter, which then learns alone; 0 trains all weights."""
    lora_alpha: float | None = None
    """Numerator of LoRA's factor alpha / rank. None: twice the rank."""
    lora_targets: str = "all-linear"
    """Modules that the adapter changes, such as q_proj,v_proj; all-linear is every linear layer
    but the last and, in Mamba, out_proj."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third more time."""
    template: Path | None = None
    """File of the chat template (Jinja), in place of the tokenizer's."""
    system: str | None = None
    """System message before every prompt that has none."""
    truncation: Truncation = "refuse"
    """What happens to a prompt that exceeds the context: it is refused, or its last user
    message loses its start (left) or its end (right)."""
    logits_megabytes: float = 256.0
    """Bound on the memory of the logits that exist together; with a large vocabulary they are
    the largest tensor."""

    def __post_init__(self) -> None:
        require(self, "[0, inf)", "lora_rank")
        require(self, "(0, inf)", "lora_alpha", "logits_megabytes")
        if not all(name.strip() for name in self.lora_targets.split(",")):
            raise ValueError(
                f"--policy.lora-targets {self.lora_targets!r} holds an empty name; give "
                f"all-linear, or names such as q_proj,v_proj"
            )
        # A run is resumed from any working directory.
        if Path(self.folder).exists() and self.folder:
            object.__setattr__(self, "folder", str(Path(self.folder).resolve()))
        if self.template is not None:
            object.__setattr__(self, "template", Path(self.template).resolve())

    @property
    def is_adapter(self) -> bool:
        """True if the folder holds a LoRA adapter."""
        return (Path(self.folder) / ADAPTER).is_file()

    @property
    def is_adapted(self) -> bool:
        """True if only an adapter learns."""
        return self.lora_rank > 0 or self.is_adapter

    def saved_in(self, folder: str | Path) -> Self:
        """Return the policy that a run from this one saved in a folder."""
        return replace(self, folder=str(folder), lora_rank=0, template=None)

    def load(self, sampling: Sampling | None = None, device: str = "cpu") -> CausalLM:
        """Return the policy on a device; OSError or ValueError, in one line, if it cannot."""
        if not self.folder:
            raise ValueError("a pretrained policy needs a folder: --policy FOLDER")
        # 1. The model and its tokenizer; an adapter names its base model.
        path, sampling = Path(self.folder), sampling or Sampling()
        base = str(base_of(path)) if self.is_adapter else self.folder
        dtype = self.dtype if self.dtype == "auto" else getattr(torch, self.dtype)
        attention = None if self.attention == "auto" else self.attention
        model, tokenizer = read_causal_lm(base, dtype, attention)
        # 2. The adapter, the stored one or a new one.
        if self.is_adapter:
            if self.lora_rank:
                raise ValueError(
                    f"{path} holds a LoRA adapter, which is trained further; leave out "
                    f"--policy.lora-rank, or give its base model {base}"
                )
            model = read_adapter(model, path)
        elif self.lora_rank:
            alpha = self.lora_alpha or 2 * self.lora_rank
            found = find_causal_lm(base)
            place = found.folder / (found.gguf or "")
            model = add_adapter(model, place, self.lora_rank, alpha, self.lora_targets)
        elif self.lora_targets != "all-linear":
            raise ValueError(
                f"--policy.lora-targets {self.lora_targets} needs --policy.lora-rank; give "
                f"--policy.lora-rank 16 too, or leave the targets out"
            )
        if self.gradient_checkpointing:
            checkpoint_activations(model)
        # 3. The chat.
        if self.template is not None:
            tokenizer.chat_template = _text_of(self.template)
        chat = Chat(
            tokenizer,
            system=self.system,
            limit=context_length(model.config),
            max_tokens=sampling.max_tokens,
            truncation=self.truncation,
        )
        kind = AdaptedLM if self.is_adapted else CausalLM
        return kind(
            model.to(device),
            tokenizer,
            sampling,
            chat,
            logits_megabytes=self.logits_megabytes,
        )


def checkpoint_activations(model: Any) -> None:
    """Let a model compute its activations again in the backward pass, without any dropout.

    transformers does this in training mode alone, in which dropout is active too. So only the
    layers' own flags are set, before each pass that needs gradients. ValueError for a model
    whose layers cannot.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    if not model.supports_gradient_checkpointing:
        raise ValueError(
            f"{type(model).__name__} cannot compute its activations again; leave out "
            f"--policy.gradient-checkpointing"
        )
    with in_one_line("gradient checkpointing"):
        model.gradient_checkpointing_enable({"use_reentrant": False})

    def set_flags(module: torch.nn.Module, _: Any) -> None:
        for layer in module.modules():
            if isinstance(layer, GradientCheckpointingLayer):
                layer.training = torch.is_grad_enabled()

    model.base_model.register_forward_pre_hook(set_flags)


def _text_of(template: Path) -> str:
    """The text of a chat template; ValueError if it cannot be read or is not Jinja."""
    from jinja2 import Environment, TemplateSyntaxError
    from jinja2.ext import loopcontrols

    try:
        text = template.read_text(encoding="utf-8")
        Environment(extensions=[loopcontrols]).parse(text)
    except (OSError, UnicodeDecodeError, TemplateSyntaxError) as error:
        raise ValueError(f"cannot read the chat template {template}: {error}") from error
    return text
