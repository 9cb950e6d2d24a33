"""A learned reward model: a Hugging Face sequence classifier with one label."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from agents.policies.chat import Chat, token_ids
from agents.policies.classifiers import (
    ROWS,
    TOKENS,
    read_classifier,
    reads_last_token,
    score_all,
    score_batch,
)
from eva_env.rewards.comparisons import Comparisons
from eva_env.types import Floats, Ints

REFIT_LR = 5e-4
"""Peak learning rate of AdamW in a refit; it falls to 0 linearly."""

REFIT_BATCH = 64
"""Comparisons per step."""


class LearnedReward:
    """Scores responses by ``AutoModelForSequenceClassification``; a fixed RewardModel.

    It reads text, never the policy's tokens. With a chat template it reads the conversation
    with the response as the assistant's message, exactly as the template renders it, which is
    how Skywork's and ArmoRM's models are used. Without one a decoder reads prompt, response and
    EOS, and an encoder the two as a pair. A prompt and response that exceed the model's context
    have no reward (NaN); nothing is truncated.

    Args:
        model: classifier with ``num_labels=1``.
        tokenizer: its tokenizer.
        rows: most sequences scored at a time.
        tokens: most tokens scored at a time, padding included.
    """

    nan_is_missing = True

    def __init__(
        self, model: Any, tokenizer: Any, rows: int = ROWS, tokens: int = TOKENS
    ) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        self.rows, self.tokens = rows, tokens
        self._chat: Chat | None = None

    @classmethod
    def load(cls, checkpoint: str | Path, device: str = "cpu") -> Self:
        """Load the shipped proxy ("wordlist") or any Hugging Face folder.

        Raises FileNotFoundError or ValueError, in one line; see ``read_classifier``.
        """
        return cls(*read_classifier(checkpoint, device))

    def save(self, folder: Path) -> None:
        """Write an ordinary Hugging Face checkpoint."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def __call__(self, prompts: Sequence[str], responses: Sequence[Sequence[str]]) -> Floats:
        """Return rewards (B, n), logits; only differences within a prompt mean anything."""
        pairs = [(p, str(r)) for p, row in zip(prompts, responses, strict=True) for r in row]
        ids = self.encode([p for p, _ in pairs], [r for _, r in pairs])
        scores = score_all(self.model, self.tokenizer, ids, self.rows, self.tokens)
        return scores.reshape(len(prompts), -1)

    def encode(self, prompts: Sequence[str], responses: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each prompt with its response, at least one token each."""
        pairs, tokenizer = list(zip(prompts, responses, strict=True)), self.tokenizer
        if tokenizer.chat_template:
            self._chat = self._chat or Chat(tokenizer)
            texts = [self._chat.exchange(prompt, response) for prompt, response in pairs]
            return token_ids(tokenizer, texts, special=False)
        if not reads_last_token(self.model):
            return tokenizer(list(prompts), list(responses))["input_ids"]
        prompt_ids = token_ids(tokenizer, list(prompts), special=True)
        response_ids = token_ids(tokenizer, list(responses), special=False)
        end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        return [[*x, *y, *end] or [0] for x, y in zip(prompt_ids, response_ids, strict=True)]

    def scores(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return scores (P,) of token sequences, differentiable."""
        return score_batch(self.model, self.tokenizer, ids)

    def refit(self, comparisons: Comparisons, tie: float, rng: np.random.Generator) -> Self:
        """Return a copy with separate weights, after one pass over comparisons.

        Loss: log(1 + exp(s_rejected - s_chosen)) + tie / 2 * the squared change of the scores,
        each a mean over the batch. ``rng`` orders the prompts, whose comparisons stay together.
        """
        model = copy.deepcopy(self.model).float()
        twin = type(self)(model, self.tokenizer, self.rows, self.tokens)
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
        """Return everything but the chat, which caches."""
        return vars(self) | {"_chat": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Share the weights, which never change, so that copying an environment is cheap."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        return twin
