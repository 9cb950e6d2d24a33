"""The error of a mistake that a user can fix."""


class UserError(Exception):
    """A mistake outside the program; ``eva`` prints it in one line and exits with status 1."""


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
