"""The contract of an AEC environment of this game."""

import io
import pickle
import warnings
from contextlib import redirect_stdout
from typing import Any

from pettingzoo.test import api_test

from eva_env.testing.rules import rule
from eva_env.types import CREATOR, SOLVER


def check_env(env: Any) -> None:
    """Check an AEC env: PettingZoo's contract, and the members that ``agents.play`` uses.

    Episodes must be reproducible, and copies in mid-round must continue like the original.
    The episode should last a few rounds. Example::

        check_env(text_v0.env(task=MyTask(), reward_model=my_reward, max_cycles=4))
    """
    base = env.unwrapped
    for name in ("game", "task", "proposals", "creator_action", "solver_action", "fork"):
        rule(hasattr(base, name), f"an env needs {name}; see eva_env.envs.base.BaseEnv")
    rule(
        list(env.possible_agents) == [CREATOR, SOLVER],
        f"possible_agents must be [{CREATOR!r}, {SOLVER!r}], got {env.possible_agents}",
    )
    rule(
        env.metadata.get("is_parallelizable") is False,
        "metadata must say is_parallelizable: False, or aec_to_parallel serves stale prompts",
    )
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        api_test(env, num_cycles=50)
    first, second = (_episode(env, seed=3) for _ in range(2))
    rule(first == second, "the same seed and actions must give the same episode")
    rule(first != _episode(env, seed=4), "another seed must give another episode")
    _check_copies(env)


def _check_copies(env: Any) -> None:
    """Check that state, fork and pickle in mid-round continue like the original."""
    base = env.unwrapped
    # 1. Stop in mid-round, after the creator's move.
    env.reset(seed=5)
    for space in (base.action_space(CREATOR), base.action_space(SOLVER)):
        space.seed(0)
    env.step(base.action_space(CREATOR).sample())
    legal = base.creator_action(base.game.proposal)
    rule(base.action_space(CREATOR).contains(legal), "creator_action must give legal actions")
    # 2. Copy in three ways, then finish the episode on the original and on each copy.
    state, fork, pickled = base.state_dict(), base.fork(), pickle.loads(pickle.dumps(base))
    rest = _play(env)
    base.load_state_dict(state)
    for name, copy in (("state_dict", base), ("fork", fork), ("pickle", pickled)):
        rule(_play(copy) == rest, f"{name} in mid-round must continue identically")


def _episode(env: Any, seed: int) -> list[Any]:
    env.reset(seed=seed)
    return _play(env)


def _play(env: Any) -> list[Any]:
    """Finish the episode with sampled actions; return its observations and payoffs."""
    for i, agent in enumerate((CREATOR, SOLVER)):
        env.action_space(agent).seed(i)
    trace = []
    for agent in env.agent_iter():
        observation, payoff, over, _, _ = env.last()
        trace.append((agent, repr(observation), payoff, over))
        env.step(None if over else env.action_space(agent).sample())
    game = env.unwrapped.game
    rule(game.done, f"the episode ended after {game.index} of {game.rounds} rounds")
    return trace
