"""PLR, robust PLR, ACCEL and SFL: priorities by hand, kinds of rounds, training."""

import numpy as np
import pytest

from agents.base import Budget, Solver
from agents.creators import ACCEL, PLR, SFL, RobustPLR, UniformEvolve
from agents.play import play
from eva_env import text_v0
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal, Round
from tests.support.tiny_task import Tiny, level


def answer(creator, n, score, rng, task=None):
    """A round whose prompts have the signal ``score(prompt)``."""
    proposal = creator.propose(task or Tiny(), n, rng)
    tops = np.array([float(score(prompt)) for prompt in proposal.prompts])
    rewards = np.stack([2 * tops, np.zeros(len(tops))], -1)
    round = Round(0, proposal, proposal.prompts, rewards, rewards, tops, {})
    taught = creator.should_train_solver(round)
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


def test_a_replayed_prompt_is_scored_again():
    creator, rng = PLR(replay=0.0), np.random.default_rng(0)
    answer(creator, 4, lambda p: 1.0, rng)
    creator.replay = 1.0
    answer(creator, 4, lambda p: 5.0, rng)
    assert creator.buffer.values[creator.buffer.slots].tolist() == [5.0] * 4
    assert creator.buffer.steps[creator.buffer.slots].tolist() == [1] * 4


def test_replay_waits_until_there_is_a_round_of_prompts():
    creator, rng = PLR(replay=1.0), np.random.default_rng(0)
    answer(creator, 6, variant, rng)
    kinds = [answer(creator, 18, variant, rng)[2]["replay"] for _ in range(3)]
    assert kinds == [0, 1, 1]


def test_replay_begins_where_the_distribution_has_no_more():
    """Twelve human prompts and rounds of 40: the second round adds nothing new."""
    few = TabularWorld(topics=3, variants=3)
    creator, rng = PLR(replay=1.0), np.random.default_rng(0)
    proposals, replayed, brought = [], [], []
    for _ in range(9):
        known = set(creator.buffer)
        proposal, _, logs = answer(creator, 40, float, rng, few)
        proposals.append(proposal.prompts)
        replayed.append(logs["replay"] == 1)
        brought.append(len(set(proposal.prompts) - known))
    assert replayed == [0 in brought[:t] for t in range(9)]
    assert replayed[-1]
    assert sorted(proposals[-1]) == sorted(creator.buffer)
    assert len(creator.buffer) == 12


def test_replay_begins_where_the_buffer_is_full():
    creator, rng = PLR(replay=1.0, capacity=5), np.random.default_rng(0)
    kinds = [answer(creator, 40, variant, rng)[2]["replay"] for _ in range(3)]
    assert kinds == [0, 1, 1]
    assert len(creator.propose(Tiny(), 40, rng).prompts) == 5


def test_prompts_that_others_put_into_the_round_are_scored_as_well():
    creator, rng = PLR(), np.random.default_rng(0)
    proposal = creator.propose(Tiny(), 2, rng)
    prompts, rewards = (proposal.prompts[0], "4:5:1"), np.array([[1.0, 0.0], [3.0, 0.0]])
    creator.learn(Round(0, proposal, prompts, None, rewards, rewards[:, 0], {}), rng)
    assert list(creator.buffer) == list(prompts)
    assert creator.buffer.values[creator.buffer.slots].tolist() == [0.5, 1.5]


def test_plr_gets_the_log_probabilities_that_its_signal_reads():
    env = text_v0.env(max_cycles=3, batch_size=6, proposals=6, samples=2)
    env.reset(seed=0)
    rngs = np.random.default_rng(0), np.random.default_rng(1)
    for round in play(env, PLR(signal="alignment_potential"), Counting(), rngs):
        assert np.isfinite(round.logs["signal"])


def test_plr_trains_the_solver_in_every_round_and_robust_plr_in_replay_rounds():
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
    before, before_kind, edits = Proposal((), np.zeros(0)), "new", 0
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
    """New prompts are all at level 0, and the score grows with the level."""
    reached = []
    for cls in (RobustPLR, ACCEL):
        creator, rng = cls(capacity=64), np.random.default_rng(0)
        for _ in range(60):
            answer(creator, 16, lambda p: level(p) + 0.1, rng)
        reached.append(max(map(level, creator.buffer)))
    assert reached == [0, 5]


# The limit of evolving without a preference

OPERATOR_WEIGHTS = {"up": 3.0, "down": 2.0, "breadth_topic": 1.0, "breadth_variant": 2.0}


def edit_kernel(world, weights):
    """E (K, K): a prompt's rewrite, operators being tried in weighted random order.

    The first that applies is taken, so that each of those that apply is with its share.
    """
    kernel = np.zeros((world.size, world.size))
    for prompt, neighbours in enumerate(world.neighbours):
        able = {name: targets for name, targets in neighbours.items() if targets}
        for name, targets in able.items():
            share = weights[name] / sum(weights[other] for other in able)
            kernel[prompt, list(targets)] += share / len(targets)
    return kernel


