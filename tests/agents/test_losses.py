"""Losses on pairs against numbers worked out by hand, gradients, limits and population facts.

Against TRL: ``test_trl_goldens``; fixed points: ``test_fixed_points_offline``.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.losses import pairs as losses
from agents.losses.pairs import Pairs

LOSSES = {
    "dpo": lambda p: losses.dpo(p, 0.3),
    "ipo": lambda p: losses.ipo(p, 0.2),
    "ipo_averaged": lambda p: losses.ipo(p, 0.2, length_averaged=True),
    "hinge": lambda p: losses.hinge(p, 0.3),
    "robust_dpo": lambda p: losses.robust_dpo(p, 0.3, 0.2),
    "rpo": lambda p: losses.rpo(p, 0.3, 0.7),
    "sppo": lambda p: losses.sppo(p, 8.0),
    "kto": lambda p: losses.kto(p, 0.3, 1.2, 0.9),
    "slic": lambda p: losses.slic(p, 2.0, 0.1),
    "simpo": lambda p: losses.simpo(p, 2.0, 0.5),
    "repo": lambda p: losses.repo(p, 1.5),
    "cpo": lambda p: losses.cpo(p, 0.3, 0.7),
    "orpo": lambda p: losses.orpo(p, 0.5),
}
SQUARED = {"ipo", "ipo_averaged", "sppo"}
FREE = {"slic", "simpo", "repo", "cpo", "orpo"}
BY_TOKEN = {"ipo_averaged", "simpo", "repo", "orpo"}


def pairs(*rows, **more):
    return Pairs(*(torch.tensor(row, dtype=torch.float64) for row in rows), **more)


def drawn(seed=0, size=6, **more):
    """Pairs of responses of 1 to 9 tokens, in float64."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 10, size=(2, size))
    logprobs = -rng.exponential(1.0, size=(4, size)) * np.tile(lengths, (2, 1))
    return pairs(*logprobs, *lengths, *rng.random((2, size)), **more)


# chosen -2, rejected -6 nats of 2 and 3 tokens; reference equal, so that the margin is 0.
EVEN = pairs([-2.0], [-6.0], [-2.0], [-6.0], [2.0], [3.0], [0.75], [0.25])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dpo", math.log(2)),
        ("ipo", 2.5**2),
        ("ipo_averaged", 2.5**2),
        ("hinge", 1.0),
        ("robust_dpo", math.log(2)),
        ("rpo", math.log(2) + 0.7),  # one nat a token
        ("sppo", (2.0**2 + 2.0**2) / 2),
        ("kto", (1.2 + 0.9) / 4),
    ],
)
def test_losses_at_zero_margin_by_hand(name, expected):
    assert LOSSES[name](EVEN).item() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("simpo", math.log1p(math.exp(0.5))),
        ("repo", 1.5),
        ("slic", 2.0 + 0.1 * 2),
        ("cpo", math.log(2) + 0.7),
        ("orpo", 1 + 0.5 * math.log(2)),
    ],
)
def test_reference_free_losses_of_equal_likelihoods_by_hand(name, expected):
    even = pairs([-2.0], [-2.0], [0.0], [0.0], [2.0], [2.0])
    assert LOSSES[name](even).item() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Log-ratios 1 and -2, margin 3, of 2 and 4 tokens: by token 1/2 and -1/2.
        ("dpo", math.log1p(math.exp(-0.9))),
        ("ipo", (3 - 2.5) ** 2),
        ("ipo_averaged", (1 - 2.5) ** 2),
        ("hinge", 1 - 0.9),
        (
            "robust_dpo",
            (0.8 * math.log1p(math.exp(-0.9)) - 0.2 * math.log1p(math.exp(0.9))) / 0.6,
        ),
        ("rpo", math.log1p(math.exp(-0.9)) + 0.7 * 0.5),
        ("sppo", ((1 - 3.2) ** 2 + (-2 + 2.4) ** 2) / 2),  # targets 8 * 0.4 and 8 * -0.3
        # z = 0.5: gains 0.5 and 2.5 nats
        ("kto", (1.2 / (1 + math.exp(0.15)) + 0.9 / (1 + math.exp(0.75))) / 2),
        # Log-probabilities -1 and -4; by token -1/2 and -1.
        ("slic", 0.1),
        ("simpo", math.log1p(math.exp(-0.5))),
        ("repo", 1.0),
        ("cpo", math.log1p(math.exp(-0.9)) + 0.7 * 0.5),
        # Odds e^(-1/2) / (1 - e^(-1/2)) = 1.54149..., e^-1 / (1 - e^-1) = 0.58197...
        ("orpo", 0.5 + 0.5 * math.log1p((1 / (math.e - 1)) * (math.sqrt(math.e) - 1))),
    ],
)
def test_losses_by_hand(name, expected):
    p = pairs([-1.0], [-4.0], [-2.0], [-2.0], [2.0], [4.0], [0.9], [0.2])
    p = Pairs(*(getattr(p, field) for field in p.__slots__[:-1]), torch.tensor(0.5))
    assert LOSSES[name](p).item() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("name", "chosen", "rejected"),
    [("ipo", -1.0, -3.5), ("ipo_averaged", -1.0, -3.5), ("sppo", 2.0, -2.0)],
)
def test_squared_losses_vanish_with_their_slope_at_their_target(name, chosen, rejected):
    chosen = torch.tensor([chosen], dtype=torch.float64, requires_grad=True)
    rejected = torch.tensor([rejected], dtype=torch.float64, requires_grad=True)
    rest = [torch.tensor([v], dtype=torch.float64) for v in (0.0, 0.0, 1.0, 1.0, 0.75, 0.25)]
    loss = LOSSES[name](Pairs(chosen, rejected, *rest))
    assert loss.item() == 0
    for slope in torch.autograd.grad(loss, (chosen, rejected)):
        assert slope.item() == 0


