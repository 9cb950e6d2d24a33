"""Send the numbers of a record to Weights & Biases, during a run or after it."""

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
    """Yield a function that logs a row of ``train``; the step is the row's round.

    Rows that the run has recorded before are logged at once, so that a resumed run is complete.
    ``name`` is the folder's by default. Offline, the run's folder gets files for ``wandb
    sync``; another process writes them, and they are complete when this one has ended.
    """
    if mode == "off":
        yield lambda row: None
        return
    # Otherwise wandb mistakes our package ``agents`` for another, and prints advertisements.
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
    """Send a finished run from its record, as ``tracked`` does during the run."""
    with tracked(run, mode, name=name, group=group):
        pass


def flat(row: Row, prefix: str = "") -> Row:
    """Return the numbers of a nested row in one level: {"a": {"b": 1}} -> {"a/b": 1}."""
    numbers: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            numbers |= flat(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            numbers[prefix + key] = value
    return numbers


def with_mode(args: Sequence[str]) -> list[str]:
    """Return the arguments with ``--wandb offline`` for a ``--wandb`` without a value."""
    complete: list[str] = []
    for arg, following in zip(args, [*args[1:], ""], strict=True):
        complete.append(arg)
        if arg == "--wandb" and following not in get_args(Mode):
            complete.append("offline")
    return complete
