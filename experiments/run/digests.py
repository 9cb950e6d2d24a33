"""Digests of a round: equal digests mean equal prompts, responses, rewards and parameters."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from agents.policies.base import Policy
from agents.policies.sampled import Sampled
from eva_env.types import Round

PARTS = ("prompts", "responses", "rewards", "parameters")
"""What a round has digests of, in the order in which a difference spreads."""


def digests(round: Round, policy: Policy) -> dict[str, str]:
    """Return a digest (16 hexadecimal digits) of each of PARTS.

    ``policy`` is the solver's after its update; frozen parameters are left out. A sampled
    response counts with its tokens, a reward with all its bits.
    """
    responses = [[_drawn(response) for response in row] for row in round.responses]
    prompts = [_plain(prompt) for prompt in round.prompts]
    rewards = np.ascontiguousarray(round.rewards, np.float64)
    content = (_json(prompts), _json(responses), [rewards.tobytes()], _parameters(policy))
    return {part: _digest(pieces) for part, pieces in zip(PARTS, content, strict=True)}


def _drawn(response: Any) -> Any:
    """A response with its tokens, if it has any."""
    plain = _plain(response)
    return [plain, response.ids.tolist()] if isinstance(response, Sampled) else plain


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _json(value: Any) -> list[bytes]:
    return [json.dumps(value, default=str).encode()]


def _parameters(policy: Policy) -> Iterable[bytes]:
    for parameter in policy.parameters():
        if parameter.requires_grad:
            flat = parameter.detach().cpu().contiguous().view(-1)
            yield flat.view(torch.uint8).numpy().tobytes()


def _digest(pieces: Iterable[bytes]) -> str:
    hashed = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        hashed.update(piece)
    return hashed.hexdigest()
