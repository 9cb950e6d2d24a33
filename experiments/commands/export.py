"""``eva export``: the prompts and responses of runs as a data set, in TRL's formats."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from eva_env.plain_text import say
from eva_env.require import require
from experiments.commands.options import parse
from experiments.run.disk import on_disk, replace_file
from experiments.run.errors import UserError, naming_record
from experiments.run.export import Exported, exported, runs_of
from experiments.run.records import as_line
from experiments.run.wording import counted

SUFFIXES = (".jsonl", ".parquet")


@dataclass(frozen=True)
class Command:
    """Write the prompts and responses of a run as a data set in one of TRL's formats.

    prompt-only has every prompt once; preference has the best and the worst response to each
    drawn prompt; unpaired has both as rows of their own, with a label.
    """

    run: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = None
    """Folder of eva train, of a comparison (all of its cells), or of one cell."""
    format: Literal["prompt-only", "preference", "unpaired"] = "preference"
    """The format, as TRL's documentation of data sets names it."""
    out: Path = Path("dataset.jsonl")
    """The file to write, new: its name ends in .jsonl or .parquet."""
    first_round: int = 1
    """The first round whose prompts are written."""
    last_round: int | None = None
    """The last round whose prompts are written. None: the last one played."""
    min_gap: float = 0.0
    """Leave out a prompt unless the best reward exceeds the worst by more than this, in
    reward-model units; a tie is always left out. prompt-only ignores it."""
    conversational: bool = False
    """Write prompts and responses as messages, as for prompts of several messages."""

    def __post_init__(self) -> None:
        require(self, "[1, inf)", "first_round", "last_round")
        require(self, "[0, inf)", "min_gap")


def main(args: list[str]) -> int:
    """Run the command and return the exit status."""
    command = parse(Command(), args, "export")
    if command.run is None:
        raise UserError("give the folder of a run or a comparison: eva export RUN")
    if command.out.suffix.lower() not in SUFFIXES:
        raise UserError(f"{command.out}: the name must end in {' or '.join(SUFFIXES)}")
    if command.out.exists():
        raise UserError(f"{command.out} exists already; give another --out")
    with naming_record(command.run):
        result = exported(
            runs_of(command.run),
            command.format,
            (command.first_round, command.last_round),
            command.min_gap,
            command.conversational,
        )
    if not result.rows:
        raise UserError(f"{command.run} has nothing to write{left_out(result)}")
    write(command.out, result.rows)
    say(
        f"wrote {counted(len(result.rows), f'{command.format} row')} to {command.out} from "
        f"{counted(result.prompts, 'drawn prompt')} of {counted(result.runs, 'run')} in "
        f"{command.run}{left_out(result)}"
    )
    return 0


def left_out(result: Exported) -> str:
    """Return what was left out, as the end of a sentence; empty for nothing."""
    reasons = [f"{count} {reason}" for reason, count in result.left_out.items() if count]
    return f"; left out: {', '.join(reasons)}" if reasons else ""


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON Lines or Parquet; UserError for a disk error."""
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".jsonl":
        with on_disk(path):
            replace_file(path, "".join(map(as_line, rows)))
        return
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(
            f'writing {path} needs pyarrow: pip install "eva-env[real]"; or give a name that '
            f"ends in .jsonl"
        ) from error
    with on_disk(path):
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
