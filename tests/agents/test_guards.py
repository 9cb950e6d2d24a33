import math
import pickle
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pytest

from agents.base import Creator
from agents.creators import PLR, EvaOnline, Fresh, RobustPLR, Static
from agents.creators.guarded import Guarded, guarded
from agents.evolution.near_duplicates import NearDuplicates
from agents.guards import Guards
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal
from eva_env.wordlist import Wordlist
from experiments.commands import train as command
from experiments.run.errors import UserError
from experiments.run.records import Run
from experiments.run.settings import Settings
from tests.support.creators import CREATORS, game_for, make, play
from tests.support.tiny_task import Tiny


@dataclass
class Scripted(Creator):
    """Proposes the same prompts every round, with logits 0, 1, 2, ... and a genealogy."""

    prompts: tuple = ()
    logits: tuple = ()

    def propose(self, task, n, rng):
        logits = np.array(self.logits or range(len(self.prompts)), dtype=float)
        return Proposal(
            self.prompts,
            logits,
            parents=[f"parent of {p}" for p in self.prompts],
            operators=["move"] * len(self.prompts),
        )


@dataclass(frozen=True)
class Sentences:
    """A task whose human prompts are three words that no other prompt has."""

    operators: tuple = ()
    suites: dict = field(
        default_factory=lambda: {"hard": ("write six words about the sea", "sing a song")}
    )

    def seed(self, n, rng, distribution="human"):
        return [" ".join(f"w{k}" for k in rng.integers(0, 10**9, 3)) for _ in range(n)]

    def mutate(self, prompt, operator, rng):
        return None

    def valid(self, prompt):
        return True

    def topic(self, prompt):
        return prompt[0]


def publish(guards, prompts, task=None, rounds=1, logits=()):
    """The last proposal of a scripted creator behind guards, and the logs that go with it."""
    creator, rng = guarded(Scripted(tuple(prompts), tuple(logits)), guards), Random()
    for _ in range(rounds - 1):
        creator.propose(task or Sentences(), len(prompts), rng)
    proposal = creator.propose(task or Sentences(), len(prompts), rng)
    return proposal, creator.learn(None, rng)


def Random(seed=0):
    return np.random.default_rng(seed)


def replaced(proposal):
    return [i for i, parent in enumerate(proposal.parents) if parent is None]


# Near-duplicates


def texts(n, rng, words=40, length=12):
    """Texts, many of which are edits of an earlier one."""
    made = []
    for _ in range(n):
        text = [f"w{k}" for k in rng.integers(0, words, length)]
        if made and rng.random() < 0.6:
            text = made[rng.integers(len(made))].split()
            for _ in range(rng.integers(0, 4)):
                text[rng.integers(length)] = f"w{rng.integers(words)}"
        made.append(" ".join(text))
    return made


def jaccard(one, other, k):
    shingles = []
    for text in (one, other):
        words = text.split()
        runs = range(max(1, len(words) - k + 1))
        shingles.append({tuple(words[i : i + k]) for i in runs})
    a, b = shingles
    return len(a & b) / len(a | b)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_near_duplicates_are_those_of_a_comparison_of_all_pairs(threshold):
    made = texts(250, Random(), length=24)
    index, found, true = NearDuplicates(threshold, 2), [], []
    for i, text in enumerate(made):
        twin = index.find(text)
        found.append(twin is not None)
        true.append(any(jaccard(o, text, 2) >= threshold for o in made[:i] if o != text))
        assert twin is None or jaccard(twin, text, 2) >= threshold
        assert twin != text
        index.add(text)
    assert not any(np.array(found) & ~np.array(true))
    assert sum(found) >= 0.97 * sum(true)
    assert 20 < sum(true) < 240


def test_shingles_by_hand():
    """abc bcd cde against abc bcd cdf: 2 of 4; whatever the case and the spaces."""
    for threshold, near in ((0.5, True), (0.51, False)):
        index = NearDuplicates(threshold, 3)
        index.add("a b c d e")
        assert (index.find("A b  c D f") is not None) == near
    short = NearDuplicates(1.0, 3)
    short.add("two words")
    assert short.find("Two words") == "two words"
    assert short.find("words two") is None


def test_few_pairs_are_compared(monkeypatch):
    rng, compared = Random(), []
    index, near = NearDuplicates(0.5, 3), NearDuplicates._near

    def counted(self, one, other):
        compared.append(1)
        return near(self, one, other)

    monkeypatch.setattr(NearDuplicates, "_near", counted)
    made = [" ".join(f"w{k}" for k in rng.integers(0, 100, 12)) for _ in range(1000)]
    for text in made:
        assert index.find(text) is None
        index.add(text)
    assert len(compared) < len(made)


# Each guard


