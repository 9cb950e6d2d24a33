"""A deadline for a call of a user's code that may block, such as a request over a network."""

import contextvars
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class DeadlineError(ValueError):
    """A call has not returned within its deadline."""


def within(
    seconds: float | None, call: Callable[[], Result], name: str, option: str = "a later one"
) -> Result:
    """Return the result of a call; DeadlineError if it takes longer than ``seconds``.

    ``name`` says what is called and ``option`` which setting allows more time, for the error.
    None: no deadline, and the call is made directly. Whatever the call raises is raised here.

    A call that does not let other threads run, such as a regular expression that backtracks for
    long, is late only when it returns.
    """
    # The call runs in a daemon thread, and the caller waits for it. A signal (SIGALRM) would
    # interrupt only the main thread, not on Windows, and a user's ``except Exception`` around
    # a request would swallow the exception that its handler raises. Python cannot stop a
    # thread, so one that is late continues until the process ends, which it does not hold up.
    # Ctrl-C reaches the caller, once the call lets other threads run.
    if seconds is None:
        return call()
    results: list[Result] = []
    errors: list[BaseException] = []

    deadline = time.monotonic() + seconds

    def run() -> None:
        try:
            result = call()
            if time.monotonic() <= deadline:
                results.append(result)
        except BaseException as error:  # raised again by the caller
            errors.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    if errors:
        raise errors[0]
    raise DeadlineError(
        f"{name} has not returned within its deadline of {seconds:g} s; make it faster, or "
        f"give {option}"
    )