def stationary(kernel, trainable):
    """pi = pi E on the trainable prompts, as the solution of a linear system."""
    inside = kernel[np.ix_(trainable, trainable)]
    n = len(trainable)
    system = np.vstack([inside.T - np.eye(n), np.ones(n)])
    pi = np.zeros(len(kernel))
    pi[trainable] = np.linalg.lstsq(system, np.eye(n + 1)[n], rcond=None)[0]
    return pi


def test_the_stationary_distribution_of_the_edits_balances_up_and_down():
    """Levels are a birth-death chain, so that pi_l P(up | l) = pi_l+1 P(down | l+1)."""
    world = TabularWorld(topics=2, levels=4, variants=3)
    kernel = edit_kernel(world, OPERATOR_WEIGHTS)
    pi = stationary(kernel, world.trainable)
    np.testing.assert_allclose(pi @ kernel, pi, atol=1e-12)
    up, down = [3 / 6] + [3 / 8] * 2, [2 / 8] * 2 + [2 / 5]
    distribution = np.cumprod([1.0, *np.divide(up, down)])
    np.testing.assert_allclose(
        np.bincount(world.prompt_levels, pi), distribution / distribution.sum(), atol=1e-12
    )


@pytest.mark.parametrize(
    ("rewrites", "rounds", "far"), [(1, 60, 1e-3), (3, 30, 1e-3), (3, 3, 1.0)]
)
def test_uniform_evolve_reaches_the_stationary_distribution_of_its_edits(rewrites, rounds, far):
    """The exact distribution of the loop: x <- m x + (1 - m) x (E + ... + E^R) / R.

    A round has two prompts. One is old (m = 1/2): a prompt of the last round, each with equal
    probability. The other is a rewrite of a prompt of that round, each with equal probability,
    at a uniform depth of its chain of R. Human prompts D_0 are only the first round, repeats
    are allowed, and some operator always applies. So x_t = D_0 M^t, which converges to
    pi = pi E for any m and R; after three rounds it has not yet converged.
    """
    world = TabularWorld(topics=2, levels=4, variants=3)
    kernel = edit_kernel(world, OPERATOR_WEIGHTS)
    powers = [np.linalg.matrix_power(kernel, k) for k in range(1, rewrites + 1)]
    step = 0.5 * np.eye(world.size) + 0.5 * np.mean(powers, axis=0)
    human = np.isin(np.arange(world.size), world.trainable) & (world.prompt_levels < 2)
    distribution = human / human.sum() @ np.linalg.matrix_power(step, rounds - 1)
    pi = stationary(kernel, world.trainable)
    assert np.abs(distribution - pi).sum() / 2 < far

    games, rng = 160, np.random.default_rng(0)
    last = np.zeros((games, 2), dtype=int)
    for row in last:
        creator = UniformEvolve(
            fraction=1.0,
            rewrites=rewrites,
            old_share=0.5,
            deduplicate=False,
            operators=OPERATOR_WEIGHTS,
        )
        for _ in range(rounds):
            row[:] = answer(creator, 2, lambda _: 1.0, rng, world)[0].prompts
    levels = world.prompt_levels[last]
    z = deviation(levels.mean(1), distribution @ world.prompt_levels)
    of_levels = [
        deviation((levels == level).mean(1), distribution[world.prompt_levels == level].sum())
        for level in range(world.levels)
    ]
    assert abs(z) < 4
    assert np.abs(of_levels).max() < 4


def deviation(values, expected):
    """z of the mean of independent values."""
    return (values.mean() - expected) / (values.std() / np.sqrt(len(values)))


# Sampling for learnability


def passes(k):
    return [1.0] * k + [0.0] * (4 - k)


def sfl_round(creator, rate, n, rng):
    proposal = creator.propose(Tiny(), n, rng)
    rewards = np.array([passes(rate(prompt)) for prompt in proposal.prompts])
    round = Round(0, proposal, proposal.prompts, rewards, rewards, rewards.mean(-1), {})
    taught = creator.should_train_solver(round)
    creator.learn(round, rng)
    return proposal, taught


def test_sfl_trains_on_what_is_solved_sometimes():
    creator, rng = SFL(scoring=2, training=3, keep=0.2, rho=0.5), np.random.default_rng(0)
    rate = {"0": 0, "1": 1, "2": 4, "3": 4, "4": 0}
    for _ in range(3):
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
        assert set(kept) <= set(prompts)


# In play


class Counting(Solver):
    learned = 0

    def respond(self, prompts, n, rng):
        return [["cat, dog"] * n for _ in prompts]

    def logprobs(self, round):
        return -np.ones(round.rewards.shape)

    def learn(self, round, rng):
        self.learned += 1
        return {"gradient_steps": 1}


def test_rounds_that_only_score_cost_responses_but_no_steps():
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