def test_without_guards_a_creator_stays_as_it_is():
    creator = Fresh()
    assert guarded(creator, Guards()) is creator
    assert guarded(creator, Guards(shingle=5, ngram=3)) is creator
    assert isinstance(guarded(creator, Guards(deduplicate="proposal")), Guarded)


def test_length_is_bounded_and_what_is_kept_stays_in_its_slot():
    prompts = ["a" * 90, "short", "b" * 81, "c" * 80]
    proposal, logs = publish(Guards(max_length=80), prompts)
    assert replaced(proposal) == [0, 2]
    assert [proposal.prompts[i] for i in (1, 3)] == ["short", "c" * 80]
    assert proposal.parents[1] == "parent of short"
    assert [proposal.operators[i] for i in range(4)] == [None, "move", None, "move"]
    np.testing.assert_array_equal(proposal.logits, [0, 1, 2, 3])
    assert logs == {"guard_max_length": 2, "guard_dropped": 0}


def test_duplicates_within_the_proposal_and_in_the_past():
    for guards, once, twice in (
        (Guards(deduplicate="proposal"), [2], [2]),
        (Guards(deduplicate="history"), [2], [0, 1, 2]),
    ):
        assert replaced(publish(guards, ["x", "y", "x"])[0]) == once
        proposal, logs = publish(guards, ["x", "y", "x"], rounds=2)
        assert replaced(proposal) == twice
        assert logs["guard_deduplicate"] == len(twice)
        assert len(set(proposal.prompts)) == 3


def test_near_duplicates_give_way_and_exact_repeats_do_not():
    one, other = "a b c d e f g", "a b c d e f h"
    guards = Guards(near_duplicates=0.6)
    proposal, logs = publish(guards, [one, other, one])
    assert replaced(proposal) == [1]
    assert logs["guard_near_duplicates"] == 1
    guarded = Guarded(Scripted((one,)), guards)
    guarded.propose(Sentences(), 1, Random())
    guarded.creator = Scripted((one, other))
    assert replaced(guarded.propose(Sentences(), 2, Random())) == [1]


def test_suites_are_kept_out_whole_and_by_their_ngrams():
    """Three of the suite's 4-grams: 'write six words about', 'six words ...', 'words ...'."""
    prompts = [
        "sing a song",
        "sing a song now",
        "write six words about the sea today",  # 3 of 4
        "please write six words about cats",  # 1 of 3
        "Write SIX words about the sky",  # 2 of 3
    ]
    for share, kept_out in ((1.0, [0]), (0.7, [0, 2]), (0.6, [0, 2, 4]), (0.3, [0, 2, 3, 4])):
        proposal, logs = publish(Guards(decontaminate=share, ngram=4), prompts)
        assert replaced(proposal) == kept_out
        assert logs["guard_decontaminate"] == len(kept_out)


def topic_shares(proposal):
    shares = np.exp(proposal.logits) / np.exp(proposal.logits).sum()
    mass = {}
    for prompt, share in zip(proposal.prompts, shares, strict=True):
        mass[prompt[0]] = mass.get(prompt[0], 0.0) + share
    return np.array([*mass.values()])


@pytest.mark.parametrize("logits", [[0.0] * 40, np.linspace(0, 2, 40)])
def test_prompts_of_the_most_probable_topic_are_replaced_until_the_entropy_is_at_its_floor(
    logits,
):
    prompts = [f"0:3:{i}" for i in range(38)] + ["1:3:1", "2:3:1"]
    proposal, logs = publish(Guards(topic_entropy=1.2), prompts, Tiny(), logits=logits)
    shares = topic_shares(proposal)
    entropy = -(shares * np.log(shares)).sum()
    assert logs["topic_entropy"] == pytest.approx(entropy)
    assert 1.2 <= entropy < 1.35
    assert proposal.prompts[-2:] == ("1:3:1", "2:3:1")
    assert logs["guard_topic_entropy"] == len(replaced(proposal)) < 30
    np.testing.assert_array_equal(proposal.logits, logits)


def test_a_floor_that_no_swap_reaches_is_approached():
    proposal, logs = publish(
        Guards(topic_entropy=9.0), [f"0:3:{i}" for i in range(40)], Tiny(), logits=[0.0] * 40
    )
    assert math.log(5) - 0.02 < logs["topic_entropy"] <= math.log(5) + 1e-9
    even = Guards(topic_entropy=1.0)
    prompts = [f"{i % 5}:3:{i}" for i in range(40)]
    proposal, logs = publish(even, prompts, Tiny(), logits=[0.0] * 40)
    assert replaced(proposal) == []
    assert logs["topic_entropy"] == pytest.approx(math.log(5))


