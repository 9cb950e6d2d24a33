"""What differs between the rungs: environment id, starting policy, gold reward."""

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
from eva_env.rewards import AnyRewardModel, Ensemble, Retrained
from eva_env.tabular.world import TabularWorld
from eva_env.types import RewardModel
from eva_env.wordlist import Gold, Wordlist
from experiments.run.errors import UserError

AnyTask = Wordlist | TabularWorld
"""The tasks that the command line knows."""

Reward = Literal["proxy", "gold"]


def gold_reward(task: AnyTask) -> RewardModel:
    """The reward that judges."""
    return task.reward_model("gold") if isinstance(task, TabularWorld) else Gold()


def base_reward(task: AnyTask, reward: Reward) -> RewardModel:
    """The reward that trains, as it is before a ``reward_model`` stands in between."""
    if isinstance(task, TabularWorld):
        return task.reward_model(reward)
    if reward == "gold":
        return Gold()
    from agents.policies.learned_reward import LearnedReward

    return LearnedReward.load("wordlist")


def play_reward(task: AnyTask, reward: Reward, reward_model: AnyRewardModel) -> RewardModel:
    """The reward that trains: the settings of a reward model over the base that is named.

    Gold teaches those that learn. The members of an ensemble are made here, from the starting
    policy's answers to fresh human prompts, or to all kinds on the tabular rung.
    """
    base, gold = base_reward(task, reward), gold_reward(task)
    if isinstance(reward_model, Retrained):
        return reward_model.over(base, gold)
    if not isinstance(reward_model, Ensemble):
        return reward_model.over(base)
    rng = np.random.default_rng(reward_model.seed)
    kind = "uniform" if isinstance(task, TabularWorld) else "human"
    prompts = task.seed(reward_model.comparisons, rng, kind)
    responses = load_policy(task).sample(prompts, 4, rng)
    return reward_model.bootstrap(base, gold, prompts, responses)


def make_env(task: AnyTask, model: RewardModel, signal: str | None, **sizes: int) -> Any:
    """The rung's AEC environment; ``sizes`` are batch_size, samples and max_cycles.

    The N = B prompts of a text proposal are drawn without replacement, so each once; those of
    a tabular one i.i.d., since there a proposal has a logit for every prompt. Without a signal
    the creator is paid true regret where the reward model knows the best response, else
    A*_avg, which estimates it.
    """
    signal = signal or ("regret" if hasattr(model, "best") else "a_star_avg")
    common = {"signal": signal, **sizes}
    if isinstance(task, TabularWorld):
        return pettingzoo.make("aec", "eva/Tabular-v0", world=task, reward=model, **common)
    common |= {"task": task, "reward_model": model, "proposals": sizes["batch_size"]}
    return pettingzoo.make("aec", "eva/Text-v0", replacement=False, **common)


def load_policy(
    task: AnyTask, checkpoint: str | Path | None = None, sampling: Sampling | None = None
) -> Policy:
    """A policy of the task's kind: the one that ships with it, or that of a folder.

    Raises UserError for a folder that holds none.
    """
    logging.disable_progress_bar()  # they would break the live table
    try:
        if not isinstance(task, TabularWorld):
            return CausalLM.load(checkpoint or "wordlist", sampling)
        if checkpoint is None:
            return TablePolicy(task.reference_logits, task.features)
        policy = TablePolicy.load(checkpoint)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(" ".join(str(error).split())) from error
    if not np.array_equal(policy.reference_logits.numpy(), task.reference_logits):
        raise UserError(f"the table at {checkpoint} belongs to another tabular world")
    return policy
