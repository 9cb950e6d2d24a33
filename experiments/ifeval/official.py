"""The prompts and verifiers of IFEval, which ``eva fetch ifeval`` puts in the cache.

The verifiers run as they are, with three exceptions that make verdicts a function of the text:

- nltk is replaced (``tokenizers``).
- langdetect draws at random; its seed is 0.
- Prompts 1122 and 1129 require 4 times "#" and 6 times "!". The verifier of letters replaces
  what is no letter by a random letter in every call; here it counts the character itself.

Their quirks stay, since published scores have them: keywords are regular expressions and match
inside words, a postscript may be anywhere, ``**x**`` counts as two highlights, and a text whose
language is unknown passes ``language:response_language``.
"""

import hashlib
import importlib.util
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from eva_env.cache import cache_folder
from experiments.ifeval.tokenizers import in_place_of_nltk
from experiments.run.errors import UserError

PACKAGE = "eva_fetched_ifeval"
"""Name under which the fetched package is imported; the packages around it are not."""

LETTERS = "keywords:letter_frequency"

Check = Callable[[str], bool]


@dataclass(frozen=True)
class Item:
    """A prompt with its instructions: an id and the arguments of its verifier for each."""

    key: int
    prompt: str
    ids: tuple[str, ...]
    arguments: tuple[Mapping[str, Any], ...]

    @property
    def least_tokens(self) -> int:
        """A number of tokens below which no response meets the instructions.

        A word has at least one token. Counted are the words that are required, and those of a
        request that must be repeated.
        """
        needed = [0]
        for arguments in self.arguments:
            if arguments.get("relation") == "at least":
                needed.append(arguments.get("num_words", 0))
            needed.append(len(arguments.get("prompt_to_repeat", "").split()))
        return max(needed)


@dataclass(frozen=True)
class Benchmark:
    """The prompts of IFEval, their verifiers by instruction id, and a fingerprint of both."""

    items: tuple[Item, ...]
    verifiers: Mapping[str, Any]
    version: str

    def check(self, instruction: str, arguments: Mapping[str, Any], prompt: str = "") -> Check:
        """Return the official verifier of an instruction as a function of the text."""
        given = {name: value for name, value in arguments.items() if value is not None}
        verifier = self.verifiers[instruction](instruction)
        verifier.build_description(**given)
        if "prompt" in (verifier.get_instruction_args() or {}):
            verifier.build_description(prompt=prompt)
        letter = given.get("letter", "a")
        if instruction == LETTERS and not letter.isalpha():
            verifier._letter = letter
        return lambda text: bool(verifier.check_following(text))

    def verdicts(self, item: Item, text: str) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
        """Return for each instruction whether a response follows it: strictly, and loosely.

        An empty response follows nothing. Loosely, one of eight variants must follow: without
        the first line, the last line, or both, and each of these without asterisks.
        """
        variants = loose_variants(text)
        strict, loose = [], []
        for instruction, arguments in zip(item.ids, item.arguments, strict=True):
            check = self.check(instruction, arguments, item.prompt)
            strict.append(bool(text.strip()) and check(text))
            loosely = (variant.strip() and check(variant) for variant in variants)
            loose.append(strict[-1] or any(loosely))
        return tuple(strict), tuple(loose)


def loose_variants(text: str) -> list[str]:
    """Return the seven variants of a response that the loose verdict reads in addition."""
    lines = text.split("\n")
    shortened = [lines[1:], lines[:-1], lines[1:-1]]
    texts = [text, *("\n".join(some).strip() for some in shortened)]
    variants = [*texts[1:], *(some.replace("*", "") for some in texts)]
    return list(dict.fromkeys(variants))


def official(instruction: str, arguments: Mapping[str, Any], prompt: str = "") -> Check:
    """Return IFEval's own verifier of an instruction, as a function from text to verdict.

    Example: ``official("keywords:forbidden_words", {"forbidden_words": ["is"]})("It was.")``.
    Raises UserError, with the remedy, where its files are not fetched.
    """
    return benchmark().check(instruction, arguments, prompt)


def ifeval_folder() -> Path:
    """Return the folder that holds the fetched package ``ifeval``, whether it exists or not."""
    return cache_folder() / "ifeval" / "eval_framework" / "tasks" / "ifeval"


def benchmark() -> Benchmark:
    """Return the fetched benchmark; UserError, with the remedy, without it or damaged."""
    folder = ifeval_folder()
    try:
        fetched = _read(folder)
    except (AttributeError, ImportError, KeyError, SyntaxError, TypeError, ValueError) as error:
        raise _damaged(folder) from error
    if not fetched.items:
        raise _damaged(folder)
    return fetched


def _damaged(folder: Path) -> UserError:
    return UserError(
        f"the files of IFEval in {folder} are damaged; delete {cache_folder() / 'ifeval'} and "
        f"give: eva fetch ifeval"
    )


@cache
def _read(folder: Path) -> Benchmark:
    """Read prompts and verifiers of a folder."""
    data = folder / "data" / "input_data.jsonl"
    if not data.is_file() or not (folder / "__init__.py").is_file():
        raise UserError(f"IFEval is not in {folder}; give: eva fetch ifeval")
    text = data.read_bytes()
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    items = tuple(
        Item(
            row["key"],
            row["prompt"],
            tuple(row["instruction_id_list"]),
            tuple(row["kwargs"]),
        )
        for row in rows
    )
    verifiers = _import(folder)
    code = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    version = hashlib.sha256(text + code).hexdigest()[:16]
    return Benchmark(items, verifiers.INSTRUCTION_DICT, version)


def _import(folder: Path) -> ModuleType:
    """Import the package of a folder, without the packages that contain it."""
    try:
        import langdetect

        langdetect.DetectorFactory.seed = 0
        spec = importlib.util.spec_from_file_location(
            PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        _forget()
        module = importlib.util.module_from_spec(spec)
        sys.modules[PACKAGE] = module

        def split_sentences(text: str) -> list[str]:
            return sys.modules[f"{PACKAGE}.instructions_util"].split_into_sentences(text)

        with in_place_of_nltk(split_sentences):
            spec.loader.exec_module(module)
        # Verifiers log an error for every text whose language is unknown.
        silent = logging.getLogger(PACKAGE)
        silent.disabled = True
        for name in [name for name in sys.modules if name.startswith(f"{PACKAGE}.")]:
            if hasattr(sys.modules[name], "logging"):
                vars(sys.modules[name])["logging"] = silent
    except ModuleNotFoundError as error:
        _forget()
        raise UserError(
            f'IFEval needs the package {error.name}: pip install "eva-env[instruct]"'
        ) from error
    return module


def _forget() -> None:
    """Remove a package that was imported from another folder."""
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
