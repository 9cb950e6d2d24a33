"""Sequence classifiers with one label: read them from a folder, and score token sequences.

Shape letters: P sequences.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.policies.chat import context_length
from agents.policies.checkpoints import (
    ADAPTER,
    in_one_line,
    read_json,
    read_tokenizer,
    refuse_code,
    refuse_pickles,
    resolve,
)
from eva_env.types import Floats, Ints

ROWS, TOKENS = 512, 1 << 15
"""Most sequences, and most tokens with their padding, that a model reads at a time."""

FUNCTION = "write a function (prompts, responses) -> (B, n) and give --reward file.py:function"
"""The remedy for a model that cannot be read as a classifier."""


def read_classifier(checkpoint: str | Path, device: str = "cpu") -> tuple[Any, Any]:
    """Return the classifier of a checkpoint on a device, and its tokenizer.

    The weights keep the type of the files, except that a CPU reads float16 as float32. Raises
    FileNotFoundError or ValueError, in one line, for a missing or broken checkpoint, a model
    without a classification head, another number of labels than one, and a model that needs
    code of its own, which never runs.
    """
    from transformers import AutoModelForSequenceClassification

    folder = resolve(checkpoint, "reward")
    _refuse_unfit(folder)
    with in_one_line(f"cannot load a reward model from {folder}"):
        loaded: Any = AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype="auto",
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        raise ValueError(
            f"{folder} is no reward model: it lacks {', '.join(missing[:3])}, so its scores "
            f"would be random; give the folder of a trained sequence classifier with one label"
        )
    if model.config.num_labels != 1:
        raise ValueError(
            f"{folder} has {model.config.num_labels} labels, and a reward model has one; give "
            f"a classifier trained with num_labels=1, or {FUNCTION}"
        )
    if model.dtype == torch.float16 and torch.device(device).type == "cpu":
        model = model.float()
    return model.to(device).eval(), read_tokenizer(folder)


def is_classifier(folder: Path) -> bool:
    """Return whether a folder's config names a sequence classifier."""
    names = read_json(folder / "config.json").get("architectures") or []
    return any(name.endswith("SequenceClassification") for name in names)


def _refuse_unfit(folder: Path) -> None:
    """Raise ValueError for a folder whose config says that it holds no such classifier."""
    names = read_json(folder / "config.json").get("architectures") or []
    if (folder / ADAPTER).is_file():
        raise ValueError(f"{folder} holds an adapter; merge it into its base model first")
    refuse_code(folder, FUNCTION)
    refuse_pickles(folder)
    if names and not is_classifier(folder):
        raise ValueError(
            f"{folder} holds a {names[0]}, which has no classification head (score.weight), so "
            f"it gives no rewards; give a sequence classifier with one label, or "
            f"pairwise:{folder} for a model that compares two responses"
        )


def reads_last_token(model: Any) -> bool:
    """Return whether a classifier scores the last token, as all decoders of transformers do.

    Encoders score the first token, or all of them.
    """
    return hasattr(model, "score")


def token_limit(model: Any, tokenizer: Any) -> int | None:
    """Return the most tokens that a classifier reads; None for any number."""
    limit = context_length(model.config)
    if limit is None or reads_last_token(model):
        return limit
    return min(limit, tokenizer.model_max_length)  # RoBERTa has 514 places for 512 tokens


def score_all(
    model: Any, tokenizer: Any, ids: Sequence[Sequence[int]], rows: int, tokens: int
) -> Floats:
    """Return the scores (P,) of token sequences, without gradients, in batches.

    NaN for a sequence that is longer than ``token_limit``. ValueError if all are.
    """
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    limit = token_limit(model, tokenizer)
    fits = np.flatnonzero(lengths <= limit) if limit else np.arange(len(ids))
    if len(ids) and not len(fits):
        raise ValueError(
            f"no prompt and response fit into the {limit} tokens that the reward model reads, "
            f"the shortest have {lengths.min()}; lower --sampling.max-tokens, leave out long "
            f"prompts, or take a reward model with a longer context"
        )
    scores = np.full(len(ids), np.nan)
    with torch.no_grad():
        for batch in batches(lengths[fits], rows, tokens):
            places = fits[batch]
            chunk = [ids[i] for i in places.tolist()]
            scores[places] = score_batch(model, tokenizer, chunk).cpu().numpy()
    if not np.isfinite(scores[fits]).all():  # only a text that does not fit has no score
        raise ValueError(
            f"the reward model computes {scores[fits][~np.isfinite(scores[fits])][0]} as a "
            f"score; its weights are broken, or overflow in its dtype: take another checkpoint"
        )
    return scores


def batches(lengths: Ints, rows: int, tokens: int) -> Iterator[Ints]:
    """Yield the indices of sequences of similar length, shortest first, as batches.

    A batch has at most ``rows`` sequences and, padded, ``tokens`` tokens, but at least one.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    for stop in range(1, len(order) + 1):
        size = stop + 1 - start
        if stop == len(order) or size > rows or size * lengths[order[stop]] > tokens:
            yield order[start:stop]
            start = stop


def score_batch(model: Any, tokenizer: Any, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return the scores (P,) of token sequences, differentiable.

    A decoder of transformers looks for the last token that is not PAD. Where PAD closes a
    response too, as EOS often does, it would read the token before; without PAD it refuses
    several rows. So the rows are padded with a token that none of them ends with.
    """
    reads_last = reads_last_token(model)
    config, pad = model.config.get_text_config(), tokenizer.pad_token_id
    if reads_last:
        ends = {row[-1] for row in ids}
        pad = next(i for i in (pad, *range(len(ends) + 1)) if i is not None and i not in ends)
    padded, mask = padded_rows(ids, 0 if pad is None else pad, model.device)
    inputs = {"input_ids": padded, "attention_mask": mask}
    if not reads_last and "token_type_ids" in tokenizer.model_input_names:
        separators = (padded == tokenizer.sep_token_id).int()
        inputs["token_type_ids"] = (separators.cumsum(1) - separators).clamp(max=1) * mask
    configured = config.pad_token_id
    try:
        if reads_last:
            config.pad_token_id = pad
        return model(**inputs).logits[:, 0].float()
    finally:
        config.pad_token_id = configured


def padded_rows(
    ids: Sequence[Sequence[int]], pad: int, device: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows padded on the right, (P, longest), and the mask of their tokens."""
    width = max(map(len, ids))
    padded = torch.tensor([[*row, *[pad] * (width - len(row))] for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    return padded.to(device), mask.to(device)
