"""The direction of imports: eva_env <- agents <- experiments <- tests."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("eva_env", "agents", "experiments", "tests")


@pytest.mark.parametrize("layer", LAYERS)
def test_no_module_imports_from_a_layer_above_its_own(layer):
    above = LAYERS[LAYERS.index(layer) + 1 :]
    for path in (ROOT / layer).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            assert not [name for name in names if name.split(".")[0] in above], path


@pytest.mark.parametrize("command", ["import eva_env", "import experiments.cli"])
def test_the_game_and_the_command_load_neither_torch_nor_transformers(command):
    heavy = "{'torch', 'transformers', 'matplotlib', 'scipy', 'wandb'}"
    check = f"{command}; import sys; assert not {heavy} & set(sys.modules), {heavy}"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)
