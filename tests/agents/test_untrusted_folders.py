"""Model folders of strangers: their code never runs, and their pickles are never read."""

import json
import os
import pickle
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel

from agents.policies.learned_reward import LearnedReward
from agents.policies.pairwise_reward import PairwiseReward
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.policies.sentence_embedder import SentenceEmbedder
from tests.support.tiny_models import BERT, encoder_tokenizer, tiny_classifier, tiny_folder

TOUCH = "import pathlib\npathlib.Path({ran!r}).write_text('ran')\n"

CLASSES = """
from transformers import AutoConfig
from transformers.models.llama import (
    LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, LlamaModel
)
from transformers import PreTrainedTokenizerFast

class Config(LlamaConfig):
    model_type = "own"
class LM(LlamaForCausalLM):
    config_class = Config
class Classifier(LlamaForSequenceClassification):
    config_class = Config
class Model(LlamaModel):
    config_class = Config
class Words(PreTrainedTokenizerFast):
    pass
def generate(*args, **kwargs):
    return None
"""

AUTO_MAP = {
    "AutoConfig": "own.Config",
    "AutoModel": "own.Model",
    "AutoModelForCausalLM": "own.LM",
    "AutoModelForSequenceClassification": "own.Classifier",
}
WORDS = {"AutoTokenizer": ["own.Words", "own.Words"]}


def encoder_folder(folder):
    sizes = {"intermediate_size": 48, "max_position_embeddings": 64}
    config = AutoConfig.for_model("bert", **BERT, **sizes, vocab_size=len(encoder_tokenizer()))
    AutoModel.from_config(config).save_pretrained(folder)
    encoder_tokenizer().save_pretrained(folder)
    return folder


def adapter_folder(folder):
    base = tiny_folder(folder / "base")
    policy = Pretrained(str(base), lora_rank=2).load()
    policy.save(folder / "adapter")
    return folder / "adapter"


LOADERS = {
    "model": (tiny_folder, lambda folder: Pretrained(str(folder)).load()),
    "classifier": (tiny_classifier, LearnedReward.load),
    "ranker": (tiny_folder, PairwiseReward.load),
    "embedder": (encoder_folder, SentenceEmbedder.load),
    "adapter": (adapter_folder, lambda folder: Pretrained(str(folder)).load()),
}


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A file that foreign code writes; no question is asked on stdin."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question on stdin"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    return tmp_path / "ran"


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def plant(folder, ran):
    """Write the code that a Hugging Face folder may bring along."""
    code = TOUCH.format(ran=str(ran)) + CLASSES
    (folder / "custom_generate").mkdir()
    for file in (folder / "own.py", folder / "custom_generate" / "generate.py"):
        file.write_text(code)


def refused(load, folder):
    with pytest.raises((OSError, ValueError)) as error:
        load(folder)
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("place", ["config", "config, known type", "tokenizer_config"])
@pytest.mark.parametrize("kind", ["model", "classifier", "ranker", "embedder"])
def test_code_in_a_folder_never_runs(kind, place, tmp_path, ran):
    make, load = LOADERS[kind]
    folder = make(tmp_path / "folder")
    plant(folder, ran)
    if place == "tokenizer_config":
        change(folder / "tokenizer_config.json", auto_map=WORDS, tokenizer_class="Words")
    elif place == "config":
        change(folder / "config.json", auto_map=AUTO_MAP, model_type="own")
    else:  # transformers holds the architecture, so its own classes are read
        change(folder / "config.json", auto_map=AUTO_MAP)
        load(folder)
        assert not ran.exists()
        return
    assert "brings its own code" in refused(load, folder)
    assert not ran.exists()


def test_a_policy_of_a_folder_with_code_to_generate_writes_without_it(tmp_path, ran):
    folder = tiny_folder(tmp_path / "folder")
    plant(folder, ran)
    policy = Pretrained(str(folder)).load(Sampling(max_tokens=2))
    assert len(policy.sample(["Tell"], 2, np.random.default_rng(0))[0]) == 2
    assert not ran.exists()


class Payload:
    def __init__(self, ran):
        self.ran = ran

    def __reduce__(self):
        return os.system, (f"touch {self.ran}",)


@pytest.mark.parametrize("format", ["pickle", "torch"])
@pytest.mark.parametrize("kind", LOADERS)
def test_pickled_weights_are_never_read(kind, format, tmp_path, ran):
    make, load = LOADERS[kind]
    folder = make(tmp_path / "folder")
    (weights,) = folder.glob("*.safetensors")
    name = "adapter_model.bin" if kind == "adapter" else "pytorch_model.bin"
    state = load_file(weights) | {"payload": Payload(ran)}
    if format == "torch":
        torch.save(state, folder / name)
    else:
        (folder / name).write_bytes(pickle.dumps(Payload(ran)))
    load(folder)  # the pickle next to the weights is left aside
    weights.unlink()
    text = refused(load, folder)
    assert f"are a pickle ({name})" in text
    assert "convert it" in text
    assert not ran.exists()


def test_an_adapter_without_weights_is_refused_without_the_network(tmp_path, ran):
    folder = adapter_folder(tmp_path)
    (folder / "adapter_model.safetensors").unlink()
    text = refused(LOADERS["adapter"][1], folder)
    assert "adapter_model.safetensors is missing" in text


def test_an_adapter_names_no_module_to_import(tmp_path, ran):
    """PEFT imports ``megatron_core`` of an adapter_config.json that has a megatron_config."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "canary_megatron.py").write_text(TOUCH.format(ran=str(ran)))
    folder = adapter_folder(tmp_path)
    megatron = {"megatron_config": {"a": 1}, "megatron_core": "canary_megatron"}
    change(folder / "adapter_config.json", **megatron)
    assert "is not plain LoRA (megatron_config)" in refused(LOADERS["adapter"][1], folder)
    assert not ran.exists()
    assert "canary_megatron" not in sys.modules
