"""The checks for users' parts: each broken rule is named, and README's example passes."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from agents.base import Creator, Solver
from agents.solvers import DPO, BestOfN, Fixed, Method
from agents.solvers.optimise import OptimizerSettings
from agents.testing import check_creator, check_solver
from eva_env.tabular.world import TabularWorld
from eva_env.types import Proposal
from eva_env.wordlist import Wordlist
from tests.support.tiny_task import Tiny


@dataclass
class LongestFirst(Creator):
    """README's creator, which leaves parents and operators empty."""

    strength: float = 0.1

    def propose(self, task, n, rng):
        prompts = task.seed(n, rng)
        return Proposal(prompts, self.strength * np.array([len(p) for p in prompts]))


@pytest.mark.parametrize("task", [None, Tiny(), Wordlist()])
def test_a_creator_may_leave_parents_and_operators_empty(task):
    check_creator(LongestFirst(), task)


@dataclass
class Seeds(Creator):
    """Human prompts; each subclass breaks one rule."""

    def propose(self, task, n, rng):
        return Proposal(task.seed(n, rng), np.zeros(n))


class TooMany(Seeds):
    def propose(self, task, n, rng):
        return super().propose(task, n + 1, rng)


class NoProposal(Seeds):
    def propose(self, task, n, rng):
        return task.seed(n, rng)


class Invalid(Seeds):
    def propose(self, task, n, rng):
        return Proposal(["0:5:0"] * n, np.zeros(n))


class NotFinite(Seeds):
    def propose(self, task, n, rng):
        return Proposal(task.seed(n, rng), np.full(n, np.nan))


class WrongShape(Seeds):
    def propose(self, task, n, rng):
        return Proposal(task.seed(n, rng), np.zeros((n, 1)))


class HalfAGenealogy(Seeds):
    def propose(self, task, n, rng):
        return Proposal(task.seed(n, rng), np.zeros(n), parents=[None])


class StrangeParents(Seeds):
    def propose(self, task, n, rng):
        parents, operators = ["9:9:9"] * n, ["move"] * n
        return Proposal(task.seed(n, rng), np.zeros(n), parents, operators)


class StrangeOperators(Seeds):
    def propose(self, task, n, rng):
        prompts = task.seed(n, rng)
        return Proposal(prompts, np.zeros(n), prompts, ["sideways"] * n)


class OrphanOperators(Seeds):
    def propose(self, task, n, rng):
        return Proposal(task.seed(n, rng), np.zeros(n), [None] * n, ["move"] * n)


class OwnGenerator(Seeds):
    def propose(self, task, n, rng):
        return super().propose(task, n, np.random.default_rng(0))


class Unseeded(Seeds):
    def propose(self, task, n, rng):
        return super().propose(task, n, np.random.default_rng())


class Forgetful(Seeds):
    """Publishes what it saw first, and does not save it."""

    def __post_init__(self):
        self.prompts = []

    def propose(self, task, n, rng):
        self.prompts = self.prompts or task.seed(n, rng)
        return Proposal(self.prompts, np.zeros(n))

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class SharesItsState(Seeds):
    def __post_init__(self):
        self.seen = {}

    def propose(self, task, n, rng):
        proposal = super().propose(task, n, rng)
        self.seen |= dict.fromkeys(proposal.prompts)
        return proposal

    def state_dict(self):
        return {"seen": self.seen}


class Unpicklable(Seeds):
    def __post_init__(self):
        self.score = lambda prompt: 0


@dataclass
class DerivedField(Seeds):
    count: int = field(default=0, init=False)


@dataclass
class ChangesASetting(Seeds):
    strength: float = 1.0

    def propose(self, task, n, rng):
        self.strength /= 2
        return super().propose(task, n, rng)


@dataclass
class SavesASetting(Seeds):
    strength: float = 1.0

    def state_dict(self):
        return {"strength": self.strength}


class LogsNaN(Seeds):
    def learn(self, round, rng):
        return {"mood": float("nan")}


class LogsText(Seeds):
    def learn(self, round, rng):
        return {"mood": "good"}


class LogsTheLoss(Seeds):
    def learn(self, round, rng):
        return {"loss": 0.0}


class ChangesTheRound(Seeds):
    def learn(self, round, rng):
        round.rewards[:] = 0
        return {}