def test_slots_without_a_replacement_are_dropped():
    few = Tiny(topics=1, variants=2)
    proposal, logs = publish(Guards(deduplicate="proposal"), ["x", "x", "y", "y", "y"], few)
    assert set(proposal.prompts) == {"x", "y", "0:0:1", "0:0:2"}
    assert logs == {"guard_deduplicate": 3, "guard_dropped": 1}
    assert list(proposal.logits) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"gets past the guards.*'max_length': .*loosen them"):
        publish(Guards(max_length=3), ["long", "longer"])


# Any creator can wear them


ALL = Guards(
    deduplicate="proposal",
    near_duplicates=0.9,
    topic_entropy=1.0,
    max_length=150,
    decontaminate=1.0,
    ngram=13,
)


@pytest.mark.parametrize("cls", CREATORS)
def test_all_guards_can_wrap_every_creator_which_continues_identically(cls):
    task, game, rng = Wordlist(), game_for(Wordlist(), 12, 12), Random(3)
    creator = guarded(make(cls), ALL)
    for round in play(creator, task, 12, 4, game, rng):
        proposal = round.proposal
        assert len(proposal.parents) == len(proposal.operators) == len(proposal.logits)
        assert len(set(proposal.prompts)) == len(proposal.prompts) == 12
        assert max(map(len, proposal.prompts)) <= 150
        for one, other in combinations(proposal.prompts, 2):
            assert jaccard(one.lower(), other.lower(), 3) < 0.9
    saved = pickle.dumps((creator.state_dict(), game.state_dict(), rng))
    first = [round.proposal.prompts for round in play(creator, task, 12, 3, game, rng)]
    twin, game = guarded(make(cls), ALL), game_for(task, 12, 12)
    state, game_state, rng = pickle.loads(saved)
    twin.load_state_dict(state)
    game.load_state_dict(game_state)
    assert [r.proposal.prompts for r in play(twin, task, 12, 3, game, rng)] == first


@pytest.mark.parametrize("cls", [Static, Fresh, EvaOnline, PLR])
def test_integer_prompts_pass_the_guards_that_apply_to_them(cls):
    world = TabularWorld()
    guards = Guards(deduplicate="proposal", decontaminate=0.5, topic_entropy=1.5)
    for round in play(guarded(make(cls), guards), world, 16, 6):
        prompts = round.proposal.prompts
        assert len(set(prompts)) == len(prompts) == 16
        assert all(map(world.valid, prompts))
    for guards, name in (
        (Guards(max_length=9), "max_length"),
        (Guards(near_duplicates=0.5), "near_duplicates"),
    ):
        with pytest.raises(ValueError, match=f"{name} need prompts of text, got [0-9]+; leave"):
            list(play(guarded(cls(), guards), world, 4, 1))


def test_integers_of_a_suite_are_kept_out():
    world = TabularWorld()
    suite = world.suites["easy"]
    proposal, _ = publish(Guards(decontaminate=1.0), [suite[0], 1, suite[1]], world)
    assert replaced(proposal) == [0, 2]
    assert not set(proposal.prompts) & set(suite)


def test_the_creator_decides_which_rounds_train_the_solver_and_what_it_observes():
    inner = RobustPLR(replay=1.0)
    creator = guarded(inner, Guards(max_length=99))
    taught = [creator.should_train_solver(round) for round in play(creator, Tiny(), 8, 3)]
    assert taught == [False, True, True]
    assert len(inner.buffer) == 8
    watched = guarded(PLR(signal="alignment_potential"), Guards(max_length=99))
    for round in play(watched, Tiny(), 8, 2):
        assert watched.should_train_solver(round)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"near_duplicates": 0.0}, r"near_duplicates must lie in \(0, 1\], got 0.0"),
        ({"decontaminate": 1.5}, r"decontaminate must lie in \(0, 1\], got 1.5"),
        ({"max_length": 0}, "max_length must be at least 1, got 0"),
        ({"ngram": 0}, "ngram must be at least 1, got 0"),
        ({"topic_entropy": -1.0}, "topic_entropy must be at least 0, got -1.0"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Guards(**change)


def test_command_line_sets_guards_and_the_record_keeps_them(tmp_path):
    args = ["creator:fresh", "solver:rloo", "task:tabular-world", "--task.levels", "3"]
    args += ["--rounds", "2", "--prompts", "8", "--out", str(tmp_path / "run")]
    with pytest.raises(UserError, match="max_length need prompts of text"):
        command.main([*args, "--guards.max-length", "80"])
    assert not (tmp_path / "run").exists()
    assert command.main([*args, "--guards.deduplicate", "proposal"]) == 0
    run = Run.open(tmp_path / "run")
    assert run.config["settings"]["guards"]["deduplicate"] == "proposal"
    assert run.settings(Settings).guards == Guards(deduplicate="proposal")
    for row in run.rows("rounds"):
        assert row["logs"]["guard_deduplicate"] >= row["logs"]["guard_dropped"] > 0
