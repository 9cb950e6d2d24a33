"""The command-line name of every class: creators, methods, reward models and tasks."""

import re
from dataclasses import fields, is_dataclass

WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def canonical_name(cls: type) -> str:
    """Return a class's name in kebab case: ``canonical_name(NashMD) == "nash-md"``.

    A word starts at a capital after a small letter or a digit, and at the last capital of an
    acronym that a word follows. Where this splits a method's usual spelling, the class says
    ``name: ClassVar[str] = "simpo"``. A subclass does not inherit that name, and a dataclass
    field called ``name`` is a setting, not a name.
    """
    settings = {field.name for field in fields(cls)} if is_dataclass(cls) else set()
    given = None if "name" in settings else vars(cls).get("name")
    return given if isinstance(given, str) else WORD_START.sub("-", cls.__name__).lower()
