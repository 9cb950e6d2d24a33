"""``eva diagnose``: would steering by a signal help on these prompts, reward and operators?"""

import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from eva_env.plain_text import say
from eva_env.rewards import Wrapper
from experiments.commands.options import (
    Arguments,
    differences,
    option,
    parse,
    settings_from,
    warn,
    with_files,
)
from experiments.diagnosis.measures import find_signal, measure
from experiments.diagnosis.responses import (
    Answers,
    Respondent,
    draw_prompts,
    groups_of,
    recorded_answers,
    respond,
)
from experiments.diagnosis.settings import Diagnosis
from experiments.diagnosis.terminal import print_diagnosis
from experiments.diagnosis.verdict import verdict
from experiments.run.config import to_json
from experiments.run.errors import UserError
from experiments.run.machine import machine
from experiments.run.named_code import NamedCode, ReadsRecords
from experiments.run.progress import ProgressTable
from experiments.run.records import Run
from experiments.run.rewards import has_scale
from experiments.run.schema import DiagnosisAnswer, DiagnosisPrompt
from experiments.run.screen import PlainConsole
from experiments.run.setup import pinned

ROLES = ("task", "reward_model", "policy")
SHORT = ("prompts", "samples", "children", "signal", "reward", "seed", "out", "resume", "json")

FREE = ("signal", "device")
"""Settings that a resumed diagnosis may change: neither decides which responses are drawn."""

TENTHS = 10
"""Lines of progress in a pipe, where there is no bar."""


@dataclass(frozen=True)
class Command(ReadsRecords):
    """Measure, before a budget is spent, whether choosing parents by a signal can help.

    The starting policy responds to human prompts and to some children of each. The verdict
    says whether the signal differs between prompts, is reliable and is passed on to children.
    """

    settings: Annotated[Diagnosis, tyro.conf.arg(name="")] = field(default_factory=Diagnosis)
    out: Path | None = None
    """Folder of the diagnosis, new or empty. None: runs/diagnose-TIME."""
    resume: Path | None = None
    """Continue this diagnosis, or read a finished one with another --signal."""
    json: bool = False
    """Print the result as JSON."""


def main(args: list[str]) -> int:
    """Run the command and return the exit status."""
    arguments = Arguments.of(args, ROLES)
    resumed = option(arguments.rest, "--resume")
    code = NamedCode.of(["diagnose", *args])
    command = resume(arguments, Path(resumed), code) if resumed else begin(arguments)
    settings = command.settings
    signal = find_signal(settings.signal)
    run, respondent = opened(command, ["diagnose", *args])
    try:
        with run.locked():
            answer_all(run, settings, respondent)
    except KeyboardInterrupt:
        say(f"stopped; continue with: eva diagnose --resume {run.folder}", file=sys.stderr)
        return 130
    answers = Answers.read(run, settings.samples)
    has_passes = has_passes_of(settings)
    measured = measure(answers, signal, settings.task.topic, has_passes, settings.seed)
    result = {"signal": settings.signal, "folder": str(run.folder), **measured}
    result["verdict"] = verdict(result, settings.signal)
    run.write_json("diagnosis", result)
    if command.json:
        say(json.dumps(result))
        return 0
    console = PlainConsole()
    print_diagnosis(result, console)
    console.print(f"the responses and numbers are in {run.folder}", soft_wrap=True)
    return 0


def begin(arguments: Arguments) -> Command:
    """Return a new diagnosis: the world's defaults, then the typed options."""
    base = Diagnosis.suited(arguments.world({}))
    settings = with_files(settings_from(arguments, base, {}), arguments.rest)
    command = parse(Command(settings=settings), arguments.rest, "diagnose", SHORT)
    settings = replace(command.settings, task=pinned(command.settings.task))
    return replace(command, settings=settings)


