import itertools
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evolution.evolve import evolve
from eva_env.instruct import Instruct, InstructGold
from eva_env.instruct.families import CONFLICTS, FAMILIES, GROUP_OF, LIVE
from eva_env.instruct.gold import constraints_met
from eva_env.instruct.instruction import (
    HELD_OUT,
    SENTENCES,
    Instruction,
    is_compatible,
    parse,
    sentence_of,
)
from eva_env.instruct.operators import CHANGING, KEEPING, OPERATORS, weights
from eva_env.instruct.prompts import DISTRIBUTIONS, HUMAN_SHARES, draw_instruction
from eva_env.instruct.requests import FORMS, TOPICS
from eva_env.instruct.text import copied, sanity, sentences_of
from eva_env.testing import check_task

WORLD = Instruct()
SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed, distribution="human"):
    return draw_instruction(distribution, np.random.default_rng(seed))


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.sampled_from(DISTRIBUTIONS))
def test_a_prompt_parses_back_exactly(seed, distribution):
    instruction = drawn(seed, distribution)
    assert parse(str(instruction)) == instruction
    assert 1 <= len(instruction.constraints) <= 5
    assert is_compatible(instruction.families)


def test_sentences_are_unambiguous():
    assert len(SENTENCES) == sum(len(family.values) for family in FAMILIES.values())
    for first, second in itertools.permutations(SENTENCES, 2):
        assert not second.startswith(first)


@pytest.mark.parametrize(
    "text",
    [
        "Describe bees.",  # no constraint
        "Describe bees. Use at most 30 words",
        "Describe bees. Use at most 31 words.",
        "Describe bees.  Use at most 30 words.",
        "Describe bees. Use at most 30 words. Use at least 15 words.",
        "Describe bees. Use at most 30 words. Do not use any tables. Thanks.",
        "Describe bees. Use at most 30 words. Use at most 30 words.",
        "Use at most 30 words. Describe bees.",
        "Describe dragons. Use at most 30 words.",
        "",
    ],
)
def test_other_texts_are_no_prompts(text):
    assert parse(text) is None
    assert not WORLD.valid(text)


def test_it_is_a_task():
    check_task(WORLD)


@settings(max_examples=150, deadline=None)
@given(SEEDS, st.sampled_from(sorted(OPERATORS)))
def test_operators_keep_the_core_family(seed, operator):
    parent = drawn(seed)
    child_text = WORLD.mutate(str(parent), operator, np.random.default_rng(seed))
    if child_text is None:
        return
    child = parse(child_text)
    assert child is not None
    assert WORLD.valid(child_text)
    assert parent.core in child.families
    if operator in KEEPING:
        assert child.families == parent.families
        changed = [
            child.form != parent.form,
            child.topic != parent.topic,
            child.constraints != parent.constraints,
        ]
        assert sum(changed) == 1
    else:
        assert (child.form, child.topic) == (parent.form, parent.topic)
        assert child.families != parent.families


def test_steps_move_one_value_by_one_place():
    rng = np.random.default_rng(0)
    parent = "Describe bees. Use at most 25 words."
    assert WORLD.mutate(parent, "deepening", rng) == "Describe bees. Use at most 20 words."
    assert WORLD.mutate(parent, "abstract", rng) == "Describe bees. Use at most 30 words."
    hardest = "Describe bees. Use at most 15 words."
    assert WORLD.mutate(hardest, "deepening", rng) is None


def test_depth_adds_constraints_and_none_lowers_their_number():
    rng = np.random.default_rng(0)
    for prompt in WORLD.seed(50, rng):
        for operator in WORLD.depth:
            child = WORLD.mutate(prompt, operator, rng)
            if child is not None:
                assert WORLD.complexity(child) >= WORLD.complexity(prompt)
    parent = "Describe bees. Use at most 25 words."
    for operator in ("constraints", "reasoning", "expansion"):
        assert WORLD.complexity(WORLD.mutate(parent, operator, rng)) == 2


def test_heredity_is_the_share_of_operators_that_keep_families():
    for heredity in (0.0, 0.6, 0.85, 1.0):
        shares = weights(heredity)
        assert sum(shares.values()) == pytest.approx(1)
        assert sum(shares[name] for name in KEEPING) == pytest.approx(heredity)
    assert set(KEEPING) | set(CHANGING) == set(OPERATORS)
    assert len(OPERATORS) == 10


@pytest.mark.parametrize(("heredity", "expected"), [(1.0, 1.0), (0.0, 0.0)])
def test_evolving_draws_operators_by_the_worlds_weights(heredity, expected):
    world = Instruct(heredity=heredity)
    rng = np.random.default_rng(0)
    # Operators of both kinds apply to this prompt.
    parents = ["Describe bees. Do not use any tables. Use at most 25 words."] * 200
    lineages = evolve(world, parents, 1, rng, taken=None)
    kept = np.mean([lineage.operator in KEEPING for lineage in lineages])
    assert kept == expected


