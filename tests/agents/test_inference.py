"""Methods that do not learn, and their evaluation."""

import numpy as np
import pytest

from agents.creators import Fresh
from agents.evaluate import evaluate
from agents.policies.table import TablePolicy
from agents.solvers import BestOfN, Fixed, PolicySolver
from eva_env import distributions
from eva_env.tabular import exact
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal, Round
from eva_env.wordlist import Gold, Wordlist
from experiments.run.evaluation import Evaluator
from experiments.run.match import Match
from experiments.run.settings import Settings

LOGITS = np.log([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])
REWARDS = np.array([[0.0, 1.0, 0.3, 0.7], [0.9, 0.1, 0.9, 0.5]])  # with a tie


def score(prompts, responses):
    return REWARDS[np.asarray(prompts)[:, None], responses]


def best_of(candidates):
    return PolicySolver(TablePolicy(LOGITS), BestOfN(candidates=candidates), score)


@pytest.mark.parametrize("candidates", [1, 2, 5])
def test_the_best_of_n_is_distributed_as_the_largest_order_statistic(candidates):
    """T7: F_k^n - F_(k-1)^n at the k-th lowest reward, by a chi-square distance."""
    n = 20_000
    drawn = best_of(candidates).respond([0, 1], n, np.random.default_rng(0))
    chances = exact.best_of_n(np.exp(LOGITS), REWARDS, candidates)
    share = np.array([np.bincount(row, minlength=4) for row in drawn]) / n
    # The mean of chi-square is its 3 degrees of freedom; 20 has a p-value of 2e-4.
    assert (n * ((share - chances) ** 2 / chances).sum(1) < 20).all()
    value = (chances * REWARDS).sum(1)
    assert (candidates > 1) == (value > (np.exp(LOGITS) * REWARDS).sum(1) + 0.05).all()


def test_its_kl_is_bounded():
    """KL(best of n || policy) <= log n - (n - 1) / n, and is near it for many responses."""
    rng = np.random.default_rng(0)
    for n in (1, 2, 4, 16):
        policy = rng.dirichlet(np.ones(2000), size=3)
        chances = exact.best_of_n(policy, rng.normal(size=(3, 2000)), n)
        bound = np.log(n) - (n - 1) / n
        kl = distributions.kl(chances, policy)
        assert (kl <= bound + 1e-12).all()
        np.testing.assert_allclose(kl, bound, atol=0.01)


def test_candidates_are_metered_and_nothing_is_learned():
    solver = best_of(3)
    rng = np.random.default_rng(0)
    responses = solver.respond([0, 1], 5, rng)
    assert (solver.tokens, solver.reward_calls) == (30, 30)
    rewards = score([0, 1], responses)
    round = Round(
        0, Proposal([0, 1], np.zeros(2)), [0, 1], responses, rewards, rewards[:, 0], {}
    )
    for player in (solver, PolicySolver(TablePolicy(LOGITS), Fixed())):
        before = player.policy.state_dict()["theta"].clone()
        assert player.learn(round, rng)["gradient_steps"] == 0
        assert (player.policy.state_dict()["theta"] == before).all()
    again = best_of(3)
    again.load_state_dict(solver.state_dict())
    assert (again.tokens, again.reward_calls) == (30, 30)


def test_a_fixed_solver_answers_as_its_policy():
    solver = PolicySolver(TablePolicy(LOGITS), Fixed())
    for respond in (solver.respond, solver.respond_for_evaluation):
        drawn = respond([0, 1], 7, np.random.default_rng(5))
        assert (drawn == TablePolicy(LOGITS).sample([0, 1], 7, np.random.default_rng(5))).all()


def test_best_of_n_does_not_choose_among_the_samples_that_it_is_compared_with():
    """From one seed, its single candidates aren't the policy's samples: they're independent."""
    rng = (np.random.default_rng(3), np.random.default_rng(3))
    best = best_of(1).respond([0], 5000, rng[0])[0]
    plain = TablePolicy(LOGITS).sample([0], 5000, rng[1])[0]
    chance = (np.exp(LOGITS[0]) ** 2).sum()
    assert np.mean(best == plain) == pytest.approx(chance, abs=0.03)


@pytest.mark.parametrize(
    "task", [TabularWorld(topics=2, levels=4, variants=2), Wordlist(suite_size=40)]
)
def test_it_is_judged_by_the_best_of_its_candidates(task):
    given = {"creator": Fresh(), "solver": BestOfN(candidates=8), "task": task}
    given |= {"reward": "gold", "rounds": 1, "prompts": 6, "samples": 2}
    match = Match.open(Settings(**given))
    evaluator = Evaluator(task, match.solver.initial, 2)
    list(match.rounds())
    assert match.budget.responses == 12
    assert match.budget.reward_calls == 12 + 8 * 12
    for row in evaluator.evaluate(match.solver, 1)[0]:
        assert row["gold"] > evaluator.before[row["suite"]][1].mean() + 0.02
        assert row["win_rate"] > 0.5
    policy = evaluator.evaluate(match.solver.policy, 1)[0]
    assert {row["win_rate"] for row in policy} == {0.5}


def test_text_is_chosen_as_numbers_are():
    task, rng = Wordlist(), np.random.default_rng(0)
    settings = Settings(solver=BestOfN(candidates=4), task=task, reward="gold")
    solver = Match.open(settings).solver
    prompts = task.seed(20, rng)
    gold = Gold()
    best = evaluate(solver, prompts, gold, 3, 0)
    plain = evaluate(solver.policy, prompts, gold, 12, 0)
    assert best.shape == (20, 3)
    assert best.mean() > plain.mean() + 0.02
    assert solver.reward_calls == 20 * 12


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="give PolicySolver one"):
        PolicySolver(TablePolicy(LOGITS), BestOfN())
    with pytest.raises(ValueError, match="candidates must be at least 1, got 0"):
        BestOfN(candidates=0)
