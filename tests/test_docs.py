"""The documents name no path, module, object, command or heading that does not exist."""

import pkgutil
import re
import shlex
from pathlib import Path

import pytest

from experiments import cli

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "agents" / "pretrained").glob("*/README.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]
PACKAGES = ("eva_env", "agents", "experiments", "tests")
SUFFIXES = (".py", ".md", ".toml", ".yaml", ".html", ".css", ".js", ".svg", ".cff")
NOT_IN_THE_REPOSITORY = ("path/to/", "runs/", "build/", ".venv/", "checkpoints/", "my_")
"""Beginnings of paths that a user chooses or that a command writes."""

DRY = {"train", "compare"}
"""Sub-commands whose options ``--dry-run`` checks without training."""

every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT))
)


def spans(text):
    """Code spans outside code blocks, with table escapes removed."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    prose = "\n".join(line for line in prose.splitlines() if not line.startswith("    "))
    return [span.replace("\\|", "|").strip() for span in re.findall(r"`([^`]+)`", prose)]


def shell_lines(text):
    """Lines of shell code blocks, fenced or indented, and code spans."""
    fenced = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    indented = [line[4:] for line in text.splitlines() if re.match(r"    \S", line)]
    return [*fenced.splitlines(), *indented, *spans(text)]


def commands(text, program):
    """The arguments of every call of a program in a document."""
    for line in shell_lines(text):
        words = line.split("#")[0].strip()
        if words.startswith(f"{program} "):
            yield shlex.split(words)[1:]


def paths(text):
    """Code spans that name a file or a folder of the repository, without ``::test`` ends."""
    for span in spans(text):
        path = re.sub(r"::\w+$|:\w+$", "", span)
        if not re.fullmatch(r"[\w.*/-]+", path) or path.startswith(NOT_IN_THE_REPOSITORY):
            continue
        if path.endswith((*SUFFIXES, "/")) or (path.split("/")[0] in PACKAGES and "/" in path):
            yield span, path


def runs(file):
    """Whether ``python -m`` runs the module at a path without suffix."""
    return file.with_suffix(".py").is_file() or (file / "__main__.py").is_file()


def slug(heading):
    """The anchor that Markdown renderers give to a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower().strip())
    return kept.replace(" ", "-")


@every_document
def test_every_path_exists(document):
    """A path without folder, as in "`agents/base.py`, `play.py`", is next to an earlier one."""
    folders = {ROOT, document.parent}
    dead = []
    for span, path in paths(document.read_text(encoding="utf-8")):
        matches = [match for folder in folders for match in folder.glob(path.rstrip("/"))]
        folders |= {parent for match in matches for parent in (match, match.parent)}
        test = re.search(r"::(\w+)$", span)
        if test:
            matches = [match for match in matches if f"def {test[1]}(" in match.read_text()]
        if not matches:
            dead.append(span)
    assert not dead


@every_document
def test_every_file_that_pytest_is_given_exists(document):
    lines = shell_lines(document.read_text(encoding="utf-8"))
    words = [word for line in lines if "pytest" in line for word in shlex.split(line)]
    files = [word for word in words if word.startswith("tests/")]
    assert [file for file in files if not list(ROOT.glob(file))] == []


@every_document
def test_every_link_leads_to_a_file_and_a_heading(document):
    text = document.read_text(encoding="utf-8")
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = document.parent / path if path else document
        headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.M) if anchor else []
        if not linked.exists() or (anchor and anchor not in map(slug, headings)):
            dead.append(target)
    assert not dead


@every_document
def test_every_module_that_is_run_exists(document):
    text = document.read_text(encoding="utf-8")
    modules = re.findall(r"python3? -m ([\w.]+)", text)
    files = {module: ROOT / Path(*module.split(".")) for module in modules}
    ours = {module: file for module, file in files.items() if module.split(".")[0] in PACKAGES}
    assert [module for module, file in ours.items() if not runs(file)] == []


@every_document
def test_every_dotted_name_resolves(document):
    pattern = rf"(?:{'|'.join(PACKAGES[:3])})(?:\.\w+)+"
    dead = []
    for span in spans(document.read_text(encoding="utf-8")):
        if re.fullmatch(pattern, span) and not span.endswith(SUFFIXES):
            try:
                pkgutil.resolve_name(span)
            except (ImportError, AttributeError):
                dead.append(span)
    assert not dead


@every_document
def test_every_eva_command_exists(document):
    calls = list(commands(document.read_text(encoding="utf-8"), "eva"))
    unknown = [call for call in calls if call[0] not in cli.COMMANDS]
    placeholders = [["COMMAND"], ["COMMAND", "--help"], ["--version"]]
    assert [call for call in unknown if call not in placeholders] == []


@every_document
def test_every_make_target_exists(document):
    makefile = (ROOT / "Makefile").read_text()
    targets = [call[0] for call in commands(document.read_text(encoding="utf-8"), "make")]
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.M)] == []


PLACEHOLDER = re.compile(r"([\w-]+:)?([A-Z]{2,}|my_.*|path/to/.*)|.*\|.*")
"""A word that stands for the reader's own, or for one of several."""


def refusals(calls, capsys):
    """What ``eva`` prints for each call that it does not end with status 0."""
    refused = {}
    for call in calls:
        try:
            status = cli.main(call)
        except SystemExit as exit:
            status = exit.code
        printed = capsys.readouterr()
        if status:
            refused[" ".join(call)] = printed.err
        else:
            assert printed.out
    return refused


def complete_commands(document):
    """The calls of ``eva`` without placeholders."""
    for call in commands(document.read_text(encoding="utf-8"), "eva"):
        if not any(map(PLACEHOLDER.fullmatch, call)):
            yield call


@every_document
def test_documented_runs_and_comparisons_are_accepted(document, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    needs_a_file = {"--resume", "--config"}
    calls = [call for call in complete_commands(document) if call[0] in DRY]
    dry = [[*call, "--dry-run"] for call in calls if not needs_a_file & {*call}]
    assert not refusals(dry, capsys)


@every_document
def test_documented_lists_and_help_pages_print(document, capsys):
    pages = {"--help", "--help-all", "--version"}
    calls = [
        call for call in complete_commands(document) if call[0] == "list" or pages & {*call}
    ]
    assert not refusals(calls, capsys)
