"""A policy that is a Hugging Face causal language model.

Tokenizer, chat template, padding and generation are hidden here: strings in, nats out.
"""

import copy
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeGuard

import numpy as np
import torch

from agents.policies.attention import device_of, dtype_of, unwrap, windows
from agents.policies.batches import cut
from agents.policies.character_lm import character_tokenizer, small_llama
from agents.policies.chat import CACHED_TEXTS, Chat, context_length, token_ids
from agents.policies.checkpoints import read_causal_lm
from agents.policies.completion import NO_VOCABULARY, line_breaks, plain_ids
from agents.policies.decoding import Drawn, decode, end_ids
from agents.policies.layout import Layout, find_layout
from agents.policies.logits import hidden_states
from agents.policies.mixture import Mixture
from agents.policies.packing import pack, packed_logprobs
from agents.policies.sampled import Sampled
from agents.policies.sampling import SHARED, Sampling

MAX_TOKENS = 1 << 15
"""Tokens of prompts that are read at a time for their features."""


class CausalLM:
    """A causal LM as an ``agents.policies.base.Policy``.

    Args:
        model: a Hugging Face causal LM; PEFT and DistributedDataParallel wrappers work.
        tokenizer: its tokenizer.
        sampling: temperature, nucleus and length of the responses.
        chat: puts prompts into the template; None: as the tokenizer and the model say.
        logits_megabytes: a bound on the memory of the logits that exist together.

    A response that a policy of this vocabulary drew is read as the tokens that were drawn, and
    without an end if it was cut off. Any other text is encoded and closed with ``chat.end``.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        sampling: Sampling | None = None,
        chat: Chat | None = None,
        *,
        logits_megabytes: float = 256.0,
    ) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        self.sampling = sampling or Sampling()
        self.chat = chat or Chat(
            tokenizer,
            limit=context_length(unwrap(model).config),
            max_tokens=self.sampling.max_tokens,
        )
        self.logits_megabytes = logits_megabytes
        self.tokens = 0
        self.temperature = 1.0
        """Divisor of the logits in log-probabilities; ``as_sampled`` sets it."""
        self._response_ids: dict[str, list[int]] = {}
        self._layout: Layout | None = None
        self._vocabulary: int | None = None

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

    @property
    def layout(self) -> Layout:
        """The fast ways of reading that are right for the model, checked once on toy input."""
        if self._layout is None:
            self._layout = find_layout(self.model)
        return self._layout

    @property
    def vocabulary(self) -> int:
        """A key of the tokenizer's vocabulary: policies of the same key share token ids."""
        if self._vocabulary is None:
            words = sorted((i, word) for word, i in self.tokenizer.get_vocab().items())
            self._vocabulary = zlib.crc32(repr(words).encode())
        return self._vocabulary

    @property
    def ends(self) -> tuple[int, ...]:
        """The ids that end a response: of generation config, tokenizer and chat template."""
        return end_ids(self.model, self.tokenizer.eos_token_id, self.chat.end)

    def restore(self, folder: Path) -> None:
        """Copy the weights of a checkpoint that ``save`` wrote."""
        model, _ = read_causal_lm(folder, dtype_of(self.model))
        self.model.load_state_dict(model.state_dict())

    def sample(
        self, prompts: Sequence[str], n: int, rng: np.random.Generator
    ) -> list[list[Sampled]]:
        """Draw n responses to each of B prompts, (B, n) texts with their tokens."""
        seeds = rng.integers(2**63, size=len(prompts), dtype=np.uint64)
        return self._decode(prompts, n, seeds, self.sampling)

    def greedy(self, prompts: Sequence[str]) -> list[list[Sampled]]:
        """Return the response of the most likely tokens to each of B prompts, (B, 1)."""
        seeds = np.zeros(len(prompts), np.uint64)
        return self._decode(prompts, 1, seeds, replace(self.sampling, temperature=0.0))

    def complete(
        self, texts: Sequence[str], n: int, rng: np.random.Generator, *, one_line: bool = False
    ) -> list[list[Sampled]]:
        """Continue each of P plain texts n times without the chat template, (P, n) strings.

        With ``one_line``, a continuation ends with the first token that holds a line break.
        Continuations are no responses to a prompt, so no policy reads their tokens.
        """
        seeds = rng.integers(2**63, size=len(texts), dtype=np.uint64)
        drawn = decode(
            self.model,
            plain_ids(self.tokenizer, texts),
            n,
            seeds,
            self.sampling,
            ends=(*self.ends, *(line_breaks(self.tokenizer) if one_line else ())),
            way=self.layout.decoding,
        )
        self.tokens += sum(len(reply.ids) for reply in drawn)
        texts = self.tokenizer.batch_decode(
            [reply.ids for reply in drawn], skip_special_tokens=True
        )
        replies = [
            Sampled(text, reply.ids, reply.ended, NO_VOCABULARY)
            for text, reply in zip(texts, drawn, strict=True)
        ]
        return [replies[i : i + n] for i in range(0, len(replies), n)]

    def with_sampling(self, sampling: Sampling) -> Self:
        """Return a policy with the same model that draws by other settings.

        It changes with this policy, and counts its own tokens.
        """
        twin = copy.copy(self)
        twin.sampling, twin.tokens = sampling, 0
        twin.chat = self.chat.with_max_tokens(sampling.max_tokens)
        twin._layout = self.layout  # so that the model is checked once
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

        Differentiable, in float32 for any type of the model. Responses to one prompt share its
        row if the model can read that, so that it is read once for them.
        """
        # 1. The tokens that were drawn, or those of the text if it was not sampled.
        prompt_ids, response_ids = self.encode(prompts), self.encode_responses(responses)
        # 2. Rows of a prompt and its responses, then one forward pass over all of them.
        keys = prompts if self.layout.packs else range(len(prompts))
        return packed_logprobs(
            self.model,
            pack(keys, prompt_ids, response_ids),
            head=self.layout.head,
            megabytes=self.logits_megabytes,
            temperature=self.temperature,
        )

    def lengths(self, responses: Sequence[str]) -> torch.Tensor:
        """Return the tokens that ``logprobs`` sums over, (P,); an end token counts."""
        return torch.tensor([len(ids) for ids in self.encode_responses(responses)])

    def prompt_lengths(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return the tokens of the prompts in their chat template, (P,)."""
        return torch.tensor([len(ids) for ids in self.encode(prompts)])

    @torch.no_grad()
    def features(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return the last hidden state at the prompts' last tokens, (P, d) in float32."""
        ids = self.encode(prompts)
        lengths = np.array([len(prompt) for prompt in ids])
        parts, rows, device = cut(lengths, MAX_TOKENS), [], device_of(self.model)
        for part in parts:
            # A token sees no padding to its right, so that no mask is needed.
            tokens = np.zeros((len(part), lengths[part].max()), np.int64)
            for row, i in enumerate(part):
                tokens[row, : lengths[i]] = ids[i]
            states = hidden_states(self.model, input_ids=torch.from_numpy(tokens).to(device))
            rows.append(states[np.arange(len(part)), lengths[part] - 1].float())
        return torch.cat(rows)[torch.from_numpy(np.concatenate(parts).argsort())]

    def mixture(self, other: Self, weight: float) -> Self:
        """Return a policy to sample from: self^(1 - weight) * other^weight for each token.

        It shares the two models, so it changes with them, and their tokenizer.
        """
        mixture = self._with_model(Mixture(self.model, other.model, weight))
        same = self.layout == other.layout and windows(self.model) == windows(other.model)
        if not same or self.layout.decoding not in SHARED:
            mixture._layout = replace(self.layout, decoding="recomputed")
        return mixture

    def as_sampled(self) -> Self:
        """Return the same policy, whose log-probabilities are those of what ``sample`` draws.

        They are those of the logits divided by the temperature; the parameters are shared.
        Raises ValueError for sampling by a nucleus, whose ratios are undefined outside it, and
        at temperature 0.
        """
        wrong = []
        if self.sampling.top_p < 1:
            wrong.append(f"top_p 1, got {self.sampling.top_p} (set --sampling.top-p 1)")
        if self.sampling.temperature == 0:
            wrong.append("a temperature above 0, got 0 (set --sampling.temperature 1)")
        if wrong:
            raise ValueError(
                f"the log-probabilities of what is sampled need {' and '.join(wrong)}; or use "
                f"a method without importance ratios and KL terms"
            )
        policy = self._with_model(self.model)
        policy.temperature = self.sampling.temperature
        return policy

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

    def encode_responses(self, responses: Sequence[str]) -> list[list[int]]:
        """Return the token ids of responses: drawn ones, or those of the text and its end."""
        # A drawn text may be equal to one that was not drawn, so they are separated first.
        written = dict.fromkeys(str(text) for text in responses if not self._drew(text))
        new = [text for text in written if text not in self._response_ids]
        if new:
            if len(self._response_ids) + len(new) > CACHED_TEXTS:
                self._response_ids.clear()
                new = list(written)
            encoded = token_ids(self.tokenizer, new, special=False)
            end = [] if self.chat.end is None else [self.chat.end]
            for text, ids in zip(new, encoded, strict=True):
                self._response_ids[text] = [*ids, *end]
        return [
            text.ids.tolist() if self._drew(text) else self._response_ids[text]
            for text in responses
        ]

    def _drew(self, text: str) -> TypeGuard[Sampled]:
        """Return True if the text carries tokens of this policy's vocabulary."""
        return isinstance(text, Sampled) and text.vocabulary == self.vocabulary

    def _with_model(self, model: Any) -> Self:
        """Return a policy with another model of the same kind; all caches are shared."""
        policy = copy.copy(self)
        policy._layout, policy._vocabulary = self.layout, self.vocabulary
        policy.model, policy.tokens = model.eval(), 0
        return policy

    def _decode(
        self, prompts: Sequence[str], n: int, seeds: np.ndarray, sampling: Sampling
    ) -> list[list[Sampled]]:
        ends = self.ends
        drawn = decode(
            self.model,
            self.encode(prompts),
            n,
            seeds,
            sampling,
            ends=ends,
            way=self.layout.decoding,
        )
        self.tokens += sum(len(response.ids) for response in drawn)
        texts = self.tokenizer.batch_decode(
            [response.ids[: -1 if response.ended else None] for response in drawn],
            skip_special_tokens=True,
        )
        responses = [
            self._sampled(text, response) for text, response in zip(texts, drawn, strict=True)
        ]
        return [responses[i : i + n] for i in range(0, len(responses), n)]

    def _sampled(self, text: str, drawn: Drawn) -> Sampled:
        return Sampled(text, drawn.ids, drawn.ended, self.vocabulary, drawn.logprobs)
