"""A learned reward model: a Hugging Face sequence classifier with one label."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from agents.policies.chat import chat_ids, token_ids
from agents.policies.checkpoints import resolve
from eva_env.rewards.comparisons import Comparisons
from eva_env.types import Floats, Ints

REFIT_LR = 5e-4
"""Peak learning rate of AdamW in a refit; it falls to 0 linearly."""

REFIT_BATCH = 64
"""Comparisons per step."""


class LearnedReward:
    """Scores responses by ``AutoModelForSequenceClassification``; a fixed RewardModel.

    Args:
        model: classifier with ``num_labels=1`` that reads the logit at the last token.
        tokenizer: its tokenizer; a chat template is applied if it has one.
        rows: number of sequences scored at a time.
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
        """Return rewards (B, n), logits; only differences within a prompt mean anything."""
        pairs = [(p, r) for p, row in zip(prompts, responses, strict=True) for r in row]
        ids = self.encode([p for p, _ in pairs], [r for _, r in pairs])
        order = np.argsort([len(row) for row in ids], kind="stable")
        scores = np.empty(len(ids))
        for start in range(0, len(ids), self.rows):
            chunk = order[start : start + self.rows]
            scores[chunk] = self.scores([ids[i] for i in chunk]).cpu().numpy()
        return scores.reshape(len(prompts), -1)

    def encode(self, prompts: Sequence[str], responses: Sequence[str]) -> list[list[int]]:
        """Return the token ids of prompt, response and end of text."""
        prompt_ids = [chat_ids(self.tokenizer, prompt, self._encoded) for prompt in prompts]
        response_ids = token_ids(self.tokenizer, list(responses), special=False)
        end = self.tokenizer.eos_token_id
        return [[*x, *y, end] for x, y in zip(prompt_ids, response_ids, strict=True)]

    def scores(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return scores (P,) of token sequences, differentiable."""
        width, pad = max(map(len, ids)), self.tokenizer.pad_token_id
        padded = torch.tensor([[*row, *[pad] * (width - len(row))] for row in ids])
        padded = padded.to(self.model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        mask = mask.to(padded.device)
        return self.model(input_ids=padded, attention_mask=mask).logits[:, 0].float()

    def refit(self, comparisons: Comparisons, tie: float, rng: np.random.Generator) -> Self:
        """Return a copy with separate weights, after one pass over comparisons.

        Loss: log(1 + exp(s_rejected - s_chosen)) + tie / 2 * the squared change of the scores,
        each a mean over the batch. ``rng`` orders the prompts, whose comparisons stay together.
        """
        twin = type(self)(copy.deepcopy(self.model), self.tokenizer, self.rows)
        ids, pairs = self._sequences(comparisons)
        _, prompt = np.unique(comparisons.prompts, return_inverse=True)
        order = rng.permutation(len(prompt))[prompt].argsort(kind="stable")
        optimizer = torch.optim.AdamW(twin.model.parameters(), lr=REFIT_LR, weight_decay=0.0)
        for start in range(0, len(order), REFIT_BATCH):
            batch = pairs[:, order[start : start + REFIT_BATCH]]
            distinct, (chosen, rejected) = np.unique(batch, return_inverse=True)
            rows = [ids[i] for i in distinct]
            scores = twin.scores(rows)
            with torch.no_grad():
                before = self.scores(rows)
            likelihood = torch.nn.functional.softplus(scores[rejected] - scores[chosen]).mean()
            change = (scores - before).square().mean()
            optimizer.zero_grad(set_to_none=True)
            (likelihood + tie / 2 * change).backward()
            for group in optimizer.param_groups:
                group["lr"] = REFIT_LR * (1 - start / len(order))
            optimizer.step()
        return twin

    def _sequences(self, comparisons: Comparisons) -> tuple[list[list[int]], Ints]:
        """Return token ids of the distinct responses, and each pair's two places, (2, P)."""
        prompts = [*comparisons.prompts, *comparisons.prompts]
        responses = [*comparisons.chosen, *comparisons.rejected]
        place_of: dict[tuple[str, str], int] = {}
        places = [
            place_of.setdefault(exchange, len(place_of))
            for exchange in zip(prompts, responses, strict=True)
        ]
        distinct_prompts, distinct_responses = zip(*place_of, strict=True)
        ids = self.encode(distinct_prompts, distinct_responses)
        return ids, np.reshape(places, (2, -1))

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but the cache of encoded prompts."""
        return vars(self) | {"_encoded": {}}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Share the weights, which never change, so that copying an environment is cheap."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        return twin
