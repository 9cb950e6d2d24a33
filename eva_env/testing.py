"""Contract checks for your own tasks, reward models and environments.

Each raises AssertionError with a message that names the broken rule, and returns None if all
rules hold::

    from eva_env.testing import check_task
    check_task(MyTask())
"""

import io
import pickle
import warnings
from collections.abc import Hashable, Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np
from pettingzoo.test import api_test

from eva_env.types import CREATOR, SOLVER, Proposal, RewardModel, Round, Task


def check_task(task: Task, prompts: int = 64) -> None:
    """Check seeding, mutating, suites and topics on that many prompts."""
    for name in ("operators", "suites", "seed", "mutate", "valid", "topic"):
        _require(hasattr(task, name), f"a task needs {name}; see eva_env.types.Task")
    drawn = _check_seed(task, prompts)
    _check_suites(task, drawn)
    _check_mutate(task, drawn)
    _check_optional(task, drawn)
    for prompt in drawn:
        topic = task.topic(prompt)
        _require(isinstance(topic, str), f"topic({prompt!r}) must be a string, got {topic!r}")


def _check_seed(task: Task, n: int) -> list[Any]:
    drawn, again = (list(task.seed(n, np.random.default_rng(0))) for _ in range(2))
    _require(len(drawn) == n, f"seed({n}, rng) must give {n} prompts, got {len(drawn)}")
    _require(
        drawn == again, "seed must draw from the rng it is given alone: same rng, same prompts"
    )
    other = list(task.seed(n, np.random.default_rng(1)))
    _require(drawn != other, "seed must use its rng: two generators gave the same prompts")
    for prompt in drawn:
        _require(isinstance(prompt, Hashable), f"prompts must be hashable, got {prompt!r}")
        _require(prompt != "", 'seed must not give "", which stands for an unused slot')
        _require(bool(task.valid(prompt)), f"seed gave {prompt!r}, which valid rejects")
    return drawn


def _check_suites(task: Task, drawn: Sequence[Any]) -> None:
    _require(isinstance(task.suites, Mapping), f"suites must be a mapping, got {task.suites!r}")
    seen: dict[Any, str] = {}
    for name, suite in task.suites.items():
        _require(len(suite) > 0, f"suite {name!r} is empty")
        _require(
            list(suite) == list(task.suites[name]), f"suite {name!r} changes from call to call"
        )
        for prompt in suite:
            other = seen.setdefault(prompt, name)
            _require(other == name, f"{prompt!r} stands in the suites {other!r} and {name!r}")
            _require(
                not task.valid(prompt),
                f"valid must reject {prompt!r} of the suite {name!r}, which no creator may see",
            )
    leaked = [prompt for prompt in drawn if prompt in seen]
    _require(not leaked, f"seed gave {leaked[:1]}, which stands in a suite")


def _check_mutate(task: Task, drawn: Sequence[Any]) -> None:
    for operator in task.operators:
        children, again = (
            [task.mutate(prompt, operator, rng) for prompt in drawn]
            for rng in (np.random.default_rng(2), np.random.default_rng(2))
        )
        _require(children == again, f"operator {operator!r} must draw from its rng alone")
        made = [child for child in children if child is not None]
        _require(bool(made), f"operator {operator!r} applies to none of {len(drawn)} prompts")
        _require(
            any(task.valid(child) for child in made),
            f"operator {operator!r} makes valid prompts from none of {len(drawn)}",
        )
    try:
        task.mutate(drawn[0], "no such operator", np.random.default_rng(0))
    except ValueError:
        return
    raise AssertionError(
        "mutate must raise ValueError for an operator that is not in operators"
    )


def _check_optional(task: Any, drawn: Sequence[Any]) -> None:
    for kind in ("depth", "breadth", "quality"):
        unknown = [name for name in getattr(task, kind, ()) if name not in task.operators]
        _require(not unknown, f"{kind} names {unknown}, which are not among the operators")
    if hasattr(task, "mutate_all"):
        names = [task.operators[i % len(task.operators)] for i in range(len(drawn))]
        children = list(task.mutate_all(drawn, names, np.random.default_rng(2)))
        _require(
            len(children) == len(drawn),
            f"mutate_all must give a rewrite or None for each of {len(drawn)} prompts, got "
            f"{len(children)}",
        )
    if hasattr(task, "complexity"):
        values = [task.complexity(prompt) for prompt in drawn]
        _require(bool(np.isfinite(values).all()), f"complexity must be finite, got {values}")


