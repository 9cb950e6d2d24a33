"""Weights & Biases gets the numbers of the record, live or afterwards; imported when asked."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

from experiments.run.records import Run

Row = dict[str, Any]
Mode = Literal["off", "offline", "online"]


@contextmanager
def tracked(
    run: Run, mode: Mode, *, name: str | None = None, group: str | None = None
) -> Iterator[Callable[[Row], None]]:
    """A function that logs a row of ``experiments.run.train.train``, its round being the step.

    Rows that the run has kept are logged at once, so that a resumed run is whole. ``name`` is
    by default the folder's. Offline, files to ``wandb sync`` are left in the run's folder; they
    are written by another process, and whole when this one has ended.
    """
    if mode == "off":
        yield lambda row: None
        return
    # Else wandb takes our package ``agents`` for another one, and advertises.
    os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")
    import wandb

    quiet = wandb.Settings(silent=True, console="off", x_disable_stats=True)
    with wandb.init(
        project="eva",
        mode=mode,
        dir=run.folder,
        name=name or run.folder.name,
        group=group,
        config=run.config["settings"],
        reinit="create_new",
        settings=quiet,
    ) as session:

        def log(row: Row) -> None:
            session.log(flat(row), step=row["round"])

        for row in run.history():
            log(row)
        yield log


def send(run: Run, mode: Mode, *, name: str | None = None, group: str | None = None) -> None:
    """Send a finished run from its record: what ``tracked`` would have sent while it played."""
    with tracked(run, mode, name=name, group=group):
        pass


def flat(row: Row, prefix: str = "") -> Row:
    """Numbers of a nested row: {"a": {"b": 1}} -> {"a/b": 1}; everything else is dropped."""
    numbers: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            numbers |= flat(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            numbers[prefix + key] = value
    return numbers


def with_mode(args: Sequence[str]) -> list[str]:
    """Arguments in which a ``--wandb`` without a value says offline."""
    spelt: list[str] = []
    for arg, following in zip(args, [*args[1:], ""], strict=True):
        spelt.append(arg)
        if arg == "--wandb" and following not in get_args(Mode):
            spelt.append("offline")
    return spelt
