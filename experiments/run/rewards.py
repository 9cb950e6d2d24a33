"""The rewards of a run by name: which one trains, which one pays the creator, which one judges.

A name is one of ``FORMS``. Loading a reward model may take long, so the names of a run's
settings are resolved once, when its match is opened, and before anything is spent.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from agents.evaluate import sample_responses
from agents.policies.base import Policy
from eva_env.payoffs import check_rewards
from eva_env.plugins import absolute, in_one_line, load_object
from eva_env.rewards import Ensemble, Plain, Retrained, Wrapper
from eva_env.rewards.comparisons import Refittable
from eva_env.types import (
    Advances,
    DeclaresNoise,
    Floats,
    HasMatrix,
    KnowsBest,
    RewardModel,
    offers,
)
from eva_env.world import World
from experiments.run.errors import UserError
from experiments.run.parts import names
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

SAME = "judged by the reward that trains: a gain may be over-optimisation; give --judge"
"""The remark on a run that nothing but its own reward judges."""

PROBED = [["Yes.", "No, I do not think so."]] * 2
"""The responses on which a function is tried out, to two prompts of the world."""

HOOKS = (KnowsBest, Advances, HasMatrix, DeclaresNoise, Refittable)


class Form(NamedTuple):
    """A reward's name, read."""

    kind: Literal["gold", "proxy", "classifier", "pairwise", "function", "world"]
    target: str = ""
    """The folder, the function's path, or the world's specification."""


def form_of(spec: str, role: str = "reward") -> Form:
    """Return what a name stands for; UserError, with all forms, for anything else.

    A folder with the name of a world is written ``./NAME``.
    """
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
    if spec is None:
        return None
    if ".py:" in spec:
        return absolute(spec)
    head, _, rest = spec.partition(":")
    if head == "pairwise":
        return f"pairwise:{_folder(rest)}" if _folder(rest).is_dir() else spec
    named = spec in ("gold", "proxy") or head in names("task")
    return str(_folder(spec)) if not named and _folder(spec).is_dir() else spec


def reward_of(
    spec: str, world: World, device: str = "cpu", role: str = "reward"
) -> RewardModel:
    """Return the reward model of a name; UserError, in one line, if it cannot be had.

    A class, and a function without arguments, is called for the reward model. A function is
    tried out on two prompts of the world with two responses each, so that a mistake in it shows
    before anything is spent: of a paid judge that is four calls.
    """
    form = form_of(spec, role)
    try:
        if form.kind == "gold":
            return world.gold_reward()
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
            model = (world if type(other) is type(world) else other).gold_reward()
        else:
            model = _function(form.target)
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"{role} {spec}: {' '.join(str(error).split())}") from error
    _probe(model, world, f"{role} {spec}")
    return model


def training_reward(
    world: World,
    reward: str,
    reward_model: Any = None,
    judge: str | None = None,
    device: str = "cpu",
) -> RewardModel:
    """Return the reward that trains: the named one inside the wrapper of the settings.

    A ``reward_model`` that is not a ``Wrapper`` trains in its place. Some wrappers fit it to
    comparisons by the judge; None: the world's gold. The members of an ensemble are fitted
    here, to responses of the starting policy.
    """
    if reward_model is not None and not isinstance(reward_model, Wrapper):
        return reward_model
    base = reward_of(reward, world, device)
    if reward_model is None:
        return base
    if not isinstance(reward_model, Retrained | Ensemble):
        return reward_model.over(base)
    gold = reward_of(judge or "gold", world, device, "judge")
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
    device = conditions.device
    if isinstance(conditions.reward_model, Wrapper | None):
        reward_of(conditions.reward, conditions.task, device)
    if conditions.creator_reward is not None:
        reward_of(conditions.creator_reward, conditions.task, device, "creator reward")
    if conditions.judge is not None:
        reward_of(conditions.judge, conditions.task, device, "judge")


# The judge


class Judge(NamedTuple):
    """The reward that decides in evaluations."""

    model: RewardModel
    spec: str
    """Its name."""

    @property
    def passes(self) -> bool:
        """True if a reward of 1 means that a response passes."""
        if self.spec == "reward-model":
            return True
        return form_of(self.spec, "judge").kind in ("gold", "function", "world")


