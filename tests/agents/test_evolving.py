"""Offline eva: the mix, the parents, and the effect of the settings."""

from dataclasses import replace

import numpy as np
import pytest

from agents.creators import Eva, Fresh, UniformEvolve
from agents.creators.estimate import average
from eva_env.tabular.world import TabularWorld
from eva_env.types import Round
from tests.support.creators import play
from tests.support.tiny_task import Tiny, level


def answer(creator, task, n, reward, rng):
    """One round in which a prompt's best reward is ``reward(prompt)`` and its worst is 0."""
    proposal = creator.propose(task, n, rng)
    tops = np.array([reward(prompt) for prompt in proposal.prompts], dtype=float)
    rewards = np.stack([tops, np.zeros(len(tops))], -1)
    round = Round(0, proposal, proposal.prompts, None, rewards, tops, {})
    creator.learn(round, rng)
    return round


def roots(proposal, before=()):
    """The earlier prompts that a round's rewrites descend from; ``before`` are old prompts."""
    pairs = zip(proposal.prompts, proposal.parents, strict=True)
    born = {prompt: parent for prompt, parent in pairs if prompt not in before}
    here = {p for p, parent in born.items() if parent is not None}
    return {parent for parent in born.values() if parent is not None and parent not in here}


@pytest.mark.parametrize("cls", [Eva, UniformEvolve])
@pytest.mark.parametrize(("n", "old"), [(1, 0), (2, 0), (7, 1), (8, 2), (10, 2), (33, 7)])
@pytest.mark.parametrize(
    "change", [{}, {"keep_all": False}, {"sequential": False}, {"fraction": 0.05}]
)
def test_the_mix_is_exact(cls, n, old, change):
    earlier = set()
    for t, round in enumerate(play(cls(**change), Tiny(), n, 4)):
        prompts = round.proposal.prompts
        assert len(prompts) == len(set(prompts)) == n
        assert sum(prompt in earlier for prompt in prompts) == (old if t else 0)
        new = [p for p in round.proposal.prompts if p not in earlier]
        parents = dict(zip(prompts, round.proposal.parents, strict=True))
        assert all((parents[prompt] is None) == (t == 0) for prompt in new)
        earlier |= set(prompts)


def rooted(creator, task, reward, n=40, times=30):
    """Roots of many second rounds, the first one's rewards being ``reward(prompt)``."""
    rng = np.random.default_rng(1)
    human = answer(creator, task, n, reward, rng).prompts
    return human, many_roots(creator, task, n, rng, human, times)


def many_roots(creator, task, n, rng, before, times):
    state, found = creator.state_dict(), []
    for _ in range(times):
        creator.load_state_dict(state)
        found.append(roots(creator.propose(task, n, rng), before))
    return found


def topic_zero(prompt):
    return float(prompt[0] == "0")


@pytest.mark.parametrize("change", [{}, {"draw": "greedy"}, {"weighting": "minmax"}])
def test_eva_rewrites_only_what_the_signal_finds_informative(change):
    _, found = rooted(Eva(fraction=0.1, **change), Tiny(), topic_zero)
    assert {root[0] for root in set().union(*found)} == {"0"}
    assert max(map(len, found)) == 4


def test_inverse_signal_rewrites_the_others():
    _, found = rooted(Eva(fraction=0.1, signal="inverse_a_star_min"), Tiny(), topic_zero)
    assert {root[0] for root in set().union(*found)} == set("1234")


def test_uniform_evolving_rewrites_anything():
    human, found = rooted(UniformEvolve(old_share=0.0), Tiny(), topic_zero)
    assert set().union(*found) == set(human)
    assert max(map(len, found)) == 10


def test_payoff_signal_reads_what_the_game_pays():
    creator = Eva(signal="payoff", fraction=0.1)
    rng = np.random.default_rng(0)
    proposal = creator.propose(Tiny(), 40, rng)
    paid = np.array([topic_zero(prompt) for prompt in proposal.prompts])
    creator.learn(
        Round(0, proposal, proposal.prompts, None, rng.random((40, 2)), paid, {}), rng
    )
    assert {root[0] for root in roots(creator.propose(Tiny(), 40, rng))} == {"0"}


def test_topic_balance_lifts_a_rare_topic():
    class Rare(Tiny):
        def topic(self, prompt):
            return "rare" if prompt in rare else "common"

    rare = set()
    shares = []
    for c in (0.0, 0.9):
        creator, rng = (
            Eva(fraction=0.03, topic_balance=c, old_share=0.0),
            np.random.default_rng(1),
        )
        human = answer(creator, Rare(), 40, lambda _: 1.0, rng).prompts
        rare = {human[0]}
        found = many_roots(creator, Rare(), 40, rng, human, 300)
        shares.append(np.mean([root == rare for root in found]))
    np.testing.assert_allclose(shares, [1 / 40, 0.1 / 40 + 0.9 / 2], atol=0.07)