def test_human_prompts_have_fixed_shares_of_groups():
    rng = np.random.default_rng(0)
    counts = Counter(WORLD.topic(p).partition(":")[0] for p in WORLD.seed(2000, rng))
    for group, share in HUMAN_SHARES.items():
        assert abs(counts[group] / 2000 - share) < 0.04


def test_suites_are_disjoint_fixed_and_reserved():
    suites = Instruct().suites
    assert suites["hard"] == Instruct().suites["hard"]
    assert Instruct(suite_seed=1).suites["hard"] != suites["hard"]
    everything = [prompt for suite in suites.values() for prompt in suite]
    assert len(set(everything)) == len(everything) == 3 * WORLD.suite_size
    assert not any(WORLD.valid(prompt) for prompt in everything)
    drawn_prompts = WORLD.seed(500, np.random.default_rng(0), "hard")
    assert not set(drawn_prompts) & set(everything)
    for prompt in suites["hard"]:
        families = parse(prompt).families
        live = sum(family in LIVE for family in families)
        assert live >= 2 or (live == 1 and GROUP_OF[parse(prompt).core] == "out of reach")


def test_held_out_pairs_occur_in_the_suite_unseen_alone():
    def holds_pair(prompt):
        return any(pair <= set(parse(prompt).families) for pair in HELD_OUT)

    assert all(holds_pair(prompt) for prompt in WORLD.suites["unseen"])
    assert not any(holds_pair(prompt) for prompt in WORLD.suites["hard"])
    prompt = 'Describe bees. Include the word "garden".'
    for seed in range(40):
        child = WORLD.mutate(prompt, "constraints", np.random.default_rng(seed))
        assert not holds_pair(child)


