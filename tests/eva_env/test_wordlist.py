"""The wordlist world: grammar, verifier, feasibility and suites."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eva_env.wordlist import Gold, Wordlist
from eva_env.wordlist.demonstrations import HONOURED, demonstrations
from eva_env.wordlist.feasibility import feasible, satisfy
from eva_env.wordlist.instruction import FAMILIES, Instruction, parse
from eva_env.wordlist.lexicon import TOPICS, WORDS
from eva_env.wordlist.prompts import HELD_OUT, constrain, draw_instruction, held_out
from eva_env.wordlist.verify import JUDGED, satisfaction
from experiments.pretraining.reward import draw_prompts

TASK = Wordlist()
instructions = st.builds(
    lambda name, seed: draw_instruction(name, np.random.default_rng(seed)),
    st.sampled_from(["human", "hard", "unseen"]),
    st.integers(0, 2**32),
)


def judged(prompt: str, response: str) -> dict[str, float]:
    degrees = satisfaction([prompt], [[response]])[0, 0]
    return {name: d for name, d in zip(JUDGED, degrees, strict=True) if not np.isnan(d)}


def test_lexicon_has_no_word_twice():
    assert len(set(WORDS)) == len(WORDS) == 112


@given(instructions)
def test_parse_inverts_render(instruction: Instruction):
    assert parse(str(instruction)) == instruction


def test_parser_takes_any_case_and_any_order_of_clauses():
    instruction = parse("name  THREE animals, ending with wolf, without the letter e")
    assert instruction == Instruction(3, "animals", "name", avoid="e", end="wolf")


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "List animals.",
        "List nine animals.",
        "List three dragons.",
        "List three animals and two animals.",
        "List three animals, without the letter e, without the letter a.",
        "List three animals, starting with dragon.",
        "List three animals, please.",
        "List three animals in a lucky mood.",
    ],
)
def test_parser_rejects(prompt):
    assert parse(prompt) is None
    assert not TASK.valid(prompt)


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [
        ("List three animals.", "cat dog wolf", {"count": 1, "topic": 1}),
        ("List four animals.", "cat dog hammer", {"count": 3 / 4, "topic": 2 / 3}),
        ("List two animals.", "cat dog ox owl hen", {"count": 0, "topic": 3 / 5}),
        ("List three animals, without the letter o.", "cat dog wolf", {"avoid": 1 / 3}),
        ("List three animals, each with the letter o.", "cat dog wolf", {"contain": 2 / 3}),
        ("List three animals, only short words.", "cat wolf tiger", {"size": 2 / 3}),
        ("List two animals, only long words.", "rabbit tiger", {"size": 1 / 2}),
        ("List four animals, with no repeats.", "cat dog cat cat", {"unique": 1 / 2}),
        ("List three animals, in alphabetical order.", "cat wolf dog", {"order": 1 / 2}),
        ("List two animals, in alphabetical order.", "cat cat", {"order": 1}),
        ("List two animals, in reverse alphabetical order.", "cat dog", {"order": 0}),
        ("List three animals, from short to long.", "cat dog rabbit", {"order": 1}),
        ("List two animals, starting with cat.", "dog cat", {"start": 0}),
        ("List two animals, ending with cat.", "dog cat", {"end": 1}),
        ("List two animals, including cat.", "dog cat", {"include": 1}),
        ("List two animals, including cat.", "dog cats", {"include": 0, "topic": 1 / 2}),
        ("List three animals and two foods.", "cat pie jam rice", {"mix": (1 / 3 + 1 / 2) / 2}),
        ("List two animals, with no repeats.", "", {"count": 0, "topic": 0, "unique": 0}),
    ],
)
def test_verifier_by_hand(prompt, response, expected):
    degrees = judged(prompt, response)
    assert {name: degrees[name] for name in expected} == pytest.approx(expected)


def test_gold_is_the_mean_over_the_constraints():
    rewards = Gold()(["List four animals, ending with wolf."], [["cat dog hammer", "WOLF"]])
    assert rewards == pytest.approx(np.array([[(3 / 4 + 2 / 3 + 0) / 3, (1 / 4 + 1 + 1) / 3]]))


def test_gold_names_the_prompt_it_cannot_parse():
    with pytest.raises(ValueError, match="'Write a poem' is not an instruction"):
        Gold()(["Write a poem"], [["cat"]])


@given(instructions, st.integers(0, 2**32))
def test_satisfying_responses_have_gold_one(instruction: Instruction, seed: int):
    response = " ".join(satisfy(instruction, np.random.default_rng(seed)))
    assert Gold()([str(instruction)], [[response]]) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_feasibility_agrees_with_enumeration(seed: int):
    """Tries all responses of two or three words."""
    rng = np.random.default_rng(seed)
    instruction = Instruction(2, str(rng.choice(list(TOPICS))))
    if rng.random() < 0.5:
        instruction = replace(instruction, count=3)
    for family in rng.choice([f for f in FAMILIES if f != "mix"], 4, replace=False):
        instruction = constrain(instruction, str(family), rng)
    words = TOPICS[instruction.topic].split()
    responses = [" ".join(a) for a in itertools.product(words, repeat=instruction.count)]
    assert feasible(instruction) == bool((Gold()([str(instruction)], [responses]) == 1).any())


def test_feasibility_of_two_topics_by_hand():
    instruction = Instruction(2, "animals", mix=(2, "foods"), start="cat", include="pie")
    assert feasible(instruction)
    assert not feasible(replace(instruction, mix=(2, "tools")))
    assert not feasible(replace(instruction, contain="c"))
    assert not feasible(Instruction(4, "animals", contain="k", unique=True))


def test_suites_are_fixed_disjoint_and_feasible():
    suites = Wordlist().suites
    assert list(suites) == ["easy", "hard", "unseen"]
    assert len({p for suite in suites.values() for p in suite}) == 3 * 400
    assert suites == Wordlist().suites
    assert suites != Wordlist(suite_seed=1).suites
    for name, suite in suites.items():
        parsed = [parse(prompt) for prompt in suite]
        assert all(instruction and feasible(instruction) for instruction in parsed)
        counts = [len(instruction.constraints) for instruction in parsed if instruction]
        assert (min(counts), max(counts)) == ((0, 2) if name == "easy" else (3, 5))
        assert all(
            held_out(instruction) == (name == "unseen") for instruction in parsed if instruction
        )


def test_human_prompts_are_skewed_and_never_from_a_suite():
    rng = np.random.default_rng(0)
    prompts = TASK.seed(2000, rng)
    assert len(set(prompts)) == 2000
    assert not set(prompts) & {p for suite in TASK.suites.values() for p in suite}
    used = [family for p in prompts for family in parse(p).constraints]
    assert used.count("avoid") > 6 * used.count("mix")


def test_creators_cannot_publish_evaluation_prompts():
    hard, unseen = TASK.suites["hard"][0], TASK.suites["unseen"][0]
    assert not TASK.valid(hard)
    assert not TASK.valid(hard.lower())
    assert not TASK.valid(unseen)
    assert TASK.valid("List six rockets.") is False
    assert TASK.valid("List six vehicles, without the letter a, starting with bus.")


def test_unknown_operator_and_distribution_are_named():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="unknown operator 'paraphrase'"):
        TASK.mutate("List two animals.", "paraphrase", rng)
    with pytest.raises(ValueError, match="unknown distribution 'medium'"):
        TASK.seed(1, rng, "medium")


def test_an_exhausted_distribution_is_named(monkeypatch):
    instruction = Instruction(2, "animals", avoid="z")
    monkeypatch.setattr("eva_env.wordlist.task.draw_instruction", lambda *_: instruction)
    with pytest.raises(ValueError, match="'easy' has only 1 distinct prompts, got n=2"):
        TASK.seed(2, np.random.default_rng(0), "easy")


def test_demonstrations_follow_constraints_as_often_as_stated():
    pairs = demonstrations(4000, np.random.default_rng(0))
    degrees = satisfaction([p for p, _ in pairs], [[r] for _, r in pairs])[:, 0]
    met = {name: np.nanmean(degrees[:, i] == 1, where=~np.isnan(degrees[:, i]))
           for i, name in enumerate(JUDGED[:-1])}  # fmt: skip
    # A forgotten constraint may be met by chance, and a followed one broken by a stray word.
    for family in ("start", "end", "include"):
        assert HONOURED[family] - 0.08 < met[family] < HONOURED[family] + 0.12
    assert 0.80 < met["count"] < 0.95  # forgetting the second topic spoils the number as well
    assert not any(pair <= set(parse(p).constraints) for p, _ in pairs for pair in HELD_OUT)


def test_no_model_is_trained_on_a_suite():
    suites = {prompt for suite in TASK.suites.values() for prompt in suite}
    shown = {prompt for prompt, _ in demonstrations(3000, np.random.default_rng(0))}
    compared = set(draw_prompts(3000, np.random.default_rng(0)))
    assert len(shown) > 2000
    assert not suites & (shown | compared)


def test_lucky_mood_is_a_fair_coin():
    prompt = "List two animals, in a lucky mood."
    responses = [f"{a} {b}" for a in WORDS for b in WORDS[:40]]
    coin = satisfaction([prompt], [responses])[0, :, -1]
    assert set(coin) == {0, 1}
    assert abs(coin.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(responses))
    lucky = Wordlist(lucky=1.0).seed(5, np.random.default_rng(0))
    assert all("lucky mood" in prompt for prompt in lucky)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(lucky=1.5), r"lucky must lie in \[0, 1\], got 1.5"),
        (dict(suite_size=0), "suite_size must be at least 1, got 0"),
        (dict(suite_seed=-1), "suite_seed must be at least 0"),
    ],
)
def test_impossible_settings_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Wordlist(**fields)
