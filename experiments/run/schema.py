"""The schema of a record: what every file of JSON holds.

A record may be cut off, edited or a stranger's. ``rows_of`` and ``object_of`` check what the
readers rely on, and their ``UserError`` names the file, the line and the field. Keys that no
schema names are kept, so that newer records and a user's own columns can be read. Of a key that
occurs twice in an object, the last value counts.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Required, TypedDict

import msgspec

from experiments.run.errors import UserError

MOST = 2**53
"""The largest integer that a field may hold; floats hold all up to it."""

DEEPEST = 100
"""Most levels of nesting in a field that no type describes."""

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1 + 1e-9)]
"""A probability or a rate; a mean of ones may exceed 1 by rounding."""
Number = float | None
"""A number; None is NaN, which JSON lacks: a missing reward, or a mean of none."""
Prompt = str | int | float
Response = str | int | float
Text = str | None


FAST = msgspec.json.Decoder()

TREES = {"settings", "world", "seeds", "resumed", "games"}
"""Fields of a schema whose values may be nested; all others are flat by their types."""


class RoundRow(TypedDict, total=False):
    """A row of rounds.jsonl."""

    round: Required[Count]
    payoffs: dict[str, Number]
    reward_mean: Number
    reward_min: Number
    reward_max: Number
    rewards_missing: Share | None
    creator_reward_mean: Number
    creator_reward_min: Number
    creator_reward_max: Number
    creator_rewards_missing: Share | None
    signal_mean: Number
    invalid: Number
    no_gradient: Share | None
    proposed: Count
    entropy: Number
    effective: Number
    distinct_prompts: Count
    cluster_share: Share | None
    similarity: str
    complexity: Number
    response_length: Number
    cut_off: Share | None
    logs: dict[str, Number]
    budget: dict[str, Amount]
    seconds: Amount
    digests: dict[str, str]


class PromptRow(TypedDict, total=False):
    """A row of prompts.jsonl."""

    round: Required[Count]
    id: Count
    text: Prompt
    parent: Count | None
    operator: Text
    drawn: bool
    signal: Number
    mean: Number
    best: Number
    worst: Number
    rewards: list[Number] | None
    creator_rewards: list[Number] | None
    best_response: Response | None
    worst_response: Response | None


class EvaluationRow(TypedDict, total=False):
    """A row of evaluations.jsonl."""

    round: Required[Count]
    suite: Required[str]
    gold: Number
    pass_rate: Share | None
    win_rate: Share | None
    rewards_missing: Share | None
    kl: Number
    length: Number
    proxy: Number
    n: Count
    budget: dict[str, Amount]


class AnswerRow(TypedDict, total=False):
    """A row of answers.jsonl, of a cell and of a comparison's starting policy."""

    suite: Required[str]
    prompt: Required[Prompt]
    rewards: Required[list[Number]]
    responses: list[Response]
    start_rewards: list[Number]
    lengths: list[Number] | None


class AlarmRow(TypedDict, total=False):
    """A row of alarms.jsonl."""

    round: Required[Count]
    alarm: Required[str]
    value: Number
    threshold: Number
    begins: bool
    text: str


class TranscriptRow(TypedDict, total=False):
    """A row of transcripts.jsonl."""

    round: Required[Count]
    suite: str
    prompt: Prompt
    parent: Prompt | None
    operator: Text
    before: list[Response]
    after: list[Response]
    before_rewards: list[Number]
    after_rewards: list[Number]


class FinalRow(TypedDict, total=False):
    """A row of final.jsonl."""

    prompt: Required[Prompt]
    probability: Required[Share]
    drawn: Required[Count]
    parent: Prompt | None
    operator: Text


class CrossplayRow(TypedDict):
    """A row of crossplay.jsonl."""

    creator: str
    prompts: list[Prompt]
    drawn: list[Count]
    regret: list[Number]


class TuningRow(TypedDict, total=False):
    """A row of tuning.jsonl."""

    arm: Required[str]
    configuration: Required[Count]
    seed: Required[Count]
    gold: Required[Number]
    factors: dict[str, float]
    failure: str


class VoteRow(TypedDict, total=False):
    """A row of votes.jsonl."""

    a: Required[str]
    b: Required[str]
    winner: Required[Literal["a", "b", "tie"]]
    judge: Required[str]
    first: str
    seed: Count
    suite: str
    prompt: Prompt
    response_a: Response
    response_b: Response
    reward_a: Number
    reward_b: Number
    time: str


