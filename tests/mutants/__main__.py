"""Apply each mutant of ``mutants.toml``, and check that its test notices it.

Each of the worker processes copies the repository once, imports the libraries once, and forks a
child for each mutant, which imports the packages from the copy. Names after the command select
mutants: ``python -m tests.mutants DPO``.
"""

import argparse
import importlib
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGES = ("eva_env", "agents", "experiments", "tests")
LIBRARIES = (
    "gymnasium",
    "hypothesis.extra.numpy",
    "pettingzoo",
    "pytest",
    "scipy.integrate",
    "scipy.optimize",
    "scipy.stats",
    "torch",
    "transformers",
)
"""What a worker imports once: it costs more time than most tests."""

SECONDS = 120
"""Most processor time of a child, so that a busy machine makes no difference."""


class Mutant(NamedTuple):
    """A mistake in one place of one file, and the test that notices it."""

    name: str
    file: str
    old: str
    new: str
    test: str


def mutants() -> list[Mutant]:
    """Return the list; ValueError for a text that does not occur exactly once in its file."""
    rows = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"]
    listed = [Mutant(**row) for row in rows]
    for mutant in listed:
        count = (ROOT / mutant.file).read_text().count(mutant.old)
        if count != 1 or mutant.old == mutant.new:
            raise ValueError(
                f"{mutant.name}: its old text occurs {count} times in {mutant.file}, and must "
                f"occur once and differ from the new one; adapt tests/mutants/mutants.toml"
            )
    return listed


def verdict(status: int, failures: list[str]) -> str:
    """Return "killed" for a test that failed by assertions alone, else what happened.

    ``status`` is pytest's; ``failures`` are the phase and exception of each failure.
    """
    if status == 0:
        return "SURVIVED"
    asserted = all(failure in ("call AssertionError", "call Failed") for failure in failures)
    if status == 1 and failures and asserted:
        return "killed"
    return f"no assertion: pytest status {status}, {', '.join(failures) or 'no test ran'}"


class Failures:
    """A pytest plugin that notes the phase and the exception of each failure."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
        """Note a failure of a test or of its collection."""
        phase = getattr(report, "when", None) or "collect"
        names = {type(error).__name__ for error in _single(call.excinfo.value)}
        self.seen += [f"{phase} {name}" for name in sorted(names)]


def _single(error: BaseException) -> list[BaseException]:
    """The errors of a group, as hypothesis raises for several failures; or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        return [single for inner in error.exceptions for single in _single(inner)]
    return [error]


def run_tests(folder: Path, tests: list[str]) -> str:
    """Return the verdict on tests of a copy of the repository, run in a forked child."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        output = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        for module in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
            del sys.modules[module]
        sys.dont_write_bytecode = True
        import pytest

        failures = Failures()
        options = ["-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", "--rootdir", "."]
        status = int(pytest.main([*options, *tests], plugins=[failures]))
        module = sys.modules.get("eva_env")
        text = verdict(status, failures.seen)
        if module is None or not str(module.__file__).startswith(str(folder)):
            text = "no assertion: the packages were not imported from the copy"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text or f"no assertion: the test took {SECONDS} s of processor time, or crashed"


def work(todo: Any, done: Any) -> None:
    """Check the mutants that a queue holds until it holds None."""
    with tempfile.TemporaryDirectory(prefix="eva-mutants-") as name:
        folder = Path(name).resolve()
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", folder)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # no test of the list needs one
        for library in LIBRARIES:
            importlib.import_module(library)
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            importlib.import_module("pytest").main(["--version"])  # which imports its parts
        for mutant in iter(todo.get, None):
            start, path = time.monotonic(), folder / mutant.file
            text = path.read_text()
            path.write_text(text.replace(mutant.old, mutant.new))
            result = run_tests(folder, mutant.test.split())
            path.write_text(text)
            done.put((mutant, result, time.monotonic() - start))


def main() -> int:
    """Check all mutants and print a table; return 1 if one is not killed by an assertion."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="check the mutants whose names contain these")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    chosen = [
        mutant
        for mutant in mutants()
        if not options.names or any(name in mutant.name for name in options.names)
    ]
    context = multiprocessing.get_context("fork")
    todo, done = context.Queue(), context.Queue()
    # The first job changes nothing: all tests must pass without a mutant.
    tests = " ".join(dict.fromkeys(mutant.test for mutant in chosen))
    original = Mutant("no mutant, all tests", "pyproject.toml", "", "", tests)
    workers = [
        context.Process(target=work, args=(todo, done)) for _ in range(options.processes)
    ]
    start, wrong = time.monotonic(), 0
    for worker in workers:
        worker.start()
    for mutant in [original, *chosen, *[None] * options.processes]:
        todo.put(mutant)
    for _ in [original, *chosen]:
        mutant, result, seconds = done.get(timeout=20 * SECONDS)
        is_right = result == ("SURVIVED" if mutant == original else "killed")
        wrong += not is_right
        mark = "ok   " if is_right else "WRONG"
        print(f"{mark} {seconds:5.1f} s  {mutant.file}: {mutant.name}", flush=True)
        if not is_right:
            print(f"      {result}: {mutant.test}", flush=True)
    for worker in workers:
        worker.join()
    seconds = time.monotonic() - start
    print(f"{len(chosen)} mutants, {wrong} not as expected, in {seconds:.0f} s")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