MET = {
    "no_semicolons": (None, "Bees fly, and hum.", "Bees fly; they hum."),
    "no_tables": (None, "Bees: four wings.", "| bees | wings |"),
    "uses_letter": ("r", "Red.", "Bees fly."),
    "lines": (8, "a\n" * 8, "a\n" * 9),
    "no_emoji": (None, "I love bees :)", "I love bees \U0001f41d"),
    "different_words": (3, "Bees bees fly high.", "Bees BEES fly fly."),
    "at_most": (15, "word " * 15, "word " * 16),
    "at_least": (15, "word " * 15, "word " * 14),
    "sentences": (2, "Bees fly. They hum!", "Bees fly. They hum! Do they?"),
    "include": ("garden", "In my Garden.", "In my yard."),
    "twice": ("garden", "A garden, a garden.", "A garden."),
    "avoid": ("is", "This was his island.", "It is so."),
    "letter": ("z", "A cat.", "A Zebra."),
    "no_commas": (None, "Bees fly.", "Bees, fly."),
    "start": ("Today", '"Today, bees fly."', "Bees fly today."),
    "title": (None, "<<Bees>>\nThey fly.", "<< >> They fly."),
    "numbered": (2, "1. Bees\n2. Wasps", "1. Bees\n2. Wasps\n3. Ants"),
    "digits": (2, "They have 4 wings and 6 legs.", "They have 4 wings."),
    "lowercase": (None, "bees fly.", "Bees fly."),
    "capitals": (None, "BEES FLY.", "BEES fly."),
    "lipogram": ('e" and "a', "Owls hum softly.", "Owls hum a song."),
    "two_answers": (None, "Bees.******Wasps.", "Bees.******Bees."),
    "paragraphs": (2, "Bees.\n***\nWasps.", "Bees.\n\nWasps."),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_verifiers_by_hand(family):
    value, met, missed = MET[family]
    assert value in FAMILIES[family].values
    prompt = f"Describe bees. {sentence_of((family, value))}"
    assert constraints_met(prompt, met) == [True]
    assert constraints_met(prompt, missed) == [False]


def test_ladders_are_ordered():
    """A text that meets a value of an ordered ladder of numbers meets all easier ones."""
    texts = ["word " * k for k in range(1, 50)] + [f"{k} " * k for k in range(9)]
    texts += [" ".join(f"w{i}" for i in range(k)) for k in range(10)]
    for name, family in FAMILIES.items():
        if family.ordered and all(isinstance(value, int) for value in family.values):
            if name == "paragraphs":  # an exact number
                continue
            for text in texts:
                met = [bool(family.met(text, value)) for value in family.values]
                assert met == sorted(met, reverse=True), (name, text)


def test_conflicts_name_families():
    assert all(conflict <= set(FAMILIES) for conflict in CONFLICTS)
    assert all(is_compatible(tuple(pair)) for pair in HELD_OUT)


def test_sentences():
    assert sentences_of('He said "Go!" Then he left. Why? 3.5 hours...') == [
        'He said "Go!',
        "Then he left.",
        "Why?",
        "3.5 hours...",
    ]
    assert sentences_of("") == []


def test_sanity_falls_with_repeats_and_rubbish():
    good = "The bees fly over the garden and look for sweet flowers in the sun."
    assert sanity(good) == 1
    assert sanity("Bees fly high.") == 0  # three words
    assert sanity("the bees fly " * 10) < 0.1
    assert sanity("\u8702 " * 30 + good) < 0.5
    assert sanity('{"text": "Bees fly over the garden."}') == 1


PROMPT = (
    'Describe bees. Do not use any tables. Do not use any commas. Begin with the word "Today".'
)


def test_a_copy_of_the_prompt_has_no_reward():
    prompt = "Describe bees. Do not use any semicolons. Use at most 35 words."
    assert InstructGold()(
        [prompt], [[prompt, "The bees fly high over the hill."]]
    ).tolist() == [[0, 1]]
    assert copied(prompt, prompt) == 1
    assert copied(prompt, "Describe bees. Do they fly?") == pytest.approx(1 / 3)
    assert copied(prompt, "Bees") == 0
    for distribution in DISTRIBUTIONS:
        prompts = WORLD.seed(30, np.random.default_rng(0), distribution)
        assert not InstructGold(strict=False)(prompts, [[p] for p in prompts]).any()


def test_gold_is_strict_or_partial():
    all_met = "Today the bees fly over the garden."
    two_met = "The bees fly over the garden now."
    assert InstructGold()([PROMPT], [[all_met, two_met]]).tolist() == [[1, 0]]
    partial = InstructGold(strict=False)([PROMPT], [[all_met, two_met]])
    np.testing.assert_allclose(partial, [[1, 2 / 3]])
    assert Instruct(gold="partial").gold_reward().strict is False
    with pytest.raises(ValueError, match="not a prompt of the instruct world"):
        InstructGold()(["Hello"], [["a", "b"]])


def test_unlikely_text_has_no_reward_and_only_rewarded_text_is_read():
    read = []

    def likelihood(prompts, responses):
        read.append((list(prompts), [list(row) for row in responses]))
        flat = [text for row in responses for text in row]
        return np.array([-5.0 if "garden" in text else -1.0 for text in flat])

    other = "Describe bees. Use at most 30 words."
    gold = InstructGold(least_logprob=-2.0).with_likelihood(likelihood)
    responses = [
        ["Today the bees fly over the garden.", "The bees fly over the hill."],
        ["The bees fly over the hill.", "A garden bee flies over."],
    ]
    assert gold([PROMPT, other], responses).tolist() == [[0, 0], [1, 0]]
    assert read == [([PROMPT, other], [[responses[0][0]], responses[1]])]
    assert InstructGold(least_logprob=-np.inf).with_likelihood(likelihood)(
        [PROMPT], responses[:1]
    ).tolist() == [[1, 0]]


def test_every_request_is_a_sentence():
    requests = [form.format(topic) for form in FORMS for ts in TOPICS.values() for topic in ts]
    assert len(requests) == len(set(requests)) == 384
    for request in requests:
        assert request[-1] in ".?"
        assert request.count(".") + request.count("?") == 1


def test_core_is_the_first_family_of_the_hardest_group():
    constraints = (("no_tables", None), ("at_most", 30), ("letter", "z"))
    assert Instruction(0, "bees", constraints).core == "at_most"
    assert Instruction(0, "bees", (*constraints, ("capitals", None))).core == "capitals"


@pytest.mark.parametrize(
    "text", ["<" * 200_000, "<<a" * 100_000, "\n" * 200_000, "\n " * 200_000]
)
def test_verifiers_read_long_texts_in_linear_time(text):
    """With regular expressions that backtrack they would take minutes."""
    started = time.perf_counter()
    for family in FAMILIES.values():
        family.met(text, family.values[0])
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (
            'Describe bees. Do not use any commas. Use the letter "r" at least once.',
            'Describe bees. Use the letter "r" at least once. Do not use any commas.',
        ),
        (
            "Describe bees.  Use at most 30 words. Please!",
            "Describe bees. Use at most 30 words.",
        ),
    ],
)
def test_a_player_reads_the_prompt_that_was_meant(typed, named):
    with pytest.raises(ValueError, match="another order") as caught:
        WORLD.house_rules().prompt(typed)
    assert repr(named) in str(caught.value)
    assert WORLD.house_rules().prompt(named) == named
    assert parse(typed) is None