@dataclass
class AgainstStart:
    """A pairwise ranker as a pointwise judge: win rates against the starting policy.

    Win rates among a policy's own samples have the same mean for every policy.
    """

    ranker: Any
    start: Callable[[], Policy]
    """Returns the starting policy."""
    n: int
    """Responses of the starting policy to a prompt."""
    seed: int
    pool: dict[Any, Sequence[Any]] = field(default_factory=dict)
    """Its responses by prompt."""

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the mean win rates (P, n) of the responses, in [0, 1]."""
        new = [p for p in dict.fromkeys(prompts) if p not in self.pool]
        if new:
            self.pool |= dict(
                zip(new, sample_responses(self.start(), new, self.n, self.seed), strict=True)
            )
        return self.ranker.against(prompts, responses, [self.pool[p] for p in prompts])


def ranker_in(model: Any) -> Any:
    """Return the pairwise ranker of a reward model, inside any wrapper; None without one."""
    while isinstance(model, Wrapper) and not isinstance(model, Ensemble):
        model = model.base
    return model if hasattr(model, "against") else None


def pointwise(
    model: RewardModel, start: Callable[[], Policy], n: int, seed: int
) -> RewardModel:
    """Return a model whose rewards compare between policies: the model itself if they do.

    A pairwise ranker compares with n responses of the policy that ``start`` returns.
    """
    ranker = ranker_in(model)
    return model if ranker is None else AgainstStart(ranker, start, n, seed)


def has_gold(world: World) -> bool:
    """Return whether the world has a gold reward."""
    try:
        world.gold_reward()
    except ValueError:
        return False
    return True


def judge_spec(conditions: Any) -> str:
    """Return the name of the reward that judges: gold, if there is no other judge.

    In a world without gold it is the reward that trains.
    """
    if conditions.judge is not None:
        return conditions.judge
    return "gold" if has_gold(conditions.task) else conditions.reward


def judge_of(conditions: Any, training: RewardModel | None, device: str = "cpu") -> Judge:
    """Return the judge of a run; UserError if it cannot be loaded.

    ``training`` is the run's training reward, whose weights are shared where it judges. Without
    any judge, a reward model of the user's own judges what it trains.
    """
    spec = judge_spec(conditions)
    own = not isinstance(conditions.reward_model, Wrapper | None)
    if own and conditions.judge is None and not has_gold(conditions.task):
        return Judge(conditions.reward_model, "reward-model")
    if spec == conditions.reward and form_of(spec).kind in ("classifier", "pairwise"):
        base = training
        while isinstance(base, Wrapper):
            base = base.base
        if base is not None and not isinstance(base, tuple):  # the members of an ensemble
            return Judge(base, spec)
    return Judge(reward_of(spec, conditions.task, device, "judge"), spec)


def judge_knows_best(conditions: Any) -> bool:
    """Return whether the judge knows the best attainable reward of a prompt, as gold may."""
    spec = judge_spec(conditions)
    if form_of(spec, "judge").kind not in ("gold", "world") or not has_gold(conditions.task):
        return False
    return offers(reward_of(spec, conditions.task), KnowsBest)


def trains_and_judges(conditions: Any) -> bool:
    """Return whether the reward that trains judges too, and is not gold."""
    spec = judge_spec(conditions)
    return spec == conditions.reward and not (spec == "gold" and has_gold(conditions.task))


def judged_by(conditions: Any) -> str:
    """Return who judges, for the record: the name of the judge, or ``SAME``."""
    return SAME if trains_and_judges(conditions) else judge_spec(conditions)


def trains_on_judge(conditions: Any) -> bool:
    """Return whether the reward that judges trains too, in a wrapper or not."""
    return judge_spec(conditions) == conditions.reward


def has_scale(spec: str, world: World) -> bool:
    """Return whether a reward of 1 means that a response passes."""
    if spec == "proxy":
        return world.proxy_can_pass
    return form_of(spec).kind in ("gold", "function", "world")


# Functions


@dataclass(frozen=True)
class FunctionReward:
    """A user's function as a reward model, with its name in every error."""

    function: Any
    spec: str

    @property
    def __name__(self) -> str:
        return f"reward {self.spec}"

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the function's rewards (B, n), None as NaN.

        Raises UserError, in one line, for whatever the function raises.
        """
        rows = [list(row) for row in responses]
        try:
            rewards = self.function(list(prompts), rows)
        except Exception as error:  # the function is the user's
            raise UserError(
                f"reward {self.spec} failed: {in_one_line(error)}; return None for a response "
                f"that it cannot score"
            ) from error
        return check_rewards(rewards, (len(rows), len(rows[0])), self)


def _function(spec: str) -> RewardModel:
    part: Any = load_object(spec)
    if isinstance(part, type) or _takes_nothing(part):
        try:
            part = part()
        except Exception as error:  # the class is the user's
            raise ValueError(
                f"cannot be made without arguments: {in_one_line(error)}"
            ) from error
    if not callable(part):
        raise ValueError(
            f"must be a function (prompts, responses) -> (B, n), or a class or function "
            f"without arguments that gives one, got {part!r}"
        )
    if any(offers(part, hook) for hook in HOOKS):
        return part  # pyright: ignore[reportReturnType] - a callable, as was checked
    return FunctionReward(part, spec)


def _takes_nothing(part: Any) -> bool:
    """True for a function that can be called without arguments, and not with two."""
    try:
        signature = inspect.signature(part)
    except (TypeError, ValueError):
        return False

    def accepts(*arguments: Any) -> bool:
        try:
            signature.bind(*arguments)
        except TypeError:
            return False
        return True

    return accepts() and not accepts([], [])


def _probe(model: RewardModel, world: World, name: str) -> None:
    """Try a reward model out; UserError if its rewards have the wrong shape or type."""
    prompts = world.seed(2, np.random.default_rng(0))
    responses: Any = PROBED if isinstance(prompts[0], str) else [[0, 1], [0, 1]]
    try:
        rewards = check_rewards(model(prompts, responses), (2, 2), model)
    except UserError:
        raise
    except Exception as error:  # the model may be the user's
        raise UserError(
            f"{name} fails on two prompts of the task: {in_one_line(error)}"
        ) from error
    if np.isinf(rewards).any():
        raise UserError(f"{name} gives infinite rewards; return None for no reward")


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
