"""A learned reward model: a Hugging Face sequence classifier with one label."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from agents.causal_lm import chat_ids
from agents.checkpoints import resolve
from eva_env.types import Floats


class LearnedReward:
    """Scores responses by ``AutoModelForSequenceClassification``; a fixed RewardModel.

    Args:
        model: classifier with ``num_labels=1`` that reads the logit at the last token.
        tokenizer: its tokenizer; a chat template is applied if it has one.
        rows: sequences that are scored at a time.
    """

    def __init__(self, model: Any, tokenizer: Any, rows: int = 512) -> None:
        self.model, self.tokenizer, self.rows = model.eval(), tokenizer, rows
        self._encoded: dict[str, list[int]] = {}

    @classmethod
    def load(cls, checkpoint: str | Path) -> Self:
        """Load the shipped proxy ("wordlist") or any Hugging Face folder.

        Raises FileNotFoundError or ValueError, in one line, for a missing or broken checkpoint.
        """
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = resolve(checkpoint, "reward")
        try:
            model = AutoModelForSequenceClassification.from_pretrained(
                folder, dtype=torch.float32
            )
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except Exception as error:
            raise ValueError(f"cannot load a reward model from {folder}: {error}") from error
        return cls(model, tokenizer)

    def save(self, folder: Path) -> None:
        """Write an ordinary Hugging Face checkpoint."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str], responses: Sequence[Sequence[str]]) -> Floats:
        """Rewards (B, n), logits; only differences within a prompt mean anything."""
        pairs = [(p, r) for p, row in zip(prompts, responses, strict=True) for r in row]
        ids = self.encode([p for p, _ in pairs], [r for _, r in pairs])
        order = np.argsort([len(row) for row in ids], kind="stable")
        scores = np.empty(len(ids))
        for start in range(0, len(ids), self.rows):
            chunk = order[start : start + self.rows]
            scores[chunk] = self.scores([ids[i] for i in chunk]).cpu().numpy()
        return scores.reshape(len(prompts), -1)

    def encode(self, prompts: Sequence[str], responses: Sequence[str]) -> list[list[int]]:
        """Token ids of prompt, response and end of text."""
        answers = self.tokenizer(list(responses), add_special_tokens=False)["input_ids"]
        heads = [chat_ids(self.tokenizer, prompt, self._encoded) for prompt in prompts]
        end = [self.tokenizer.eos_token_id]
        return [head + answer + end for head, answer in zip(heads, answers, strict=True)]

    def scores(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """Scores (P,) of token sequences, differentiable."""
        width, pad = max(map(len, ids)), self.tokenizer.pad_token_id
        padded = torch.tensor([[*row, *[pad] * (width - len(row))] for row in ids])
        padded = padded.to(self.model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        mask = mask.to(padded.device)
        return self.model(input_ids=padded, attention_mask=mask).logits[:, 0].float()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Share the weights, which never change, so that copying an environment is cheap."""
        return copy.copy(self)
