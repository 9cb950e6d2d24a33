import pickle

import numpy as np
import pytest

from agents.creators import EvaOnline
from agents.evolution.evolve import Lineage
from eva_env.types import Round
from tests.support.tiny_task import Tiny

N = 8


def turn(creator, rng, reward=None, task=Tiny()):  # noqa: B008 - frozen
    """One round; returns the proposal, and the prompts that the buffer held before it."""
    proposal = creator.propose(task, N, rng)
    before = prompts(creator.buffer)
    tops = np.array([reward(p) for p in proposal.prompts]) if reward else rng.random(N)
    rewards = np.stack([tops, np.zeros(N)], -1)
    creator.learn(Round(0, proposal, proposal.prompts, None, rewards, tops, {}), rng)
    return proposal, before


def prompts(buffer):
    return [buffer.items[slot].prompt for slot in buffer.slots]


def parents(buffer):
    return [buffer.items[slot].parent for slot in buffer.slots]


def priorities(buffer):
    return buffer.values[buffer.slots].tolist()


def evolved(proposal):
    return sum(parent is not None for parent in proposal.parents)


def test_paper_defaults():
    creator = EvaOnline()
    assert (creator.capacity, creator.human_prompts) == (3200, 10_000)
    assert (creator.evolve_fraction, creator.ratio_evol) == (0.5, 0.5)
    assert (creator.n_new, creator.n_new_bootstrap) == (4, 2)
    assert creator.signal == "a_star_avg"


def test_three_phases_step_by_step():
    """Capacity 160 fills in 10 steps of 16; 200 - 80 human prompts last 30 steps of 4."""
    creator, rng = EvaOnline(capacity=160, human_prompts=200), np.random.default_rng(0)
    for t in range(10):
        proposal, before = turn(creator, rng)
        assert (creator.phase, len(before), evolved(proposal)) == ("warm-up", 16 * t, 0)
    for t in range(30):
        proposal, before = turn(creator, rng)
        assert (creator.phase, len(before), evolved(proposal)) == ("mix-up", 160, 4)
        assert len(creator.buffer) == 156
        assert creator.humans == 80 + 4 * (t + 1)
    for _ in range(25):
        proposal, before = turn(creator, rng)
        assert (creator.phase, evolved(proposal)) == ("bootstrap", 8)
        assert len(before) == 160
        assert len(creator.buffer) == 152
        assert creator.humans == 200


def test_mix_up_takes_16_in_4_answered_and_12_oldest_out():
    creator, rng = EvaOnline(capacity=160), np.random.default_rng(0)
    *_, (proposal, before) = (turn(creator, rng) for _ in range(14))
    answered = set(proposal.prompts)
    kept = [p for p in before if p not in answered]
    assert prompts(creator.buffer) == kept
    assert len(kept) == 156
    creator.propose(Tiny(), N, rng)
    assert prompts(creator.buffer)[:144] == kept[12:]
    steps = creator.buffer.steps[creator.buffer.slots].tolist()
    assert set(parents(creator.buffer)[144:]) <= answered
    assert steps[144:] == [14] * 16
    assert steps == sorted(steps)


def test_bootstrap_takes_8_in_and_8_out():
    creator, rng = EvaOnline(capacity=160, human_prompts=80), np.random.default_rng(0)
    *_, (proposal, before) = (turn(creator, rng) for _ in range(12))
    assert creator.phase == "bootstrap"
    assert set(before) - set(prompts(creator.buffer)) == set(proposal.prompts)
    creator.propose(Tiny(), N, rng)
    assert len(set(prompts(creator.buffer)) - set(before)) == 8


def test_the_top_half_is_rewritten_and_its_rewrites_inherit_the_signal():
    creator, rng = EvaOnline(), np.random.default_rng(0)
    values = {}

    def reward(prompt):
        return values.setdefault(prompt, float(len(values)))

    proposal, _ = turn(creator, rng, reward)
    creator.propose(Tiny(), N, rng)
    assert parents(creator.buffer) == [p for p in proposal.prompts[:3:-1] for _ in range(4)]
    assert priorities(creator.buffer)[::4] == [3.5, 3.0, 2.5, 2.0]


