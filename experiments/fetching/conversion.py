"""Convert a GGUF file to a Hugging Face folder in float32, which loads ten times faster."""

from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from experiments.fetching.progress import shown
from experiments.fetching.resources import Resource, failure

INSTALL = 'pip install "eva-env[instruct]"'
"""The command that installs what the conversion needs."""

PROBE = "Describe the first snow. Use at most 12 words."
"""A text on which both models must agree."""


def require_gguf(resource: Resource) -> None:
    """Raise UserError if a conversion is needed and the package gguf is missing."""
    if resource.converted and find_spec("gguf") is None:
        raise failure(resource, "its conversion needs the package gguf", INSTALL)


def convert(resource: Resource, source: Path, target: Path, console: Console) -> None:
    """Write the only GGUF file of a folder as float32 safetensors with tokenizer and template.

    The saved folder is loaded again. UserError unless its weights, logits and token ids are
    those of the GGUF file. Takes about 15 CPU seconds for 135 million parameters.
    """
    import torch

    from agents.policies.checkpoints import in_one_line, read_causal_lm

    (gguf,) = source.glob("*.gguf")
    try:
        with shown(console, f"reading {gguf.name}", source, None):
            model, tokenizer = read_causal_lm(gguf)
        with (
            shown(console, "writing it in float32", target, resource.size),
            in_one_line(f"cannot write {target}"),
        ):
            model.save_pretrained(target)
            tokenizer.save_pretrained(target)
        with shown(console, "checking it", target, None), torch.inference_mode():
            again, its_tokenizer = read_causal_lm(target)
            ids = tokenizer(PROBE, return_tensors="pt")["input_ids"]
            its_ids = its_tokenizer(PROBE, return_tensors="pt")["input_ids"]
            is_equal = torch.equal(ids, its_ids)
            is_equal = is_equal and torch.equal(model(ids).logits, again(ids).logits)
            is_equal = is_equal and tokenizer.chat_template == its_tokenizer.chat_template
    except ValueError as error:
        raise failure(resource, str(error), "run the command again") from error
    if not is_equal:
        raise failure(
            resource,
            f"the converted model differs from {gguf.name}",
            "report it, with the versions of torch, transformers and gguf",
        )
