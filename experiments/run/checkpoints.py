"""Find the run and the folder that a CHECKPOINT on the command line names."""

from pathlib import Path

from experiments.run.errors import UserError
from experiments.run.named_code import NO_CODE, NamedCode
from experiments.run.records import Run
from experiments.run.settings import Settings


def run_of(checkpoint: str) -> tuple[Run, Path | None] | None:
    """Return the run of a run folder, or of a checkpoint together with its folder."""
    path = Path(checkpoint)
    for folder, inner in ((path, None), (path.parent.parent, path)):
        if (folder / "rounds.jsonl").is_file():
            return Run.open(folder), inner
    _refuse_other_records(path)
    return None


def _refuse_other_records(path: Path) -> None:
    """Raise UserError, with the remedy, for a comparison and for a run without rounds."""
    if (path / "cells").is_dir():
        cells = sorted((path / "cells").glob("*/seed-*"))
        remedy = f"a cell's folder, such as {cells[0]}" if cells else "a run folder"
        raise UserError(f"{path} is a comparison, which holds many runs; give {remedy}")
    if (path / "config.json").is_file() and "settings" in Run(path).config:
        Run(path).require_kind("run")
        raise UserError(
            f"the run {path} has no rounds.jsonl, so it has played no round; continue it with "
            f"eva train --resume {path}, or give another run or a checkpoint's folder"
        )


def settings_of(checkpoint: str, code: NamedCode = NO_CODE) -> Settings | None:
    """Return the settings of a checkpoint's run; None if it belongs to no run.

    ``code`` is the code of the user's own that the run may import.
    """
    owner = run_of(checkpoint)
    return owner[0].settings(Settings, code) if owner else None


def checkpoint_folder(checkpoint: str) -> str | Path:
    """Return the folder of the policy: for a run, that of its last checkpoint."""
    owner = run_of(checkpoint)
    if owner is None:
        return checkpoint
    run, inner = owner
    if inner is None and not run.checkpoints:
        raise UserError(
            f"the run {run.folder} has no checkpoint yet; continue it with eva train --resume "
            f"{run.folder}, or give another run"
        )
    return inner or run.checkpoint(run.checkpoints[-1])
