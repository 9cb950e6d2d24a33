"""A pairwise ranker as a reward: each response's win rate against the others to its prompt.

The protocol is that of RLHFlow's pair-preference-model (Dong et al. 2024, "RLHF Workflow",
arXiv 2405.07863), the "PairRM-8B" of eva's paper: the model reads

    [CONTEXT] ... [RESPONSE A] ... [RESPONSE B] ...

as a user message, and the logits of the tokens A and B after it give the probability that A is
better. Both orders are averaged.
"""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from agents.policies.chat import context_length, token_ids
from agents.policies.checkpoints import read_causal_lm
from agents.policies.classifiers import (
    ROWS,
    batches,
    is_classifier,
    padded_rows,
    read_classifier,
    score_all,
)
from eva_env.chat import messages_of
from eva_env.rewards.pairwise import sigmoid, win_rates
from eva_env.types import Floats

PAIR = "[CONTEXT] {context} [RESPONSE A] {first} [RESPONSE B] {second} \n"
"""What the ranker reads."""

CONTEXT = (
    "\n{% for message in messages %}{% if loop.index0 % 2 == 0 %}\n\n<turn> user\n "
    "{{ message['content'] }}{% else %}\n\n<turn> assistant\n {{ message['content'] }}"
    "{% endif %}{% endfor %}\n\n\n"
)
"""The chat template of the context, from the model card. Jinja drops the first line break after
each block, as it did when the model was trained."""

TOKENS = 1 << 14
"""Most tokens, padding included, that the ranker reads at a time."""


