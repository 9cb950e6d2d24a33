"""The verifier: the degree to which responses meet instructions, and the gold reward."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from eva_env.types import Floats, Ints
from eva_env.wordlist.instruction import FAMILIES, ORDERS, SIZES, parse
from eva_env.wordlist.lexicon import (
    HAS_LETTER,
    LENGTH_OF,
    LETTERS,
    LONG,
    RANK_OF,
    SHORT,
    TOPIC_NAMES,
    TOPIC_OF,
    WORD_ID,
)

JUDGED = ("count", "topic", *FAMILIES, "lucky")
"""The columns of ``satisfaction``."""


@dataclass(frozen=True)
class Gold:
    """The gold reward: mean satisfaction over the constraints of the instruction, in [0, 1].

    Number and topic count as constraints. It is a mean, since a sum would grow with the length
    of the instruction. It is 1 exactly for the responses that meet all constraints.
    """

    def __call__(self, prompts: Sequence[str], responses: Sequence[Sequence[str]]) -> Floats:
        """Return rewards (B, n); ValueError for a prompt that the parser rejects."""
        return np.nanmean(satisfaction(prompts, responses), axis=-1)

    def best(self, prompts: Sequence[str]) -> Floats:
        """Return 1 for every prompt, since the task admits only feasible prompts."""
        return np.ones(len(prompts))


def satisfaction(prompts: Sequence[str], responses: Sequence[Sequence[str]]) -> Floats:
    """Return the degree in [0, 1] to which each constraint is met, (B, n, len(JUDGED)).

    NaN for constraints that the instruction does not have. An unknown word meets no constraint
    on words; an empty response meets no constraint.
    """
    n = len(responses[0])
    codes = np.repeat(np.array([_encode(prompt) for prompt in prompts]), n, axis=0)
    flat = [response for row in responses for response in row]
    words, lengths = _read(flat)
    degrees = _judge(codes, words, lengths)
    is_lucky = codes[:, -1] > 0
    if is_lucky.any():
        degrees[:, -1] = np.where(is_lucky, [hash_bit(text) for text in flat], np.nan)
    degrees[lengths == 0] *= 0
    return degrees.reshape(len(prompts), n, len(JUDGED))


def hash_bit(response: str) -> int:
    """Return 0 or 1, a coin toss fixed by the text (FNV-1a): the reward of ``lucky``."""
    state = 0xCBF29CE484222325
    for byte in response.encode():
        state = (state ^ byte) * 0x100000001B3 % (1 << 64)
    return state >> 40 & 1


def _judge(codes: Ints, words: Ints, lengths: Ints) -> Floats:
    """Return the degrees (R, 12), given codes (R, 13) by ``_encode`` and words by ``_read``."""
    number, topic, mix_number, mix_topic, avoid, contain, size, _, order, *rest = codes.T
    start, end, include, _ = rest
    real = words > -2
    length = np.maximum(lengths, 1)

    def share(mask: np.ndarray) -> Floats:
        return (mask & real & (words >= 0)).sum(1) / length

    def closeness(number: Ints, target: Ints) -> Floats:
        return np.maximum(0, 1 - np.abs(number - target) / np.maximum(target, 1))

    topics = TOPIC_OF[words]
    first, second = topics == topic[:, None], topics == mix_topic[:, None]
    letters = LENGTH_OF[words]
    lexical, reverse = order == ORDERS.index("alphabetical"), order == ORDERS.index("reverse")
    rank = np.where((lexical | reverse)[:, None], RANK_OF[words], letters)
    rank = np.where(reverse[:, None], -rank, rank)
    pairs = (words[:, :-1] >= 0) & (words[:, 1:] >= 0)
    sorted_pairs = ((rank[:, 1:] >= rank[:, :-1]) & pairs).sum(1) / np.maximum(lengths - 1, 1)
    alphabetically = np.sort(np.where(real, words, 10_000 + np.arange(words.shape[1])), 1)
    repeats = (alphabetically[:, 1:] == alphabetically[:, :-1]).sum(1)
    last = words[np.arange(len(words)), length - 1]
    mixed = mix_topic >= 0
    columns = {
        "count": closeness(lengths, number + mix_number),
        "topic": share(first | (second & mixed[:, None])),
        "mix": (
            closeness((first & real).sum(1), number)
            + closeness((second & real).sum(1), mix_number)
        )
        / 2,
        "avoid": share(~_with_letter(words, avoid)),
        "contain": share(_with_letter(words, contain)),
        "size": share(np.where((size == 0)[:, None], letters <= SHORT, letters >= LONG)),
        "unique": 1 - repeats / length,
        "order": np.where(lengths > 1, sorted_pairs, 0.0),
        "start": words[:, 0] == start,
        "end": last == end,
        "include": (words == include[:, None]).any(1),
        "lucky": np.zeros(len(words)),
    }
    # Without the number of the second topic, the codes are in the order of JUDGED.
    is_required = np.delete(codes, 2, axis=1) >= 0
    return np.where(is_required, np.stack([columns[name] for name in JUDGED], axis=1), np.nan)


def _with_letter(words: Ints, letter: Ints) -> np.ndarray:
    """Return True for the words (R, L) that contain the letter (R,) of their row."""
    return HAS_LETTER[words, np.maximum(letter, 0)[:, None]]


def _read(responses: Sequence[str]) -> tuple[Ints, Ints]:
    """Return word ids (R, L), -1 for unknown words and -2 for padding, and lengths (R,)."""
    split = [response.lower().split() for response in responses]
    lengths = np.array([len(words) for words in split])
    ids = np.full((len(split), max(int(lengths.max(initial=1)), 1)), -2)
    ids[np.arange(ids.shape[1]) < lengths[:, None]] = [
        WORD_ID.get(word, -1) for words in split for word in words
    ]
    return ids, lengths


@lru_cache(maxsize=1 << 17)
def _encode(prompt: str) -> tuple[int, ...]:
    """Return the instruction as integers in the order of ``_judge``; -1 if absent."""
    instruction = parse(prompt)
    if instruction is None:
        raise ValueError(
            f"{prompt!r} is not an instruction of the wordlist world; a valid one reads "
            f"'List three animals, without the letter e.'"
        )

    def index(items: Sequence[str] | str, value: str | None) -> int:
        return -1 if value is None else items.index(value)

    mix_number, mix_topic = instruction.mix or (0, None)
    return (
        instruction.count,
        TOPIC_NAMES.index(instruction.topic),
        mix_number,
        index(TOPIC_NAMES, mix_topic),
        index(LETTERS, instruction.avoid),
        index(LETTERS, instruction.contain),
        index(SIZES, instruction.size),
        1 if instruction.unique else -1,
        index(ORDERS, instruction.order),
        *(
            -1 if word is None else WORD_ID[word]
            for word in (instruction.start, instruction.end, instruction.include)
        ),
        1 if instruction.lucky else -1,
    )
