"""The verifiers of task:instruct against the official ones, on families that IFEval has."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eva_env.cache import cache_folder
from eva_env.instruct.families import FAMILIES
from eva_env.instruct.instruction import REQUESTS
from eva_env.instruct.requests import COMMON_WORDS, FIRST_WORDS, LETTERS, USUAL_LETTERS, WORDS
from experiments.ifeval.official import benchmark, official

pytestmark = pytest.mark.skipif(
    not (cache_folder() / "ifeval").is_dir(), reason="eva fetch ifeval brings the verifiers"
)

# IFEval's id of a family, and its arguments for a value. ``lowercase`` and ``capitals`` are
# IFEval's without the guess at the language.
OFFICIAL = {
    "at_most": (
        "length_constraints:number_words",
        lambda v: {"num_words": v + 1, "relation": "less than"},
    ),
    "at_least": (
        "length_constraints:number_words",
        lambda v: {"num_words": v, "relation": "at least"},
    ),
    "include": ("keywords:existence", lambda v: {"keywords": [v]}),
    "twice": (
        "keywords:frequency",
        lambda v: {"keyword": v, "frequency": 2, "relation": "at least"},
    ),
    "avoid": ("keywords:forbidden_words", lambda v: {"forbidden_words": [v]}),
    "letter": (
        "keywords:letter_frequency",
        lambda v: {"letter": v, "let_frequency": 1, "let_relation": "less than"},
    ),
    "uses_letter": (
        "keywords:letter_frequency",
        lambda v: {"letter": v, "let_frequency": 1, "let_relation": "at least"},
    ),
    "no_commas": ("punctuation:no_comma", lambda _: {}),
    "title": ("detectable_format:title", lambda _: {}),
    "two_answers": ("combination:two_responses", lambda _: {}),
    "paragraphs": (
        "length_constraints:number_paragraphs",
        lambda v: {"num_paragraphs": v},
    ),
}

PIECES = (
    *WORDS[:4],
    *COMMON_WORDS,
    *("Gardens", "GARDEN", "it's", "word", "A", "7", "Zebra", "\u00fcber"),
    *(",", ".", ";", "***", "******", "<<", ">>", "<< >>", '"', "\n", "\n\n", " ", "-", "*"),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join)
SHORT = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@pytest.mark.parametrize("family", OFFICIAL)
def test_verifiers_agree_with_the_official_ones(family):
    identifier, arguments_of = OFFICIAL[family]
    checks = [
        (value, official(identifier, arguments_of(value))) for value in FAMILIES[family].values
    ]
    verdicts = set()

    @settings(max_examples=150, deadline=None)
    @given(TEXTS | SHORT)
    @example("")
    @example("<<A title>>\nA garden, a garden *** " + "word " * 12)
    @example("One.******Two.")
    @example("One.\n***\nTwo.")
    @example("One.\n***\nTwo.***Three.")
    @example("hum " * 20)
    def agree(text):
        for value, check in checks:
            ours = bool(FAMILIES[family].met(text, value))
            assert ours == bool(check(text)), (value, text)
            verdicts.add(ours)

    agree()
    assert verdicts == {True, False}


def test_no_keyword_of_ifeval_is_among_the_words_of_our_constraints():
    ours = {*WORDS, *COMMON_WORDS, *LETTERS, *USUAL_LETTERS, *(w.lower() for w in FIRST_WORDS)}
    prompts = (cache_folder() / "ifeval").rglob("input_data.jsonl")
    theirs = set()
    for line in next(prompts).read_text().splitlines():
        for arguments in json.loads(line)["kwargs"]:
            for name in ("keywords", "forbidden_words"):
                theirs |= {word.lower() for word in arguments.get(name) or []}
            for name in ("keyword", "first_word", "letter"):
                theirs.add((arguments.get(name) or "").lower())
    assert len(theirs) > 200
    assert not ours & theirs


def test_no_prompt_of_ifeval_holds_a_request_of_ours():
    prompts = [item.prompt for item in benchmark().items]
    assert len(prompts) == 541
    assert not any(request in prompt for prompt in prompts for request in REQUESTS)
