"""A policy over a Hugging Face causal language model; the one module that owns transformers.

Tokenizer, chat template, padding and generation stay in here: strings in, nats out.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from agents.policies.batches import cut
from agents.policies.checkpoints import resolve
from agents.policies.decoding import Sampling, decode, left_pad
from agents.policies.mixture import Mixture
from agents.policies.packing import pack, packed_logprobs

MEMORY = 1 << 17
"""Prompts, and responses, whose token ids are remembered."""
FORWARD = 1 << 15
"""Tokens of prompts that are read at a time for their features."""


class CausalLM:
    """A causal LM as ``agents.base.Policy``.

    Args:
        model: a Hugging Face causal LM.
        tokenizer: its tokenizer; a chat template is applied if it has one.
        sampling: temperature, nucleus and length of the responses.

    A response is read by ``logprobs`` as the tokens of its text and the end-of-text token, also
    where sampling had cut it off at ``max_tokens``: choose that large enough.
    """

    def __init__(self, model: Any, tokenizer: Any, sampling: Sampling | None = None) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        self.sampling = sampling or Sampling()
        self.tokens = 0
        self._encoded: dict[str, list[int]] = {}
        self._answered: dict[str, list[int]] = {}

    @classmethod
    def load(cls, checkpoint: str | Path, sampling: Sampling | None = None) -> Self:
        """Load a shipped model by name ("wordlist") or any Hugging Face folder.

        Raises FileNotFoundError or ValueError, in one line, for a missing or broken checkpoint.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = resolve(checkpoint, "solver")
        try:
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except Exception as error:
            raise ValueError(f"cannot load a causal LM from {folder}: {error}") from error
        return cls(model, tokenizer, sampling)

    def save(self, folder: Path) -> None:
        """Write an ordinary Hugging Face checkpoint."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def sample(
        self, prompts: Sequence[str], n: int, rng: np.random.Generator
    ) -> list[list[str]]:
        """Draw n responses to each of B prompts, (B, n) strings."""
        seeds = rng.integers(2**63, size=len(prompts), dtype=np.uint64)
        return self._drawn(prompts, n, seeds, self.sampling)

    def greedy(self, prompts: Sequence[str]) -> list[list[str]]:
        """The response of the most likely tokens to each of B prompts, (B, 1)."""
        seeds = np.zeros(len(prompts), np.uint64)
        return self._drawn(prompts, 1, seeds, replace(self.sampling, temperature=0.0))

    def logprobs(self, prompts: Sequence[str], responses: Sequence[str]) -> torch.Tensor:
        """Sum of the response's token log-probabilities, (P,) nats, differentiable."""
        return self.token_logprobs(prompts, responses).sum(-1)

    def token_logprobs(self, prompts: Sequence[str], responses: Sequence[str]) -> torch.Tensor:
        """Log-probability of each response token, (P, longest) nats, 0 behind the end.

        Responses to one prompt share its row, so that it is read once for them.
        """
        packed = pack(prompts, self.encode(prompts), self._answers(responses))
        return packed_logprobs(self.model, packed)

    def lengths(self, responses: Sequence[str]) -> torch.Tensor:
        """Tokens that ``logprobs`` sums over, (P,); the end-of-text token counts."""
        return torch.tensor([len(answer) for answer in self._answers(responses)])

    def prompt_lengths(self, prompts: Sequence[str]) -> torch.Tensor:
        """Tokens of the prompts in their chat template, (P,)."""
        return torch.tensor([len(ids) for ids in self.encode(prompts)])

    @torch.no_grad()
    def features(self, prompts: Sequence[str]) -> torch.Tensor:
        """Last hidden state at the prompts' last tokens, (P, d) in float32."""
        ids = self.encode(prompts)
        parts, rows = cut(np.array([len(prompt) for prompt in ids]), FORWARD), []
        for part in parts:
            tokens, mask = left_pad([ids[i] for i in part], self.model.device)
            state = self.model.base_model(
                input_ids=tokens,
                attention_mask=mask,
                position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
                use_cache=False,
            )
            rows.append(state.last_hidden_state[:, -1].float())
        return torch.cat(rows)[torch.from_numpy(np.concatenate(parts).argsort())]

    def mixture(self, other: Self, weight: float) -> Self:
        """A policy to sample from: each token in proportion to own^(1 - weight) * other^weight.

        It shares the two models, as they are and as they will be, and their tokenizer.
        """
        mixed = type(self)(
            Mixture(self.model, other.model, weight), self.tokenizer, self.sampling
        )
        mixed._encoded, mixed._answered = self._encoded, self._answered
        return mixed

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """Yield the model's parameters."""
        return self.model.parameters()

    def frozen(self) -> Self:
        """An independent copy without gradients."""
        twin = type(self)(
            copy.deepcopy(self.model).requires_grad_(False), self.tokenizer, self.sampling
        )
        twin._encoded, twin._answered = self._encoded, self._answered
        return twin

    def state_dict(self) -> dict[str, Any]:
        """The model's parameters, by name."""
        return self.model.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Take over the parameters of ``state_dict()``."""
        return self.model.load_state_dict(state)

    def encode(self, prompts: Sequence[str]) -> list[list[int]]:
        """Token ids of prompts in their chat template."""
        return [chat_ids(self.tokenizer, prompt, self._encoded) for prompt in prompts]

    def _drawn(
        self, prompts: Sequence[str], n: int, seeds: np.ndarray, sampling: Sampling
    ) -> list[list[str]]:
        drawn = decode(self.model, self.encode(prompts), n, seeds, sampling)
        self.tokens += sum(map(len, drawn))
        texts = self.tokenizer.batch_decode(drawn, skip_special_tokens=True)
        return [texts[i : i + n] for i in range(0, len(texts), n)]

    def _answers(self, responses: Sequence[str]) -> list[list[int]]:
        """Token ids of responses with their end-of-text token, remembered for later epochs."""
        new = [text for text in dict.fromkeys(responses) if text not in self._answered]
        if new:
            if len(self._answered) + len(new) > MEMORY:
                self._answered.clear()
                new = list(dict.fromkeys(responses))
            encoded = self.tokenizer(new, add_special_tokens=False)["input_ids"]
            end = self.tokenizer.eos_token_id
            self._answered.update((t, [*ids, end]) for t, ids in zip(new, encoded, strict=True))
        return [self._answered[text] for text in responses]


def chat_ids(tokenizer: Any, prompt: str, memory: dict[str, list[int]]) -> list[int]:
    """Token ids of a prompt in the tokenizer's chat template, if it has one, remembered."""
    if prompt not in memory:
        text, special = prompt, True
        if tokenizer.chat_template:
            message = [{"role": "user", "content": prompt}]
            text, special = (
                tokenizer.apply_chat_template(
                    message, tokenize=False, add_generation_prompt=True
                ),
                False,
            )
        if len(memory) >= MEMORY:
            memory.clear()
        memory[prompt] = tokenizer(text, add_special_tokens=special)["input_ids"]
    return memory[prompt]
