"""PLR, robust PLR, ACCEL and SFL: priorities by hand, kinds of rounds, who learns from what."""

import numpy as np
import pytest
from tiny_task import Tiny, level

from agents.base import Solver
from agents.creators import ACCEL, PLR, SFL, RobustPLR
from agents.play import Budget, play
from eva_env import text_v0
from eva_env.types import Round


def answer(creator, n, score, rng, task=None):
    """A round whose prompts have the signal ``score(prompt)``."""
    proposal = creator.propose(task or Tiny(), n, rng)
    tops = np.array([float(score(prompt)) for prompt in proposal.prompts])
    rewards = np.stack([2 * tops, np.zeros(len(tops))], -1)
    round = Round(0, proposal, proposal.prompts, rewards, rewards, tops, {})
    taught = creator.teaches(round)
    return proposal, taught, creator.learn(round, rng)


def variant(prompt):
    return float(prompt.split(":")[2])


def test_replay_probabilities_by_hand():
    creator, rng = PLR(beta=0.5, rho=0.25, replay=0.0), np.random.default_rng(0)
    scores = iter([3.0, 1.0, 2.0])
    answer(creator, 1, lambda p: next(scores), rng)
    answer(creator, 2, lambda p: next(scores), rng)
    # Ranks 1, 3, 2, squared inversely: 36 : 4 : 9. Ages 2, 1, 1 of 4.
    expected = 0.75 * np.array([36, 4, 9]) / 49 + 0.25 * np.array([2, 1, 1]) / 4
    np.testing.assert_allclose(np.exp(creator.priorities()), expected)


def test_a_cold_temperature_replays_the_best_and_an_infinite_one_anything():
    for beta, found in ((1e-3, 0.97), (1e9, 0.55)):
        creator, rng = PLR(beta=beta, rho=0.0, replay=0.0), np.random.default_rng(0)
        for _ in range(5):
            answer(creator, 20, variant, rng)
        creator.replay = 1.0
        proposal, _, logs = answer(creator, 10, variant, rng)
        assert logs["replay"] == 1
        everything = sorted(creator.buffer, key=variant)
        ranks = [everything.index(prompt) / 99 for prompt in proposal.prompts]
        assert np.mean(ranks) == pytest.approx(found, abs=0.12)
        assert len(set(proposal.prompts)) == 10


def test_the_buffer_keeps_the_highest_scores():
    creator, rng = PLR(capacity=15, replay=0.0), np.random.default_rng(0)
    seen = set()
    for _ in range(4):
        seen |= set(answer(creator, 10, variant, rng)[0].prompts)
    assert set(creator.buffer) == set(sorted(seen, key=variant)[-15:])


def test_a_replayed_prompt_is_scored_anew():
    creator, rng = PLR(replay=0.0), np.random.default_rng(0)
    answer(creator, 4, lambda p: 1.0, rng)
    creator.replay = 1.0
    answer(creator, 4, lambda p: 5.0, rng)
    assert creator.buffer.values[creator.buffer.slots].tolist() == [5.0] * 4
    assert creator.buffer.steps[creator.buffer.slots].tolist() == [1] * 4


def test_plr_teaches_always_and_the_robust_kind_in_replay_rounds():
    for cls in (PLR, RobustPLR):
        creator, rng = cls(), np.random.default_rng(0)
        kinds = [answer(creator, 8, variant, rng)[1:] for _ in range(60)]
        replayed = [logs["replay"] == 1 for _, logs in kinds]
        assert 15 < sum(replayed) < 45
        assert not replayed[0]
        expected = replayed if cls is RobustPLR else [True] * 60
        assert [taught for taught, _ in kinds] == expected


def test_accel_edits_the_best_of_what_it_replayed_and_scores_the_edits():
    creator, rng = ACCEL(edited=0.25), np.random.default_rng(0)
    before, before_kind, edits = None, "new", 0
    for _ in range(40):
        proposal, taught, _ = answer(creator, 8, variant, rng)
        assert taught == (creator.kind == "replay")
        if creator.kind == "edit":
            edits += 1
            best = set(sorted(before.prompts, key=variant)[-2:])
            assert set(proposal.parents) == best
            assert all(prompt in creator.buffer for prompt in proposal.prompts)
        assert (before_kind == "replay") == (creator.kind == "edit")
        before, before_kind = proposal, creator.kind
    assert edits > 5


def test_accel_climbs_where_plr_cannot():
    """All that is new is at level 0, and the score grows with the level."""
    reached = []
    for cls in (RobustPLR, ACCEL):
        creator, rng = cls(capacity=64), np.random.default_rng(0)
        for _ in range(60):
            answer(creator, 16, lambda p: level(p) + 0.1, rng)
        reached.append(max(map(level, creator.buffer)))
    assert reached == [0, 5]


# Sampling for learnability


def passes(k):
    return [1.0] * k + [0.0] * (4 - k)


def sfl_round(creator, rate, n, rng):
    proposal = creator.propose(Tiny(), n, rng)
    rewards = np.array([passes(rate(prompt)) for prompt in proposal.prompts])
    round = Round(0, proposal, proposal.prompts, rewards, rewards, rewards.mean(-1), {})
    taught = creator.teaches(round)
    creator.learn(round, rng)
    return proposal, taught


def test_sfl_trains_on_what_is_solved_sometimes():
    creator, rng = SFL(scoring=2, training=3, keep=0.2, rho=0.5), np.random.default_rng(0)
    rate = {"0": 0, "1": 1, "2": 4, "3": 4, "4": 0}
    for cycle in range(3):
        scored, taught = zip(
            *(sfl_round(creator, lambda p: rate[p[0]], 50, rng) for _ in range(2)), strict=True
        )
        assert taught == (False, False)
        prompts = [prompt for proposal in scored for prompt in proposal.prompts]
        kept = creator.kept
        assert len(kept) == len(set(prompts)) // 5
        sometimes = [prompt for prompt in prompts if prompt[0] == "1"]
        assert set(kept) <= set(sometimes) or set(sometimes) <= set(kept)
        for _ in range(3):
            proposal, taught = sfl_round(creator, lambda p: rate[p[0]], 20, rng)
            assert taught
            assert sum(prompt in set(kept) for prompt in proposal.prompts) == 10
        assert cycle or set(kept) <= set(prompts)


# In play


class Counting(Solver):
    learned = 0

    def respond(self, prompts, n, rng):
        return [["cat, dog"] * n for _ in prompts]

    def learn(self, round, rng):
        self.learned += 1
        return {"gradient_steps": 1}


def test_rounds_that_do_not_teach_cost_responses_but_no_steps():
    env = text_v0.env(max_cycles=8, batch_size=6, proposals=6, samples=2)
    env.reset(seed=0)
    solver, budget = Counting(), Budget()
    rngs = np.random.default_rng(0), np.random.default_rng(1)
    rounds = list(play(env, SFL(), solver, rngs, budget))
    assert [round.logs["scoring"] for round in rounds] == [1, 0, 0, 0] * 2
    assert solver.learned == budget.gradient_steps == 6
    assert budget.responses == 8 * 6 * 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PLR(beta=0.0), "beta must be positive, got 0.0"),
        (lambda: PLR(rho=1.5), r"rho must lie in \[0, 1\], got 1.5"),
        (lambda: PLR(signal="x"), "unknown signal 'x'"),
        (lambda: ACCEL(edited=0.0), r"edited must lie in \(0, 1\], got 0.0"),
        (lambda: SFL(training=0), "training must be at least 1, got 0"),
        (lambda: SFL(keep=0.0), r"keep must lie in \(0, 1\], got 0.0"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