ROWS: dict[str, Any] = {
    "rounds": RoundRow,
    "prompts": PromptRow,
    "evaluations": EvaluationRow,
    "answers": AnswerRow,
    "alarms": AlarmRow,
    "transcripts": TranscriptRow,
    "final": FinalRow,
    "crossplay": CrossplayRow,
    "tuning": TuningRow,
    "votes": VoteRow,
}
"""The rows of a run, of a comparison and of its cells, by the name of the file."""


class DiagnosisPrompt(TypedDict):
    """A row of a diagnosis's prompts.jsonl."""

    id: Count
    prompt: Prompt
    parent: Count | None
    operator: Text


class DiagnosisAnswer(TypedDict):
    """A row of a diagnosis's answers.jsonl: the row of its prompt, and the responses."""

    id: Count
    prompt: Prompt
    parent: Count | None
    operator: Text
    half: Count
    responses: list[Response]
    rewards: list[Number]


class StoredResponse(TypedDict, total=False):
    """A row of the responses that IFEval keeps in the cache."""

    prompt: Required[Count]
    sample: Required[Count]
    text: Required[str]
    ids: list[Count]
    ended: bool


class StoredLikelihood(TypedDict):
    """A row of the log-probabilities that IFEval keeps in the cache."""

    prompt: Count
    nats: float
    tokens: Count


class Config(TypedDict, total=False):
    """The content of config.json; ``config.from_json`` checks the settings by their types."""

    settings: dict[str, Any]
    world: dict[str, Any] | None
    seed: int | None
    argv: list[str]
    judged_by: str
    versions: dict[str, str]
    commit: Text
    hardware: dict[str, str | int | None]
    seeds: dict[str, Any] | None
    resumed: list[dict[str, Any]]
    seat: str


class Manifest(TypedDict):
    """The manifest of what ``eva fetch`` has brought: files with their sizes in bytes."""

    package: str
    version: str
    files: dict[str, Count]


class Band(TypedDict, total=False):
    """The values of a learning curve with their intervals."""

    mean: list[Number]
    low: list[Number]
    high: list[Number]


class Curve(TypedDict, total=False):
    """The learning curves of an arm on a suite."""

    rounds: list[Count]
    budget: dict[str, list[Number]]
    gold: Band
    win_rate: Band
    pass_rate: Band
    kl: Band
    length: Band
    proxy: Band


class Estimate(TypedDict, total=False):
    """A mean with its interval, and the values by seed."""

    mean: Number
    low: Number
    high: Number
    values: dict[str, Number]


class ArmSummary(TypedDict, total=False):
    """An arm of a comparison."""

    creator: Text
    solver: Text
    ceiling: bool
    seeds: list[Count] | None
    settings: dict[str, Any]
    suites: dict[str, dict[str, Estimate | None]]
    curves: dict[str, Curve]
    rounds: dict[str, list[Number] | None] | None
    budget: dict[str, Number] | None


class Power(TypedDict, total=False):
    """What a comparison can detect."""

    start: Number
    headroom: Number
    detectable: Number
    enough: bool | None
    seeds_needed: Number
    comparisons: Number
    of: Text
    seeds: Number
    sd: Number
    floor: Number
    sentences: list[str]


class Difference(TypedDict, total=False):
    """A paired difference of two players."""

    kind: str
    a: str
    b: str
    family: str
    within: Text
    mean: Number
    low: Number
    high: Number
    p: Number
    p_corrected: Number
    p_holm: Number
    seeds: Count
    comparisons: Count
    seeds_needed: Number


class Matrix(TypedDict, total=False):
    """The payoffs of rows against columns, or of players against each other."""

    rows: list[str]
    columns: list[str]
    players: list[str]
    unit: str
    mean: list[list[Number]]
    low: list[list[Number]]
    high: list[list[Number]]


class Simplex(TypedDict, total=False):
    """The game of three that is drawn as a triangle."""

    players: list[str]
    payoffs: list[list[Number]]


class Distance(TypedDict, total=False):
    """How far an arm is from the equilibrium of a tabular world."""

    worst_regret: Estimate | None
    distance: Estimate | None
    nash_conv: Estimate | None
    lower_bound: bool


class Exact(TypedDict, total=False):
    """The true game of a tabular world."""

    value: Estimate | None
    upper: Estimate | None
    arms: dict[str, Distance]


class Trial(TypedDict, total=False):
    """A configuration of an arm in its tuning."""

    configuration: Count
    factors: dict[str, float]
    gold: list[Number]
    mean: Number


class Tuned(TypedDict, total=False):
    """The chosen configuration of an arm, and all of them."""

    configuration: Count | None
    factors: dict[str, float] | None
    edges: list[str]
    sweep: list[Trial]


