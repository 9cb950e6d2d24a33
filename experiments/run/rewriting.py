"""Rewriting by a language model: the task that the environment and the creators see."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.evolution.lm_operators import LMRewriter, RewrittenTask
from agents.evolution.prompt_judge import PromptJudge
from agents.evolution.writing import Form, require_completion
from agents.policies.checkpoints import find_causal_lm
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.solvers.response_rewriter import LMResponseRewriter
from eva_env.require import require
from eva_env.types import Task
from eva_env.world import ResponseRewriter, World

SOLVER = "solver"
"""The ``rewriter`` that is the solver's own policy."""

RATING_TOKENS = {"examples": 4, "instructions": 64}
"""Most tokens of a rating: a number that continues examples, or a short reply."""


@dataclass(frozen=True)
class Rewriting:
    """Settings of the language model that rewrites prompts, and that may rate them."""

    form: Form = "examples"
    """How the model is asked: it continues a list of examples as plain text, or follows an
    instruction in its chat template. Of SmolLM2-135M's replies 54 of 60 are accepted with
    examples, and 4 of 40 if it is instructed, since it answers the prompts then."""
    temperature: float = 0.88
    """Divisor of the logits; 0.88 in the authors' scripts."""
    top_p: float = 0.8
    """Mass of the nucleus, in (0, 1]. 1 in the authors' scripts, whose model is a large one."""
    max_tokens: int = 96
    """Most tokens of a rewrite; 666 in the authors' scripts. A rewrite that is cut off counts
    as failed."""
    retries: int = 2
    """Further replies, each by another operator, where one gives no new valid prompt; then that
    prompt is dropped."""
    judge: bool = False
    """Let the model rate how complex a prompt is, from 1 to 5, for creators that need it. A
    prompt without a rating comes last."""

    def __post_init__(self) -> None:
        require(self, "[0, inf)", "temperature", "retries")
        require(self, "(0, 1]", "top_p")
        require(self, "[1, inf)", "max_tokens")

    def sampling(self, max_tokens: int) -> Sampling:
        """Return the settings by which the model writes."""
        return Sampling(self.temperature, self.top_p, max_tokens)


def resolved(choice: str | None, words: Collection[str]) -> str | None:
    """Return a choice as a run records it: one of ``words``, or a folder's absolute path."""
    if choice is None or choice in words or not Path(choice).exists():
        return choice
    return str(Path(choice).resolve())


def seen_task(
    world: World, rewriter: str | None, rewriting: Rewriting, model: Any = None
) -> Task:
    """Return the task that the environment and the creators see.

    Without a rewriter it is the world. ``model`` writes; None is enough to check which
    creators can play. Raises ValueError for settings that do not fit each other or the world.
    """
    if rewriter is None:
        if rewriting.judge:
            raise ValueError(
                "--rewriting.judge needs a model that rates; add --rewriter solver"
            )
        return world
    prompts = [prompt for suite in world.suites.values() for prompt in suite[:1]]
    if not all(isinstance(prompt, str) for prompt in prompts):
        raise ValueError(
            f"--rewriter rewrites text, and the prompts of {type(world).__name__} are numbers; "
            f"leave it out"
        )
    if rewriter != SOLVER:
        with naming_rewriter():
            find_causal_lm(rewriter)
    form, judge = rewriting.form, None
    if rewriting.judge:
        sampling = rewriting.sampling(RATING_TOKENS[form])
        judge = PromptJudge(_drawing_by(model, sampling), form=form)
    writer = _drawing_by(model, rewriting.sampling(rewriting.max_tokens))
    task = RewrittenTask(world, LMRewriter(writer, form=form), judge, 1 + rewriting.retries)
    if writer is not None:
        _require_readable(task)
    return task


def writing_model(rewriter: str | None, policy: Any, device: str = "cpu") -> Any:
    """Return the model that rewrites: the solver's policy, or that of another checkpoint.

    Raises OSError or ValueError, in one line, for a checkpoint that cannot be loaded.
    """
    if rewriter in (None, SOLVER):
        return policy
    with naming_rewriter():
        return Pretrained(rewriter).load(device=device)


@contextmanager
def naming_rewriter() -> Iterator[None]:
    """Name the option --rewriter in the errors of its checkpoint."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise ValueError(f"--rewriter: {error}; or give --rewriter solver") from error


def response_rewriter(
    world: World, rewriting: Rewriting, model: Any, max_tokens: int
) -> ResponseRewriter | None:
    """Return what improves responses: the world's own way, or else the model that rewrites.

    None for worlds without text, and for models without a chat.
    """
    worlds = world.response_rewriter()
    if worlds is not None or not hasattr(model, "with_sampling"):
        return worlds
    return LMResponseRewriter(model.with_sampling(rewriting.sampling(max_tokens)))


def _drawing_by(model: Any, sampling: Sampling) -> Any:
    """The model under other settings of sampling; a user's policy keeps its own."""
    return model.with_sampling(sampling) if hasattr(model, "with_sampling") else model


def _require_readable(task: RewrittenTask) -> None:
    """Raise ValueError for a model that cannot read even the request for a short prompt."""
    rewriter = task.rewriter
    writer: Any = rewriter.policy
    plain = rewriter.form == "examples"
    if plain:
        require_completion(writer)
    requests = [rewriter.ask("Why?", operator) for operator in task.operators]
    fits = getattr(writer, "fits", None)
    if fits is not None and not all(fits(request, plain=plain) for request in requests):
        other = "instructions" if plain else "examples"
        raise ValueError(
            f"the requests of --rewriting.form {rewriter.form} have up to "
            f"{max(map(len, requests))} characters and exceed the context of the model that "
            f"rewrites; give another --rewriter, a smaller --rewriting.max-tokens, or "
            f"--rewriting.form {other}"
        )
