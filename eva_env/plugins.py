"""Load a user's own classes and functions by import path or by file.

A spec is ``package.module.Name`` or ``path/to/file.py:Name``. Code runs only when a spec names
it.
"""

import importlib
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

__path__: list[str] = []
"""Makes this module the parent of the modules of files: importing one imports it first."""


def is_spec(text: str) -> bool:
    """Return True for an import path or a file with a name; False for a plain name."""
    return "." in text or ":" in text


def load_object(spec: str) -> Any:
    """Return the object that ``package.module.Name`` or ``path/to/file.py:Name`` names.

    A file runs once: its module stays in ``sys.modules`` under a name made from its absolute
    path. Worker processes import it by that name, so its objects can be pickled. The current
    folder is searched last for modules. Raises ValueError for a malformed spec and for a name
    that the module lacks, ImportError for a module that is missing or fails, both in one line.
    """
    location, colon, name = spec.rpartition(":")
    if not colon:
        location, _, name = spec.rpartition(".")
    file_alone = not colon and name == "py"
    if not location or not name.isidentifier() or file_alone:
        raise ValueError(
            f"cannot read {spec!r}: write package.module.Name or path/to/file.py:Name"
        )
    module = _import_file(location) if colon else _import_module(location)
    if not hasattr(module, name):
        raise ValueError(f"{location} has no {name!r}; {_nearest(name, list(vars(module)))}")
    return getattr(module, name)


def spec_of(loaded: Any) -> str:
    """Return the spec by which ``load_object`` finds a class or function from any folder."""
    module = loaded.__module__
    if module.startswith(f"{__name__}."):
        return f"{_file_of(module)}:{loaded.__qualname__}"
    return f"{module}.{loaded.__qualname__}"


def absolute(spec: str) -> str:
    """Return the spec with the absolute path of its file; import paths and names unchanged."""
    location, colon, name = spec.rpartition(":")
    return f"{Path(location).expanduser().resolve()}:{name}" if colon else spec


def _import_file(location: str) -> ModuleType:
    path = Path(location).expanduser().resolve()
    if not path.is_file():
        raise ImportError(f"there is no file {location}; give the path of a Python file")
    try:
        return importlib.import_module(_module_name(path))
    except (Exception, SystemExit, GeneratorExit) as error:  # the file is the user's
        raise ImportError(f"cannot import {location}: {in_one_line(error)}") from error


def _import_module(location: str) -> ModuleType:
    # The current folder is searched for what is not installed; workers inherit the path.
    if "" not in sys.path and PathFinder.find_spec(location.partition(".")[0]) is None:
        sys.path.append("")
    try:
        return importlib.import_module(location)
    except (Exception, SystemExit, GeneratorExit) as error:  # the module may be the user's
        remedy = ""
        if isinstance(error, ModuleNotFoundError) and location.startswith(error.name or " "):
            remedy = "; install it, change to its folder, or write path/to/file.py:Name"
        raise ImportError(f"cannot import {location}: {in_one_line(error)}{remedy}") from error


def in_one_line(error: BaseException) -> str:
    """Return an error's message in one line, with its type where the message is unclear."""
    message = " ".join(str(error).split())
    clear = isinstance(error, TypeError | ValueError | ImportError | AttributeError)
    return message if clear and message else f"{type(error).__name__}: {message}"


def _nearest(name: str, names: Sequence[str]) -> str:
    public = [other for other in names if not other.startswith("_")]
    near = get_close_matches(name, public, cutoff=0.5)
    return f"the nearest: {', '.join(near)}" if near else "check the spelling"


def _module_name(path: Path) -> str:
    """The name of a file's module, which holds the whole path in hexadecimal digits."""
    stem = re.sub(r"\W", "_", path.stem)
    return f"{__name__}.{stem}_{str(path).encode().hex()}"


def _file_of(module: str) -> str:
    return bytes.fromhex(module.rpartition("_")[2]).decode()


class _FileFinder(MetaPathFinder):
    """Finds the modules of files by the names that ``_module_name`` gives them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import the file that the name holds; None for other modules."""
        if not fullname.startswith(f"{__name__}."):
            return None
        return spec_from_file_location(fullname, _file_of(fullname))


sys.meta_path.append(_FileFinder())  # here, so that a worker that unpickles an object has it