class ObservesNothing(Seeds):
    def observe_round(self, round, replay, rng):
        pass


@pytest.mark.parametrize(
    ("cls", "rule"),
    [
        (TooMany, "propose must give 1 to n=48 prompts, got 49"),
        (NoProposal, r"propose must return an eva_env.types.Proposal, got \['"),
        (Invalid, "prompts must be valid, got '0:5:0', which task.valid rejects"),
        (NotFinite, r"logits must be finite, got \[nan\]"),
        (WrongShape, r"logits must have shape \(48,\), one a prompt, got \(48, 1\)"),
        (HalfAGenealogy, "parents must be empty or hold 48, as prompts, got 1"),
        (StrangeParents, "parents must be None or prompts that the creator has .* '9:9:9'"),
        (StrangeOperators, "operators must name the task's operators, got 'sideways'"),
        (OrphanOperators, "both a parent and an operator, or neither; got None and 'move'"),
        (OwnGenerator, "must use its rng: two generators gave the same prompts"),
        (Unseeded, "must draw from the rng it is given alone: same rng, same prompts"),
        (Forgetful, r"load_state_dict\(state_dict\(\)\) must continue identically"),
        (SharesItsState, "state_dict must return copies: playing on changed its 'seen'"),
        (Unpicklable, "state_dict must be picklable: "),
        (DerivedField, r"fields are settings: set \['count'\] in __post_init__"),
        (ChangesASetting, "settings must not change while playing"),
        (SavesASetting, r"state_dict must leave the settings out, got \['strength'\]"),
        (LogsNaN, "learn must return finite numbers, got mood=nan"),
        (LogsText, "learn must return finite numbers, got mood='good'"),
        (LogsTheLoss, "the log 'loss' is the solver's; rename yours"),
        (ChangesTheRound, "learn must not change the round"),
        (ObservesNothing, "observe_round must return an eva_env.types.Round, got None"),
    ],
)
def test_a_creators_broken_rule_is_named(cls, rule):
    check_creator(Seeds(), Tiny())
    with pytest.raises(AssertionError, match=rule):
        check_creator(cls(), Tiny())


@pytest.mark.parametrize("wrong", [Seeds, "seeds", DPO()])
def test_what_is_no_creator_is_refused(wrong):
    with pytest.raises(
        AssertionError, match="give an object of a dataclass derived from agent"
    ):
        check_creator(wrong)


def test_a_finite_world_may_be_published_whole_without_drawing():
    @dataclass
    class Whole(Creator):
        def propose(self, task, n, rng):
            return Proposal(task.trainable[:n], np.zeros(min(n, len(task.trainable))))

    check_creator(Whole(), TabularWorld())


# Methods


@dataclass(frozen=True)
class Climb(OptimizerSettings, Method):
    """REINFORCE on centred rewards, by hand; subclasses break a rule."""

    direction: float = 1.0

    def update(self, solver, round, rng):
        advantages = round.rewards - round.rewards.mean(-1, keepdims=True)
        if not advantages.any():
            return {"gradient_steps": 0}
        flat = [response for row in round.responses for response in row]
        prompts = np.repeat(np.asarray(round.prompts), round.rewards.shape[1])
        gain = solver.policy.logprobs(prompts, flat) @ torch.tensor(advantages.ravel())
        solver.optimizer = solver.optimizer or self.optimizer(solver.policy)
        solver.optimizer.zero_grad()
        (-self.direction * gain).backward()
        solver.optimizer.step()
        return {"gradient_steps": 1}


class Descends(Climb):
    def update(self, solver, round, rng):
        return Climb(lr=self.lr, direction=-1.0).update(solver, round, rng)


class CountsNothing(Climb):
    def update(self, solver, round, rng):
        return {"loss": 0.0, **dict.fromkeys([], super().update(solver, round, rng))}


class Diverges(Climb):
    def update(self, solver, round, rng):
        return {**super().update(solver, round, rng), "loss": float("inf")}


class MovesAnyway(Climb):
    def update(self, solver, round, rng):
        logs = super().update(solver, round, rng)
        if not logs["gradient_steps"]:
            with torch.no_grad():
                solver.policy.theta += torch.tensor([1.0, 0.0, 0.0])
        return logs