class SummaryFile(TypedDict, total=False):
    """The content of a comparison's summary.json."""

    settings: dict[str, Any]
    task: str | dict[str, Any]
    suite: str
    suites: list[str]
    metric: Literal["win_rate", "gold"]
    seeds: list[Count]
    tune: Count
    cells: Count
    reward_calls: Count | None
    arms: dict[str, ArmSummary]
    start: dict[str, dict[str, Number]] | None
    power: Power | None
    comparisons: list[Difference] | None
    crossplay: Matrix | None
    wins: Matrix | None
    wins_length_controlled: Matrix | None
    games: dict[str, dict[str, Any] | None] | None
    ratings: dict[str, dict[str, Estimate | Number]] | None
    simplex: Simplex | None
    exact: Exact | None
    judged_by: str
    left_out: dict[str, Count]
    votes: dict[str, Any] | None
    tuning: dict[str, Tuned] | None
    alarms: dict[str, list[AlarmRow]] | None
    failures: dict[str, str] | None
    conclusions: list[str] | None


def rows_of(
    content: bytes, path: Path, schema: Any, keys: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the rows of JSON Lines; a last line without a line break is left out.

    ``schema`` is the type of a row, ``keys`` are further keys that every row must have, as
    ``budget`` or ``budget.tokens``. UserError names the line and the field of what is wrong.
    """
    rows = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        where = f"{path}, line {number},"
        row = _parsed(line, where)
        if not isinstance(row, dict):
            raise UserError(f"{where} is no object: the file is damaged")
        _check(row, schema, where)
        for key in keys:
            if _lacks(row, key):
                raise UserError(f"{where} lacks {key!r}: the file is damaged")
        rows.append(row)
    return rows


def object_of(
    content: bytes, path: Path, schema: Any, constants: bool = False, what: str = "a record"
) -> dict[str, Any]:
    """Return the object of a file of JSON; UserError, which names the field, if it has none.

    ``what`` is what the file is in the error. NaN and infinity are refused, unless
    ``constants`` allows them.
    """
    try:
        data = parse(content, constants)
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} is not {what}: it holds no object")
    _check(data, schema, str(path))
    return data


def parse(text: bytes, constants: bool = False) -> Any:
    """Return the value of JSON in UTF-8; ValueError, in one line, for anything else.

    NaN and infinity are refused, unless ``constants`` allows them.
    """
    refuse: dict[str, Any] = {"parse_constant": _refuse_constant, "parse_float": _finite}
    try:
        return json.loads(text.decode(), **({} if constants else refuse))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _parsed(line: bytes, where: str) -> Any:
    """The value of a line; msgspec reads it fast, ``parse`` reads and names what it refuses."""
    try:
        return FAST.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return parse(line)
    except ValueError as error:
        raise UserError(f"{where} is not JSON: {error}") from error


def _check(data: dict[str, Any], schema: Any, where: str) -> None:
    """Raise UserError, which begins with ``where``, for an object that breaks a schema."""
    try:
        try:
            msgspec.convert(data, schema)
        except UnicodeEncodeError:  # half a character (a lone surrogate) is text all the same
            msgspec.convert(_without_surrogates(data), schema)
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        raise UserError(f"{where} {_reason(error)}: the file is damaged") from error
    for name in data.keys() - schema.__annotations__.keys() | TREES:
        if name in data and _is_deep(data[name], DEEPEST):
            raise UserError(f"{where} field {name}: it is nested too deeply")


def _lacks(row: dict[str, Any], key: str) -> bool:
    """Whether a row has no such key; a dot leads into an object."""
    value: Any = row
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            return True
        value = value[name]
    return False


def _without_surrogates(data: dict[str, Any]) -> dict[str, Any]:
    """An object with a question mark for each lone surrogate of its texts."""
    return json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))


def _reason(error: Exception) -> str:
    """The breach of a schema: "lacks 'round'", or "field n: expected int, got str"."""
    text, _, place = str(error).replace("`", "").partition(" - at ")
    missing = re.fullmatch(r"Object missing required field (\S+)", text)
    field = place.removeprefix("$").removeprefix(".")
    if missing:
        return f"lacks {'.'.join(filter(None, (field, missing[1])))!r}"
    return f"field {field}: {text[:1].lower()}{text[1:]}" if field else f"has {text}"


def _is_deep(value: Any, levels: int) -> bool:
    """Whether a value has more levels of nesting than that."""
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deep(item, levels - 1) for item in items)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if abs(number) == float("inf"):
        raise ValueError(f"{text[:40]} is too large")
    return number
