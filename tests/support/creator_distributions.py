"""The distributions over prompts that creators publish in a given state, in a small world."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents.policies.table import TablePolicy
from agents.solvers import DPO, PolicySolver
from eva_env.distributions import gibbs, softmax
from eva_env.game import Game
from eva_env.tabular.world import TabularWorld
from tests.support.creators import play

WORLD = TabularWorld(topics=2, levels=5, variants=3, responses=6)
TABLE = TablePolicy(WORLD.reference_logits)
SAMPLES = 4


@dataclass
class Case:
    """A creator, frozen after a few rounds, and the distribution that it then publishes."""

    cls: type
    distribution: Callable[[Any], Any]
    """Probabilities (K,) of the prompts published in the creator's state."""
    settings: dict[str, Any] = field(default_factory=dict)
    n: int = 1
    """Number of prompts to propose."""
    rounds: int = 1
    """Rounds of 32 prompts that the creator plays first."""
    freeze: Callable[[Any], None] = lambda creator: None
    """A further change of its state."""

    def frozen(self):
        creator, rng = self.cls(**self.settings), np.random.default_rng(1)
        solver = PolicySolver(TABLE, DPO(lr=0.1))
        *_, _ = play(creator, WORLD, 32, self.rounds, table(32), rng, solver)
        self.freeze(creator)
        return creator, rng


def table(batch):
    """A game that pays A*_avg of gold rewards, minus 0.7 per share of invalid prompts."""
    game = Game(
        WORLD.reward_model("gold"),
        batch_size=batch,
        samples=SAMPLES,
        rounds=10**6,
        signal="a_star_avg",
        valid=WORLD.valid,
        invalid_penalty=0.7,
    )
    game.reset(0)
    return game


def even(prompts):
    return np.bincount(prompts, minlength=WORLD.size) / len(prompts)


def on(levels):
    return even(WORLD.trainable[np.isin(WORLD.prompt_levels[WORLD.trainable], levels)])


HUMAN, EVERY = on([0, 1]), on(range(5))


def filled(distribution):
    """A human prompt takes the place of a rewrite that fails."""
    return distribution + (1 - distribution.sum()) * HUMAN


def rewrites(prompt, weights=None):
    """Applicable operators by weight, then their targets uniformly; zero if none applies."""
    distribution, total = np.zeros(WORLD.size), 0.0
    for name, targets in WORLD.neighbours[prompt].items():
        weight = 1.0 if weights is None else weights.get(name, 0.0)
        if targets and weight:
            total += weight
            distribution[list(targets)] += weight / len(targets)
    return distribution / (total or 1.0)


def best_of(distribution, tries):
    """The prompt of highest level among some independent draws; ties are uniform."""
    levels = np.arange(WORLD.prompt_levels.max() + 1)
    mass = np.array([distribution[WORLD.prompt_levels == level].sum() for level in levels])
    upto = mass.cumsum()
    top = upto**tries - (upto - mass) ** tries
    return distribution * (top / np.where(mass > 0, mass, 1))[WORLD.prompt_levels]


def share(values):
    return values / values.sum()


def minmax(values):
    return share(values - values.min())


def evolved(weigh, operators=None, tries=1):
    """A parent by the weight of its value, and one rewrite of it."""

    def distribution(creator):
        children = [
            filled(best_of(rewrites(parent, operators), tries)) for parent in creator.answered
        ]
        return weigh(creator.values) @ children

    return distribution


def by_operators(creator):
    """A reference, then an operator of the policy, which may fail to apply."""
    distribution, references = np.zeros(WORLD.size), creator.references()
    for prompt in references:
        where = WORLD.topic(prompt) if creator.context == "topic" else ""
        mu = softmax(creator.logits[where]) if where in creator.logits else np.full(4, 0.25)
        for chance, name in zip(mu, WORLD.operators, strict=True):
            targets = list(WORLD.neighbours[prompt][name])
            distribution[targets] += chance / max(len(targets), 1) / len(references)
    return filled(distribution)


def buffered(creator):
    """Online eva: entries of the buffer by priority."""
    slots = creator.buffer.slots
    prompts = [creator.buffer.items[slot].prompt for slot in slots]
    return np.bincount(prompts, share(creator.buffer.values[slots]), WORLD.size)


def replayed(creator):
    """PLR: ranks of scores to the power -1 / beta, and the share of staleness."""
    slots = creator.buffer.slots
    values, ages = creator.buffer.values[slots], creator.step - creator.buffer.steps[slots]
    above = (values[:, None] < values).sum(1)
    ranks = above + ((values[:, None] == values).sum(1) + 1) / 2
    chances = (1 - creator.rho) * share(ranks ** (-1 / creator.beta)) + creator.rho * share(
        ages
    )
    prompts = [creator.buffer.items[slot].prompt for slot in slots]
    return np.bincount(prompts, chances, WORLD.size)


def edit(creator):
    """Let ACCEL edit one prompt, with all prompts in its buffer."""
    assert len(creator.buffer) == len(WORLD.trainable)
    creator.parents = [int(WORLD.trainable[7])]


def conjectured(creator):
    """STP: seeds uniformly, operators by their credit."""
    credit = {name: creator.credit.get(name, creator.smoothing) for name in WORLD.operators}
    return np.mean([filled(rewrites(seed, credit)) for seed in creator.seeds], axis=0)


def all_prompts_are_seen(creator):
    creator.seen = set(WORLD.trainable.tolist())
    creator.credit = {"up": 5.0, "breadth_topic": 2.0}


def pooled(creator):
    return np.bincount([lineage.prompt for lineage in creator.prompts], creator.mu, WORLD.size)


def gibbs_distribution(creator):
    payoffs = np.where(np.isnan(creator.payoffs), np.nanmean(creator.payoffs), creator.payoffs)
    reference = np.full(len(payoffs), 1 / len(payoffs))
    distribution = gibbs(payoffs, reference, creator.alpha)
    return np.bincount(
        [lineage.prompt for lineage in creator.prompts], distribution, WORLD.size
    )


def parentless(creator):
    creator.parents = []
