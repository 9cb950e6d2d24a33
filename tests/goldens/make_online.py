"""Golden values of advantages and losses on samples, from TRL's code; only this file needs TRL.

    python tests/goldens/make_online.py            write the values of this TRL
    python tests/goldens/make_online.py --check    compute them again, and fail if they differ

TRL 1.16.0 made the values of RLOO, the GRPO family and online DPO (online.json), TRL 1.0.0
those of Nash-MD and XPO, which newer versions lack (online_preferences.json). No trainer is set
up: their methods are called on stand-ins, with fixed log-probabilities by token in float64 in
place of a model's. Gradients are those in the policy's log-probabilities.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import trl
from torch import Tensor

SIZES = [3, 6, 1, 4, 2, 5, 6, 6, 1, 2, 3, 4]
SAMPLES, LONGEST = 4, 6
COMMON = {"loss_type": "grpo", "importance_sampling_level": "token", "scale_rewards": "group"}
COMMON |= {"beta": 0.0, "epsilon_low": 0.2, "epsilon_high": 0.2}
FAMILY: dict[str, dict[str, Any]] = {
    "grpo": COMMON | {"beta": 0.04},
    "dr_grpo": COMMON | {"loss_type": "dr_grpo", "scale_rewards": "none"},
    "dapo": COMMON | {"loss_type": "dapo", "epsilon_high": 0.28},
    "bnpo": COMMON | {"loss_type": "bnpo", "beta": 0.04},
    "gspo": COMMON | {"importance_sampling_level": "sequence", "epsilon_high": 0.28},
}
RLOO = {"beta": 0.05, "epsilon_low": 0.2, "epsilon_high": 0.2}
ONLINE_DPO, NASH_MD, XPO = {"beta": 0.3}, {"beta": 0.1}, {"beta": 0.3, "alpha": 0.01}
PREFERENCES = [0.9, 0.2, 0.5, 0.6, 0.7, 0.1]


def inputs() -> dict[str, Any]:
    """Log-probabilities by token of a policy, of the one that sampled, of a reference."""
    rng = np.random.default_rng(1)
    mask = np.arange(LONGEST) < np.array(SIZES)[:, None]
    sampled = -rng.exponential(1.0, size=mask.shape) * mask
    policy, reference = (sampled + rng.normal(0, s, mask.shape) * mask for s in (0.3, 0.5))
    rewards = rng.normal(size=len(mask))
    rewards[SAMPLES : 2 * SAMPLES] = 0.5  # a group that doesn't differ
    given = {"policy": policy, "sampled": sampled, "reference": reference, "rewards": rewards}
    return {"sizes": SIZES} | {name: values.tolist() for name, values in given.items()}


def tensors() -> dict[str, Tensor]:
    """Return ``inputs`` as tensors, with the mask of the tokens."""
    data = {
        name: torch.tensor(values, dtype=torch.float64) for name, values in inputs().items()
    }
    data["mask"] = (torch.arange(LONGEST) < data["sizes"][:, None]).long()
    data["policy"].requires_grad_()
    return data


class Trainer:
    """A stand-in for a trainer in one process; attributes not set here are None, off."""

    def __init__(self, data: dict[str, Tensor], answers: list[Tensor], **settings: Any) -> None:
        self.args = Trainer.__new__(Trainer)
        vars(self.args).update(loss_type="sigmoid", gradient_accumulation_steps=1, n_gpu=1)
        vars(self.args).update(steps_per_generation=1, use_bias_correction_kl=False)
        same = {name: lambda x: x for name in ("gather", "gather_for_metrics")}
        self.accelerator = SimpleNamespace(
            device=torch.device("cpu"), num_processes=1, process_index=0, **same
        )
        self.accelerator.reduce = lambda x, reduction: x
        self.accelerator.backward = lambda loss: loss.backward()
        self.model = SimpleNamespace(training=True, is_gradient_checkpointing=False)
        self.ref_model = self.model
        self._tokenizer = SimpleNamespace(pad_token_id=0)
        self._metrics: Any = defaultdict(lambda: defaultdict(list))
        self._logs: Any = defaultdict(list)
        self.stats: Any = defaultdict(list)
        self._pending_extra_logs, self._pending_metrics = {}, {}
        self.reward_func_names, self.eos_token_ids = [], [1]
        self.multi_objective_aggregation = "sum_then_normalize"
        self.reward_weights, self.num_generations = torch.ones(1).double(), SAMPLES
        self.max_completion_length, self.top_entropy_quantile = LONGEST, 1.0
        self.current_gradient_accumulation_steps = self.num_iterations = 1
        ids = [[1] * size for size in SIZES]
        texts = [""] * len(ids)
        self.generated: tuple[Any, ...] = (ids, ids, texts)
        asked = iter(answers)
        self._generate = lambda *_: self.generated
        self._forward = lambda *_: next(asked)
        self._get_per_token_logps_and_entropies = lambda *_, **__: (
            next(asked), torch.zeros(len(ids), LONGEST), None
        )  # fmt: skip
        self._calculate_rewards = lambda *_: data["rewards"][:, None].clone()
        vars(self).update(settings)

    def __getattr__(self, name: str) -> None:
        return None


def learned(data: dict[str, Tensor], loss: Tensor) -> dict[str, Any]:
    """A loss and its gradient."""
    (gradient,) = torch.autograd.grad(loss, data["policy"])
    return {"loss": loss.item(), "gradient": gradient.tolist()}


def rloo() -> dict[str, Any]:
    """Advantages and loss of RLOOTrainer."""
    data = tensors()
    order = [data["sampled"], data["reference"], data["policy"]]
    stand_in = Trainer(data, order, **RLOO)
    kind: Any = trl.RLOOTrainer
    batch = kind._generate_and_score_completions(stand_in, [{"prompt": ""}] * len(SIZES))
    found = learned(data, kind._compute_loss(stand_in, None, batch))
    return RLOO | {"advantages": batch["advantages"].tolist()} | found


def grpo(settings: dict[str, Any]) -> dict[str, Any]:
    """Advantages and loss of GRPOTrainer."""
    data = tensors()
    order = [data["sampled"], *[data["reference"]] * bool(settings["beta"]), data["policy"]]
    stand_in = Trainer(data, order, **settings)
    stand_in.num_iterations = 2  # else it takes the policy now for the one that sampled
    prompts, answers, texts = stand_in.generated
    stand_in.generated = (prompts, answers, None, texts, None, {}, None, None)
    kind: Any = trl.GRPOTrainer
    batch = kind._generate_and_score_completions(stand_in, [{"prompt": ""}] * len(SIZES))
    found = learned(data, kind._compute_loss(stand_in, None, batch))
    return settings | {"advantages": batch["advantages"].tolist()} | found


def online_dpo() -> dict[str, Any]:
    """Loss of OnlineDPOTrainer: response i of the first half against i of the second."""
    from trl.experimental.online_dpo import OnlineDPOTrainer

    data = tensors()
    stand_in = Trainer(data, [data["policy"], data["reference"]], **ONLINE_DPO)
    ids = data["mask"].clone()
    stand_in.generated = (ids, ids, ids, data["mask"], None)
    stand_in.processing_class = SimpleNamespace(batch_decode=lambda *_, **__: [""] * len(ids))
    stand_in._calculate_rewards_from_functions = lambda **_: data["rewards"].clone()
    batch = {"prompt": [""] * (len(SIZES) // 2)}
    loss = OnlineDPOTrainer.training_step(stand_in, torch.nn.Identity(), batch)
    gradient = data["policy"].grad
    assert gradient is not None
    return ONLINE_DPO | {"loss": loss.item(), "gradient": gradient.tolist()}


def nash_md() -> dict[str, Any]:
    """Loss of NashMDTrainer on the first half of the responses, for given preferences."""
    from trl.experimental.nash_md.nash_md_trainer import NashMDTrainer

    data, half = tensors(), len(SIZES) // 2
    stand_in = Trainer(data, [], **NASH_MD)
    given = (
        data["policy"][:half],
        data["reference"][:half],
        torch.tensor(PREFERENCES, dtype=torch.float64),
    )
    loss, *_ = NashMDTrainer._compute_losses(stand_in, *given)
    return NASH_MD | {"preferences": PREFERENCES} | learned(data, loss)


def xpo() -> dict[str, Any]:
    """Loss of XPOTrainer: the policy's responses first, then the reference's."""
    from trl.experimental.xpo.xpo_trainer import XPOTrainer

    data, half = tensors(), len(SIZES) // 2
    stand_in = Trainer(data, [], **XPO)
    policy, reference, rewards = data["policy"], data["reference"], data["rewards"]
    loss, *_ = XPOTrainer._compute_losses(
        stand_in, policy[:half], policy[half:], reference[half:], reference[:half],
        rewards[:half] >= rewards[half:],
    )  # fmt: skip
    return XPO | learned(data, loss)


def main(args: list[str]) -> int:
    """Write the file of this TRL, or check it."""
    if trl.__version__ == "1.0.0":
        name, found = "online_preferences.json", {"nash_md": nash_md(), "xpo": xpo()}
    else:
        family = {kind: grpo(settings) for kind, settings in FAMILY.items()}
        name, found = "online.json", {"rloo": rloo(), **family, "online_dpo": online_dpo()}
    file = Path(__file__).with_name(name)
    found = {"inputs": inputs(), "methods": found}
    if args != ["--check"]:
        file.write_text(json.dumps(found, indent=1) + "\n")
        return 0
    kept = json.loads(file.read_text())
    same = kept["inputs"] == found["inputs"] and all(
        np.allclose(kept["methods"][method][key], value, rtol=0, atol=1e-12)
        for method, values in found["methods"].items()
        for key, value in values.items()
        if not isinstance(value, str)
    )
    print(f"{name}: {'as TRL has it' if same else 'differs from TRL'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
