"""A response rewriter that knows the grammar: it repairs one broken constraint."""

from collections.abc import Callable, Sequence

import numpy as np

from eva_env.wordlist.feasibility import allowed, sort_key
from eva_env.wordlist.instruction import Instruction, parse
from eva_env.wordlist.lexicon import LONG, SHORT, TOPIC_OF, TOPICS, WORD_ID
from eva_env.wordlist.verify import JUDGED, Gold, satisfaction

Words = list[str]


def rewrite_response(
    prompts: Sequence[str], responses: Sequence[str], rng: np.random.Generator
) -> list[str]:
    """Return responses (P,) to prompts (P,), each with one broken constraint repaired.

    The constraint is drawn at random. The rewriter is privileged: the verifier shows it the
    broken constraints, and the grammar the repairs. It represents the strong model that eva's
    response rewriter prompts (Ye et al. 2025, arXiv 2411.00062, App. H.2.1). A response without
    a broken constraint is unchanged, as is one whose gold reward the repair does not raise.
    """
    # 1. Find what each response breaks, and repair one constraint.
    instructions = [parse(prompt) for prompt in prompts]
    degrees = satisfaction(prompts, [[response] for response in responses])[:, 0]
    repaired = []
    for instruction, response, degree in zip(instructions, responses, degrees, strict=True):
        broken = [name for name in REPAIRS if degree[JUDGED.index(name)] < 1]
        if instruction is None or not broken:
            repaired.append(response)
            continue
        words = REPAIRS[str(rng.choice(broken))](instruction, response.lower().split(), rng)
        repaired.append(" ".join(words))
    # 2. Keep the repairs that raise the gold reward.
    before = Gold()(prompts, [[response] for response in responses])[:, 0]
    after = Gold()(prompts, [[response] for response in repaired])[:, 0]
    pairs = zip(repaired, responses, after > before, strict=True)
    return [new if is_better else old for new, old, is_better in pairs]


def _draw(instruction: Instruction, topic: str, rng: np.random.Generator, not_in: Words) -> str:
    """Draw a word of a topic that breaks no constraint on words.

    With the constraint ``unique`` it is not one of ``not_in``, if the topic has such a word.
    """
    words = allowed(instruction, topic) or TOPICS[topic].split()
    fresh = [word for word in words if not (instruction.unique and word in not_in)]
    return str(rng.choice(fresh or words))


def _exchange(
    instruction: Instruction,
    words: Words,
    rng: np.random.Generator,
    wrong: Callable[[str], bool],
) -> Words:
    """Replace every wrong word by an allowed one, of the same topic if possible."""
    topics = _topics(instruction)
    replaced: Words = []
    for i, word in enumerate(words):
        topic = _topic(word)
        topic = topic if topic in topics else str(rng.choice(topics))
        if wrong(word):
            word = _draw(instruction, topic, rng, replaced + words[i:])
        replaced.append(word)
    return replaced


def _topics(instruction: Instruction) -> list[str]:
    return [instruction.topic, instruction.mix[1]] if instruction.mix else [instruction.topic]


def _topic(word: str) -> str:
    return list(TOPICS)[TOPIC_OF[WORD_ID[word]]] if word in WORD_ID else ""


def _numbers(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    """Return the required number of words of each topic: drop the last, append new ones."""
    missing_words = {instruction.topic: instruction.count}
    if instruction.mix:
        number, second_topic = instruction.mix
        missing_words[second_topic] = number
    kept: Words = []
    for word in words:
        topic = _topic(word)
        if missing_words.get(topic, 0) > 0:
            missing_words[topic] -= 1
            kept.append(word)
    for topic, missing in missing_words.items():
        for _ in range(missing):
            kept.append(_draw(instruction, topic, rng, kept))
    return kept


def _topical(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return _exchange(
        instruction, words, rng, lambda word: _topic(word) not in _topics(instruction)
    )


def _sized(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    if instruction.size == "short":
        return _exchange(instruction, words, rng, lambda word: len(word) > SHORT)
    return _exchange(instruction, words, rng, lambda word: len(word) < LONG)


def _avoiding(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return _exchange(instruction, words, rng, lambda word: str(instruction.avoid) in word)


def _containing(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return _exchange(instruction, words, rng, lambda word: str(instruction.contain) not in word)


def _unrepeated(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    """Replace later occurrences of a word by new words, if the topic has any left."""
    repeated = [i for i, word in enumerate(words) if word in words[:i]]
    words = list(words)
    for i in repeated:
        words[i] = _draw(instruction, _topic(words[i]) or instruction.topic, rng, words)
    return words


def _sorted(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    lexicon_words = [word for word in words if word in WORD_ID]
    return sorted(lexicon_words, key=lambda word: sort_key(instruction.order, word))


def _started(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return [str(instruction.start), *words[1:]]


def _ended(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return [*words[:-1], str(instruction.end)]


def _including(instruction: Instruction, words: Words, rng: np.random.Generator) -> Words:
    words = list(words)
    inner = range(
        int(instruction.start is not None), len(words) - int(instruction.end is not None)
    )
    at = int(rng.choice(inner)) if len(inner) else 0
    words[at : at + 1] = [str(instruction.include)]
    return _sorted(instruction, words, rng) if instruction.order else words


Repair = Callable[[Instruction, Words, np.random.Generator], Words]
REPAIRS: dict[str, Repair] = {
    "count": _numbers,
    "topic": _topical,
    "mix": _numbers,
    "avoid": _avoiding,
    "contain": _containing,
    "size": _sized,
    "unique": _unrepeated,
    "order": _sorted,
    "start": _started,
    "end": _ended,
    "include": _including,
}
"""The repair of each constraint, by its name in ``verify.JUDGED``; ``lucky`` has none."""
