"""Equilibrium of the true regret game, and how far a creator and a solver are from it.

Exact for solvers with one law for each cell of prompts, sighted ones among them: the game
falls apart into one for each cell, the creator goes where the value is highest. Of low-rank
solvers there are bounds.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from eva_env.distributions import softmax
from eva_env.solving.zero_sum import nash
from eva_env.tabular import low_rank
from eva_env.tabular.regret_game import RegretGame
from eva_env.types import Floats, Ints

TOLERANCE = 1e-6
"""NashConv that a solution may have, as a share of the range of the rewards."""


@dataclass(frozen=True, slots=True)
class Minimax:
    """Bounds on the value of a game, in units of reward, and the strategies that give them.

    Against ``creator`` (K,) no solver has less regret than ``lower``; ``solver`` (K, M), best
    in every cell, has nowhere more than ``upper``. ``exact``: both are equilibrium strategies,
    and the bounds meet within ``TOLERANCE``. Else, for low rank, ``lower`` is the value of
    the solvers that are only as blind, and ``creator`` a guess.
    """

    lower: float
    upper: float
    creator: Floats
    solver: Floats
    exact: bool

    @property
    def value(self) -> float:
        """The value of the game; ValueError if only bounds are known."""
        if not self.exact:
            raise ValueError(
                f"of a low-rank solver only bounds are known: {self.lower:.6g} <= value <= "
                f"{self.upper:.6g}; read lower and upper"
            )
        return self.lower

    def distance(self, worst_case: float) -> float:
        """How far a policy's worst case is above the value; unless ``exact`` at least that."""
        return max(worst_case - self.upper, 0.0)


@dataclass(frozen=True, slots=True)
class NashConv:
    """What both could gain by best responses, in units of reward, and the sum of it.

    ``lower_bound``: the solver's gain, and so ``value``, may be more.
    """

    value: float
    creator_gain: float
    solver_gain: float
    lower_bound: bool


def minimax_regret(game: RegretGame) -> Minimax:
    """The least worst-case regret, min over pi of max over x of Reg_beta(x; pi).

    By linear programming, at beta > 0 by the concave dual D(mu) = mu . V*_beta - beta log sum_y
    pi_ref exp(mu . r / beta), for each cell; among cells of equal value mu is even. The value
    of ``game.of_reward()`` is minus the maximin reward. RuntimeError if the bounds do not meet,
    as may be for beta below a thousandth of the rewards' range.
    """
    found = _solve_sets(game)
    if game.features is not None:
        creator, solver = low_rank.minimax(game)
        return Minimax(found.lower, game.worst_case(solver), creator, solver, False)
    if not found.upper - found.lower <= TOLERANCE * game.spread:
        raise RuntimeError(
            f"the game was not solved: {found.lower} <= value <= {found.upper}; at a beta as "
            f"small as {game.beta}, take 0"
        )
    return found


def nash_conv(game: RegretGame, creator: Floats, policy: Floats) -> NashConv:
    """How far mu (K,) and pi (K, M) are from equilibrium: max_x Reg(x; pi) - min E_mu Reg.

    The minimum over the game's class of solvers; for low rank by descent, which makes the
    result a lower bound. ValueError for a mu that is no distribution over ``game.prompts``,
    and for a pi that is not of the class.
    """
    elsewhere = np.delete(creator, game.prompts)
    if not (creator >= 0).all() or elsewhere.any() or abs(creator.sum() - 1) > 1e-6:
        raise ValueError("creator must be a distribution over the prompts of the game")
    game.require_policy("policy", policy)
    limited = game.features is not None
    if limited:
        reply = low_rank.best_response(game, creator, policy)
    else:
        reply = game.best_response(creator)
    played = float(creator @ game.payoffs(policy))
    up = max(game.worst_case(policy) - played, 0.0)
    down = max(played - float(creator @ game.payoffs(reply)), 0.0)
    return NashConv(up + down, up, down, limited)


def _solve_sets(game: RegretGame) -> Minimax:
    """Both strategies and what they guarantee, whatever the rank."""
    creator = np.zeros(len(game.rewards))
    creator[game.prompts] = 1.0
    # Already right where a cell has one prompt.
    solver = game.best_response(creator)
    values = np.full(game.information_set.max() + 1, -np.inf)
    values[game.information_set[game.prompts]] = game.payoffs(solver)[game.prompts]
    crowded = np.flatnonzero(np.bincount(game.information_set[game.prompts]) > 1)
    for cell in crowded:
        rows = game.prompts[game.information_set[game.prompts] == cell]
        values[cell], creator[rows], law = _solve(game, rows)
        solver[game.information_set == cell] = law
    top = values >= values.max() - 1e-9 * game.spread
    creator *= top[game.information_set]
    creator /= creator.sum()
    lower = float(creator @ game.payoffs(game.best_response(creator)))
    return Minimax(lower, game.worst_case(solver), creator, solver, True)


def _solve(game: RegretGame, rows: Ints) -> tuple[float, Floats, Floats]:
    """Value, mu over the prompts ``rows`` of a cell, and its law (M,)."""
    rewards, offset = game.rewards[rows], game.offset[rows]
    if not game.beta:
        found = nash(offset[:, None] - rewards)
        return found.value, found.row, found.column
    log_reference = np.log(game.reference[rows[0]])

    def minus_dual(mu: Floats) -> tuple[float, Floats]:
        logits = log_reference + mu @ rewards / game.beta
        value = game.beta * float(np.logaddexp.reduce(logits)) - float(mu @ offset)
        return value, rewards @ softmax(logits) - offset

    even = np.full(len(rows), 1 / len(rows))
    sums_to_one = {"type": "eq", "fun": lambda mu: mu.sum() - 1, "jac": np.ones_like}
    found = minimize(
        minus_dual,
        even,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * len(rows),
        constraints=sums_to_one,
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    mu = np.maximum(found.x, 0.0)
    mu /= mu.sum()
    return -minus_dual(mu)[0], mu, softmax(log_reference + mu @ rewards / game.beta)