def check_reward_model(
    reward_model: RewardModel, prompts: Sequence[Any], responses: Any, noisy: bool = False
) -> None:
    """Check rewards, ``best`` and ``advance`` on (B, n) responses to B prompts.

    ``noisy`` allows rewards above ``best``, which is then the best mean.
    """
    shape = (len(prompts), len(responses[0]))
    rewards = _rewards(reward_model, prompts, responses, shape)
    _require(
        np.array_equal(rewards, _rewards(reward_model, prompts, responses, shape)),
        "the same call must give the same rewards: put drift into advance, noise under a seed",
    )
    if isinstance(prompts[0], str):
        _rewards(reward_model, prompts, [[""] * shape[1]] * shape[0], shape)
    best = getattr(reward_model, "best", None)
    if best is not None:
        highest = np.asarray(best(prompts))
        _require(
            highest.shape == shape[:1] and bool(np.isfinite(highest).all()),
            f"best must give {shape[0]} finite numbers, one for each prompt, got {highest!r}",
        )
        above = rewards.max(-1) > highest + 1e-9
        _require(
            noisy or not above.any(),
            f"best must be attainable at most: a reward to {prompts[int(above.argmax())]!r} is "
            f"higher",
        )
    advance = getattr(reward_model, "advance", None)
    if advance is not None:
        payoffs = {CREATOR: 0.0, SOLVER: float(rewards.mean())}
        proposal = Proposal(prompts, np.zeros(shape[0]))
        signal = rewards.max(-1) - rewards.mean(-1)
        following = advance(Round(0, proposal, prompts, responses, rewards, signal, payoffs))
        _require(callable(following), f"advance must give a reward model, got {following!r}")
        _rewards(following, prompts, responses, shape)
        _require(
            np.array_equal(rewards, _rewards(reward_model, prompts, responses, shape)),
            "advance must return the next model and leave this one unchanged",
        )


def _rewards(model: RewardModel, prompts: Any, responses: Any, shape: tuple[int, int]) -> Any:
    rewards = np.asarray(model(prompts, responses))
    _require(rewards.shape == shape, f"rewards must have shape {shape}, got {rewards.shape}")
    _require(
        rewards.dtype.kind in "fiu", f"rewards must be real numbers, got dtype {rewards.dtype}"
    )
    bad = rewards[~np.isfinite(rewards)]
    _require(bad.size == 0, f"rewards must be finite, got {bad[:1]}")
    return rewards


def check_env(env: Any) -> None:
    """Check an AEC env of this game: PettingZoo's contract, and what ``agents.play`` needs.

    The episode should last a few rounds.
    """
    raw = env.unwrapped
    for name in ("game", "task", "proposals", "creator_action", "solver_action", "fork"):
        _require(hasattr(raw, name), f"an env needs {name}; see eva_env.envs.base.BaseEnv")
    _require(
        list(env.possible_agents) == [CREATOR, SOLVER],
        f"possible_agents must be [{CREATOR!r}, {SOLVER!r}], got {env.possible_agents}",
    )
    _require(
        env.metadata.get("is_parallelizable") is False,
        "metadata must say is_parallelizable: False, or aec_to_parallel serves stale prompts",
    )
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        api_test(env, num_cycles=50)
    first, second = (_episode(env, seed=3) for _ in range(2))
    _require(first == second, "the same seed and actions must give the same episode")
    _require(first != _episode(env, seed=4), "another seed must give another episode")
    _check_copies(env)


def _check_copies(env: Any) -> None:
    """State, fork and pickle in mid-round continue like the original."""
    raw = env.unwrapped
    env.reset(seed=5)
    for space in (raw.action_space(CREATOR), raw.action_space(SOLVER)):
        space.seed(0)
    env.step(raw.action_space(CREATOR).sample())
    proposal = raw.game.proposal
    legal = raw.creator_action(proposal)
    _require(
        raw.action_space(CREATOR).contains(legal), "creator_action must give legal actions"
    )
    state, fork, pickled = raw.state_dict(), raw.fork(), pickle.loads(pickle.dumps(raw))
    rest = _play(env)
    raw.load_state_dict(state)
    for name, copy in (("state_dict", raw), ("fork", fork), ("pickle", pickled)):
        _require(_play(copy) == rest, f"{name} in mid-round must continue identically")


def _episode(env: Any, seed: int) -> list[Any]:
    env.reset(seed=seed)
    return _play(env)


def _play(env: Any) -> list[Any]:
    for i, agent in enumerate((CREATOR, SOLVER)):
        env.action_space(agent).seed(i)
    trace = []
    for agent in env.agent_iter():
        observation, payoff, over, _, _ = env.last()
        trace.append((agent, repr(observation), payoff, over))
        env.step(None if over else env.action_space(agent).sample())
    rounds = env.unwrapped.game
    _require(rounds.done, f"the episode ended after {rounds.index} of {rounds.rounds} rounds")
    return trace


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
