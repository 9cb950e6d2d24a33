"""What a world becomes in a run: its environment, rewards and starting policy."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pettingzoo
from safetensors import SafetensorError
from transformers.utils import logging

import eva_env  # noqa: F401 - registers the environments
from agents.policies.base import Policy
from agents.policies.causal_lm import CausalLM
from agents.policies.decoding import Sampling
from agents.policies.table import TablePolicy
from eva_env.rewards import Ensemble, Plain, Retrained
from eva_env.types import KnowsBest, RewardModel, offers
from eva_env.world import SoftmaxTable, World
from experiments.run.errors import UserError

Reward = Literal["gold", "proxy"]


def training_reward(world: World, reward: Reward, reward_model: Any = None) -> RewardModel:
    """The reward that trains: gold or proxy, behind the wrapper that the settings name.

    ``reward_model`` may also be a reward model of the user's own, which then trains by itself.
    The members of an ensemble are fitted here, to the starting policy's responses.
    """
    wrapper = Plain() if reward_model is None else reward_model
    if not hasattr(wrapper, "over"):
        return wrapper
    base, gold = base_reward(world, reward), world.gold_reward()
    if isinstance(wrapper, Retrained):
        return wrapper.over(base, gold)
    if not isinstance(wrapper, Ensemble):
        return wrapper.over(base)
    rng = np.random.default_rng(wrapper.seed)
    prompts = world.seed(wrapper.comparisons, rng, world.broad_distribution)
    responses = load_policy(world).sample(prompts, 4, rng)
    return wrapper.bootstrap(base, gold, prompts, responses)


def base_reward(world: World, reward: Reward) -> RewardModel:
    """The world's gold or proxy reward; UserError where it has no proxy."""
    if reward == "gold":
        return world.gold_reward()
    proxy = world.proxy_reward()
    if proxy is None:
        raise UserError(f"{type(world).__name__} has no proxy reward; use --reward gold")
    if not isinstance(proxy, str):
        return proxy
    from agents.policies.learned_reward import LearnedReward

    return LearnedReward.load(proxy)


def make_env(world: World, model: RewardModel, signal: str | None, **sizes: int) -> Any:
    """The world's AEC environment; ``sizes`` are batch_size, samples and max_cycles.

    Without a signal the creator is paid true regret where the reward model knows the best
    response, else A*_avg, which estimates it.
    """
    signal = signal or ("regret" if offers(model, KnowsBest) else "a_star_avg")
    options = world.environment_options(model, sizes["batch_size"])
    return pettingzoo.make("aec", world.environment, signal=signal, **sizes, **options)


def load_policy(world: World, policy: Any = None, sampling: Sampling | None = None) -> Policy:
    """The policy that a run starts from: the world's, that of a checkpoint, or the user's own.

    ``policy`` is None, the name or folder of a checkpoint, or an object with the methods of a
    ``Policy``. Raises UserError for a folder that holds no checkpoint of the world's kind.
    """
    logging.disable_progress_bar()  # they would break the live table
    if policy is not None and not isinstance(policy, str | Path):
        return policy
    try:
        start = world.starting_policy() if policy is None else policy
        if isinstance(start, str | Path):
            if _starts_as_table(world):
                return load_table(world, start)
            return CausalLM.load(start, sampling)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(" ".join(str(error).split())) from error
    if isinstance(start, SoftmaxTable):
        return TablePolicy(start.reference_logits, start.features)
    return start


def _starts_as_table(world: World) -> bool:
    """Whether checkpoints of the world are softmax tables; a world may have no policy."""
    try:
        return isinstance(world.starting_policy(), SoftmaxTable)
    except ValueError:
        return False


def load_table(world: World, folder: str | Path) -> TablePolicy:
    """The softmax table of a checkpoint; ValueError if it belongs to another world."""
    policy, start = TablePolicy.load(folder), world.starting_policy()
    if not np.array_equal(policy.reference_logits.numpy(), start.reference_logits):
        raise ValueError(f"the table at {folder} belongs to another tabular world")
    return policy


def load_checkpoint(
    world: World, folder: str | Path, own: Any = None, sampling: Sampling | None = None
) -> Policy:
    """The policy that a run saved; ``own`` is the user's policy that the run started from."""
    if own is None or isinstance(own, str | Path):
        start = world.starting_policy() if own is None else None
        if start is None or isinstance(start, str | Path | SoftmaxTable):
            return load_policy(world, folder, sampling)
        own = start
    try:
        return type(own).load(folder)
    except (AttributeError, OSError, ValueError) as error:
        raise UserError(f"cannot load {type(own).__name__} from {folder}: {error}") from error
