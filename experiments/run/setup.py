"""Build a run's environment, training reward and starting policy from its world."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pettingzoo
import torch
from safetensors import SafetensorError
from transformers.utils import logging

import eva_env  # noqa: F401 - registers the environments
from agents.policies.base import Policy
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.policies.table import TablePolicy
from eva_env.boundary import NO_LIMITS, Limits
from eva_env.payoffs import require_payoff, signal_values
from eva_env.plugins import in_one_line, is_spec, load_object
from eva_env.rewards.base import unbound
from eva_env.types import KnowsBest, RewardModel, Task, offers
from eva_env.world import SoftmaxTable, World
from experiments.run.errors import UserError, is_out_of_memory, out_of_memory
from experiments.run.fitting import Fitting


def pinned(world: World) -> World:
    """Return the world with fingerprints of its files; UserError, with the remedy, without."""
    try:
        return world.pinned()
    except (OSError, ValueError) as error:
        raise UserError(" ".join(str(error).split())) from error


def make_env(
    world: World,
    model: RewardModel,
    signal: str | None,
    creator_model: RewardModel | None = None,
    task: Task | None = None,
    fits: Callable[[Any], bool] | None = None,
    limits: Limits = NO_LIMITS,
    **sizes: int,
) -> Any:
    """Return the world's AEC environment; ``sizes`` are batch_size, samples and max_cycles.

    ``creator_model`` pays the creator; None: the same as the solver. Without a signal the
    creator's payoff is true regret if its reward model knows the best response, otherwise its
    estimate A*_avg. ``task`` takes the world's place as the source of prompts, with other
    operators. A text prompt that does not fit, as ``fits`` says, is invalid in it.
    """
    paying = model if creator_model is None else creator_model
    payoff = check_payoff(signal) or ("regret" if offers(paying, KnowsBest) else "a_star_avg")
    options = world.environment_options(model, sizes["batch_size"])
    if task is not None and task is not world:
        options["task"] = task
    if fits is not None:
        options["task"] = Fitting(options["task"], fits)
    if limits != NO_LIMITS:
        options["limits"] = limits
    if creator_model is not None:
        options["creator_reward_model"] = creator_model
    return pettingzoo.make("aec", world.environment, signal=payoff, **sizes, **options)


def check_payoff(signal: str | None) -> Any:
    """Return the creator's payoff: a name, the function of a path, None for the world's.

    Raises UserError for a name that is unknown and a path that cannot be loaded.
    """
    if signal is None:
        return None
    try:
        payoff = load_object(signal) if is_spec(signal) else signal
        require_payoff(payoff)
    except (ImportError, ValueError) as error:
        raise UserError(str(error)) from error
    if callable(payoff):  # the user's; tried out before anything is spent
        user_signal: Any = payoff
        try:
            signal_values(user_signal, unbound, ["a", "b"], np.array([[0.0, 1.0], [1.0, 0.25]]))
        except Exception as error:
            raise UserError(
                f"signal {signal} fails on rewards (2, 2): {in_one_line(error)}; it must be a "
                f"function (B, n) -> (B,)"
            ) from error
    return payoff


def load_policy(
    world: World,
    policy: Any = None,
    sampling: Sampling | None = None,
    device: str = "cpu",
    option: str = "",
) -> Policy:
    """Return the policy that a run starts from.

    ``policy`` is None for the world's, a ``Pretrained``, the name or folder of a checkpoint, or
    a user's object with the methods of ``Policy``, which chooses its own device. Raises
    UserError for a folder without a checkpoint of the world's kind; its text begins with
    ``option``.
    """
    logging.disable_progress_bar()  # transformers' bars would break the live table
    require_device(device)
    try:
        files = files_of(world, policy)
        if files is not None and _starts_as_table(world):
            return load_table(world, files.folder)
        if files is not None:
            return files.load(sampling, device)
        start = world.starting_policy() if policy is None else policy
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(option + " ".join(str(error).split())) from error
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(error) from error
    if isinstance(start, SoftmaxTable):
        return TablePolicy(start.reference_logits, start.features)
    return require_policy(start)


def start_of(conditions: Any, world: World) -> Policy:
    """Return the policy that settings start from in a world; errors name --policy."""
    option = "" if conditions.policy is None else "--policy: "
    policy = copy.deepcopy(conditions.policy)
    return load_policy(world, policy, conditions.sampling, conditions.device, option)


def files_of(world: World, policy: Any = None) -> Pretrained | None:
    """Return the checkpoint that a policy setting names; None for a policy without files.

    A ``Pretrained`` without a folder is the world's starting policy, used in its way.
    """
    if isinstance(policy, Pretrained) and policy.folder:
        return policy
    start = policy if isinstance(policy, str | Path) else None
    if policy is None or isinstance(policy, Pretrained):
        start = world.starting_policy()
    if not isinstance(start, str | Path):
        return start if isinstance(start, Pretrained) else None
    way = policy if isinstance(policy, Pretrained) else Pretrained()
    return replace(way, folder=str(start))


def require_device(device: str) -> None:
    """Raise UserError, with the remedy, for a device that torch does not know or see."""
    try:
        kind, index = torch.device(device).type, torch.device(device).index or 0
    except RuntimeError as error:
        raise UserError(f"unknown device {device!r}; give cpu, cuda, cuda:1 or mps") from error
    if kind not in ("cpu", "cuda", "mps"):
        raise UserError(f"device {device!r} cannot train; give cpu, cuda, cuda:1 or mps")
    if kind == "cuda" and index >= torch.cuda.device_count():
        raise UserError(
            f"no device {device}: this torch sees {torch.cuda.device_count()} CUDA devices; "
            f"give --device cpu, or install a torch with CUDA"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError("no device mps on this machine; give --device cpu")


def require_policy(policy: Any) -> Policy:
    """Return a user's policy; UserError, with the methods that it lacks, for anything else."""
    needed = ("sample", "logprobs", "parameters", "frozen", "state_dict", "save")
    missing = [name for name in needed if not hasattr(policy, name)]
    if missing:
        raise UserError(
            f"{policy!r} is not a policy: it lacks {', '.join(missing)}; see "
            f"agents.policies.base.Policy"
        )
    return policy


def _starts_as_table(world: World) -> bool:
    """True if the world's checkpoints are softmax tables; a world may have no policy."""
    try:
        return isinstance(world.starting_policy(), SoftmaxTable)
    except ValueError:
        return False


def load_table(world: World, folder: str | Path) -> TablePolicy:
    """Return the softmax table of a checkpoint; ValueError if it is another world's."""
    policy, start = TablePolicy.load(folder), world.starting_policy()
    if not np.array_equal(policy.reference_logits.numpy(), start.reference_logits):
        raise ValueError(f"the table at {folder} belongs to another tabular world")
    return policy


def load_checkpoint(
    world: World,
    folder: str | Path,
    start: Any = None,
    sampling: Sampling | None = None,
    device: str = "cpu",
) -> Policy:
    """Return the policy that a run saved in a folder.

    ``start`` is the run's ``policy`` setting; None for the world's starting policy. A policy
    of a user's class is read by the ``load`` of that class.
    """
    start = world.starting_policy() if start is None else start
    if isinstance(start, Pretrained):
        return load_policy(world, start.saved_in(folder), sampling, device)
    if isinstance(start, str | Path | SoftmaxTable):
        return load_policy(world, folder, sampling, device)
    try:
        return type(start).load(folder)
    except (AttributeError, OSError, ValueError) as error:
        raise UserError(f"cannot load {type(start).__name__} from {folder}: {error}") from error
