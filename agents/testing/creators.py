"""The contract of creators."""

import pickle
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from agents.base import Budget, Creator, Replay, Solver
from agents.testing.rules import require_finite, require_rule
from eva_env.game import Game
from eva_env.missing import with_signal
from eva_env.types import Floats, Proposal, Round, Task
from eva_env.wordlist import Wordlist

SOLVER_LOGS = frozenset({"kl", "loss", "grad_norm", "gradient_steps", "accuracy"})
"""Names that solvers log under; a creator's log of the same name would replace the solver's."""


def check_creator(creator: Creator, task: Task | None = None) -> None:
    """Check the proposals, the randomness, the state and the logs of a creator.

    Args:
        creator: one that has not played yet; it is copied, never played itself.
        task: where the prompts come from; None: the wordlist world.
    """
    require_rule(
        isinstance(creator, Creator) and is_dataclass(creator),
        f"give an object of a dataclass derived from agents.base.Creator, got {creator!r}",
    )
    task = Wordlist() if task is None else task
    for batch in (48, 12):
        _check_proposals(deepcopy(creator), task, 48, batch)
    _check_generator(creator, task)
    _check_creator_state(creator, task)
    _check_settings(creator, task)
    _check_logs(deepcopy(creator), task)
    _check_missing(deepcopy(creator), task)


def _check_proposals(creator: Creator, task: Task, n: int, batch: int) -> None:
    game, rng, published = game_for(task, n, batch), np.random.default_rng(0), set()
    for _ in range(8):
        proposal = creator.propose(task, n, rng)
        require_rule(
            isinstance(proposal, Proposal),
            f"propose must return an eva_env.types.Proposal, got {proposal!r}",
        )
        prompts = list(proposal.prompts)
        require_rule(
            0 < len(prompts) <= n, f"propose must give 1 to n={n} prompts, got {len(prompts)}"
        )
        for prompt in prompts:
            require_rule(
                bool(task.valid(prompt)),
                f"prompts must be valid, got {prompt!r}, which task.valid rejects",
            )
        logits = np.asarray(proposal.logits)
        require_rule(
            logits.shape == (len(prompts),),
            f"logits must have shape ({len(prompts)},), one a prompt, got {logits.shape}",
        )
        bad = logits[~np.isfinite(logits)]
        require_rule(not len(bad), f"logits must be finite, got {bad[:1]}")
        published.update(prompts)
        _check_genealogy(proposal, task, published)
        game.propose(proposal)
        replay = Replay(game.fork(), proposal, RandomSolver(), rng, Budget())
        round = game.respond(rng.random((batch, game.samples)))
        rewards = np.array(round.rewards)
        observed = creator.observe_round(round, replay, rng)
        require_rule(
            isinstance(observed, Round),
            f"observe_round must return an eva_env.types.Round, got {observed!r}",
        )
        creator.learn(observed, rng)
        require_rule(
            np.array_equal(rewards, round.rewards),
            "learn must not change the round; copy its arrays before you change them",
        )


def _check_genealogy(proposal: Proposal, task: Task, published: set[Any]) -> None:
    """Parents and operators may be empty; where they are given they must be true."""
    size = len(proposal.prompts)
    for name in ("parents", "operators"):
        given = len(getattr(proposal, name))
        require_rule(
            given in (0, size), f"{name} must be empty or hold {size}, as prompts, got {given}"
        )
    for parent in proposal.parents:
        require_rule(
            parent is None or parent in published,
            f"parents must be None or prompts that the creator has published, got {parent!r}",
        )
    for path in proposal.operators:
        unknown = set() if path is None else set(path.split(" > ")) - set(task.operators)
        require_rule(not unknown, f"operators must name the task's operators, got {path!r}")
    if len(proposal.parents) and len(proposal.operators):
        for parent, path in zip(proposal.parents, proposal.operators, strict=True):
            require_rule(
                (parent is None) == (path is None),
                f"a prompt has both a parent and an operator, or neither; got {parent!r} and "
                f"{path!r}",
            )


def _check_generator(creator: Creator, task: Task) -> None:
    first, again, other = (
        [
            list(round.proposal.prompts)
            for round in play_rounds(
                deepcopy(creator), task, 16, 4, rng=np.random.default_rng(seed)
            )
        ]
        for seed in (0, 0, 1)
    )
    require_rule(
        first == again,
        "a creator must draw from the rng it is given alone: same rng, same prompts",
    )
    # A creator that publishes a whole finite world need not draw.
    require_rule(
        first != other or not isinstance(first[0][0], str),
        "a creator must use its rng: two generators gave the same prompts",
    )