class KeepsItToItself(Climb):
    rounds = 0

    def update(self, solver, round, rng):
        solver.rounds = getattr(solver, "rounds", 0) + 1
        direction = 1.0 if solver.rounds < 4 else 0.0
        if len(round.prompts) == 32:  # the rounds in which a method is saved and continued
            return Climb(lr=self.lr, direction=direction).update(solver, round, rng)
        return super().update(solver, round, rng)


class Invents(Climb):
    def respond(self, solver, prompts, n, rng):
        return rng.integers(3, size=(len(prompts), n))


class AnswersOnce(Climb):
    def respond_for_evaluation(self, solver, prompts, n, rng):
        return solver.policy.sample(prompts, 1, rng)


class AnswersAtRandom(Climb):
    def respond(self, solver, prompts, n, rng):
        return solver.policy.sample(prompts, n, np.random.default_rng())


@pytest.mark.parametrize("method", [Climb(), Fixed(), BestOfN(), DPO(lr=1e-9)])
def test_a_method_that_keeps_the_rules_passes(method):
    check_solver(method)


@pytest.mark.parametrize(
    ("cls", "rule"),
    [
        (Descends, r"must raise the rewards of a table by 0.2 in 20 rounds, got \[-0"),
        (CountsNothing, "update must return the number of its steps as gradient_steps"),
        (Diverges, "learn must return finite numbers, got loss=inf"),
        (MovesAnyway, "a round without any difference in reward must change nothing"),
        (KeepsItToItself, "a method must continue identically from its solver's state"),
        (Invents, "responses must come from solver.policy.sample"),
        (
            AnswersOnce,
            r"respond_for_evaluation\(prompts, 4, rng\) must give 4 responses to each of 2",
        ),
        (AnswersAtRandom, "respond must draw from the rng it is given alone"),
    ],
)
def test_a_methods_broken_rule_is_named(cls, rule):
    with pytest.raises(AssertionError, match=rule):
        check_solver(cls())


# Solvers


class Parrot(Solver):
    """README's solver."""

    def respond(self, prompts, n, rng):
        return [[" ".join(p.rstrip(".").split()[-1:] * 3)] * n for p in prompts]


class Counts(Solver):
    """Answers with the number of rounds it has learned from, which it saves."""

    def __init__(self):
        self.rounds = 0

    def respond(self, prompts, n, rng):
        return np.full((len(prompts), n), self.rounds)

    def learn(self, round, rng):
        self.rounds += 1
        return {}

    def state_dict(self):
        return {"rounds": self.rounds}

    def load_state_dict(self, state):
        self.rounds = state["rounds"]


class ForgetsRounds(Counts):
    def state_dict(self):
        return {"rounds": 0}


class SavesAFunction(Counts):
    def state_dict(self):
        return {"rounds": lambda: self.rounds}


class OneTooFew(Parrot):
    def respond(self, prompts, n, rng):
        return super().respond(prompts[1:], n, rng)


class GivesLists(Parrot):
    def respond(self, prompts, n, rng):
        return [[[p]] * n for p in prompts]


@pytest.mark.parametrize("solver", [Parrot(), Counts()])
def test_a_solver_that_keeps_the_rules_passes(solver):
    check_solver(solver, ["List two birds.", "Name one tree."])
    assert solver.__dict__ == type(solver)().__dict__


@pytest.mark.parametrize(
    ("cls", "rule"),
    [
        (ForgetsRounds, r"load_state_dict\(state_dict\(\)\) must continue identically"),
        (SavesAFunction, "state_dict must be picklable"),
        (OneTooFew, r"respond\(prompts, 4, rng\) must give 4 responses to each of 2 prompts"),
        (GivesLists, r"respond must give strings or numbers, got \['List two birds.'\]"),
    ],
)
def test_a_solvers_broken_rule_is_named(cls, rule):
    with pytest.raises(AssertionError, match=rule):
        check_solver(cls(), ["List two birds.", "Name one tree."])


@pytest.mark.parametrize("wrong", [DPO, Parrot, "dpo"])
def test_what_is_no_solver_is_refused(wrong):
    with pytest.raises(AssertionError, match="give an object of a class derived from"):
        check_solver(wrong)
