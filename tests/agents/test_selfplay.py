"""R-Zero, AZR, STP: payoffs, filters and bookkeeping by hand."""

import numpy as np
import pytest

from agents.creators import AZR, STP, RZero
from agents.creators.selfplay import agreement
from agents.evolution.similarity import cluster_shares, similarities
from eva_env.types import Proposal, Round
from tests.support.tiny_task import Tiny


def round_of(prompts, rewards, responses=None, proposal=None):
    rewards = np.array(rewards, dtype=float)
    proposal = proposal or Proposal(prompts, np.zeros(len(prompts)))
    responses = rewards if responses is None else responses
    return Round(0, proposal, prompts, responses, rewards, rewards.mean(-1), {})


def test_similarity_and_clusters_by_hand():
    left, right = ["a b c", "d"], ["A b", "d e f"]
    np.testing.assert_allclose(similarities(left, right), [[2 / 3, 0], [0, 1 / 3]])
    # a b c - a b x share 2 of 4, a b x - x y b share 2 of 4: a chain; the fourth is alone.
    prompts = ["a b c", "a b x", "x y b", "q"]
    np.testing.assert_allclose(cluster_shares(prompts, 0.5), [0.75, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(cluster_shares(prompts, 0.6), [0.25] * 4)


def test_agreement_is_the_share_of_the_majority():
    assert agreement([["x", "y", "x", "x"], ["a", "b", "c", "d"]]).tolist() == [0.75, 0.25]
    assert agreement(np.array([[1, 1], [1, 2]])).tolist() == [1.0, 0.5]


def test_rzero_pays_uncertainty_minus_repetition_within_the_band():
    prompts = ["a b", "a c", "p q", "r s"]
    rewards = [[1, 0, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1]]
    creator = RZero(repetition=0.4, similar=0.3)
    # p = 1/2, 3/4, 1, 1/4; the first two are one cluster, half of the batch.
    pay = creator.measure(round_of(prompts, rewards))
    np.testing.assert_allclose(pay, [1 - 0.2, 0.5 - 0.2, 0.0, 0.5 - 0.1])
    narrow = RZero(repetition=0.0, band=0.1)
    np.testing.assert_allclose(narrow.measure(round_of(prompts, rewards)), [1, 0, 0, 0])
    answers = [["x", "x", "x", "y"], ["x", "y", "x", "y"], ["a"] * 4, ["a", "b", "c", "d"]]
    voted = RZero(label="majority", repetition=0.0)
    pay = voted.measure(round_of(prompts, rewards, answers))
    np.testing.assert_allclose(pay, [0.5, 1.0, 0.0, 0.5])


def test_azr_learns_from_solvable_proposals_and_remembers_the_last():
    creator, rng = AZR(buffer=5), np.random.default_rng(0)
    paid = creator.measure(round_of(["a", "b", "c"], [[1, 0], [0, 0], [1, 1]]))
    np.testing.assert_allclose(paid, [0.5, 0, 0])
    for _ in range(3):
        proposal = creator.propose(Tiny(), 4, rng)
        creator.learn(round_of(list(proposal.prompts), rng.random((4, 2)), None, proposal), rng)
    assert len(creator.references()) == 5
    assert set(proposal.prompts) <= set(creator.references())


def stp_round(creator, rates, rng, n=20, task=Tiny(levels=40)):  # noqa: B008 - frozen
    """A round in which every prompt passes as often as ``rates(lineage)`` of 10 says."""
    proposal = creator.propose(task, n, rng)
    pairs = zip(proposal.prompts, proposal.operators, strict=True)
    rewards = [[1.0] * rates(p, o) + [0.0] * (10 - rates(p, o)) for p, o in pairs]
    round = round_of(list(proposal.prompts), rewards, [["x"] * 10] * n, proposal)
    return proposal, creator.learn(round, rng)


def test_stp_keeps_barely_solvable_conjectures_and_prefers_their_operators():
    creator, rng = STP(inelegant=0.0), np.random.default_rng(0)
    _, logs = stp_round(creator, lambda p, o: 10, rng)
    assert logs["seeds"] == 20
    for _ in range(10):

        def rates(prompt, operator):
            return {None: 10, "harder": 1}.get(operator, 9)

        proposal, logs = stp_round(creator, rates, rng)
        made = [o for o in proposal.operators if o]
        assert 0 < len(made) <= 10
        assert logs["kept"] == pytest.approx(made.count("harder") / len(made))
    assert creator.credit.keys() == {"harder"}
    assert creator.credit["harder"] > 20


@pytest.mark.parametrize(("passes", "kept"), [(0, 0.0), (2, 1.0), (3, 0.0), (10, 0.0)])
def test_stp_band_is_open_at_both_ends(passes, kept):
    creator, rng = STP(inelegant=0.0), np.random.default_rng(0)
    stp_round(creator, lambda p, o: 10, rng)
    _, logs = stp_round(creator, lambda p, o: passes if o else 10, rng)
    assert logs["kept"] == kept


def test_stp_seeds_are_what_the_solver_can_do_and_targets_what_it_cannot():
    creator, rng = STP(), np.random.default_rng(0)
    first, _ = stp_round(creator, lambda p, o: {"0": 4, "1": 3, "2": 1}.get(p[0], 0), rng)
    assert set(creator.seeds) == {p for p in first.prompts if p[0] == "0"}
    assert set(creator.unsolved) == {p for p in first.prompts if p[0] in "34"}
    second, _ = stp_round(creator, lambda p, o: 2 if o else 0, rng)
    assert set(creator.seeds) == {p for p in first.prompts if p[0] == "0"}
    assert {p for p in second.parents if p} <= set(creator.seeds)


def test_stp_takes_no_more_than_its_share_from_a_seed():
    creator, rng = STP(per_seed=0.15), np.random.default_rng(0)
    stp_round(creator, lambda p, o: 0, rng)
    creator.seeds = dict.fromkeys(["0:1:1", "1:1:1"])
    proposal, _ = stp_round(creator, lambda p, o: 0, rng)
    assert [proposal.parents.count(seed) for seed in ("0:1:1", "1:1:1")] == [3, 3]
    assert proposal.parents.count(None) == 14


def test_stp_conjectures_are_new():
    creator, rng, crowded = STP(), np.random.default_rng(0), Tiny(variants=40)
    rounds = [stp_round(creator, lambda p, o: 10, rng, task=crowded)[0] for _ in range(9)]
    made = [p for one in rounds for p, o in zip(one.prompts, one.operators, strict=True) if o]
    assert len(made) == len(set(made)) == 80


def test_stp_weighs_what_it_keeps_by_the_targets_that_are_no_conjectures():
    creator, rng = STP(inelegant=0.0), np.random.default_rng(0)
    creator.made = {"a b": "harder", "c d": "move", "c x": "easier"}
    prompts = ["a b", "c d", "c x", "a b q"]
    rewards = [[1] + [0] * 9, [1] + [0] * 9, [0] * 10, [0] * 10]
    creator.learn(round_of(prompts, rewards, [["w"] * 10] * 4), rng)
    # The one target votes for "a b": weights 2 and 0, on top of the credit to start with.
    assert creator.credit == {"harder": 3.0, "move": 1.0}


def test_stp_drops_the_least_elegant():
    creator = STP(inelegant=0.5)
    responses = [["w w w w", "w"], ["w", "w"], ["w w w", "w w w"], ["w w", "w"]]
    round = round_of(["p p", "b b", "c c", "d d d d"], np.ones((4, 2)), responses)
    # Shortest passing response over prompt length: 1/2, 1/2, 3/2, 1/4.
    assert creator._elegant(["p p", "b b", "c c", "d d d d"], round) == ["b b", "c c"]


def test_stp_votes_of_unsolved_targets_are_capped():
    creator = STP(cap=1.5)
    weights = creator._weights(["a b", "c d", "e f"], ["a b x", "a b y", "a b z", "c d q"])
    # 3, 1 and 0 of 4 votes, over the mean of 4/3: 2.25 capped, 0.75, 0.
    np.testing.assert_allclose(weights, [1.5, 0.75, 0.0])
    assert creator._weights(["a"], []).tolist() == [1.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RZero(band=0.6), r"band must lie in \[0, 0.5\], got 0.6"),
        (lambda: RZero(repetition=-1.0), "repetition must be at least 0, got -1.0"),
        (lambda: AZR(buffer=0), "buffer must be at least 1, got 0"),
        (lambda: STP(below=1.5), r"below must lie in \[0, 1\], got 1.5"),
        (lambda: STP(cap=0.0), "cap must be positive, got 0.0"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