def _check_creator_state(creator: Creator, task: Task) -> None:
    played, game, rng = deepcopy(creator), game_for(task, 16, 16), np.random.default_rng(3)
    *_, _ = play_rounds(played, task, 16, 6, game, rng)
    live = played.state_dict()
    try:
        saved = pickle.dumps((live, game.state_dict(), rng))
    except Exception as error:
        raise AssertionError(f"state_dict must be picklable: {error}") from error
    rest = _prompts(played, task, game, rng)
    state = pickle.loads(saved)[0]
    for name, value in state.items():
        try:
            np.testing.assert_equal(live[name], value)
        except AssertionError as error:
            raise AssertionError(
                f"state_dict must return copies: playing on changed its {name!r}"
            ) from error
    for _ in range(2):  # the second time shows whether the first changed the saved state
        _, game_state, rng = pickle.loads(saved)
        twin, game = deepcopy(creator), game_for(task, 16, 16)
        game.load_state_dict(game_state)
        twin.load_state_dict(state)
        require_rule(
            _prompts(twin, task, game, rng) == rest,
            "load_state_dict(state_dict()) must continue identically: a second creator that "
            "loads the state publishes other prompts, so the state lacks something",
        )


def _prompts(
    creator: Creator, task: Task, game: Game, rng: np.random.Generator
) -> list[list[Any]]:
    rounds = play_rounds(creator, task, 16, 6, game, rng)
    return [list(round.proposal.prompts) for round in rounds]


def _check_settings(creator: Creator, task: Task) -> None:
    played = deepcopy(creator)
    *_, _ = play_rounds(played, task, 16, 2)
    names = {field.name for field in fields(creator)}  # type: ignore[arg-type]
    derived = [field.name for field in fields(creator) if not field.init]  # type: ignore[arg-type]
    require_rule(
        not derived,
        f"fields are settings: set {derived} in __post_init__ instead of declaring them",
    )
    require_rule(
        played == creator,
        "settings must not change while playing: keep what changes in plain attributes, which "
        "__post_init__ sets",
    )
    both = sorted(set(played.state_dict()) & names)
    require_rule(not both, f"state_dict must leave the settings out, got {both}")


def _check_logs(creator: Creator, task: Task) -> None:
    for round in play_rounds(creator, task, 16, 3):
        require_finite(round.logs)
        for name in SOLVER_LOGS.intersection(round.logs):
            raise AssertionError(f"the log {name!r} is the solver's; rename yours")


def _check_missing(creator: Creator, task: Task) -> None:
    """Play rounds with missing rewards, which the game and the loop leave in the rounds."""
    try:
        for round in play_rounds(creator, task, 16, 4, solver=ForgetfulSolver()):
            require_finite(round.logs)
    except Exception as error:
        raise AssertionError(
            f"learn must cope with missing rewards, which are NaN in round.rewards; apply "
            f"eva_env.signals.signal_of or eva_env.missing.prompt_means: {error}"
        ) from error


class RandomSolver(Solver):
    """A solver whose responses are numbers in [0, 1), and whose rewards are these numbers."""

    def respond(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Floats:
        """Return n numbers for each of B prompts, (B, n)."""
        return rng.random((len(prompts), n))

    def logprobs(self, round: Round) -> Floats:
        """Return minus the rewards, (B, n)."""
        return -np.asarray(round.rewards)


class ForgetfulSolver(RandomSolver):
    """A random solver a third of whose responses get no reward (NaN)."""

    def respond(self, prompts: Sequence[Any], n: int, rng: np.random.Generator) -> Floats:
        """Return n numbers for each of B prompts, (B, n), some of them NaN."""
        numbers = super().respond(prompts, n, rng)
        return np.where(rng.random(numbers.shape) < 1 / 3, np.nan, numbers)


class ResponsesAsRewards:
    """A reward model that pays each number that a solver responds; NaN is a missing reward."""

    nan_is_missing = True

    def __call__(self, prompts: Sequence[Any], responses: Any) -> Floats:
        """Return the responses, (B, n)."""
        return np.asarray(responses)


def game_for(task: Task, n: int, batch: int, seed: int = 0) -> Game:
    """Return a game of 100 rounds that draws ``batch`` of n prompts and pays for responses."""
    game = Game(
        ResponsesAsRewards(),
        batch_size=batch,
        samples=4,
        rounds=100,
        signal="a_star_avg",
        replacement=batch < n,
        valid=task.valid,
    )
    game.reset(seed)
    return game


def play_rounds(
    creator: Creator,
    task: Task,
    n: int,
    rounds: int,
    game: Game | None = None,
    rng: np.random.Generator | None = None,
    solver: Solver | None = None,
) -> Iterator[Round]:
    """Yield rounds without an environment; only the creator learns.

    By default against ``RandomSolver``, in a game that draws all n prompts.
    """
    solver = solver or RandomSolver()
    game = game or game_for(task, n, n)
    rng = rng or np.random.default_rng(0)
    for _ in range(rounds):
        proposal = creator.propose(task, n, rng)
        game.propose(proposal)
        replay = Replay(game.fork(), proposal, solver, rng, Budget())
        round = game.respond(solver.respond(game.prompts, game.samples, rng))
        observed = with_signal(creator.observe_round(round, replay, rng))
        logs = creator.learn(observed, rng) if len(observed.prompts) else {}
        yield replace(round, logs=logs)
