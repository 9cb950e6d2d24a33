"""The list of mutants is up to date, and only a failed assertion kills one."""

import ast

import pytest

from tests.mutants.__main__ import ROOT, mutants, run_tests, verdict


def test_each_mutant_has_one_place_and_a_test_that_exists():
    listed = mutants()
    assert len(listed) > 40
    assert len({mutant.name for mutant in listed}) == len(listed)
    for mutant in listed:
        path, _, name = mutant.test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name.partition("[")[0] in functions, mutant.name
        ast.parse((ROOT / mutant.file).read_text().replace(mutant.old, mutant.new))


@pytest.mark.parametrize(
    ("status", "failures", "expected"),
    [
        (0, [], "SURVIVED"),
        (1, ["call AssertionError"], "killed"),
        (1, ["call AssertionError", "call Failed"], "killed"),
        (1, ["call TypeError"], "no assertion: pytest status 1, call TypeError"),
        (1, ["call AssertionError", "setup KeyError"], "no assertion: pytest status 1"),
        (2, ["collect ImportError"], "no assertion: pytest status 2, collect ImportError"),
        (5, [], "no assertion: pytest status 5, no test ran"),
    ],
)
def test_only_failed_assertions_kill(status, failures, expected):
    assert verdict(status, failures).startswith(expected)


def test_a_test_of_a_copy_imports_the_copy(tmp_path, monkeypatch):
    """A copy whose package says so itself, and a test that passes or fails."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "eva_env").mkdir()
    (tmp_path / "eva_env" / "__init__.py").write_text("VALUE = 1\n")
    for name, line in (
        ("good", "assert eva_env.VALUE == 1"),
        ("bad", "assert eva_env.VALUE == 2"),
    ):
        text = f"import eva_env\n\n\ndef test_it():\n    {line}\n"
        (tmp_path / f"test_{name}.py").write_text(text)
    assert run_tests(tmp_path, ["test_good.py"]) == "SURVIVED"
    assert run_tests(tmp_path, ["test_bad.py"]) == "killed"


def test_a_text_that_does_not_occur_once_is_refused(monkeypatch):
    monkeypatch.setattr("tests.mutants.__main__.tomllib.loads", lambda text: {"mutant": [ROW]})
    with pytest.raises(ValueError, match=r"wrong: its old text occurs \d+ times in agents"):
        mutants()


ROW = {
    "name": "wrong",
    "file": "agents/losses/pairs.py",
    "old": "return",
    "new": "yield",
    "test": "tests/agents/test_losses.py::test_losses_by_hand",
}