@pytest.mark.parametrize(("name", "enough"), [("hinge", 3.4), ("repo", 1.6), ("slic", 2.1)])
def test_hinges_leave_alone_what_is_past_the_margin(name, enough):
    chosen = torch.tensor([0.0], dtype=torch.float64, requires_grad=True)
    rejected = torch.tensor([-enough], dtype=torch.float64, requires_grad=True)
    loss = LOSSES[name](Pairs(chosen, rejected))
    assert loss.item() == 0
    chosen_slope, rejected_slope = torch.autograd.grad(loss, (chosen, rejected))
    assert rejected_slope.item() == 0
    assert chosen_slope.item() == (-0.1 if name == "slic" else 0)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name):
    p = drawn(3, baseline=torch.tensor(0.4, dtype=torch.float64))
    rest = [getattr(p, field) for field in p.__slots__[2:]]
    sides = (p.chosen.clone().requires_grad_(), p.rejected.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda c, r: LOSSES[name](Pairs(c, r, *rest)), sides)


@given(
    st.sampled_from(sorted(set(LOSSES) - SQUARED)),
    st.floats(-30, -0.1),
    st.floats(-30, -0.1),
    st.floats(0.01, 5),
    st.integers(1, 9),
)
def test_losses_fall_with_the_chosen_and_rise_with_the_rejected(
    name, chosen, rejected, step, size
):
    columns = [[chosen, chosen - step, chosen], [rejected, rejected, rejected - step]]
    rest = [[-8.0] * 3, [-8.0] * 3, [float(size)] * 3, [2.0] * 3]
    now, chosen_less, rejected_less = LOSSES[name](pairs(*columns, *rest)).tolist()
    assert chosen_less >= now >= rejected_less
    if name not in {"hinge", "repo", "slic"}:
        assert chosen_less > rejected_less


@given(st.sampled_from(sorted(SQUARED)), st.floats(-3, 3), st.floats(-3, 3))
def test_squared_losses_rise_with_the_distance_to_their_target(name, near_gap, far_gap):
    at = torch.tensor([near_gap, far_gap], dtype=torch.float64)
    target = 1.25 * torch.ones(2, dtype=torch.float64)  # and -1.25: a margin of 2.5
    wins = torch.full((2,), 0.5 + 1.25 / 8, dtype=torch.float64)
    near, far = LOSSES[name](
        Pairs(target + at, -target, chosen_wins=wins, rejected_wins=1 - wins)
    ).tolist()
    assert (near <= far) == (abs(near_gap) <= abs(far_gap)) or abs(
        abs(near_gap) - abs(far_gap)
    ) < 1e-7


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_a_pair_depends_on_that_pair_alone(name):
    p = drawn(1)
    together = LOSSES[name](p)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    columns = [getattr(p, field) for field in p.__slots__[:-1]]
    assert torch.equal(LOSSES[name](Pairs(*(c[order] for c in columns))), together[order])
    for i in range(6):
        alone = LOSSES[name](Pairs(*(c[i : i + 1] for c in columns)))
        assert alone.item() == together[i].item()


