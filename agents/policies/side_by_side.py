"""Sampling with the n responses to a prompt side by side in one row of the batch."""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from agents.policies.attention import StepMasks, device_of, unwrap
from agents.policies.choosing import choose
from agents.policies.mixture import Caches, Mixture
from agents.policies.sampling import Sampling, Tokens, Way, left_pad
from agents.policies.unfinished import Samples, computing, growing_cache


@torch.inference_mode()
def decode_side_by_side(
    model: Any,
    prompts: Sequence[Sequence[int]],
    uniform: Tensor,
    sampling: Sampling,
    ends: Sequence[int],
    way: Way,
) -> Tokens:
    """Draw a response for each uniform stream, (P, n, max_tokens), n to a prompt."""
    n, steps = uniform.shape[1:]
    end = torch.tensor(ends, dtype=torch.long, device=uniform.device)
    state = SideBySide(model, prompts, n, steps, way)
    tokens = torch.full(uniform.shape, -1, device=uniform.device)
    logprobs = torch.zeros(uniform.shape, device=uniform.device)
    row = torch.arange(len(prompts), device=uniform.device)  # the place of each batch row
    unfinished = torch.ones(uniform.shape[:2], dtype=torch.bool, device=uniform.device)
    for t in range(steps):
        # 1. Draw a token for every sample that was computed; those of finished samples are
        #    thrown away.
        computed = state.computed
        choice = choose(state.logits, uniform[row, :, t][computed], sampling)
        token = torch.zeros_like(unfinished, dtype=torch.long)
        token[computed] = choice.token
        tokens[row, :, t] = token.where(unfinished, -1)
        logprob = logprobs.new_zeros(unfinished.shape)
        logprob[computed] = choice.logprob
        logprobs[row, :, t] = logprob
        unfinished &= torch.isin(token, end, invert=True)
        # 2. A row leaves when all its samples have ended. That copies the cache, so it waits
        #    until a fifth of the rows can leave together.
        kept = unfinished.any(1).nonzero()[:, 0]
        if len(kept) == 0 or t + 1 == steps:
            break
        if len(kept) < 0.8 * len(row):
            state.keep(kept)
            row, token, unfinished = row[kept], token[kept], unfinished[kept]
        # 3. Read the n new tokens of every row in one step, all at the same position.
        state.advance(token, unfinished)
    return Tokens(tokens, logprobs)


class SideBySide:
    """A batch of P rows, each with a prompt and n samples that continue it.

    A step reads n tokens at the same position, each of which sees the prompt and the tokens of
    its own sample. So the prompt's states are held once, and a mask is enough.

    ``logits`` (A, V) are those of the next tokens of the ``computed`` samples, a mask (P, n):
    all of them, or the unfinished ones.
    """

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Sequence[int]],
        n: int,
        steps: int,
        way: Way = "side by side",
    ) -> None:
        ids, mask = left_pad(prompts, device_of(model))
        position = (mask.cumsum(-1) - 1).clamp(min=0)
        arguments = {"input_ids": ids, "attention_mask": mask, "position_ids": position}
        # All n samples start from the same next-token logits.
        self.model, self.n, self.t, self.way = model, n, 0, way
        logits, self.cache = forward(model, self._empty_cache(), 1, **arguments)
        self.logits = logits.expand(-1, n, -1).flatten(0, 1)
        self.computed = torch.ones(len(prompts), n, dtype=torch.bool, device=ids.device)
        self.position = mask.sum(-1, keepdim=True).expand(-1, n)
        self.masks = StepMasks(model, mask, n, steps)

    def _empty_cache(self) -> Any:
        if self.way != "unfinished":
            return None
        if isinstance(self.model, Mixture):
            return Caches(growing_cache(), growing_cache())
        return growing_cache()

    def advance(self, tokens: Tensor, unfinished: Tensor) -> None:
        """Read the next token of every sample, (P, n), of which some are unfinished."""
        arguments = {
            "input_ids": tokens,
            "attention_mask": self.masks.step(self.t),
            "position_ids": self.position + self.t,
        }
        self.t += 1
        if self.way != "unfinished":
            logits, self.cache = forward(self.model, self.cache, None, **arguments)
            self.logits, self.computed = logits.flatten(0, 1), torch.ones_like(unfinished)
            return
        for name in ("input_ids", "position_ids"):
            arguments[name] = arguments[name][unfinished][None]
        mixed = isinstance(self.model, Mixture)
        models = [self.model.first, self.model.second] if mixed else [self.model]
        with computing(models, Samples(unfinished)):
            logits, self.cache = forward(self.model, self.cache, None, **arguments)
        self.logits, self.computed = logits[0], unfinished.clone()

    def keep(self, rows: Tensor) -> None:
        """Keep some rows of the batch."""
        self.cache.batch_select_indices(rows)
        self.masks.keep(rows)
        self.position = self.position[rows]


def forward(model: Any, cache: Any, last: int | None, **arguments: Any) -> tuple[Tensor, Any]:
    """Return a model's logits at the last places (None: all of them), and its updated cache.

    The first call has cache None: the new cache keeps all tokens, even those that a sliding
    window has passed, since the masks count on their places.
    """
    if isinstance(model, Mixture):
        caches = cache or Caches(None, None)
        first, first_cache = forward(model.first, caches.first, last, **arguments)
        second, second_cache = forward(model.second, caches.second, last, **arguments)
        return model.mix(first, second), Caches(first_cache, second_cache)
    from transformers import DynamicCache

    model = unwrap(model)
    cache = DynamicCache() if cache is None else cache
    name = "cache" if "cache" in signature(model.forward).parameters else "past_key_values"
    hook = None
    if last is not None:
        hook = model.get_output_embeddings().register_forward_pre_hook(
            lambda _, inputs: (inputs[0][:, -last:], *inputs[1:])
        )
    try:
        logits = model(**arguments, use_cache=True, **{name: cache}).logits
    finally:
        if hook is not None:
            hook.remove()
    return logits, cache