def test_greedy_takes_the_top_and_stratified_every_level():
    def by_variant(prompt):
        return float(prompt.split(":")[2])

    human, found = rooted(Eva(draw="greedy", old_share=0.0), Tiny(), by_variant, times=1)
    assert found[0] == set(sorted(human, key=by_variant)[-10:])
    human, found = rooted(Eva(draw="stratified", old_share=0.0), Tiny(), by_variant, times=1)
    rank = {prompt: i for i, prompt in enumerate(sorted(human, key=by_variant))}
    assert sorted(rank[root] // 4 for root in found[0]) == list(range(10))


def test_signals_of_a_repeated_prompt_are_averaged():
    prompts, values = average(["a", "b", "a", "c", "a"], np.array([1.0, 5.0, 2.0, 7.0, 6.0]))
    assert prompts == ["a", "b", "c"]
    np.testing.assert_allclose(values, [3, 5, 7])
    prompts, _ = average(np.array([4, 4]), np.ones(2))
    assert type(prompts[0]) is int


def test_rewrites_never_repeat_a_published_prompt_unless_they_may():
    crowded = Tiny(variants=200)
    for deduplicate in (True, False):
        seen, repeats = set(), 0
        creator = UniformEvolve(old_share=0.0, deduplicate=deduplicate)
        for t, round in enumerate(play(creator, crowded, 40, 8)):
            prompts = round.proposal.prompts
            if t:
                repeats += 40 - len(set(prompts) - seen)
            seen |= set(prompts)
        assert (repeats == 0) == deduplicate


@pytest.mark.parametrize("old_from", ["last", "history"])
def test_where_old_prompts_come_from(old_from):
    rounds = [r.proposal for r in play(UniformEvolve(old_from=old_from), Tiny(), 40, 6)]
    born = {}
    for t, proposal in enumerate(rounds):
        for prompt in proposal.prompts:
            born.setdefault(prompt, t)
    earlier = set().union(*(set(proposal.prompts) for proposal in rounds[:4]))
    old = [prompt for prompt in rounds[5].prompts if born[prompt] < 5]
    assert len(old) == 8
    if old_from == "last":
        assert set(old) <= set(rounds[4].prompts)
    else:
        assert len(set(old) & earlier - set(rounds[4].prompts)) > 2


@pytest.mark.parametrize("seeds", ["mixed", "evolved"])
def test_where_parents_come_from(seeds):
    creator, rng = (
        UniformEvolve(seeds=seeds, old_share=0.5, fraction=1.0),
        np.random.default_rng(0),
    )
    human = set(answer(creator, Tiny(), 40, lambda _: 1.0, rng).prompts)
    second = answer(creator, Tiny(), 40, lambda _: 1.0, rng).prompts
    found = many_roots(creator, Tiny(), 40, rng, human | set(second), 30)
    new = set(second) - human
    assert set().union(*found) == (new if seeds == "evolved" else set(second))


def test_one_long_chain_is_kept_in_order():
    up = replace(Tiny(topics=1, levels=99), operators=("harder",))
    creator, rng = (
        UniformEvolve(fraction=0.25, rewrites=4, old_share=0.0),
        np.random.default_rng(0),
    )
    answer(creator, up, 8, lambda _: 1.0, rng)
    levels = sorted(map(level, creator.propose(up, 8, rng).prompts))
    assert levels == [1, 1, 2, 2, 3, 3, 4, 4]
    creator.keep_all = False
    assert set(map(level, creator.propose(up, 8, rng).prompts)) == {4}
    creator.sequential = False
    assert set(map(level, creator.propose(up, 8, rng).prompts)) == {1}


def test_dead_ends_are_filled_up_with_human_prompts():
    flat = replace(Tiny(levels=1), operators=("harder",))
    for round in play(Eva(), flat, 20, 3):
        assert len(set(round.proposal.prompts)) == 20
        assert set(round.proposal.parents) == {None}


def test_only_eva_with_resample_gets_new_responses():
    rng = np.random.default_rng(0)
    (round,) = play(Fresh(), Tiny(), 4, 1)
    again = replace(round, index=7)
    assert Eva().observe_round(round, lambda: again, rng) is again
    assert Eva(resample=False).observe_round(round, lambda: again, rng) is round


def test_a_finite_world_is_evolved_with_repeats():
    world = TabularWorld()
    creator, rng = Eva(), np.random.default_rng(0)
    for _ in range(12):
        round = answer(creator, world, 48, lambda p: world.prompt_levels[p] + 0.1, rng)
    assert len(round.prompts) == 48
    assert world.prompt_levels[list(round.prompts)].mean() > 4


@pytest.mark.parametrize(("share", "old"), [(0.0, 0), (1.0, 8)])
def test_a_round_may_be_all_new_or_all_old(share, old):
    first, second = play(Eva(old_share=share), Tiny(), 8, 2)
    assert len(set(first.prompts) & set(second.prompts)) == old
