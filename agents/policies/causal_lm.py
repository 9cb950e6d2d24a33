"""A policy that is a Hugging Face causal language model.

Tokenizer, chat template, padding and generation are hidden here: strings in, nats out.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from agents.policies.batches import cut
from agents.policies.character_lm import character_tokenizer, small_llama
from agents.policies.chat import CACHED_TEXTS, Chat, context_length, token_ids
from agents.policies.checkpoints import read_causal_lm
from agents.policies.completion import complete
from agents.policies.decoding import Sampling, decode, left_pad
from agents.policies.mixture import Mixture
from agents.policies.packing import pack, packed_logprobs
from agents.policies.sampled import Sampled

MAX_TOKENS = 1 << 15
"""Tokens of prompts that are read at a time for their features."""


class CausalLM:
    """A causal LM as an ``agents.policies.base.Policy``.

    Args:
        model: a Hugging Face causal LM.
        tokenizer: its tokenizer; a chat template is applied if it has one.
        sampling: temperature, nucleus and length of the responses.
        chat: puts prompts into the template; None: as the tokenizer and the model say.

    ``logprobs`` reads a response as the tokens of its text and the end-of-text token, even if
    sampling had cut it off at ``max_tokens``: choose that large enough.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        sampling: Sampling | None = None,
        chat: Chat | None = None,
    ) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        self.sampling = sampling or Sampling()
        self.chat = chat or Chat(
            tokenizer,
            limit=context_length(model.config),
            max_tokens=self.sampling.max_tokens,
        )
        self.tokens = 0
        self._response_ids: dict[str, list[int]] = {}

    @classmethod
    def load(cls, checkpoint: str | Path, sampling: Sampling | None = None) -> Self:
        """Load a shipped model by name ("wordlist") or any Hugging Face folder.

        Raises FileNotFoundError or ValueError, in one line, for a missing or broken checkpoint.
        """
        model, tokenizer = read_causal_lm(checkpoint)
        return cls(model, tokenizer, sampling)

    @classmethod
    def untrained(
        cls,
        characters: str,
        *,
        width: int = 32,
        layers: int = 2,
        heads: int = 2,
        seed: int = 0,
        sampling: Sampling | None = None,
    ) -> Self:
        """Return a small Llama with random weights that reads and writes single characters.

        A starting policy for a toy task, without any download. At first every character, and
        the end of the response, is about equally likely.

        Args:
            characters: every character that prompts and responses may contain.
            width: hidden size, a multiple of ``2 * heads``.
            layers: number of transformer blocks.
            heads: attention heads per block.
            seed: of the weights.
            sampling: temperature, nucleus and length of the responses.

        Raises ValueError for no characters or a width that the heads cannot share.
        """
        tokenizer = character_tokenizer(characters)
        model = small_llama(len(tokenizer), tokenizer.eos_token_id, width, layers, heads, seed)
        return cls(model, tokenizer, sampling)

    def save(self, folder: Path) -> None:
        """Write an ordinary Hugging Face checkpoint."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def restore(self, folder: Path) -> None:
        """Copy the weights of a checkpoint that ``save`` wrote."""
        model, _ = read_causal_lm(folder, self.model.dtype)
        self.model.load_state_dict(model.state_dict())

    def sample(
        self, prompts: Sequence[str], n: int, rng: np.random.Generator
    ) -> list[list[str]]:
        """Draw n responses to each of B prompts, (B, n) strings."""
        seeds = rng.integers(2**63, size=len(prompts), dtype=np.uint64)
        return self._decode(prompts, n, seeds, self.sampling)

    def greedy(self, prompts: Sequence[str]) -> list[list[str]]:
        """Return the response of the most likely tokens to each of B prompts, (B, 1)."""
        seeds = np.zeros(len(prompts), np.uint64)
        return self._decode(prompts, 1, seeds, replace(self.sampling, temperature=0.0))

    def complete(
        self, texts: Sequence[str], n: int, rng: np.random.Generator, *, one_line: bool = False
    ) -> list[list[Sampled]]:
        """Continue each of P plain texts n times without the chat template, (P, n) strings.

        With ``one_line``, a continuation ends at its first line break.
        """
        seeds = rng.integers(2**63, size=len(texts), dtype=np.uint64)
        replies = complete(
            self.model,
            self.tokenizer,
            list(texts),
            n,
            seeds,
            self.sampling,
            one_line=one_line,
        )
        self.tokens += sum(len(reply.ids) for reply in replies)
        return [replies[i : i + n] for i in range(0, len(replies), n)]

    def with_sampling(self, sampling: Sampling) -> Self:
        """Return a policy with the same model that draws by other settings.

        It changes with this policy, and counts its own tokens.
        """
        twin = copy.copy(self)
        twin.sampling, twin.tokens = sampling, 0
        twin.chat = self.chat.with_max_tokens(sampling.max_tokens)
        return twin

    def fits(self, text: str, *, plain: bool = False) -> bool:
        """Return whether the model can read a prompt, or a plain text, and a reply to it."""
        if not plain:
            return self.chat.fits(text)
        limit = self.chat.limit
        length = len(token_ids(self.tokenizer, [text], True)[0])
        return limit is None or length + self.sampling.max_tokens <= limit

    def logprobs(self, prompts: Sequence[str], responses: Sequence[str]) -> torch.Tensor:
        """Return the sum of a response's token log-probabilities, (P,) nats, differentiable."""
        return self.token_logprobs(prompts, responses).sum(-1)

    def token_logprobs(self, prompts: Sequence[str], responses: Sequence[str]) -> torch.Tensor:
        """Return the log-probability of each token, (P, longest) nats, 0 after the end.

        Differentiable. Responses to one prompt share its row, so that it is read once for them.
        """
        # 1. Tokenize the text, not the sampled ids: any response can be read, sampled or not.
        prompt_ids, response_ids = self.encode(prompts), self._encode_responses(responses)
        # 2. Rows of a prompt and several responses, then one forward pass over all of them.
        return packed_logprobs(self.model, pack(prompts, prompt_ids, response_ids))

    def lengths(self, responses: Sequence[str]) -> torch.Tensor:
        """Return the tokens that ``logprobs`` sums over, (P,); the end-of-text token counts."""
        return torch.tensor([len(ids) for ids in self._encode_responses(responses)])

    def prompt_lengths(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return the tokens of the prompts in their chat template, (P,)."""
        return torch.tensor([len(ids) for ids in self.encode(prompts)])

    @torch.no_grad()
    def features(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return the last hidden state at the prompts' last tokens, (P, d) in float32."""
        ids = self.encode(prompts)
        parts, rows = cut(np.array([len(prompt) for prompt in ids]), MAX_TOKENS), []
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
        """Return a policy to sample from: self^(1 - weight) * other^weight for each token.

        It shares the two models, so it changes with them, and their tokenizer.
        """
        return self._with_model(Mixture(self.model, other.model, weight))

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """Yield the model's parameters."""
        return self.model.parameters()

    def frozen(self) -> Self:
        """Return an independent copy without gradients."""
        return self._with_model(copy.deepcopy(self.model).requires_grad_(False))

    def state_dict(self) -> dict[str, Any]:
        """Return the model's parameters, by name."""
        return self.model.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Copy the parameters of ``state_dict()``."""
        return self.model.load_state_dict(state)

    def encode(self, prompts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of prompts in their chat template."""
        return self.chat.encode(prompts)

    def _with_model(self, model: Any) -> Self:
        """Return a policy with another model and the same tokenizer, whose cache it shares."""
        policy = type(self)(model, self.tokenizer, self.sampling, self.chat)
        policy._response_ids = self._response_ids
        return policy

    def _decode(
        self, prompts: Sequence[str], n: int, seeds: np.ndarray, sampling: Sampling
    ) -> list[list[str]]:
        drawn = decode(self.model, self.encode(prompts), n, seeds, sampling)
        self.tokens += sum(map(len, drawn))
        texts = self.tokenizer.batch_decode(drawn, skip_special_tokens=True)
        return [texts[i : i + n] for i in range(0, len(texts), n)]

    def _encode_responses(self, responses: Sequence[str]) -> list[list[int]]:
        """Return the token ids of responses with their end-of-text token, cached for epochs."""
        new = [text for text in dict.fromkeys(responses) if text not in self._response_ids]
        if new:
            if len(self._response_ids) + len(new) > CACHED_TEXTS:
                self._response_ids.clear()
                new = list(dict.fromkeys(responses))
            encoded = token_ids(self.tokenizer, new, special=False)
            end = self.chat.end
            for text, ids in zip(new, encoded, strict=True):
                self._response_ids[text] = ids if end is None else [*ids, end]
        return [self._response_ids[text] for text in responses]
