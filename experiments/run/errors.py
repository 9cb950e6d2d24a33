"""The error of a mistake that a user can fix."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """A mistake outside the program; ``eva`` prints it in one line and exits with status 1."""


@contextmanager
def naming_record(folder: Path) -> Iterator[None]:
    """Turn what a reader raises over a damaged record into a UserError that names the folder.

    The schema checks every field alone. Fields that contradict each other, such as a row of a
    matrix that is too short, show only where they are put together.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"the record {folder} is damaged: its files contradict each other "
            f"({type(error).__name__}: {reason})"
        ) from error


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return True if torch has run out of memory, on a GPU or on the CPU."""
    text = str(error).lower()
    return any(words in text for words in ("out of memory", "can't allocate memory"))


def out_of_memory(error: RuntimeError) -> UserError:
    """Return the error in one line, with the settings that lower the use of memory."""
    reason = " ".join(str(error).split())[:160]
    return UserError(
        f"out of memory ({reason}); continue a recorded run with eva train --resume RUN and "
        f"lower --solver.micro-batch-tokens or --policy.logits-megabytes, or start again with "
        f"--policy.lora-rank 16, --policy.dtype bfloat16 or --policy.gradient-checkpointing"
    )
