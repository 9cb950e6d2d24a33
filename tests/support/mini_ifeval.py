"""A benchmark of IFEval's form with three verifiers, written to a cache folder for tests."""

import json
from pathlib import Path

REGISTRY = """
from . import instructions_util


class Words:
    def __init__(self, name):
        self.name = name

    def build_description(self, *, num_words=None, relation=None):
        self.num_words = num_words

    def get_instruction_args(self):
        return {"num_words": self.num_words}

    def check_following(self, text):
        return len(text.split()) >= self.num_words


class NoComma:
    def __init__(self, name):
        self.name = name

    def build_description(self):
        pass

    def get_instruction_args(self):
        return None

    def check_following(self, text):
        return "," not in text


class Letters:
    def __init__(self, name):
        self.name = name

    def build_description(self, *, letter=None, let_frequency=None, let_relation=None):
        self._letter = letter if letter.isalpha() else "z"
        self.least = let_frequency

    def get_instruction_args(self):
        return {"letter": self._letter}

    def check_following(self, text):
        return text.lower().count(self._letter) >= self.least


INSTRUCTION_DICT = {
    "length_constraints:number_words": Words,
    "punctuation:no_comma": NoComma,
    "keywords:letter_frequency": Letters,
}
"""

UTILITIES = """
import nltk


def split_into_sentences(text):
    return [part for part in text.split(".") if part.strip()]


def count_sentences(text):
    return len(nltk.data.load("punkt").tokenize(text))


def count_words(text):
    return len(nltk.tokenize.RegexpTokenizer(r"\\w+").tokenize(text))
"""

LEAST = {"num_words": 3, "relation": "at least"}
HASHES = {"letter": "#", "let_frequency": 2, "let_relation": "at least"}
ROWS = [
    ("Write about the sea.", {"length_constraints:number_words": LEAST}),
    ("Tell a story about a fox.", {"punctuation:no_comma": {}}),
    (
        "Describe the first snow.",
        {"punctuation:no_comma": {}, "length_constraints:number_words": LEAST},
    ),
    ("Give three reasons.", {"keywords:letter_frequency": HASHES}),
]
"""Prompts, with the arguments of the verifiers by instruction id."""


def write_mini_ifeval(cache: Path) -> Path:
    """Write the benchmark where ``eva fetch ifeval`` would put the real one."""
    folder = cache / "ifeval" / "eval_framework" / "tasks" / "ifeval"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("from .instructions_registry import INSTRUCTION_DICT\n")
    (folder / "instructions_registry.py").write_text(REGISTRY)
    (folder / "instructions_util.py").write_text(UTILITIES)
    lines = [
        {
            "key": 1000 + i,
            "prompt": prompt,
            "instruction_id_list": list(instructions),
            "kwargs": list(instructions.values()),
        }
        for i, (prompt, instructions) in enumerate(ROWS)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "data" / "input_data.jsonl").write_text(text)
    return folder
