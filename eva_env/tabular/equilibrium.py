"""Equilibrium of the true regret game, and how far a creator and a solver are from it.

The results are exact for solvers with one policy per information set, including those that
distinguish all prompts: the game then splits into one game per information set, and the creator
plays those of highest value. For low-rank solvers they are bounds.
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
"""Largest accepted gap between the bounds of a solution, as a share of the rewards' range."""


@dataclass(frozen=True, slots=True)
class Minimax:
    """Bounds on the value of a game, in units of reward, and the strategies that attain them.

    Against ``creator`` (K,) no solver has less regret than ``lower``; ``solver`` (K, M), best
    on every information set, has at most ``upper`` on every prompt. ``is_equilibrium``: both
    are equilibrium strategies, and the bounds meet within ``TOLERANCE``. Otherwise the solver
    has low rank: ``lower`` is the value without the rank limit, and ``creator`` is a guess.
    """

    lower: float
    upper: float
    creator: Floats
    solver: Floats
    is_equilibrium: bool

    @property
    def value(self) -> float:
        """The value of the game; ValueError if only bounds are known."""
        if not self.is_equilibrium:
            raise ValueError(
                f"of a low-rank solver only bounds are known: {self.lower:.6g} <= value <= "
                f"{self.upper:.6g}; read lower and upper"
            )
        return self.lower

    def distance(self, worst_case: float) -> float:
        """Return how far a policy's worst case is above the value, clipped at 0.

        A lower bound on that distance unless ``is_equilibrium``.
        """
        return max(worst_case - self.upper, 0.0)


@dataclass(frozen=True, slots=True)
class NashConv:
    """The gains of both players by best responses, and their sum, in units of reward.

    ``lower_bound`` is True if ``solver_gain``, and so ``value``, may be higher.
    """

    value: float
    creator_gain: float
    solver_gain: float
    lower_bound: bool


def minimax_regret(game: RegretGame) -> Minimax:
    """Return the least worst-case regret, min over pi of max over x of Reg_beta(x; pi).

    Per information set it solves a linear program, or at beta > 0 the concave dual
    D(mu) = mu . V*_beta - beta log sum_y pi_ref exp(mu . r / beta). Among information sets of
    equal value mu is uniform. The value of ``game.of_reward()`` is minus the maximin reward.
    RuntimeError if the bounds do not meet, which can happen for beta below a thousandth of the
    rewards' range.
    """
    solution = _solve_sets(game)
    if game.features is not None:
        creator, solver = low_rank.minimax(game)
        return Minimax(solution.lower, game.worst_case(solver), creator, solver, False)
    if not solution.upper - solution.lower <= TOLERANCE * game.reward_range:
        raise RuntimeError(
            f"the game was not solved: {solution.lower} <= value <= {solution.upper}; replace "
            f"the small beta {game.beta} by 0"
        )
    return solution


def nash_conv(game: RegretGame, creator: Floats, policy: Floats) -> NashConv:
    """Return how far mu (K,) and pi (K, M) are from equilibrium: max_x Reg - min E_mu Reg.

    The minimum is over the game's class of solvers. For low rank descent finds it, so the
    result is a lower bound. ValueError if mu is not a distribution over ``game.prompts``, or
    pi is not in the class.
    """
    elsewhere = np.delete(creator, game.prompts)
    if not (creator >= 0).all() or elsewhere.any() or abs(creator.sum() - 1) > 1e-6:
        raise ValueError("creator must be a distribution over the prompts of the game")
    game.require_policy("policy", policy)
    has_low_rank = game.features is not None
    if has_low_rank:
        response = low_rank.best_response(game, creator, policy)
    else:
        response = game.best_response(creator)
    payoff = float(creator @ game.payoffs(policy))
    creator_gain = max(game.worst_case(policy) - payoff, 0.0)
    solver_gain = max(payoff - float(creator @ game.payoffs(response)), 0.0)
    return NashConv(creator_gain + solver_gain, creator_gain, solver_gain, has_low_rank)


def _solve_sets(game: RegretGame) -> Minimax:
    """Return both strategies and what they guarantee, ignoring the rank limit."""
    # 1. The best response to a uniform mu already solves information sets with one prompt.
    creator = np.zeros(len(game.rewards))
    creator[game.prompts] = 1.0
    solver = game.best_response(creator)
    sets = game.information_set[game.prompts]
    values = np.full(game.information_set.max() + 1, -np.inf)
    values[sets] = game.payoffs(solver)[game.prompts]

    # 2. Solve the game within each information set of several prompts.
    for information_set in np.flatnonzero(np.bincount(sets) > 1):
        rows = game.prompts[sets == information_set]
        values[information_set], creator[rows], policy = _solve_set(game, rows)
        solver[game.information_set == information_set] = policy

    # 3. The creator plays the information sets of highest value, each with equal mass.
    is_highest = values >= values.max() - 1e-9 * game.reward_range
    creator *= is_highest[game.information_set]
    creator /= creator.sum()
    lower = float(creator @ game.payoffs(game.best_response(creator)))
    return Minimax(lower, game.worst_case(solver), creator, solver, True)


def _solve_set(game: RegretGame, rows: Ints) -> tuple[float, Floats, Floats]:
    """Return the value, mu and policy (M,) of the prompts ``rows`` of an information set."""
    rewards, offset = game.rewards[rows], game.offset[rows]
    if not game.beta:
        equilibrium = nash(offset[:, None] - rewards)
        return equilibrium.value, equilibrium.row, equilibrium.column
    log_reference = np.log(game.reference[rows[0]])

    def minus_dual(mu: Floats) -> tuple[float, Floats]:
        logits = log_reference + mu @ rewards / game.beta
        value = game.beta * float(np.logaddexp.reduce(logits)) - float(mu @ offset)
        return value, rewards @ softmax(logits) - offset

    uniform = np.full(len(rows), 1 / len(rows))
    sums_to_one = {"type": "eq", "fun": lambda mu: mu.sum() - 1, "jac": np.ones_like}
    optimum = minimize(
        minus_dual,
        uniform,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * len(rows),
        constraints=sums_to_one,
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    mu = np.maximum(optimum.x, 0.0)
    mu /= mu.sum()
    return -minus_dual(mu)[0], mu, softmax(log_reference + mu @ rewards / game.beta)