@pytest.mark.parametrize("name", LOSSES)
def test_losses_read_the_reference_in_log_ratios_or_not_at_all(name):
    p, shift = drawn(2), 1.7
    columns = [getattr(p, field) for field in p.__slots__[:-1]]
    if name in FREE:
        unknown = torch.full((6,), float("nan"), dtype=torch.float64)
        changed = [*columns[:2], unknown, unknown, *columns[4:]]
    else:
        changed = [*(c - shift for c in columns[:4]), *columns[4:]]
    by_likelihood = 0.7 * shift / p.chosen_lengths if name == "rpo" else 0.0
    expected = LOSSES[name](p) + by_likelihood
    torch.testing.assert_close(LOSSES[name](Pairs(*changed)), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_by_token_do_not_see_the_length(name):
    """Twice the tokens of twice the nats: the same mean log-probability."""
    p = drawn(4)
    columns = [getattr(p, field) for field in p.__slots__[:-1]]
    doubled = Pairs(*(2 * c for c in columns[:6]), *columns[6:])
    assert torch.allclose(LOSSES[name](doubled), LOSSES[name](p)) == (name in BY_TOKEN)


def test_repo_is_the_limit_of_simpo():
    p, gamma = drawn(5, size=40), 0.4
    limit = losses.repo(p, gamma)
    assert 0 < (limit == 0).sum() < 40
    for beta in (1e2, 1e4, 1e6):
        error = (losses.simpo(p, beta, beta * gamma) / beta - limit).abs().max()
        assert error <= math.log(2) / beta + 1e-12
    assert (losses.simpo(p, 1.0, gamma) - limit).abs().max() > 0.1


def test_sppo_is_the_formula_of_the_authors():
    """Their code: the mean of two squares, (log-ratio - (P - 1/2) / beta)^2, beta = 1e-3."""
    p = drawn(6)
    chosen, rejected, base, other, _, _, win, lose = (
        getattr(p, field).numpy() for field in p.__slots__[:-1]
    )
    authors = ((chosen - base) - 1000 * (win - 0.5)) ** 2
    authors = (authors + ((rejected - other) - 1000 * (lose - 0.5)) ** 2) / 2
    np.testing.assert_allclose(losses.sppo(p, 1000.0).numpy(), authors, rtol=1e-14)


def test_robust_dpo_of_flipped_labels_is_dpo_of_true_ones_on_average():
    p, flips = drawn(7), 0.2
    columns = [getattr(p, field) for field in p.__slots__[:4]]
    flipped = Pairs(columns[1], columns[0], columns[3], columns[2])
    mean = (1 - flips) * losses.robust_dpo(p, 0.3, flips) + flips * losses.robust_dpo(
        flipped, 0.3, flips
    )
    torch.testing.assert_close(mean, losses.dpo(p, 0.3), rtol=0, atol=1e-12)


def test_orpo_stays_finite_where_a_response_is_almost_certain():
    chosen = torch.tensor([-1e-13, -40.0], dtype=torch.float64, requires_grad=True)
    p = Pairs(chosen, torch.tensor([-40.0, -1e-13], dtype=torch.float64))
    loss = losses.orpo(p, 0.5)
    assert loss.tolist() == pytest.approx(
        [1e-13, 40 + 0.5 * (40 + 13 * math.log(10))], abs=1e-6
    )
    (slope,) = torch.autograd.grad(loss.sum(), chosen)
    assert slope.isfinite().all()


def test_dpo_falls_with_the_margin_and_its_slope_is_minus_beta_sigmoid():
    chosen = torch.tensor([-2.0, -1.0, 0.0], dtype=torch.float64, requires_grad=True)
    rest = [torch.full((3,), v, dtype=torch.float64) for v in (-1.0, -1.0, -1.0)]
    loss = losses.dpo(Pairs(chosen, *rest), 0.3)
    assert loss[0] > loss[1] > loss[2]
    (slope,) = torch.autograd.grad(loss.sum(), chosen)
    margin = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    assert torch.allclose(slope, -0.3 * torch.sigmoid(-0.3 * margin))
