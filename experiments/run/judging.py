"""The reward that decides in evaluations: which one it is, and how it compares policies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from agents.evaluate import sample_responses
from agents.policies.base import Policy
from eva_env.boundary import NO_LIMITS
from eva_env.rewards import Ensemble, Wrapper
from eva_env.types import Floats, KnowsBest, RewardModel, offers
from eva_env.world import World
from experiments.run.rewards import form_of, reward_of

SAME = "judged by the reward that trains: a gain may be over-optimisation; give --judge"
"""The remark on a run that nothing but its own reward judges."""


SHARED = ("classifier", "pairwise", "function")
"""Kinds of rewards that are costly to load or to try out."""


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
    nan_is_missing: ClassVar[bool] = True

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


def judge_of(
    conditions: Any,
    training: RewardModel | None,
    device: str = "cpu",
    start: Callable[[], Policy] | None = None,
) -> Judge:
    """Return the judge of a run; UserError if it cannot be loaded.

    ``training`` is the run's training reward, which is not loaded and tried out a second time
    where it judges. Without any judge, a reward model of the user's own judges what it trains.
    """
    spec = judge_spec(conditions)
    own = not isinstance(conditions.reward_model, Wrapper | None)
    if own and conditions.judge is None and not has_gold(conditions.task):
        return Judge(conditions.reward_model, "reward-model")
    if spec == conditions.reward and form_of(spec).kind in SHARED:
        base = training
        while isinstance(base, Wrapper):
            base = base.base
        if base is not None and not isinstance(base, tuple):  # the members of an ensemble
            return Judge(base, spec)
    limits = getattr(conditions, "limits", NO_LIMITS)
    return Judge(reward_of(spec, conditions.task, device, "judge", start, limits), spec)


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


def shown(spec: Any) -> str:
    """Return a reward's name for readers: of a path it keeps the last part alone."""
    name = str(spec)
    if name.startswith("pairwise:"):
        return f"pairwise:{shown(name.removeprefix('pairwise:'))}"
    return Path(name).name if ".py:" in name or Path(name).is_absolute() else name


def score_name(judge: str) -> str:
    """Return how to call the rewards of a judge, as ``judged_by`` names it."""
    return "gold reward" if judge == "gold" else "judge's reward"


def judging_remark(judge: str, settings: Mapping[str, Any]) -> str:
    """Return the sentence that names the judge; empty for gold.

    ``judge`` is the record's ``judged_by``, ``settings`` are its conditions as JSON.
    """
    if judge == "gold":
        return ""
    if judge != SAME:
        return f"Judged by {shown(judge)}."
    name = settings.get("judge") or settings.get("reward")
    if name in (None, "gold"):  # a reward model of the user's own class
        part = settings.get("reward_model")
        name = part.get("type", "?") if isinstance(part, Mapping) else "?"
    return f"{SAME.replace('judged by', f'Judged by {shown(name)},', 1)}."


def trains_on_judge(conditions: Any) -> bool:
    """Return whether the reward that judges trains too, in a wrapper or not."""
    return judge_spec(conditions) == conditions.reward
