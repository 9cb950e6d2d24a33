"""A policy that is a softmax table: integer prompts and responses, everything exact."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from eva_env.types import Floats, Ints

FILE = "table.safetensors"


class TablePolicy:
    """pi(y | x) = softmax_y(reference_logits[x] + features[x] @ theta), in float64.

    Args:
        reference_logits: (K, M), the policy at theta = 0, its starting point.
        features: (K, d), through which prompts share theta (d, M): a step on one prompt moves
            the logits of another by the inner product of their features. Equal rows make an
            aliased policy, d < K a low-rank one; None (one-hot rows) is a plain table.

    Each response counts as one token. Ids out of range raise ValueError.
    """

    def __init__(self, reference_logits: Floats, features: Floats | None = None) -> None:
        self.reference_logits = _matrix("reference_logits", reference_logits)
        prompts, self._responses = self.reference_logits.shape
        self._features = None if features is None else _matrix("features", features)
        width = prompts if self._features is None else self._features.shape[1]
        if self._features is not None and len(self._features) != prompts:
            raise ValueError(
                f"features must have {prompts} rows, one for each row of reference_logits, "
                f"got {len(self._features)}"
            )
        self.theta = torch.nn.Parameter(
            torch.zeros(width, self._responses, dtype=torch.float64)
        )
        self.tokens = 0

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a folder that ``save`` wrote; FileNotFoundError or ValueError if it fails."""
        path = Path(folder) / FILE
        if not path.is_file():
            raise FileNotFoundError(
                f"no softmax table at {path}; give a folder saved by save()"
            )
        try:
            tensors = load_file(path)
        except SafetensorError as error:
            raise ValueError(
                f"cannot read the softmax table {path} ({error}); take another checkpoint"
            ) from error
        policy = cls(tensors["reference_logits"].numpy(), _numpy(tensors.get("features")))
        policy.load_state_dict({"theta": tensors["theta"]})
        return policy

    def save(self, folder: str | Path) -> None:
        """Write one safetensors file into the folder, which is made if necessary."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        tensors = {"reference_logits": self.reference_logits, "theta": self.theta.detach()}
        if self._features is not None:
            tensors["features"] = self._features
        save_file(tensors, Path(folder) / FILE)

    def sample(self, prompts: Sequence[int] | Ints, n: int, rng: np.random.Generator) -> Ints:
        """Draw n responses to each of B prompts, (B, n) integers, by inverse CDF."""
        with torch.no_grad():
            cdf = self._log_softmax(self._prompts(prompts)).exp().cumsum(-1).numpy()
        if np.isnan(cdf[:, -1]).any():  # every draw would be response 0
            raise ValueError("the table's probabilities are NaN: its logits are too large")
        uniforms = rng.random((len(cdf), n)) * cdf[:, -1:]
        # Leaving out the last column keeps a rounded-up uniform inside the table.
        drawn = (uniforms[:, :, None] >= cdf[:, None, :-1]).sum(-1)
        self.tokens += drawn.size
        return drawn

    def greedy(self, prompts: Sequence[int] | Ints) -> Ints:
        """Return the most likely response to each of B prompts, (B, 1); the first if equal."""
        with torch.no_grad():
            best = self._log_softmax(self._prompts(prompts)).argmax(-1, keepdim=True)
        self.tokens += len(best)
        return best.numpy()

    def logprobs(
        self, prompts: Sequence[int] | Ints, responses: Sequence[int] | Ints
    ) -> torch.Tensor:
        """Return the log-probability of response p to prompt p, (P,) nats, differentiable."""
        ids = self._prompts(prompts)
        chosen = _ids("response", responses, self._responses)
        if ids.shape != chosen.shape:
            raise ValueError(f"got {len(ids)} prompts but {len(chosen)} responses")
        distinct, row = ids.unique(return_inverse=True)
        return self._log_softmax(distinct)[row, chosen]

    def token_logprobs(
        self, prompts: Sequence[int] | Ints, responses: Sequence[int] | Ints
    ) -> torch.Tensor:
        """Return ``logprobs``, since a response is one token, (P, 1) nats."""
        return self.logprobs(prompts, responses)[:, None]

    def lengths(self, responses: Sequence[int] | Ints) -> torch.Tensor:
        """Return the tokens that ``logprobs`` sums over, (P,): all ones."""
        return torch.ones(len(responses), dtype=torch.int64)

    def prompt_lengths(self, prompts: Sequence[int] | Ints) -> torch.Tensor:
        """Return the tokens of the prompts, (P,): all ones."""
        return torch.ones(len(prompts), dtype=torch.int64)

    def features(self, prompts: Sequence[int] | Ints) -> torch.Tensor:
        """Return the prompts' features, (P, d); one-hot rows (P, K) for a plain table."""
        rows = self._prompts(prompts)
        if self._features is not None:
            return self._features[rows]
        return torch.nn.functional.one_hot(rows, len(self.reference_logits)).double()

    def mixture(self, other: Self, weight: float) -> Self:
        """Return the table proportional to self^(1 - weight) * other^weight."""
        rows = torch.arange(len(self.reference_logits))
        with torch.no_grad():
            logits = torch.lerp(self._log_softmax(rows), other._log_softmax(rows), weight)
        return type(self)(logits.numpy())

    def probabilities(self) -> Floats:
        """Return the whole table pi(y | x), (K, M)."""
        with torch.no_grad():
            return self._log_softmax(torch.arange(len(self.reference_logits))).exp().numpy()

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """Yield theta."""
        yield self.theta

    def frozen(self) -> Self:
        """Return an independent copy without gradients."""
        twin = type(self)(self.reference_logits.numpy(), _numpy(self._features))
        twin.load_state_dict(self.state_dict())
        twin.theta.requires_grad_(False)
        return twin

    def state_dict(self) -> dict[str, Any]:
        """Return theta, by name; it shares memory with the policy, as a module's state does."""
        return {"theta": self.theta.detach()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy the values of ``state_dict()``."""
        theta = state["theta"]
        if theta.shape != self.theta.shape:
            raise ValueError(
                f"theta must be {tuple(self.theta.shape)}, got {tuple(theta.shape)}"
            )
        if not theta.isfinite().all():
            raise ValueError("theta holds NaN or infinity; take another checkpoint")
        with torch.no_grad():
            self.theta.copy_(theta)

    def _log_softmax(self, rows: torch.Tensor) -> torch.Tensor:
        shift = (
            self.theta[rows] if self._features is None else self._features[rows] @ self.theta
        )
        return (self.reference_logits[rows] + shift).log_softmax(-1)

    def _prompts(self, prompts: Sequence[int] | Ints) -> torch.Tensor:
        return _ids("prompt", prompts, len(self.reference_logits))


def _matrix(name: str, values: Floats) -> torch.Tensor:
    """Return a float64 copy; ValueError unless it is a finite matrix."""
    matrix = torch.tensor(np.asarray(values, dtype=np.float64))
    if matrix.ndim != 2 or not matrix.isfinite().all():
        raise ValueError(f"{name} must be a finite matrix, got shape {tuple(matrix.shape)}")
    return matrix


def _numpy(tensor: torch.Tensor | None) -> Floats | None:
    return None if tensor is None else tensor.numpy()


def _ids(kind: str, values: Sequence[int] | Ints, size: int) -> torch.Tensor:
    """Return ids (P,) as a tensor; ValueError unless all are integers in 0 ... size - 1."""
    ids = np.asarray(values)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise ValueError(f"{kind}s must be a vector of integers, got {values!r}")
    wrong = ids[(ids < 0) | (ids >= size)]
    if wrong.size:
        raise ValueError(f"{kind} ids must be in 0 ... {size - 1}, got {wrong[0]}")
    return torch.from_numpy(ids.astype(np.int64))
