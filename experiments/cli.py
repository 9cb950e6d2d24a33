"""The ``eva`` command."""

import importlib
import os
import re
import sys
from typing import TypeVar, get_args

Options = TypeVar("Options")

HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a class name is split into words."""

COMMANDS = {
    "train": "train one solver against one creator, and record everything",
    "compare": "creators against solvers as a game: who wins, and how surely?",
    "evaluate": "judge a checkpoint on a suite, or on prompts of your own",
    "play": "take a seat: make the prompts, answer them, or judge answers",
    "report": "one HTML file that shows a run or a comparison",
    "demo": "eva against ordinary training at equal budget: who wins?",
}
"""Each is the module of its name, with ``main(args) -> exit status``; loaded when called."""

USAGE = "\n".join(
    [
        "usage: eva COMMAND [OPTIONS]",
        "",
        "The open laboratory for asymmetric self-play alignment.",
        "",
        *(f"  {name:10}{text}" for name, text in COMMANDS.items()),
        "",
        "eva COMMAND --help lists the options of a command.",
    ]
)


def parse(options: type[Options], args: list[str], command: str) -> Options:
    """A command's options as an object; values that its class rejects are a UserError."""
    import tyro

    from experiments.run.errors import UserError

    config = (tyro.conf.CascadeSubcommandArgs,)
    try:
        return tyro.cli(options, args=hyphenated(args), prog=f"eva {command}", config=config)
    except ValueError as error:
        raise UserError(str(error)) from error


def hyphenated(args: list[str]) -> list[str]:
    """The arguments with "solver:simpo" spelt "solver:sim-po", as tyro splits class names."""
    from agents.creators import AnyCreator
    from agents.solvers import AnyMethod
    from eva_env.rewards import AnyRewardModel

    names = [
        cls.__name__ for u in (AnyCreator, AnyMethod, AnyRewardModel) for cls in get_args(u)
    ]
    split = {name.lower(): HUMP.sub("-", name).lower() for name in names}
    found = [arg.partition(":") for arg in args]
    return [head + colon + split.get(tail, tail) for head, colon, tail in found]


def main(argv: list[str] | None = None) -> int:
    """Run a command; the mistakes that a user can mend end in one line and status 1."""
    from experiments.run.errors import UserError

    command, *args = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if command in ("-h", "--help"):
        print(USAGE)
        return 0
    if command not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"eva: unknown command {command!r}; commands: {known}", file=sys.stderr)
        return 2
    try:
        return importlib.import_module(f"experiments.commands.{command}").main(args)
    except UserError as error:
        print(f"eva {command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"eva {command}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the pipe has gone, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
