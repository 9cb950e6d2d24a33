"""Golden values of losses on pairs, from TRL's loss code; only this file needs TRL.

    python tests/goldens/make.py            write pairs.json
    python tests/goldens/make.py --check    compute it again, and fail if it differs

(``pip install -e ".[test-goldens]"`` installs TRL.) Made with TRL 1.16.0. The trainers are
never set up: their loss methods are called on stand-ins that have the attributes they read,
with log-probabilities by token in float64. TRL's casts of some of them to float32 are off.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

FILE = Path(__file__).with_name("pairs.json")
PROMPT, LONGEST, PAIRS = 2, 6, 5

DPO_LOSSES: dict[str, dict[str, Any]] = {
    "sigmoid": {"beta": 0.3},
    "hinge": {"beta": 0.4},
    "ipo": {"beta": 0.6},
    "robust": {"beta": 0.3, "label_smoothing": 0.2},
    "sppo_hard": {"beta": 0.05},
}
CPO_LOSSES: dict[str, dict[str, Any]] = {
    "sigmoid": {"beta": 0.3},
    "simpo": {"beta": 2.0, "simpo_gamma": 0.7},
}
KTO_LOSS = {"beta": 0.3, "desirable_weight": 1.3, "undesirable_weight": 0.8}
ORPO_LOSS = {"beta": 0.5}


def inputs() -> dict[str, Any]:
    """Log-probabilities by token of (chosen, rejected) pairs, and of mismatched responses."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, LONGEST + 1, size=(PAIRS, 2))
    tokens = -rng.exponential(1.0, size=(4, PAIRS, 2, LONGEST))
    tokens *= np.arange(LONGEST) < sizes[..., None]
    tokens[2] *= 0.5  # a KL estimate above 0, where it would be cut off
    names = ("policy", "reference", "policy_kl", "reference_kl")
    return {"sizes": sizes, **dict(zip(names, tokens, strict=True))}


class Self:
    """Stands in for a trainer: settings by attribute, statistics thrown away, one process."""

    accelerator: Any = SimpleNamespace(
        device=torch.device("cpu"), gather=lambda x: x, gather_for_metrics=lambda x: x
    )
    model = SimpleNamespace(training=False, is_gradient_checkpointing=False)
    args = SimpleNamespace(gradient_checkpointing=False, gradient_checkpointing_kwargs=None)
    aux_loss_enabled = precompute_ref_logps = use_weighting = False
    ld_alpha, f_divergence_type, loss_weights = None, "reverse_kl", [1.0]
    calculate_KL, loss_type, alpha, label_smoothing = True, "kto", 0.0, 0.0
    _total_train_tokens = 0

    def __init__(self, **settings: Any) -> None:
        self._metrics: Any = {"eval": defaultdict(list)}
        vars(self).update(settings)


def model_of(rows: Tensor, mismatched: Tensor | None = None) -> Any:
    """A model that gives every sequence these log-probabilities, nats by token."""

    def forward(input_ids: Tensor, **_: Any) -> SimpleNamespace:
        values = rows if mismatched is None or input_ids[0, 0] == 0 else mismatched
        logprobs = torch.cat([torch.zeros(len(values), PROMPT - 1).double(), values], 1)
        rest = {name: torch.zeros_like(logprobs) for name in ("entropy", "mean_logits")}
        return SimpleNamespace(log_probs=logprobs, is_top1=logprobs > 1, **rest)

    return forward


def masks(sizes: Tensor, mark: int) -> tuple[Tensor, Tensor]:
    """Return token ids, all equal, and the mask of the response's tokens."""
    places = torch.arange(PROMPT + LONGEST)
    mask = (places >= PROMPT) & (places < PROMPT + sizes[:, None])
    return torch.full(mask.shape, mark), mask.long()


def dpo(data: dict[str, Tensor], kind: str, settings: dict[str, Any]) -> list[float]:
    """DPOTrainer's loss of each pair, one call each, as it returns a mean."""
    from trl import DPOTrainer

    values = []
    for i in range(PAIRS):
        ids, mask = masks(data["sizes"][i], 0)
        stand_in = Self(loss_types=[kind], ref_model=model_of(data["reference"][i]), **settings)
        batch = {"input_ids": ids, "attention_mask": ids + 1, "completion_mask": mask}
        model = model_of(data["policy"][i])
        values.append(DPOTrainer._compute_loss(stand_in, model, batch, False).item())
    return values


def kto(data: dict[str, Tensor]) -> float:
    """KTOTrainer's mean loss over all chosen and rejected responses."""
    from trl import KTOTrainer

    sizes = data["sizes"].flatten()
    (ids, mask), (mismatched, mismatched_mask) = masks(sizes, 0), masks(sizes, 1)
    batch = {"input_ids": ids, "attention_mask": ids + 1, "completion_mask": mask}
    batch |= {"KL_input_ids": mismatched, "KL_attention_mask": mismatched}
    batch |= {
        "KL_completion_mask": mismatched_mask,
        "label": torch.tensor([True, False] * PAIRS),
    }
    policy, reference = (
        model_of(data[name].flatten(0, 1), data[f"{name}_kl"].flatten(0, 1))
        for name in ("policy", "reference")
    )
    stand_in = Self(ref_model=reference, **KTO_LOSS)
    stand_in._compute_kl_logps = lambda *a: KTOTrainer._compute_kl_logps(stand_in, *a)
    return KTOTrainer._compute_loss(stand_in, policy, batch, False).item()


def losses() -> dict[str, Any]:
    """Return the content of the file."""
    from trl.experimental.cpo import CPOTrainer
    from trl.experimental.orpo import ORPOTrainer

    given = inputs()
    data = {name: torch.from_numpy(values) for name, values in given.items()}
    sums = data["policy"].sum(-1)
    means = sums / data["sizes"]
    golden: dict[str, Any] = {
        kind: {**settings, "loss": dpo(data, kind, settings)}
        for kind, settings in DPO_LOSSES.items()
    }
    for kind, settings in CPO_LOSSES.items():
        stand_in = Self(loss_type=kind, **settings)
        logprobs = means if kind == "simpo" else sums
        values, *_ = CPOTrainer.cpo_loss(stand_in, *logprobs.unbind(1))
        golden[f"cpo_{kind}"] = {**settings, "loss": values.tolist()}
    with mock.patch.object(Tensor, "float", lambda self: self):
        ratio, *_ = ORPOTrainer.odds_ratio_loss(Self(**ORPO_LOSS), *means.unbind(1))
    golden["orpo_odds_ratio"] = {**ORPO_LOSS, "loss": (-ratio).tolist()}
    golden["kto"] = {**KTO_LOSS, "loss": kto(data)}
    return {"inputs": {k: v.tolist() for k, v in given.items()}, "losses": golden}


def main(args: list[str]) -> int:
    """Write the file, or check it."""
    golden = losses()
    if args != ["--check"]:
        FILE.write_text(json.dumps(golden, indent=1) + "\n")
        return 0
    kept = json.loads(FILE.read_text())
    same = kept["inputs"] == golden["inputs"] and all(
        np.allclose(kept["losses"][name]["loss"], values["loss"], rtol=0, atol=1e-12)
        for name, values in golden["losses"].items()
    )
    print(f"{FILE.name}: {'as TRL has it' if same else 'differs from TRL'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
