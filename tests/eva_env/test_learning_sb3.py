"""A standard library, stable-baselines3 PPO, learns both single-agent tabular environments."""

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import Logger

import eva_env  # noqa: F401 - registers the ids
from eva_env.game import softmax


def tables(id):
    """Reward (slots, M) and reference policy (slots, M) of the environment's default world."""
    encoding = gymnasium.make(id).unwrapped.aec_env.encoding
    policy = softmax(encoding.world.reference_logits[encoding.prompts])
    return encoding.matrix[encoding.prompts], policy


def episode_return(id, model, episodes=20):
    env, total = gymnasium.make(id), 0.0
    observation, _ = env.reset(seed=99)
    for _ in range(episodes):
        over = False
        while not over:
            action, _ = model.predict(observation, deterministic=True)
            observation, reward, over, _, _ = env.step(action)
            total += reward
        observation, _ = env.reset()
    return total / episodes


def ppo(id):
    # Each move is paid in its round, hence no discounting.
    model = PPO(
        "MlpPolicy",
        make_vec_env(id, n_envs=8, seed=0),
        n_steps=64,
        batch_size=256,
        n_epochs=6,
        learning_rate=3e-3,
        gamma=0.0,
        seed=0,
        device="cpu",
    )
    model.set_logger(Logger(None, []))  # the default logger creates a folder
    return model


@pytest.mark.parametrize("player", ["Creator", "Solver"])
def test_ppo_learns(player):
    id, rounds = f"eva/Tabular{player}-v0", 16
    rewards, policy = tables(id)
    if player == "Solver":
        unskilled, optimum = rounds * rewards.mean(), rounds * rewards.max(1).mean()
    else:
        regret = rewards.max(1) - (policy * rewards).sum(1)
        unskilled, optimum = rounds * regret.mean(), rounds * regret.max()
    model = ppo(id)
    before = episode_return(id, model)
    model.learn(8192)
    after = episode_return(id, model)
    assert before < (unskilled + optimum) / 2
    assert after > unskilled + 0.9 * (optimum - unskilled)
    assert after < optimum + 0.05 * np.abs(optimum)
