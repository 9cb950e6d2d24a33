"""Sampling with one response a row, for models that cannot decode samples side by side.

The library's own cache reads what the model needs (recurrent states, ALiBi, chunks); a mixture
of two such models is computed again at each step, without a cache.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from agents.policies.attention import device_of, unwrap
from agents.policies.choosing import choose
from agents.policies.mixture import Mixture
from agents.policies.sampling import Sampling, Tokens, Way, left_pad

Draw = Callable[[Tensor], Tensor]
"""Draws the next token of each row, (R,), from its logits (R, V)."""


@torch.no_grad()
def decode_rows(
    model: Any,
    prompts: Sequence[Sequence[int]],
    uniform: Tensor,
    sampling: Sampling,
    ends: Sequence[int],
    way: Way,
) -> Tokens:
    """Draw a response for each prompt by its stream of uniforms, (R, 1, max_tokens)."""
    steps, device = uniform.shape[-1], uniform.device
    end = torch.tensor(ends, dtype=torch.long, device=device)
    tokens = torch.full(uniform.shape, -1, device=device)
    logprobs = torch.zeros(uniform.shape, device=device)
    unfinished = torch.ones(len(prompts), dtype=torch.bool, device=device)
    step = iter(range(steps))

    def draw(logits: Tensor) -> Tensor:
        t = next(step)
        choice = choose(logits, uniform[:, 0, t], sampling)
        tokens[:, 0, t] = choice.token.where(unfinished, -1)
        logprobs[:, 0, t] = choice.logprob
        unfinished.logical_and_(torch.isin(choice.token, end, invert=True))
        return choice.token

    if way == "recomputed" or isinstance(model, Mixture):
        recompute(model, prompts, draw, steps, unfinished)
    else:
        generate(model, prompts, draw, steps, ends)
    return Tokens(tokens, logprobs)


def recompute(
    model: Any, prompts: Sequence[Sequence[int]], draw: Draw, steps: int, unfinished: Tensor
) -> None:
    """Read the whole rows again at every step, padded on the right, until all have ended."""
    device = device_of(model)
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    ids = torch.zeros((len(prompts), int(lengths.max()) + steps), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt)
    ids, row = ids.to(device), torch.arange(len(prompts), device=device)
    for t in range(steps):
        token = draw(next_logits(model, ids[:, : int(lengths.max()) + t], lengths + t - 1))
        ids[row, lengths + t] = token
        if not unfinished.any():
            break


def next_logits(model: Any, ids: Tensor, place: Tensor) -> Tensor:
    """Return the logits (R, V) after a place (R,) of each row (R, W), padded on the right."""
    if isinstance(model, Mixture):
        return model.mix(
            next_logits(model.first, ids, place), next_logits(model.second, ids, place)
        )
    logits = unwrap(model)(input_ids=ids, use_cache=False).logits
    return logits[torch.arange(len(ids), device=ids.device), place]


def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    draw: Draw,
    steps: int,
    ends: Sequence[int],
) -> None:
    """Decode by the library's ``model.generate``, in which ``draw`` picks every token."""
    from transformers import GenerationConfig, LogitsProcessorList

    def pick(_: Tensor, scores: Tensor) -> Tensor:
        picked = torch.full_like(scores, -torch.inf)
        return picked.scatter(1, draw(scores)[:, None], 0.0)

    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=steps,
        eos_token_id=list(ends) or None,
        pad_token_id=ends[0] if ends else 0,
    )
    model = unwrap(model)
    ids, mask = left_pad(prompts, device_of(model))
    with _generation_config(model, config):
        model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=config,
            logits_processor=LogitsProcessorList([pick]),  # type: ignore[list-item]
        )


@contextmanager
def _generation_config(model: Any, config: Any) -> Iterator[None]:
    """Set aside the model's own generation config: its penalties are not the policy's."""
    before = model.generation_config
    model.generation_config = config
    try:
        yield
    finally:
        model.generation_config = before
