"""Find checkpoints: the shipped ones by name, all others by folder."""

from pathlib import Path

PRETRAINED = Path(__file__).parents[1] / "pretrained"


def resolve(checkpoint: str | Path, kind: str) -> Path:
    """Return the folder of a checkpoint; "wordlist" names the shipped one of its kind.

    Raises FileNotFoundError if there is no ``config.json``.
    """
    shipped = PRETRAINED / f"{checkpoint}-{kind}"
    folder = shipped if shipped.is_dir() else Path(checkpoint)
    if not (folder / "config.json").is_file():
        names = sorted(
            path.name.removesuffix(f"-{kind}") for path in PRETRAINED.glob(f"*-{kind}")
        )
        raise FileNotFoundError(
            f"no checkpoint at {checkpoint}: give a folder that holds config.json and "
            f"model.safetensors, or the name of a shipped one ({', '.join(names)})"
        )
    return folder
