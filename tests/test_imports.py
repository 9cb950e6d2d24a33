"""The direction of imports: eva_env <- agents <- experiments <- tests, without circles."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("eva_env", "agents", "experiments", "tests")

ROOMS = {
    "eva_env.solving": set(),
    "eva_env.statistics": set(),
    "eva_env.rewards": set(),
    "eva_env.wordlist": set(),
    "eva_env.prompt_files": set(),
    "eva_env.tabular": {"eva_env.rewards", "eva_env.solving"},
    "eva_env.envs": {"eva_env.tabular", "eva_env.wordlist"},
}
"""The folders of eva_env that each folder of eva_env may import."""


@cache
def import_graph(package):
    """The modules that each module of a package imports, anywhere in its file.

    Includes imports within functions and under TYPE_CHECKING.
    """
    paths = {}
    for path in (ROOT / package).rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        paths[name.removesuffix(".__init__")] = path
    return {
        module: imported(path, paths) & set(paths) - {module} for module, path in paths.items()
    }


def imported(path, modules=()):
    """The modules that a file imports; ``from package import module`` is that module."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                names.add(name if name in modules else node.module)
    return names


def room(module):
    """The folder of a module; a module at the top of its package is a room by itself."""
    return ".".join(module.split(".")[:2])


def require_acyclic(graph):
    """Raise graphlib.CycleError, which names the circle, if there is one."""
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("layer", LAYERS)
def test_no_module_imports_from_a_layer_above_its_own(layer):
    above = LAYERS[LAYERS.index(layer) + 1 :]
    for path in (ROOT / layer).rglob("*.py"):
        assert not [name for name in imported(path) if name.split(".")[0] in above], path


@pytest.mark.parametrize("package", LAYERS)
def test_modules_form_no_circle(package):
    require_acyclic(import_graph(package))


@pytest.mark.parametrize("package", LAYERS[:-1])
def test_rooms_form_no_circle(package):
    graph = {}
    for module, names in import_graph(package).items():
        rooms = {room(name) for name in names} - {room(module)}
        graph.setdefault(room(module), set()).update(rooms)
    require_acyclic(graph)


@pytest.mark.parametrize("folder", ROOMS)
def test_folders_of_eva_env_import_only_the_folders_they_may(folder):
    for module, names in import_graph("eva_env").items():
        if room(module) == folder:
            others = {room(name) for name in names} & set(ROOMS) - {folder}
            assert others <= ROOMS[folder], module


@pytest.mark.parametrize("command", ["import eva_env", "import experiments.cli"])
def test_the_game_and_the_command_load_neither_torch_nor_transformers(command):
    heavy = "{'torch', 'transformers', 'matplotlib', 'scipy', 'wandb'}"
    check = f"{command}; import sys; assert not {heavy} & set(sys.modules), {heavy}"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)
