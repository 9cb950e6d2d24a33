"""What computes a run: versions, code and hardware. Where these differ, so may the numbers."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

LIBRARIES = ("torch", "numpy", "scipy", "transformers", "tokenizers", "safetensors")
LIBRARIES += ("gymnasium", "pettingzoo")
PACKAGES = {"eva": "eva-env"} | {name: name for name in LIBRARIES}


def machine() -> dict[str, Any]:
    """Return versions of Python and the packages, the git commit, hardware and threads."""
    return {
        "versions": dict(_versions()),
        "commit": _commit(),
        "hardware": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def differences(recorded: dict[str, Any], present: dict[str, Any]) -> list[str]:
    """Return a line for each fact of ``machine()`` that differs: "torch 2.9.0, now 2.13.0"."""
    lines = []
    for group in ("versions", "hardware"):
        before, now = recorded.get(group) or {}, present[group]
        lines += [
            f"{name} {before[name]}, now {now.get(name)}"
            for name in before
            if name in now and before[name] != now[name]
        ]
    before, now = recorded.get("commit"), present["commit"]
    if before != now:
        lines.append(f"commit {str(before)[:10]}, now {str(now)[:10]}")
    return lines


@cache
def _versions() -> dict[str, str]:
    versions = {name: metadata.version(package) for name, package in PACKAGES.items()}
    return {"python": sys.version.split()[0], **versions}


@cache
def _processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


@cache
def _commit() -> str | None:
    """The commit of this code; None outside a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        git = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return git.stdout.strip() if git.returncode == 0 else None
