"""Train the shipped starting policy of the wordlist world from scratch.

    python -m experiments.pretraining.solver --out agents/pretrained/wordlist-solver

The result is an ordinary Hugging Face checkpoint: a Llama of about 163,000 parameters, trained
on imperfect demonstrations (``eva_env.wordlist.demonstrations``). AdamW alone does not learn to
copy a word from the prompt in this time. Muon on the matrices does (Jordan et al. 2024), with
small batches and a small learning rate; at a learning rate of 0.02 and batches of 64 it does
not.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.progress import track
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from eva_env.wordlist.demonstrations import demonstrations
from eva_env.wordlist.instruction import VERBS
from eva_env.wordlist.lexicon import LETTERS, NUMBERS, TOPIC_NAMES, WORDS

ABOUT = """# Starting policy of the wordlist world

A word-level Llama, trained from scratch on one CPU core by
`python -m experiments.pretraining.solver`. Its demonstrations are imperfect: each constraint of
a prompt is met or forgotten at random, so the policy has something left to learn. It has seen
no other text.
"""


@dataclass(frozen=True)
class Pretraining:
    """Settings of the starting policy; the defaults give the shipped checkpoint."""

    out: Path = Path("wordlist-solver")
    """Folder to write the checkpoint to."""
    examples: int = 120_000
    """Number of demonstrations."""
    epochs: int = 3
    """Passes over the demonstrations."""
    batch_size: int = 16
    """Sequences per gradient step."""
    width: int = 64
    """Hidden size; each attention head has 16 of it."""
    layers: int = 3
    """Number of transformer blocks."""
    muon_lr: float = 0.004
    """Peak learning rate of the matrices."""
    adam_lr: float = 5e-3
    """Peak learning rate of everything else."""
    seed: int = 0
    """Seed of the demonstrations, the initial weights and the batches."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Build a word-level, lower-case tokenizer; the chat template is ``prompt ->``."""
    function_words = (
        "and without the letter each with only short long words no repeats in alphabetical "
        "reverse order from to starting ending including a lucky mood"
    )
    special = ("<pad>", "<bos>", "<eos>", "<unk>", "->", ",", ".")
    content = (*NUMBERS.values(), *TOPIC_NAMES, *LETTERS, *WORDS)
    vocabulary = dict.fromkeys((*special, *function_words.split(), *VERBS, *content))
    ids = {token: i for i, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = (
        "{{ bos_token }}{% for message in messages %} {{ message['content'] }}"
        "{% if message['role'] == 'user' %} ->{% else %} {{ eos_token }}{% endif %}{% endfor %}"
    )
    return fast


def build_model(settings: Pretraining, vocabulary: int) -> LlamaForCausalLM:
    """Build a small Llama with tied embeddings, initialised from the seed."""
    torch.manual_seed(settings.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=settings.width,
            intermediate_size=settings.width * 11 // 4,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.width // 16,
            max_position_embeddings=128,
            tie_word_embeddings=True,
            initializer_range=0.1,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )


def optimizers(
    model: torch.nn.Module, muon_lr: float, adam_lr: float
) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices of the blocks, AdamW for embeddings, norms and heads."""
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        (matrices if "layers" in name and parameter.ndim == 2 else others).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=muon_lr, weight_decay=0.01),
        torch.optim.AdamW(others, lr=adam_lr, weight_decay=0.0, betas=(0.9, 0.98)),
    ]


def step(
    optimizers: Sequence[torch.optim.Optimizer], loss: torch.Tensor, factor: float
) -> None:
    """Do one update with every optimiser's learning rate scaled by ``factor``."""
    loss.backward()
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            peak = group.setdefault("peak", group["lr"])
            group["lr"] = peak * factor
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def trapezoid(done: float) -> float:
    """Return the learning-rate factor after a share of training: 5 % up, flat, 40 % down."""
    return min(1.0, done / 0.05 + 1e-3, (1 - done) / 0.4)


def length_batches(
    lengths: Sequence[int], batch_size: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield random batches of indices of sequences of about equal length."""
    order = np.argsort(np.asarray(lengths) + rng.random(len(lengths)) * 4, kind="stable")
    starts = rng.permutation(np.arange(0, len(order) - batch_size + 1, batch_size))
    for start in starts:
        yield order[start : start + batch_size]


def pretrain(settings: Pretraining) -> LlamaForCausalLM:
    """Train the starting policy, save it with a model card, and return it."""
    start_time = time.time()
    rng = np.random.default_rng(settings.seed)
    tokenizer = build_tokenizer()
    pairs = demonstrations(settings.examples, rng)
    prompts = tokenizer([f"<bos> {p} ->" for p, _ in pairs])["input_ids"]
    responses = tokenizer([f"{r} <eos>" for _, r in pairs])["input_ids"]
    sequences = [p + a for p, a in zip(prompts, responses, strict=True)]
    model = build_model(settings, len(tokenizer))
    optimisers = optimizers(model, settings.muon_lr, settings.adam_lr)
    steps = settings.epochs * (len(pairs) // settings.batch_size)
    batches = (
        batch
        for _ in range(settings.epochs)
        for batch in length_batches([len(s) for s in sequences], settings.batch_size, rng)
    )
    losses = []
    for i, batch in enumerate(track(batches, "pretraining", total=steps)):
        width = max(len(sequences[j]) for j in batch)
        ids = torch.tensor([sequences[j] + [0] * (width - len(sequences[j])) for j in batch])
        labels = ids.masked_fill(ids == 0, -100)
        for row, j in enumerate(batch):
            labels[row, : len(prompts[j])] = -100
        loss = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss
        step(optimisers, loss, trapezoid(i / steps))
        losses.append(loss.item())
    model.save_pretrained(settings.out)
    tokenizer.save_pretrained(settings.out)
    facts = {
        "seconds": round(time.time() - start_time),
        "final_loss": float(np.mean(losses[-200:])),
    }
    facts |= {"parameters": sum(p.numel() for p in model.parameters())}
    write_card(settings.out, ABOUT, {"settings": asdict(settings) | {"out": None}} | facts)
    return model


def write_card(folder: Path, about: str, facts: Mapping[str, Any]) -> None:
    """Write training.json, and README.md in the form of the hub's model cards."""
    text = json.dumps(facts, indent=2)
    (folder / "training.json").write_text(text + "\n")
    (folder / "README.md").write_text(
        f"---\nlibrary_name: transformers\n---\n{about}\n```json\n{text}\n```\n"
    )


if __name__ == "__main__":
    pretrain(tyro.cli(Pretraining))
