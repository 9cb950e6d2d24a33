"""Find checkpoints and read their weights: shipped ones by name, all others by folder.

Every error is a ValueError or an OSError in one line, with the remedy. Code that a folder
brings along never runs.
"""

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch

PRETRAINED = Path(__file__).parents[1] / "pretrained"

ADAPTER = "adapter_config.json"
"""The file that makes a folder the checkpoint of an adapter."""

TOKENIZERS = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model"),
    *("sentencepiece.bpe.model", "tekken.json"),
)
"""Files of which a folder with a tokenizer has at least one."""

HEADS = ("SequenceClassification", "TokenClassification", "QuestionAnswering", "MaskedLM")
"""Ends of the names of model classes that do not write text."""

DAMAGES = {
    "look at the above report": "tensors have other shapes than config.json says",
    "deserializing header": "a file of weights is cut off",
    "PytorchStreamReader": "a file of weights is cut off",
    "no file named": "the weights (model.safetensors) are missing",
}
"""Causes of errors of the libraries, by words of their texts."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt")
"""Ends of the names of weights that are pickles, which can run code when they are read."""

REAL = 'pip install "eva-env[real]"'
"""The command that installs the optional packages for real models."""


class Checkpoint(NamedTuple):
    """The folder of a checkpoint, and the GGUF file in it that holds the weights, if any."""

    folder: Path
    gguf: str | None = None


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


def find_causal_lm(checkpoint: str | Path) -> Checkpoint:
    """Return where the weights of a causal LM are: a shipped one, a folder or a GGUF file.

    Raises FileNotFoundError if there are none, ValueError for several GGUF files.
    """
    path = Path(checkpoint)
    if path.suffix == ".gguf" and path.is_file():
        return Checkpoint(path.parent, path.name)
    if path.is_dir() and not (path / "config.json").is_file():
        files = sorted(file.name for file in path.glob("*.gguf"))
        if len(files) > 1:
            raise ValueError(
                f"{path} holds {len(files)} GGUF files; name one of them, such as "
                f"{path / files[0]}"
            )
        if files:
            return Checkpoint(path, files[0])
    return Checkpoint(resolve(checkpoint, "solver"))


def read_causal_lm(
    checkpoint: str | Path,
    dtype: torch.dtype | str = torch.float32,
    attention: str | None = None,
) -> tuple[Any, Any]:
    """Return the model of a checkpoint, on the CPU, and its tokenizer.

    ``dtype`` "auto" is the type of the file. ``attention`` is an implementation that
    transformers names, None for its choice.
    """
    folder, gguf = find_causal_lm(checkpoint)
    refuse_code(folder, "give a model of an architecture that transformers holds")
    if gguf is None:
        _refuse_unfit(folder)
    elif find_spec("gguf") is None:
        raise ValueError(f"the package gguf, which reads {gguf}, is missing: {REAL}")
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {"dtype": dtype, "trust_remote_code": False}
    options |= {"use_safetensors": True} if gguf is None else {"gguf_file": gguf}
    options |= {} if attention is None else {"attn_implementation": attention}
    with in_one_line(f"cannot load a causal LM from {folder / (gguf or '')}"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, output_loading_info=True, **options
        )
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        shown = ", ".join(missing[:3])
        raise ValueError(
            f"the weights in {folder} are incomplete: {len(missing)} tensors of the causal LM "
            f"are missing ({shown}); give the folder of a complete causal LM"
        )
    broken = [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
    if broken:
        raise ValueError(
            f"the weights in {folder} hold NaN or infinity ({broken[0]}); give other ones"
        )
    if gguf is not None:  # the weights are dequantised, but the model says that it cannot save
        model.hf_quantizer, model.is_quantized = None, False
        vars(model.config).pop("quantization_config", None)
    tokenizer = read_tokenizer(folder, gguf)
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ValueError(
            f"the tokenizer in {folder} has {len(tokenizer)} tokens and the model {rows}: they "
            f"do not belong together; save the model's own tokenizer there"
        )
    return model, tokenizer


def read_tokenizer(folder: Path, gguf: str | None = None) -> Any:
    """Return the tokenizer of a folder, or that of a GGUF file without one next to it."""
    from transformers import AutoTokenizer

    has_files = any((folder / name).is_file() for name in TOKENIZERS)
    if not has_files and gguf is None:
        raise ValueError(
            f"{folder} holds no tokenizer (such as tokenizer.json); save the model's tokenizer "
            f"there"
        )
    options = {} if has_files or gguf is None else {"gguf_file": gguf}
    with in_one_line(f"cannot load the tokenizer of {folder}"):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **options)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object of a JSON file; {} if there is no file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return content if isinstance(content, dict) else {}


@contextmanager
def in_one_line(what: str) -> Iterator[None]:
    """Turn any error of a library that loads something into a ValueError in one line.

    Progress bars and warnings of transformers are off meanwhile.
    """
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        for marker, cause in DAMAGES.items():
            if marker in text:
                text = f"{cause}; copy the folder again"
        raise ValueError(f"{what}: {text}") from error
    finally:
        logging.set_verbosity(level)


def refuse_code(folder: Path, remedy: str) -> None:
    """Raise ValueError for a folder whose model or tokenizer needs code that it brings along.

    A model of an architecture that transformers holds is read without that code.
    """
    from transformers import CONFIG_MAPPING

    config = read_json(folder / "config.json")
    needs_code = "auto_map" in config and config.get("model_type") not in CONFIG_MAPPING
    for name in ("tokenizer_config.json", "config.json"):
        classes = read_json(folder / name).get("auto_map")
        needs_code |= isinstance(classes, dict) and "AutoTokenizer" in classes
    for name, value in config.items():
        if name.endswith("_implementation") and "/" in str(value):
            raise ValueError(
                f"{folder} names code of the Hugging Face Hub ({name} {value!r}), which is "
                f"never run; remove that from its config.json"
            )
    if needs_code:
        raise ValueError(
            f"{folder} brings its own code (auto_map in its config), which is never run; "
            f"{remedy}"
        )


def refuse_pickles(folder: Path) -> None:
    """Raise ValueError for a folder whose only weights are pickles, which can run code."""
    files = [path for path in folder.iterdir() if path.is_file()]
    if any(path.suffix == ".safetensors" for path in files):
        return
    pickles = sorted(path.name for path in files if path.suffix in PICKLES)
    if pickles:
        raise ValueError(
            f"the weights in {folder} are a pickle ({pickles[0]}), which can run code and is "
            f"never read; convert it to model.safetensors where you trust it, by transformers' "
            f"from_pretrained and save_pretrained"
        )


def _refuse_unfit(folder: Path) -> None:
    """Raise ValueError for a folder of pickled weights, or of a model that writes no text."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    config = read_json(folder / "config.json")
    kind, names = config.get("model_type"), config.get("architectures") or []
    refuse_pickles(folder)
    is_encoder = kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.get("is_decoder")
    unfit = next((name for name in names if name.endswith(HEADS)), None)
    if unfit or (is_encoder and not any("CausalLM" in name for name in names)):
        raise ValueError(
            f"{folder} holds a {unfit or kind}, which cannot write text; give the folder of a "
            f"causal LM"
        )
