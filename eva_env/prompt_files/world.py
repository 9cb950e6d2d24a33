"""The world of a user's own prompts: ``task:prompts --task.file prompts.jsonl``."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np

from eva_env.prompt_files.data import PromptData, Source, key_of, load
from eva_env.prompt_files.rules import PromptRules
from eva_env.require import require
from eva_env.types import RewardModel
from eva_env.world import Sizes, World


@dataclass(frozen=True)
class Prompts(World):
    """Your own prompts, from a file or a folder, for your own model and reward.

    A file is JSON Lines, CSV or Parquet with a column of prompts, a ``.txt`` file with one
    prompt a line, or a ``.md`` file that is one prompt; a folder is all of these. A prompt is
    text or a list of messages, as in TRL's datasets: ``{"prompt": "Hi"}``,
    ``{"prompt": [{"role": "user", "content": "Hi"}]}`` or ``{"messages": [...]}``. Messages of
    the assistant at the end are cut off. Give the reward by ``--reward`` or ``--judge``, the
    model by ``--policy``, and a model that rewrites prompts by ``--rewriter``.
    """

    file: Path | None = None
    """The file or the folder of prompts."""

    column: str | None = None
    """Column of the prompts. None: prompt, messages, or the only column of text."""

    topic_column: str | None = None
    """Column of the topics, for creators that balance them."""

    suite_column: str | None = None
    """Column that names the suite of a row; empty cells and train are training prompts."""

    suite_file: Path | None = None
    """A second file or folder, whose prompts are suites: of its suite column, or of one suite
    named by the file."""

    held_out: float = 0.1
    """Share of the prompts, in (0, 1), in the suite held-out, where no suite is given; at least
    8 and at most 128 prompts, never more than half."""

    split_seed: int = 0
    """Seed of that split, which depends on the texts and not on their order."""

    max_characters: int = 8000
    """Longer prompts are left out, and no creator may publish one."""

    fingerprint: str = ""
    """SHA-256 of the files, which a record keeps: changed files are refused."""

    sizes = Sizes(
        rounds=4,
        prompts=32,
        samples=4,
        seeds=2,
        evaluate_every=2,
        evaluation_samples=2,
        lr=0.1,
        max_tokens=256,
        temperature=0.7,
    )
    oracle = False

    def __post_init__(self) -> None:
        require(self, "(0, 1)", "held_out")
        require(self, "[0, inf)", "split_seed")
        require(self, "[1, 65536]", "max_characters")
        for name in ("file", "suite_file"):
            path = getattr(self, name)
            if path is not None:  # absolute, so that a record is read from any folder
                object.__setattr__(self, name, Path(path).expanduser().resolve())

    def __getstate__(self) -> dict[str, Any]:
        """Return the settings alone; a copy reads the files again."""
        return {spec.name: getattr(self, spec.name) for spec in fields(self)}

    @cached_property
    def data(self) -> PromptData:
        """The prompts of the files; ValueError, in one line, for what cannot be used."""
        if self.file is None:
            raise ValueError("task:prompts needs a file; give --task.file prompts.jsonl")
        settings = {name: getattr(self, name) for name in Source._fields}
        data = load(Source(**settings))
        if self.fingerprint not in ("", data.fingerprint):
            raise ValueError(
                f"{self.file} has changed since the record was begun (SHA-256 "
                f"{data.fingerprint[:12]}..., not {self.fingerprint[:12]}...); restore the "
                f"file, or start a new run"
            )
        return data

    # The task

    @property
    def training_prompts(self) -> tuple[str, ...]:
        """All prompts that creators may draw, so that a run checks them before it starts."""
        return self.data.training

    @property
    def suites(self) -> Mapping[str, tuple[str, ...]]:
        """Return the suites that the files name, or the suite ``held-out``."""
        return self.data.suites

    def seed(self, n: int, rng: np.random.Generator, distribution: str = "human") -> list[str]:
        """Draw n training prompts: each once, before any comes a second time.

        ValueError for another distribution than ``human``.
        """
        if distribution != "human":
            raise ValueError(
                f"a file of prompts has only the distribution 'human', not {distribution!r}: "
                f"oracle and domain-randomisation cannot play on it"
            )
        prompts = self.data.training
        passes, rest = divmod(n, len(prompts))
        order = [*(rng.permutation(len(prompts)) for _ in range(passes))]
        order.append(rng.choice(len(prompts), rest, replace=False))
        return [prompts[i] for i in np.concatenate(order)]

    def mutate(self, prompt: str, operator: str, rng: np.random.Generator) -> NoReturn:
        """Raise ValueError: a language model has to rewrite free text."""
        raise ValueError(
            f"unknown operator {operator!r}: prompts of a file have no rewrite operators; add "
            f"--rewriter solver"
        )

    def valid(self, prompt: Any) -> bool:
        """Return True for text that is not empty, not overlong and in no suite."""
        return not self.reason_against(prompt)

    def reason_against(self, prompt: Any) -> str:
        """Return why a creator may not publish the prompt; empty if it may."""
        if not isinstance(prompt, str) or not prompt.strip():
            return "is empty"
        if len(prompt) > self.max_characters:
            return f"is longer than {self.max_characters:,} characters"
        return "is held out for evaluation" if key_of(prompt) in self.data.reserved else ""

    def topic(self, prompt: str) -> str:
        """Return the topic of the prompt's row; "" without one, as for a rewritten prompt."""
        return self.data.topics.get(prompt, "")

    # The world

    def gold_reward(self) -> RewardModel:
        """Raise ValueError: a file of prompts has no reward."""
        raise ValueError(
            "prompts of a file have no reward; give --reward FOLDER, --reward file.py:function "
            "or --judge"
        )

    def starting_policy(self) -> NoReturn:
        """Raise ValueError: a file of prompts has no model."""
        raise ValueError("prompts of a file have no model; give --policy FOLDER")

    def read_prompt(self, text: str) -> str:
        """Return the prompt, which may be one of a suite; ValueError for an unusable one."""
        if not text.strip() or len(text) > self.max_characters:
            raise ValueError(f"write 1 to {self.max_characters:,} characters")
        return text

    def house_rules(self) -> PromptRules:
        """Return the rules for text of one or several lines."""
        return PromptRules(self)

    # The record

    def pinned(self) -> Self:
        """Return the world with the fingerprint of its files; ValueError if it has none."""
        return replace(self, fingerprint=self.data.fingerprint)

    def facts(self) -> dict[str, Any]:
        """Return the sizes of the split, what was left out and the fingerprint, as JSON."""
        data = self.data
        return {
            "rows": data.rows,
            "training_prompts": len(data.training),
            "suites": {name: len(prompts) for name, prompts in data.suites.items()},
            "held_out_here": data.split,
            "assistant_messages_cut": data.cut,
            "left_out": {
                reason: {"rows": omitted.count, "first": omitted.places}
                for reason, omitted in data.omitted.items()
            },
            "sha256": data.fingerprint,
        }

    def remarks(self) -> list[str]:
        """Return what was left out, cut off and split, in a line each."""
        data, name = self.data, self.file and self.file.name
        lines = [f"{name}: left out {reason}: {rows}" for reason, rows in data.omitted.items()]
        if data.cut:
            lines.append(
                f"{name}: the assistant's messages at the end of {data.cut} conversations are "
                f"cut off; the solver writes them"
            )
        if data.split:
            (suite,) = data.suites.items()
            lines.append(
                f"{name}: no suite is given, so {len(suite[1])} of "
                f"{len(suite[1]) + len(data.training)} prompts are held out as {suite[0]!r}"
            )
        return lines
