"""The trained policy over rewrite operators: its distribution, its credit, its logs."""

import numpy as np
import pytest

from agents.creators import OperatorPolicy
from eva_env.distributions import softmax
from eva_env.types import Round
from tests.support.creators import play
from tests.support.tiny_task import Tiny


class OneWay(Tiny):
    """Harder prompts are paid, easier ones are not; the operator "never" does not apply."""

    def mutate(self, prompt, operator, rng):
        moved = "move" if operator == "easier" else operator
        return None if operator == "never" else super().mutate(prompt, moved, rng)


def operator_run(creator, rounds, pay):
    rng, task = (
        np.random.default_rng(0),
        OneWay(levels=1000, operators=("harder", "easier", "never")),
    )
    for _ in range(rounds):
        proposal = creator.propose(task, 64, rng)
        paid = np.array([pay(operator) for operator in proposal.operators])
        rewards = np.stack([paid, paid], -1)
        creator.learn(Round(0, proposal, proposal.prompts, None, rewards, paid, {}), rng)
    return softmax(creator.logits[""])


@pytest.mark.parametrize("ascent", ["mirror", "gradient"])
def test_operators_are_drawn_by_the_gibbs_distribution_of_their_payoffs(ascent):
    creator = OperatorPolicy(
        signal="mean", ascent=ascent, alpha=0.5, step=0.2, invalid_penalty=0.5
    )
    mu = operator_run(creator, 500, lambda operator: float(operator == "harder"))
    tilt = np.exp(np.array([1.0, 0.0, -0.5]) / 0.5)
    np.testing.assert_allclose(mu, tilt / tilt.sum(), atol=0.05)
    assert mu[0] > mu[1] > mu[2]


@pytest.mark.parametrize("ascent", ["mirror", "gradient"])
def test_an_operator_that_alone_was_drawn_is_not_preferred_for_it(ascent):
    creator = OperatorPolicy(ascent=ascent)
    creator.logits[""] = np.zeros(3)
    creator._improve("", [0, 0], [1.0, 3.0])
    np.testing.assert_allclose(softmax(creator.logits[""]), 1 / 3)
    creator._improve("", [0, 1], [1.0, 3.0])
    below, above, between = softmax(creator.logits[""])
    assert below < between < above


def test_operators_have_a_policy_for_each_topic_if_asked():
    creator = OperatorPolicy(signal="mean", context="topic")
    *_, _ = play(creator, Tiny(), 32, 4)
    assert set(creator.logits) == {"0", "1", "2", "3", "4"}


def test_novelty_pays_operators_that_lead_to_new_prompts():
    """One operator makes new prompts, the other one the same prompt again and again."""

    class Stale(Tiny):
        def mutate(self, prompt, operator, rng):
            return "0:1:1" if operator == "easier" else super().mutate(prompt, operator, rng)

    rng, task = np.random.default_rng(0), Stale(variants=10**9, operators=("move", "easier"))
    creator = OperatorPolicy(signal="uniform", alpha=0.5, step=0.2, novelty=0.4)
    for _ in range(200):
        proposal = creator.propose(task, 64, rng)
        ones = np.ones((len(proposal.prompts), 2))
        creator.learn(Round(0, proposal, proposal.prompts, None, ones, ones[:, 0], {}), rng)
    tilt = np.exp(np.array([0.4, 0.0]) / 0.5)
    np.testing.assert_allclose(softmax(creator.logits[""]), tilt / tilt.sum(), atol=0.02)


def test_a_policy_per_topic_is_logged_as_its_mean_over_draws():
    creator, rng = OperatorPolicy(context="topic", old_share=0.0), np.random.default_rng(0)
    creator.answered = ["0:1:1", "1:1:1"]
    creator.logits = {"0": np.array([9.0, -9.0, -9.0]), "1": np.zeros(3)}
    creator.alpha = creator.invalid_penalty = 0.0
    proposal = creator.propose(Tiny(), 40, rng)
    from_zero = np.mean([draw[0] == "0" for draw in creator.drawn])
    ones = np.ones((len(proposal.prompts), 2))
    logs = creator.learn(Round(0, proposal, proposal.prompts, None, ones, ones[:, 0], {}), rng)
    assert logs["creator_kl"] == pytest.approx(from_zero * np.log(3), abs=1e-3)
    assert logs["creator_entropy"] == pytest.approx((1 - from_zero) * np.log(3), abs=1e-3)
    assert logs["effective_support"] == pytest.approx(np.exp(logs["creator_entropy"]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OperatorPolicy(step=0.0), "step must be positive, got 0.0"),
        (lambda: OperatorPolicy(alpha=1.0), r"step \* alpha must lie below 1"),
        (lambda: OperatorPolicy(novelty=-1.0), "novelty must be at least 0, got -1.0"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
