"""Draw the prompts of a diagnosis, their children and the responses, and record them.

config.json         the settings, versions, seed, command line
prompts.jsonl       every prompt: id, prompt, parent (an id) and operator; human prompts first
answers.jsonl       a row for each group of n responses: id, prompt, parent, operator, half
(0 or 1 for a parent, 0 for a child), responses, rewards (null: missing)
diagnosis.json      the result
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from agents.evaluate import score
from agents.evolution.evolve import Lineage, evolve
from agents.policies.base import Policy
from eva_env.types import Floats, Ints, RewardModel
from experiments.diagnosis.settings import Diagnosis
from experiments.run.errors import UserError, is_out_of_memory, out_of_memory
from experiments.run.fitting import Fitting, check_prompts, fits_of
from experiments.run.records import Run
from experiments.run.rewards import training_reward
from experiments.run.rewriting import seen_task, writing_model
from experiments.run.rows import numbers, plain
from experiments.run.schema import DiagnosisAnswer, DiagnosisPrompt
from experiments.run.setup import load_policy, pinned

CHUNK = 16
"""Groups of n responses that are drawn, scored and recorded together. On one CPU thread
SmolLM2-135M samples 114 tokens per CPU second with 16 groups of 12, and 77 with 4 groups."""

DRAWS = 4
"""Attempts at human prompts that differ from each other."""


@dataclass
class Respondent:
    """The task, policy and reward of a diagnosis."""

    task: Any
    """The task with its operators, which may be those of a language model."""
    policy: Policy
    reward: RewardModel

    @classmethod
    def open(cls, settings: Diagnosis) -> Self:
        """Load the policy and the reward; UserError for settings that do not fit."""
        world, device = pinned(settings.task), settings.device
        option = "" if settings.policy is None else "--policy: "
        policy = load_policy(world, settings.policy, settings.sampling, device, option)
        reward = training_reward(
            world, settings.reward, settings.reward_model, device=device, start=lambda: policy
        )
        try:
            check_prompts(world, policy)
            writer = writing_model(settings.rewriter, policy, device)
            task = seen_task(world, settings.rewriter, settings.rewriting, writer)
        except (OSError, ValueError) as error:
            raise UserError(" ".join(str(error).split())) from error
        fits = fits_of(policy)
        return cls(task if fits is None else Fitting(task, fits), policy, reward)


@dataclass
class Group:
    """n responses to one prompt, before they are drawn."""

    row: dict[str, Any]
    half: int


def draw_prompts(settings: Diagnosis, task: Any) -> list[dict[str, Any]]:
    """Return the rows of prompts.jsonl: distinct human prompts, then children of each.

    ``world.seed`` leaves out the prompts of the suites, and so do the operators, by ``valid``.
    Children start from the parent, one rewrite each, and differ where the task allows it.
    """
    rng = np.random.default_rng((settings.seed, 0))
    try:
        parents = _human_prompts(settings, rng)
        children = _children(settings, task, parents, rng)
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error
    ids = {prompt: i for i, prompt in enumerate(parents)}
    rows = [_prompt_row(i, prompt, None, None) for prompt, i in ids.items()]
    for child in children:
        parent = ids[plain(child.parent)]
        rows.append(_prompt_row(len(rows), plain(child.prompt), parent, child.operator))
    return rows


def _prompt_row(
    number: int, prompt: Any, parent: int | None, operator: str | None
) -> dict[str, Any]:
    return {"id": number, "prompt": prompt, "parent": parent, "operator": operator}


def _human_prompts(settings: Diagnosis, rng: np.random.Generator) -> list[Any]:
    """Draw distinct human prompts; fewer than the settings say where the world has no more."""
    human: dict[Any, None] = {}
    for _ in range(DRAWS):
        human |= dict.fromkeys(map(plain, settings.task.seed(settings.prompts, rng)))
        if len(human) >= settings.prompts:
            break
    return list(human)[: settings.prompts]


def _children(
    settings: Diagnosis, task: Any, parents: Sequence[Any], rng: np.random.Generator
) -> list[Lineage]:
    """Rewrite each parent once by each of some operators; none for a task without operators."""
    if not settings.children or not task.operators:
        return []
    return evolve(task, parents, settings.children, rng, sequential=False, taken=set(parents))


def groups_of(prompts: Sequence[dict[str, Any]]) -> list[Group]:
    """Return the groups of responses to draw: two for each human prompt, one for each child."""
    return [
        Group(row, half) for row in prompts for half in range(2 if row["parent"] is None else 1)
    ]


def recorded_answers(
    run: Run, prompts: Sequence[dict[str, Any]], samples: int
) -> list[dict[str, Any]]:
    """Return the rows of answers.jsonl, which are those of the first groups in their order.

    UserError, with the remedy, for any others: a line is damaged or lost, or two processes
    wrote the file.
    """
    rows, groups = run.rows("answers", DiagnosisAnswer), groups_of(prompts)
    fits = len(rows) <= len(groups) and all(
        (row["id"], row["half"]) == (group.row["id"], group.half)
        and isinstance(row["rewards"], list)
        and len(row["rewards"]) == samples
        for row, group in zip(rows, groups, strict=False)
    )
    if not fits:
        path = run.folder / "answers.jsonl"
        raise UserError(
            f"the rows of {path} do not fit prompts.jsonl: a file is damaged, or two processes "
            f"wrote it; delete {path} and give eva diagnose --resume {run.folder}"
        )
    return rows


def respond(
    settings: Diagnosis, respondent: Respondent, run: Run, prompts: Sequence[dict[str, Any]]
) -> Iterator[int]:
    """Draw, score and record the responses that answers.jsonl lacks; yield how many.

    Every chunk has a generator of its own, made from the seed and its place, so that a resumed
    diagnosis draws the responses that an uninterrupted one would draw.
    """
    groups = groups_of(prompts)
    recorded = len(recorded_answers(run, prompts, settings.samples))
    for place in range(0, len(groups), CHUNK):
        chunk = groups[place : place + CHUNK]
        if place + len(chunk) <= recorded:
            continue
        rng = np.random.default_rng((settings.seed, 1, place))
        asked = [group.row["prompt"] for group in chunk]
        try:
            responses = respondent.policy.sample(asked, settings.samples, rng)
            rewards = score(respondent.reward, asked, responses)
        except ValueError as error:
            raise UserError(" ".join(str(error).split())) from error
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise out_of_memory(error) from error
        run.append("answers", _rows(chunk, responses, rewards)[max(0, recorded - place) :])
        yield len(chunk) * settings.samples


def _rows(chunk: Sequence[Group], responses: Any, rewards: Floats) -> list[dict[str, Any]]:
    return [
        group.row
        | {"half": group.half}
        | {"responses": [plain(response) for response in responses[i]]}
        | {"rewards": numbers(rewards[i])}
        for i, group in enumerate(chunk)
    ]


@dataclass(frozen=True)
class Answers:
    """The rewards of a diagnosis as arrays; NaN is a missing reward."""

    parents: Floats
    """Rewards of the P human prompts, (P, 2 n)."""
    children: Floats
    """Rewards of the C children, (C, n)."""
    parent_of: Ints
    """The row of each child's parent, (C,)."""
    operators: Sequence[str]
    """The operator of each child."""
    prompts: Sequence[Any]
    """The human prompts."""

    @classmethod
    def read(cls, run: Run, samples: int) -> Self:
        """Return the recorded rewards; UserError unless all responses are there."""
        prompts = run.rows("prompts", DiagnosisPrompt)
        answers = recorded_answers(run, prompts, samples)
        if not prompts or len(answers) != len(groups_of(prompts)):
            raise UserError(
                f"{run.folder} lacks responses; continue it with eva diagnose --resume "
                f"{run.folder}"
            )
        # JSON's null becomes NaN.
        rewards = np.array([row["rewards"] for row in answers], dtype=np.float64)
        is_parent = np.array([row["parent"] is None for row in answers])
        born = [row for row in answers if row["parent"] is not None]
        human = rewards[is_parent]
        return cls(
            parents=human.reshape(len(human) // 2, -1),
            children=rewards[~is_parent],
            parent_of=np.array([row["parent"] for row in born], dtype=np.int64),
            operators=[row["operator"] for row in born],
            prompts=[row["prompt"] for row in answers if row["parent"] is None][::2],
        )
