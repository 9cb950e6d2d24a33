"""The rewards of a run by name: which one trains, which one pays the creator, which one judges.

A name is one of ``FORMS``. Loading a reward model may take long, so the names of a run's
settings are resolved once, when its match is opened, and before anything is spent.
"""

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from agents.policies.base import Policy
from agents.policies.likelihood import likelihood_under
from eva_env.boundary import NO_LIMITS, Limits
from eva_env.plugins import absolute
from eva_env.rewards import Ensemble, Plain, Retrained, Wrapper
from eva_env.types import ReadsLikelihood, RewardModel, offers
from eva_env.world import World
from experiments.run.errors import UserError
from experiments.run.parts import names
from experiments.run.reward_functions import load_function, probe
from experiments.run.specifications import read

FORMS = {
    "gold": "the world's gold reward, such as a verifier",
    "proxy": "the world's imperfect proxy, if it has one",
    "FOLDER": "a sequence classifier of Hugging Face with one label",
    "pairwise:FOLDER": "a ranker of two responses; the reward is a win rate among the samples",
    "file.py:function": "your function (prompts, responses) -> (B, n); None: no reward",
    "package.module.function": "the same, of an installed package",
    "WORLD": "the gold reward of a registered world",
}
"""What a reward may be, in settings and on the command line."""


class Form(NamedTuple):
    """A reward's name, read."""

    kind: Literal["gold", "proxy", "classifier", "pairwise", "function", "world"]
    target: str = ""
    """The folder, the function's path, or the world's specification."""


def form_of(spec: str, role: str = "reward") -> Form:
    """Return what a name stands for; UserError, with all forms, for anything else.

    A folder with the name of a world is written ``./NAME``.
    """
    if not spec:
        raise UserError(f"--{role.replace(' ', '-')} is empty; give gold, or another reward")
    if spec == "gold" or spec == "proxy":
        return Form(spec)
    head, _, rest = spec.partition(":")
    if head == "pairwise":
        if not _folder(rest).is_dir():
            raise UserError(
                f"{role} {spec}: there is no folder {rest!r}; write pairwise:FOLDER"
            )
        return Form("pairwise", str(_folder(rest)))
    if head in names("task"):
        return Form("world", spec)
    if _folder(spec).is_dir():
        return Form("classifier", str(_folder(spec)))
    is_import_path = re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", spec)
    if ".py:" in spec or (is_import_path and not spec.endswith(".py")):
        return Form("function", spec)
    near = difflib.get_close_matches(
        spec, ["gold", "proxy", "pairwise", *names("task")], 1, 0.5
    )
    nearest = f"; the nearest: {near[0]}" if near else ""
    missing = f"; there is no folder {spec}" if "/" in spec and ":" not in spec else ""
    worlds = ", ".join(names("task"))
    raise UserError(
        f"{role} {spec!r} must be gold, proxy, the FOLDER of a classifier, pairwise:FOLDER, "
        f"file.py:function, package.module.function, or a world's name ({worlds})"
        f"{missing}{nearest}"
    )


def canonical(spec: str | None) -> str | None:
    """Return a reward's name with absolute paths, so that it holds in every folder."""
    if not spec:  # form_of refuses an empty name
        return spec
    if ".py:" in spec:
        return absolute(spec)
    head, _, rest = spec.partition(":")
    if head == "pairwise":
        return f"pairwise:{_folder(rest)}" if _folder(rest).is_dir() else spec
    named = spec in ("gold", "proxy") or head in names("task")
    return str(_folder(spec)) if not named and _folder(spec).is_dir() else spec


def reward_of(
    spec: str,
    world: World,
    device: str = "cpu",
    role: str = "reward",
    start: Callable[[], Policy] | None = None,
    limits: Limits = NO_LIMITS,
) -> RewardModel:
    """Return the reward model of a name; UserError, in one line, if it cannot be had.

    A class, and a function without arguments, is called for the reward model. A function is
    tried out on two prompts of the world with two responses each, so that a mistake in it shows
    before anything is spent: of a paid judge that is four calls. A gold reward that reads
    the starting policy's log-probabilities gets them from the policy that ``start`` returns.
    """
    form = form_of(spec, role)
    try:
        if form.kind == "gold":
            return _reading(world.gold_reward(), start)
        if form.kind == "proxy":
            return _proxy(world, device)
        if form.kind == "classifier":
            from agents.policies.learned_reward import LearnedReward

            return LearnedReward.load(form.target, device)
        if form.kind == "pairwise":
            from agents.policies.pairwise_reward import PairwiseReward

            return PairwiseReward.load(form.target, device)
        if form.kind == "world":
            other = read("task", form.target)
            _require_same_kind(other, world, f"{role} {spec}")
            gold = (world if type(other) is type(world) else other).gold_reward()
            model = _reading(gold, start)
        else:
            model = load_function(form.target, role)
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"{role} {spec}: {' '.join(str(error).split())}") from error
    probe(model, world, f"{role} {spec}", limits)
    return model


