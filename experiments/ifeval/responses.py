"""Draw responses once, and keep them: files in the cache that are named by their content.

A file's name is the hash of everything that a response depends on, so the starting policy of
many runs is sampled once, and an interrupted evaluation continues where it stopped. A row is
one response. Rows are appended batch by batch, and a line that was cut off is dropped.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.policies.sampled import Sampled
from agents.policies.sampling import Sampling
from eva_env.cache import cache_folder
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.schema import StoredResponse

BATCH = 32
"""Prompts that are responded to at a time. Prompts of similar length share a batch."""

FORMAT = 1
"""Version of the files; another way to draw needs another number."""

NO_TEXT = "IFEval needs a policy that reads and writes text: give that of a language model"

Row = dict[str, Any]

Advance = Callable[[int], None]
"""Is called with the number of responses that were drawn."""


def responses_folder() -> Path:
    """Return the folder of the cache that keeps responses."""
    return cache_folder() / "responses"


def stored() -> Run:
    """Return the record of that folder; UserError, with the remedy, where none can be."""
    folder = responses_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot keep responses in {folder}: {error.strerror}; make it writable, or set "
            f"EVA_CACHE to another folder"
        ) from error
    return Run(folder)


def stored_rows(name: str, schema: Any) -> list[Row]:
    """Return the rows of a file; UserError, with the remedy, for a damaged one."""
    try:
        return stored().rows(name, schema)
    except UserError as error:
        raise UserError(f"{error}; delete the file, and its rows are made again") from error


@dataclass(frozen=True)
class Draw:
    """What is drawn: which samples of which prompts, how, and from which seed."""

    prompts: tuple[str, ...]
    samples: int
    sampling: Sampling
    seed: int

    def batches(self, lengths: Sequence[int]) -> Iterator[tuple[int, int, list[int]]]:
        """Yield each batch: its sample, its number and the places of its prompts.

        A batch depends neither on ``samples`` nor on what is stored.
        """
        order = np.argsort(np.asarray(lengths), kind="stable").tolist()
        for sample in range(self.samples):
            for number, start in enumerate(range(0, len(order), BATCH)):
                yield sample, number, order[start : start + BATCH]


def fingerprint(policy: Any, prompts: Sequence[str]) -> str:
    """Return the hash of a policy's weights and of the prompts as it reads them.

    The token ids of the prompts contain the tokenizer, the chat template and the system
    message.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(policy.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.flatten().view(torch.uint8).numpy())
    read = policy.encode(prompts) if hasattr(policy, "encode") else list(prompts)
    details = [read, getattr(policy, "ends", None), getattr(policy, "vocabulary", None)]
    digest.update(json.dumps(details).encode())
    return digest.hexdigest()


def key_of(*parts: Any) -> str:
    """Return the name of a file: the hash of all that its rows depend on."""
    return hashlib.sha256(json.dumps([FORMAT, *parts]).encode()).hexdigest()


def respond(policy: Any, name: str, draw: Draw, advance: Advance) -> list[list[Any]]:
    """Return the responses (P, samples) of a policy; those of the file ``name`` are read.

    Each batch has its own random generator, so that sample k of a prompt is the same however
    many are drawn, and after an interruption. A response that a language model drew carries its
    tokens.
    """
    rows = stored_rows(name, StoredResponse)
    drawn = {(row["prompt"], row["sample"]): row for row in rows}
    lengths = policy.prompt_lengths(list(draw.prompts)).tolist()
    for sample, number, places in draw.batches(lengths):
        missing = [place for place in places if (place, sample) not in drawn]
        if missing:
            rng = np.random.default_rng([draw.seed, sample, number])
            texts = policy.sample([draw.prompts[place] for place in places], 1, rng)
            rows = [
                as_row(place, sample, replies[0])
                for place, replies in zip(places, texts, strict=True)
                if (place, sample) not in drawn
            ]
            stored().append(name, rows)
            drawn |= {(row["prompt"], row["sample"]): row for row in rows}
        advance(len(places))
    vocabulary = getattr(policy, "vocabulary", 0)
    return [
        [from_row(drawn[place, sample], vocabulary) for sample in range(draw.samples)]
        for place in range(len(draw.prompts))
    ]


def as_row(place: int, sample: int, response: Any) -> Row:
    """Return a response as a row; UserError for one that is no text."""
    if not isinstance(response, str):
        raise UserError(NO_TEXT)
    row: Row = {"prompt": place, "sample": sample, "text": str(response)}
    if isinstance(response, Sampled):
        row |= {"ids": response.ids.tolist(), "ended": response.ended}
    return row


def from_row(row: Row, vocabulary: int) -> str:
    """Return the response of a row."""
    if "ids" not in row:
        return row["text"]
    return Sampled(row["text"], row["ids"], row["ended"], vocabulary)
