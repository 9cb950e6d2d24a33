"""A rewriter of responses that knows the grammar: it mends one broken constraint."""

from collections.abc import Callable, Sequence

import numpy as np

from eva_env.wordlist.answers import allowed, sort_key
from eva_env.wordlist.instruction import Instruction, parse
from eva_env.wordlist.lexicon import LONG, SHORT, TOPIC_OF, TOPICS, WORD_ID
from eva_env.wordlist.verify import JUDGED, Gold, satisfaction

Words = list[str]


def rewrite_response(
    prompts: Sequence[str], responses: Sequence[str], rng: np.random.Generator
) -> list[str]:
    """Responses (P,) to prompts (P,), each with one broken constraint, drawn at random, mended.

    What is broken is seen by the verifier, and what would mend it by the grammar, so that this
    rewriter is privileged: it stands for the strong model that eva's response rewriter asks
    (Ye et al. 2025, arXiv 2411.00062, App. H.2.1). A response stays as it is where nothing is
    broken, or where mending one constraint would break more than it mends.
    """
    asked = [parse(prompt) for prompt in prompts]
    degrees = satisfaction(prompts, [[response] for response in responses])[:, 0]
    mended = []
    for ask, response, degree in zip(asked, responses, degrees, strict=True):
        broken = [name for name in REPAIRS if degree[JUDGED.index(name)] < 1]
        if ask is None or not broken:
            mended.append(response)
            continue
        words = REPAIRS[str(rng.choice(broken))](ask, response.lower().split(), rng)
        mended.append(" ".join(words))
    before, after = (
        Gold()(prompts, [[response] for response in each])[:, 0] for each in (responses, mended)
    )
    kept = zip(mended, responses, after > before, strict=True)
    return [new if better else old for new, old, better in kept]


def _draw(ask: Instruction, topic: str, rng: np.random.Generator, not_in: Words) -> str:
    """A word of a topic that breaks no constraint on words, a new one if that is asked for."""
    words = allowed(ask, topic) or TOPICS[topic].split()
    fresh = [word for word in words if not (ask.unique and word in not_in)]
    return str(rng.choice(fresh or words))


def _exchange(
    ask: Instruction, words: Words, rng: np.random.Generator, wrong: Callable[[str], bool]
) -> Words:
    """Every wrong word exchanged for an allowed one, of its own topic if that is asked for."""
    topics, found = _topics(ask), []
    for i, word in enumerate(words):
        topic = _topic(word)
        topic = topic if topic in topics else str(rng.choice(topics))
        found.append(_draw(ask, topic, rng, found + words[i:]) if wrong(word) else word)
    return found


def _topics(ask: Instruction) -> list[str]:
    return [ask.topic, ask.mix[1]] if ask.mix else [ask.topic]


def _topic(word: str) -> str:
    return list(TOPICS)[TOPIC_OF[WORD_ID[word]]] if word in WORD_ID else ""


def _numbers(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    """As many words of each topic as are asked for; the last ones go, new ones come last."""
    wanted = {ask.topic: ask.count} | ({ask.mix[1]: ask.mix[0]} if ask.mix else {})
    kept: Words = []
    for word in words:
        topic = _topic(word)
        if wanted.get(topic, 0) > 0:
            wanted[topic] -= 1
            kept.append(word)
    for topic, missing in wanted.items():
        for _ in range(missing):
            kept.append(_draw(ask, topic, rng, kept))
    return kept


def _topical(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return _exchange(ask, words, rng, lambda word: _topic(word) not in _topics(ask))


def _sized(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    if ask.size == "short":
        return _exchange(ask, words, rng, lambda word: len(word) > SHORT)
    return _exchange(ask, words, rng, lambda word: len(word) < LONG)


def _avoiding(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return _exchange(ask, words, rng, lambda word: str(ask.avoid) in word)


def _containing(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return _exchange(ask, words, rng, lambda word: str(ask.contain) not in word)


def _unrepeated(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    """Later mentions exchanged; where no new word is allowed the first ones remain alone."""
    first = {word: i for i, word in reversed(list(enumerate(words)))}
    again = [i for i, word in enumerate(words) if first[word] != i]
    words = list(words)
    for i in again:
        words[i] = _draw(ask, _topic(words[i]) or ask.topic, rng, words)
    return words


def _sorted(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    known = [word for word in words if word in WORD_ID]
    return sorted(known, key=lambda word: sort_key(ask.order, word))


def _started(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return [str(ask.start), *words[1:]]


def _ended(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    return [*words[:-1], str(ask.end)]


def _including(ask: Instruction, words: Words, rng: np.random.Generator) -> Words:
    words = list(words)
    inner = range(int(ask.start is not None), len(words) - int(ask.end is not None))
    at = int(rng.choice(inner)) if len(inner) else 0
    words[at : at + 1] = [str(ask.include)]
    return _sorted(ask, words, rng) if ask.order else words


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
"""What mends each constraint, by its name in ``verify.JUDGED``; luck cannot be mended."""