def training_reward(
    world: World,
    reward: str,
    reward_model: Any = None,
    judge: str | None = None,
    device: str = "cpu",
    start: Callable[[], Policy] | None = None,
    limits: Limits = NO_LIMITS,
) -> RewardModel:
    """Return the reward that trains: the named one inside the wrapper of the settings.

    A ``reward_model`` that is not a ``Wrapper`` trains in its place. Some wrappers fit it to
    comparisons by the judge; None: the world's gold. The members of an ensemble are fitted
    here, to responses of the starting policy.
    """
    if reward_model is not None and not isinstance(reward_model, Wrapper):
        return reward_model
    base = reward_of(reward, world, device, start=start, limits=limits)
    if reward_model is None:
        return base
    if not isinstance(reward_model, Retrained | Ensemble):
        return reward_model.over(base)
    gold = reward_of(judge or "gold", world, device, "judge", start, limits)
    if isinstance(reward_model, Retrained):
        return reward_model.over(base, gold)
    from experiments.run.setup import load_policy

    rng = np.random.default_rng(reward_model.seed)
    prompts = world.seed(reward_model.comparisons, rng, world.broad_distribution)
    responses = load_policy(world, device=device).sample(prompts, 4, rng)
    return reward_model.bootstrap(base, gold, prompts, responses)


def has_two_rewards(conditions: Any) -> bool:
    """Return whether the creator is paid by another reward than the one that trains."""
    if conditions.creator_reward is None:
        return False
    plain = isinstance(conditions.reward_model, Plain | None)
    return conditions.creator_reward != conditions.reward or not plain


def check_rewards_of(conditions: Any) -> None:
    """Raise UserError unless all rewards that the settings name can be loaded."""
    specs = {"creator reward": conditions.creator_reward, "judge": conditions.judge}
    if isinstance(conditions.reward_model, Wrapper | None):
        specs = {"reward": conditions.reward, **specs}
    for role, spec in specs.items():
        if spec is not None:
            reward_of(spec, conditions.task, conditions.device, role, limits=conditions.limits)


def reads_start(conditions: Any) -> bool:
    """Return whether the world's gold reward reads the starting policy's log-probabilities."""
    try:
        return offers(conditions.task.gold_reward(), ReadsLikelihood)
    except ValueError:  # a world without gold
        return False


def has_scale(spec: str, world: World) -> bool:
    """Return whether a reward of 1 means that a response passes."""
    if spec == "proxy":
        return world.proxy_can_pass
    return form_of(spec).kind in ("gold", "function", "world")


def _reading(model: RewardModel, start: Callable[[], Policy] | None) -> RewardModel:
    """Return the reward with the log-probabilities of ``start``, if it reads them."""
    if start is None or not offers(model, ReadsLikelihood):
        return model
    return model.with_likelihood(likelihood_under(start))


def _require_same_kind(other: World, world: World, name: str) -> None:
    """Raise UserError unless the prompts of both worlds are text, or those of neither."""
    kinds = [
        "text" if isinstance(each.seed(1, np.random.default_rng(0))[0], str) else "integers"
        for each in (other, world)
    ]
    if kinds[0] != kinds[1]:
        raise UserError(
            f"{name} fails on two prompts of the task: it scores {kinds[0]}, and the prompts "
            f"of {type(world).__name__} are {kinds[1]}; give another reward"
        )


def _proxy(world: World, device: str) -> RewardModel:
    proxy = world.proxy_reward()
    if proxy is None:
        raise ValueError(f"{type(world).__name__} has no proxy reward; use --reward gold")
    if not isinstance(proxy, str):
        return proxy
    from agents.policies.learned_reward import LearnedReward

    return LearnedReward.load(proxy, device)


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()
