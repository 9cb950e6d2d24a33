"""The pool of the trained creators: publication, estimates and renewal."""

import numpy as np

from agents.creators import Gibbs, MirrorDescent, PolicyGradient
from eva_env.distributions import softmax
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal, Round
from tests.support.rounds import Finite
from tests.support.tiny_task import Tiny


def test_gibbs_publishes_every_trainable_prompt_with_log_mu():
    world = TabularWorld(topics=2, levels=4, variants=2, responses=4)
    creator, rng = Gibbs(), np.random.default_rng(0)
    proposal = creator.propose(world, 8, rng)
    assert sorted(proposal.prompts) == world.trainable.tolist()
    creator.payoffs = np.arange(8.0)
    creator.improve(np.zeros(0), np.zeros(0))
    published = creator.propose(world, 8, rng)
    np.testing.assert_allclose(softmax(published.logits), creator.mu)


def test_a_text_pool_renews_itself_from_the_prompts_it_prefers():
    creator = Gibbs(pool=64, alpha=0.02, renew=0.5, signal="mean")
    rng = np.random.default_rng(0)
    for _ in range(30):
        proposal = creator.propose(Tiny(), 32, rng)
        tops = np.array([float(p.split(":")[1]) / 5 for p in proposal.prompts])
        rewards = np.stack([tops, tops], -1)
        creator.learn(Round(0, proposal, proposal.prompts, None, rewards, tops, {}), rng)
    levels = [int(p.split(":")[1]) for p in creator.place]
    assert np.mean(levels) > 3
    assert len(creator.place) == len(creator.prompts) == len(set(creator.place.values()))


def test_proposals_have_prompts_of_the_pool_alone():
    creator, rng = PolicyGradient(pool=40), np.random.default_rng(0)
    proposal: Proposal = creator.propose(Tiny(), 16, rng)
    assert set(proposal.prompts) <= set(creator.place)
    assert len(creator.prompts) <= 40


def paid_round(proposal, prompts, values):
    values = np.array(values, dtype=float)
    return Round(0, proposal, prompts, None, np.stack([values, values], -1), values, {})


def test_payoffs_are_running_estimates_and_prompts_outside_the_pool_are_ignored():
    creator, rng = Gibbs(signal="mean", memory=0.25), np.random.default_rng(0)
    proposal = creator.propose(Finite(3), 3, rng)
    creator.learn(paid_round(proposal, [0, 1, 0], [1.0, 0.5, 0.6]), rng)
    np.testing.assert_allclose(creator.payoffs, [0.8, 0.5, np.nan])
    creator.learn(paid_round(proposal, [0, 7], [0.0, 9.0]), rng)
    np.testing.assert_allclose(creator.payoffs, [0.6, 0.5, np.nan])
    logs = creator.learn(paid_round(proposal, [7, 8], [9.0, 9.0]), rng)
    np.testing.assert_allclose(creator.payoffs, [0.6, 0.5, np.nan])
    assert creator.counts.tolist() == [3, 1, 0]
    assert "new" not in logs


def test_rewrites_start_with_the_logits_and_estimates_of_their_parents():
    creator, rng = MirrorDescent(pool=40, renew=0.5, signal="mean"), np.random.default_rng(0)
    proposal = creator.propose(Tiny(), 20, rng)
    creator.learn(paid_round(proposal, proposal.prompts, rng.random(20)), rng)
    before = {one.prompt: i for i, one in enumerate(creator.prompts)}
    logits, payoffs = creator.logits.copy(), creator.payoffs.copy()
    creator.propose(Tiny(), 20, rng)
    born = [(i, one) for i, one in enumerate(creator.prompts) if one.prompt not in before]
    assert len(born) == 20
    for i, one in born:
        assert creator.counts[i] == 0
        assert one.parent in proposal.prompts
        assert creator.logits[i] == logits[before[one.parent]]
        assert creator.payoffs[i] == payoffs[before[one.parent]]