class PairwiseReward:
    """Win rates in [0, 1] of the n responses to a prompt among themselves, by a ranker.

    A response counts as half a win over itself, as in SPPO's code. A prompt costs n (n - 1)
    comparisons; equal responses draw without one. A comparison that exceeds the model's context
    is missing, and a response without any has no reward (NaN).

    Args:
        model: a causal language model that names A or B, or a sequence classifier with one
            label whose logit is the log-odds that A is better.
        tokenizer: its tokenizer, with a chat template for a causal model.
        tokens: most tokens read at a time.

    Raises ValueError for a causal model whose tokenizer has no chat template, or no single
    token for A and for B.
    """

    nan_is_missing = True

    def __init__(self, model: Any, tokenizer: Any, tokens: int = TOKENS) -> None:
        self.model, self.tokenizer, self.tokens = model.eval(), tokenizer, tokens
        self.is_causal = model.get_output_embeddings() is not None
        self.letters: list[int] = []
        if self.is_causal:
            if not tokenizer.chat_template:
                raise ValueError("a pairwise ranker needs a tokenizer with a chat template")
            self.letters = [self._token(letter) for letter in "AB"]

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Self:
        """Load a Hugging Face folder; OSError or ValueError, in one line, if it cannot be."""
        folder = Path(folder)
        try:
            if is_classifier(folder):
                return cls(*read_classifier(folder, device))
            model, tokenizer = read_causal_lm(folder, "auto")
            if model.dtype == torch.float16 and torch.device(device).type == "cpu":
                model = model.float()
            return cls(model.to(device), tokenizer)
        except ValueError as error:
            raise ValueError(f"pairwise:{folder}: {error}") from error

    def __call__(self, prompts: Sequence[str], responses: Sequence[Sequence[str]]) -> Floats:
        """Return the win rates (B, n)."""
        return win_rates(self.compare(prompts, responses, responses))

    def against(
        self, prompts: Sequence[str], responses: Any, opponents: Sequence[Sequence[str]]
    ) -> Floats:
        """Return each response's mean win rate against the m opponents of its prompt, (B, n).

        ``opponents`` (B, m) are other responses to the same prompts. NaN for a response that
        could not be compared with any of them.
        """
        first = self.compare(prompts, responses, opponents)
        second = self.compare(prompts, opponents, responses)
        wins = (first + 1 - second.swapaxes(1, 2)) / 2
        counts = (~np.isnan(wins)).sum(-1)
        return np.where(counts > 0, np.nansum(wins, -1) / np.maximum(counts, 1), np.nan)

    def compare(self, prompts: Sequence[str], first: Any, second: Any) -> Floats:
        """Return the probability that the ranker prefers A to B, (B, n, m).

        ``first`` (B, n) are shown as A and ``second`` (B, m) as B; equal texts give 1/2.
        """
        # 1. The distinct comparisons. Texts are plain: the policy's tokens mean nothing here.
        place_of: dict[tuple[str, str, str], int] = {}
        shape = (len(prompts), len(first[0]), len(second[0]))
        places = np.full(shape, -1)
        for b, i, j in np.ndindex(shape):
            a_text, b_text = str(first[b][i]), str(second[b][j])
            if a_text != b_text:
                key = (str(prompts[b]), a_text, b_text)
                places[b, i, j] = place_of.setdefault(key, len(place_of))
        # 2. Their probabilities; the last one stands for equal texts.
        log_odds = self._log_odds([self.text(*key) for key in place_of])
        return np.append(sigmoid(log_odds), 0.5)[places]

    def text(self, prompt: str, first: str, second: str) -> str:
        """Return what the ranker reads, in its chat template if it has one."""
        tokenizer = self.tokenizer
        context = tokenizer.apply_chat_template(
            messages_of(prompt), chat_template=CONTEXT, tokenize=False
        )
        pair = PAIR.format(context=context, first=first, second=second)
        if not tokenizer.chat_template:
            return pair
        message = [{"role": "user", "content": pair}]
        text = tokenizer.apply_chat_template(message, tokenize=False)
        # The card removes BOS, which some templates use to begin every turn: keep it there.
        bos = tokenizer.bos_token
        return text.removeprefix(bos) if bos and text.count(bos) == 1 else text

    def _log_odds(self, texts: list[str]) -> Floats:
        """The log-odds (P,) that A is better, in nats; NaN for texts that do not fit."""
        if not texts:
            return np.zeros(0)
        special = not self.tokenizer.chat_template
        ids = token_ids(self.tokenizer, texts, special)
        if not self.is_causal:
            return score_all(self.model, self.tokenizer, ids, ROWS, self.tokens)
        lengths, log_odds = np.array([len(row) for row in ids]), np.full(len(ids), np.nan)
        limit = context_length(self.model.config)
        fits = np.flatnonzero(lengths <= limit) if limit else np.arange(len(ids))
        if not len(fits):
            raise ValueError(
                f"no comparison fits into the {limit} tokens that the ranker reads, the "
                f"shortest have {lengths.min()}; lower --sampling.max-tokens, or leave out "
                f"long prompts"
            )
        for batch in batches(lengths[fits], ROWS, self.tokens):
            places = fits[batch]
            logits = self._last_logits([ids[i] for i in places.tolist()])
            log_odds[places] = (logits[:, 0] - logits[:, 1]).cpu().numpy()
        return log_odds

    @torch.no_grad()
    def _last_logits(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """The logits (P, 2) of A and B after the last token of each row."""
        # 1. Logits are computed at the distinct last places alone, if the model allows it:
        #    over a large vocabulary they are the largest tensor.
        padded, mask = padded_rows(ids, 0, self.model.device)
        last = mask.sum(1) - 1
        distinct, place = last.unique(return_inverse=True)
        inputs = {"input_ids": padded, "attention_mask": mask}
        if "logits_to_keep" in inspect.signature(self.model.forward).parameters:
            logits = self.model(**inputs, logits_to_keep=distinct).logits
        else:
            logits = self.model(**inputs).logits[:, distinct]
        # 2. Each row has its own last place.
        rows = torch.arange(len(ids), device=padded.device)
        return logits[rows, place][:, self.letters].float()

    def _token(self, letter: str) -> int:
        ids = self.tokenizer.encode(letter, add_special_tokens=False)
        if len(ids) != 1:
            raise ValueError(
                f"a pairwise ranker names A or B, and its tokenizer has no single token for "
                f"{letter}"
            )
        return ids[0]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Share the weights, which never change, so that copying an environment is cheap."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        return twin