def resume(arguments: Arguments, folder: Path, code: NamedCode) -> Command:
    """Return the command that continues a diagnosis; only the settings in FREE may change."""
    recorded = Run.open(folder).settings(Diagnosis, code)
    if "task" in arguments.parts:
        raise UserError(f"{folder} keeps its settings; leave out task:")
    typed = settings_from(arguments, recorded, {})
    command = parse(Command(settings=typed), arguments.rest, "diagnose", SHORT)
    if command.out is not None:
        raise UserError("a resumed diagnosis keeps its folder; leave out --out")
    for name, (kept, changed) in differences(recorded, command.settings).items():
        if name not in FREE:
            raise UserError(
                f"{folder} was begun with {name} = {kept}, not {changed}; only "
                f"--{' and --'.join(FREE)} may change, so give another --out"
            )
    return command


def opened(command: Command, argv: list[str]) -> tuple[Run, Respondent | None]:
    """Return the record, and who responds; None where all responses are recorded."""
    settings = command.settings
    if command.resume is not None:
        run = Run.open(command.resume)
        run.require_whole(remade=("answers",))
        return run, None if is_complete(run, settings) else Respondent.open(settings)
    folder = command.out or Path("runs", f"diagnose-{time.strftime('%Y%m%d-%H%M%S')}")
    Run.require_new(folder)
    respondent = Respondent.open(settings)  # before the folder, so that errors leave none
    for note in settings.task.remarks():
        warn("diagnose", note)
    config = {"settings": to_json(settings), "argv": argv, **machine()}
    return Run.create(folder, config), respondent


def is_complete(run: Run, settings: Diagnosis) -> bool:
    """Return True if all responses of a diagnosis are recorded."""
    prompts = run.rows("prompts", DiagnosisPrompt)
    answers = recorded_answers(run, prompts, settings.samples)
    return bool(prompts) and len(answers) == len(groups_of(prompts))


def answer_all(run: Run, settings: Diagnosis, respondent: Respondent | None) -> None:
    """Draw the prompts and responses that the record lacks, and show the progress."""
    if respondent is None:
        return
    console = PlainConsole(stderr=True)
    with ProgressTable([], 0, console) as progress:
        prompts = run.rows("prompts", DiagnosisPrompt)
        if not prompts:
            progress.note(forecast(settings, respondent))
            prompts = draw_prompts(settings, respondent.task)
            run.write("prompts", prompts)
        drawn = sum(row["parent"] is None for row in prompts)
        if drawn < settings.prompts:
            progress.note(f"the task gave {drawn} different prompts, not {settings.prompts}")
        total = len(groups_of(prompts)) * settings.samples
        done = len(run.rows("answers", DiagnosisAnswer)) * settings.samples
        progress.begin("responses", total, done)
        for responses in respond(settings, respondent, run, prompts):
            progress.advance(responses)
            before, done = done, done + responses
            if progress.live is None and TENTHS * before // total < TENTHS * done // total:
                progress.note(f"{done:,} of {total:,} responses")
        tokens = getattr(respondent.policy, "tokens", None)
        if tokens:
            progress.note(f"sampled {tokens:,} tokens")


def forecast(settings: Diagnosis, respondent: Respondent) -> str:
    """Return what the diagnosis will spend, in one sentence."""
    children = settings.children if respondent.task.operators else 0
    responses = settings.prompts * settings.samples * (2 + children)
    text = (
        f"will draw and score {responses:,} responses: {2 * settings.samples} to each of "
        f"{settings.prompts} human prompts"
    )
    if children:
        text += f", {settings.samples} to each of up to {settings.prompts * children} children"
    if getattr(respondent.policy, "chat", None) is not None:
        most = settings.sampling.max_tokens
        text += f"; at most {most} tokens each, so about {responses * most:,} tokens at most"
    if settings.rewriter is not None:
        replies = settings.prompts * children * (1 + settings.rewriting.retries)
        text += f"; rewriting takes up to {replies:,} replies of a language model"
    if not children:
        text += "; without children there is no heredity and no selection gain"
    return text


def has_passes_of(settings: Diagnosis) -> bool:
    """Return True if a reward of 1 means that a response passes."""
    own: Any = settings.reward_model
    return not isinstance(own, Wrapper) or has_scale(settings.reward, settings.task)