def test_optimistic_priority_is_the_highest_signal_so_far():
    creator, rng = EvaOnline(priority="max"), np.random.default_rng(0)
    for top in (6.0, 2.0):
        turn(creator, rng, lambda _, top=top: top)
    creator.propose(Tiny(), N, rng)
    assert priorities(creator.buffer) == [3.0] * 32
    creator = EvaOnline()
    for top in (6.0, 2.0):
        turn(creator, rng, lambda _, top=top: top)
    creator.propose(Tiny(), N, rng)
    assert priorities(creator.buffer) == [3.0] * 16 + [1.0] * 16


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [0, 0.1, 0.3, 0.6]),
        ({"weighting": "minmax"}, [0, 0.1, 0.3, 0.6]),
        ({"weighting": "rank", "alpha": 1.0}, [0.1, 0.2, 0.3, 0.4]),
        ({"weighting": "softmax", "tau": 1e-3}, [0, 0, 0, 1]),
    ],
    ids=["proportional", "minmax", "rank", "softmax"],
)
def test_the_buffer_is_drawn_by_priority(change, expected):
    creator, rng = EvaOnline(capacity=4, **change), np.random.default_rng(0)
    lineages = [Lineage(f"0:1:{v}", "0:0:1", "harder") for v in (0, 1, 3, 6)]
    creator.buffer.add(range(4), lineages, np.array([0.0, 1.0, 3.0, 6.0]), 0)
    count = np.zeros(4)
    for _ in range(3000):
        (first,) = creator._draw(1, rng)
        count[first] += 1
    np.testing.assert_allclose(count / 3000, expected, atol=0.03)


def test_proportional_weights_refuse_a_negative_signal_and_ranks_do_not():
    def below_zero(_):
        return -1.0

    creator, rng = EvaOnline(signal="mean"), np.random.default_rng(0)
    turn(creator, rng, below_zero)
    with pytest.raises(ValueError, match=r"signal 'mean' gave -0\.5; take the weighting"):
        creator.propose(Tiny(), N, rng)
    creator = EvaOnline(signal="mean", weighting="rank", human_prompts=8)
    turn(creator, rng, below_zero)
    assert evolved(turn(creator, rng, below_zero)[0]) == N


def test_a_world_of_few_prompts_fills_the_buffer_with_repeats():
    few = Tiny(topics=2, levels=3, variants=2)
    creator, rng = EvaOnline(capacity=32, human_prompts=200), np.random.default_rng(0)
    sizes = [len(turn(creator, rng, task=few)[1]) for _ in range(20)]
    assert (creator.phase, sizes[-1]) == ("mix-up", 32)
    assert len(set(prompts(creator.buffer))) <= 12


@pytest.mark.parametrize(
    ("evolve_from", "expected"), [("human", 0), ("buffer", 4), ("batch", None)]
)
def test_which_half_of_the_batch_is_rewritten(evolve_from, expected):
    creator = EvaOnline(capacity=32, evolve_from=evolve_from)
    rng, counts = np.random.default_rng(0), []
    for _ in range(40):
        proposal, _ = turn(creator, rng)
        rewrites = {p for p, q in zip(proposal.prompts, proposal.parents, strict=True) if q}
        assert len(creator.parents) == 4
        if creator.phase == "mix-up":
            counts.append(sum(parent in rewrites for parent, _ in creator.parents))
    if expected is None:
        assert 0 < np.mean(counts) < 4
    else:
        assert set(counts) == {expected}


def test_unanswered_rewrites_stay_in_the_buffer():
    creator, rng = EvaOnline(capacity=16, human_prompts=8), np.random.default_rng(0)
    turn(creator, rng)
    proposal = creator.propose(Tiny(), N, rng)
    before = prompts(creator.buffer)
    twice = (proposal.prompts[0], proposal.prompts[0], proposal.prompts[1])
    creator.learn(Round(0, proposal, twice, None, rng.random((3, 2)), np.ones(3), {}), rng)
    assert set(before) - set(prompts(creator.buffer)) == set(twice)
    assert len(creator.buffer) == 14


def test_human_prompts_fill_what_the_buffer_cannot():
    creator, rng = EvaOnline(human_prompts=4), np.random.default_rng(0)
    sizes = [len(turn(creator, rng)[0].prompts) for _ in range(6)]
    assert sizes == [8] * 6
    assert creator.humans == 8


def test_replay_from_a_saved_state_is_deterministic():
    creator, rng = EvaOnline(capacity=64, human_prompts=100), np.random.default_rng(0)
    for _ in range(7):
        turn(creator, rng)
    state, rng_state = pickle.loads(pickle.dumps((creator.state_dict(), rng)))
    twin = EvaOnline(capacity=64, human_prompts=100)
    twin.load_state_dict(state)
    for _ in range(30):
        assert turn(creator, rng)[0].prompts == turn(twin, rng_state)[0].prompts
        assert creator.buffer == twin.buffer
        assert creator.seen == twin.seen
    assert creator.phase == twin.phase == "bootstrap"
