"""Folders of a stranger that try to execute code, and the commands that read them."""

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support import crashes
from tests.support.tiny_models import tiny_folder

MARK = "ran"
"""The file that a stranger's code writes."""

AUTO_MAP = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}

GADGETS = {
    "state with a process": {"$object": "subprocess:Popen", "attributes": {"args": ["id"]}},
    "state with a command": {"$object": "experiments.cli:main", "attributes": {}},
    "state with a module": {"$object": "own:Anything", "attributes": {}},
    "state with an unknown tag": {"$exec": "open('ran', 'w')"},
}


def ran(folder: Path) -> bool:
    """Return whether a stranger's code has run since the last call."""
    marks = [*folder.rglob(MARK)]
    for mark in marks:
        mark.unlink()
    return bool(marks)


def attacks(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of an attack and the words of a command that reads its folder."""
    code = f"import pathlib\npathlib.Path({str(folder / MARK)!r}).touch()\n"
    run, comparison = folder / "run", folder / "comparison"
    world = ("task:tabular-world", "--rounds", "1", "--prompts", "4", "--samples", "2")
    _play(run, "train", *world)
    _play(comparison, "compare", *world, "--creators", "fresh", "--seeds", "1")
    cell = next(comparison.glob("cells/fresh-*/seed-0000"))

    for name, poison in _poisons(code).items():
        copy = _copy(run, folder / name)
        poison(copy)
        for words in _readers(copy):
            yield name, words
        copy = _copy(comparison, folder / f"{name}, compared")
        inner = copy / cell.relative_to(comparison)
        (inner / "final.jsonl").unlink()  # so that the cell is continued
        poison(inner)
        if name == "code named in config":
            poison(copy)
        yield name, ("compare", "--resume", str(copy), "--workers", "1")
        yield name, ("report", str(copy))

    for name, poison in _models(code).items():
        model = tiny_folder(folder / name)
        poison(model)
        yield name, ("evaluate", str(model), "task:wordlist", "--samples", "2")
        yield name, ("train", "task:wordlist", "--policy", str(model), "--dry-run")
        out = ("--out", str(folder / f"{name} run"), "--rounds", "1", "--prompts", "2")
        yield name, ("train", "task:wordlist", "--policy", str(model), *out)


def _play(folder: Path, *words: str) -> None:
    outcome = crashes.run(crashes.command(*words, "--out", str(folder)), folder)
    if outcome.status != 0:
        raise RuntimeError(outcome.printed)


def _copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))


def _readers(folder: Path) -> Iterator[tuple[str, ...]]:
    for words in (("train", "--resume"), ("report",), ("evaluate",), ("play", "--as", "judge")):
        yield (*words, str(folder))
    yield "train", "--resume", str(folder), "--rounds", "2"
    yield "export", str(folder), "--out", str(folder / "rows.jsonl")
    yield "runs", str(folder.parent)


def _poisons(code: str) -> dict[str, Callable[[Path], None]]:
    """What a stranger may do to the folder of a run, by name."""

    class Runs:
        def __reduce__(self) -> tuple:
            return exec, (code,)

    def pickles(folder: Path) -> None:
        for path in [*folder.glob("checkpoints/*/*.*"), folder / "manifest.json"]:
            path.write_bytes(pickle.dumps(Runs()))
        for checkpoint in folder.glob("checkpoints/*"):
            (checkpoint / "state.pt").write_bytes(pickle.dumps(Runs()))

    def old_pickle(folder: Path) -> None:
        for state in folder.glob("checkpoints/*/state.json"):
            state.unlink()
            state.with_name("state.pt").write_bytes(pickle.dumps(Runs()))

    def names_code(folder: Path) -> None:
        (folder / "own.py").write_text(code)
        config = json.loads((folder / "config.json").read_text())
        spec = f"{folder / 'own.py'}:Own"
        if "creators" in config["settings"]:
            config["settings"]["creators"] = [spec]
        else:
            config["settings"]["creator"] = {"type": spec}
        (folder / "config.json").write_text(json.dumps(config))

    def gadget(tree: dict) -> Callable[[Path], None]:
        def write(folder: Path) -> None:
            for path in folder.glob("checkpoints/*/state.json"):
                state = json.loads(path.read_text())
                path.write_text(json.dumps({key: tree for key in state}))

        return write

    poisons = {"pickles": pickles, "old pickle": old_pickle, "code named in config": names_code}
    return poisons | {name: gadget(tree) for name, tree in GADGETS.items()}


def _models(code: str) -> dict[str, Callable[[Path], None]]:
    """What a stranger may do to the folder of a model, by name."""

    class Runs:
        def __reduce__(self) -> tuple:
            return exec, (code,)

    def brings_code(folder: Path) -> None:
        (folder / "own.py").write_text(code)
        path = folder / "config.json"
        config = json.loads(path.read_text()) | {"auto_map": AUTO_MAP, "model_type": "own"}
        path.write_text(json.dumps(config))

    def pickled(folder: Path) -> None:
        for weights in folder.glob("*.safetensors"):
            weights.unlink()
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Runs()))

    return {"model with code": brings_code, "model in a pickle": pickled}
