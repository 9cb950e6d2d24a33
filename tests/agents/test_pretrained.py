"""Checkpoints of language models: what loads, what is refused, and LoRA adapters."""

import copy
import json

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BertConfig, BertForMaskedLM

from agents.policies import checkpoints
from agents.policies.adapters import AdaptedLM
from agents.policies.causal_lm import CausalLM
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from tests.support.tiny_gguf import write_gguf
from tests.support.tiny_models import tiny, tiny_folder, tokenizer

PROMPTS, RESPONSES = ["Tell a story.", "Describe the sea."], ["the fox", "deep snow"]
SHORT = Sampling(max_tokens=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_folder(tmp_path_factory.mktemp("models") / "llama")


def loaded(folder, **options):
    return Pretrained(str(folder), **options).load(SHORT)


def step(policy, size=0.1):
    """Change the policy's trainable weights, as an update would."""
    policy.logprobs(PROMPTS, RESPONSES).sum().backward()
    with torch.no_grad():
        for weight in policy.parameters():
            weight += size * weight.grad.sign()
            weight.grad = None


def scores(policy):
    with torch.no_grad():
        return policy.logprobs(PROMPTS, RESPONSES)


def test_a_checkpoint_is_loaded_in_a_type(folder):
    whole, half = loaded(folder), loaded(folder, dtype="bfloat16")
    assert {weight.dtype for weight in half.parameters()} == {torch.bfloat16}
    assert torch.allclose(scores(half), scores(whole), atol=0.1)
    assert not torch.equal(scores(half), scores(whole))
    assert loaded(folder, dtype="auto").model.dtype == torch.float32


def test_template_and_system_message_are_settings(folder, tmp_path):
    (tmp_path / "t.jinja").write_text("{{ messages[0]['role'] }}:{{ messages[-1]['content'] }}")
    settings = {"template": tmp_path / "t.jinja", "system": "Be brief.", "truncation": "left"}
    policy = loaded(folder, **settings)
    assert policy.tokenizer.decode(policy.encode(["Hi"])[0]) == "user:Be brief.\n\nHi"
    assert (policy.chat.limit, policy.chat.max_tokens) == (512, 6)
    policy.save(tmp_path / "saved")
    again = Pretrained(str(folder)).saved_in(tmp_path / "saved").load(SHORT)
    assert again.tokenizer.decode(again.encode(["Hi"])[0]) == "user:Hi"
    with pytest.raises(ValueError, match="cannot read the chat template"):
        loaded(folder, template=tmp_path / "none.jinja")
    (tmp_path / "bad.jinja").write_text("{% for %}")
    with pytest.raises(ValueError, match="cannot read the chat template"):
        loaded(folder, template=tmp_path / "bad.jinja")


def test_gradient_checkpointing_changes_no_gradient(folder):
    def gradients(**options):
        policy = loaded(folder, **options)
        policy.logprobs(PROMPTS, RESPONSES).sum().backward()
        return policy, [weight.grad for weight in policy.parameters()]

    (plain, expected), (saving, found) = gradients(), gradients(gradient_checkpointing=True)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(expected, found, strict=True))
    layer = saving.model.model.layers[0]
    passes = []
    layer.self_attn.register_forward_hook(lambda *_: passes.append(torch.is_grad_enabled()))
    saving.logprobs(PROMPTS, RESPONSES).sum().backward()
    assert len(passes) == 2  # forward, and again in the backward pass
    draws = [policy.sample(PROMPTS, 2, np.random.default_rng(0)) for policy in (plain, saving)]
    assert draws[0] == draws[1]


def test_lora_starts_at_the_model_and_trains_the_adapter_alone(folder):
    plain, adapted = loaded(folder), loaded(folder, lora_rank=4)
    assert isinstance(adapted, AdaptedLM)
    assert torch.equal(scores(adapted), scores(plain))
    names = [name for name, weight in adapted.model.named_parameters() if weight.requires_grad]
    assert len(names) == 28  # two matrices for seven layers of two blocks
    assert all("lora_" in name for name in names)
    assert sum(1 for _ in adapted.parameters()) == 28
    assert adapted.state_dict().keys() == {*names}
    step(adapted)
    assert not torch.allclose(scores(adapted), scores(plain), atol=1e-3)
    assert torch.equal(scores(loaded(folder)), scores(plain))


def test_targets_and_alpha_of_lora(folder):
    narrow = loaded(folder, lora_rank=2, lora_targets="q_proj, v_proj", lora_alpha=6)
    assert len(narrow.state_dict()) == 8
    assert narrow.model.peft_config["default"].lora_alpha == 6
    assert loaded(folder, lora_rank=2).model.peft_config["default"].lora_alpha == 4


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"lora_rank": 2, "lora_targets": "nothing"}, "lora-targets nothing; .*in_proj,x_proj"),
        ({"lora_rank": 2, "lora_targets": ""}, "lora-targets '' holds an empty name; give all"),
        ({"lora_targets": "q_proj"}, "lora-targets q_proj needs --policy.lora-rank; give"),
    ],
)
def test_unfit_targets_of_lora_are_refused(folder, settings, reason):
    with pytest.raises(ValueError, match=reason):
        loaded(folder, **settings)


def test_all_linear_layers_of_mamba_are_those_that_peft_adapts(tmp_path):
    policy = loaded(tiny_folder(tmp_path, "mamba"), lora_rank=2)
    layers = {name.split(".")[-4] for name in policy.state_dict()}
    assert layers == {"in_proj", "x_proj", "dt_proj"}


def test_a_frozen_copy_shares_the_base_and_keeps_its_adapter(folder):
    policy = loaded(folder, lora_rank=4)
    step(policy)
    before, frozen = scores(policy), policy.frozen()
    theirs, ours = (dict(which.model.named_parameters()) for which in (frozen, policy))
    assert all((theirs[name] is ours[name]) == ("lora_" not in name) for name in ours)
    assert list(frozen.parameters()) == []
    step(policy)
    # The start is the tuned adapter, not the base model, and does not move.
    assert torch.equal(scores(frozen), before)
    assert not torch.allclose(scores(policy), before, atol=1e-3)
    assert not torch.allclose(before, scores(loaded(folder)), atol=1e-3)
    assert all(w.requires_grad == ("lora_" in n) for n, w in policy.model.named_parameters())
    policy.load_state_dict(frozen.state_dict())
    assert torch.equal(scores(policy), before)


@pytest.mark.parametrize(("weight", "of"), [(0.0, "policy"), (1.0, "frozen")])
def test_a_mixture_reads_both_adapters(folder, weight, of):
    policy = loaded(folder, lora_rank=4)
    frozen = policy.frozen()
    step(policy, 1.0)
    mixture = policy.mixture(frozen, weight)
    drawn = mixture.sample(PROMPTS, 4, np.random.default_rng(0))
    alone = {"policy": policy, "frozen": frozen}
    rng = np.random.default_rng(0)
    assert drawn == alone[of].sample(PROMPTS, 4, rng)
    others = alone["frozen" if of == "policy" else "policy"]
    assert drawn != others.sample(PROMPTS, 4, np.random.default_rng(0))


def test_an_adapter_alone_is_saved_as_peft_reads_it(folder, tmp_path):
    policy = loaded(folder, lora_rank=4)
    step(policy)
    policy.save(tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    peft = CausalLM(PeftModel.from_pretrained(base, tmp_path).get_base_model(), tokenizer())
    assert torch.allclose(scores(peft), scores(policy), atol=1e-6)
    assert not torch.allclose(scores(peft), scores(loaded(folder)), atol=1e-3)
    again = loaded(tmp_path)
    assert torch.equal(scores(again), scores(policy))
    step(again)  # it is trained further
    fresh = loaded(folder, lora_rank=4)
    fresh.restore(tmp_path)
    assert torch.equal(scores(fresh), scores(policy))
    with pytest.raises(ValueError, match="another rank or other targets"):
        loaded(folder, lora_rank=2).restore(tmp_path)
    with pytest.raises(ValueError, match=r"leave out --policy\.lora-rank"):
        loaded(tmp_path, lora_rank=4)


def test_an_adapter_of_peft_is_loaded(folder, tmp_path):
    from peft import LoraConfig, get_peft_model

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    theirs = get_peft_model(base, config)
    theirs.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    policy = loaded(tmp_path)
    expected = CausalLM(theirs.get_base_model(), tokenizer())
    assert torch.allclose(scores(policy), scores(expected), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"base_model_name_or_path": "/nowhere/llama"}, "the model '/nowhere/llama', which is"),
        ({"use_dora": True}, r"is not plain LoRA \(use_dora\)"),
        ({"peft_type": "IA3"}, "is not plain LoRA"),
    ],
)
def test_an_unfit_adapter_is_refused(folder, tmp_path, change, reason):
    loaded(folder, lora_rank=2).save(tmp_path)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises((OSError, ValueError), match=reason) as error:
        loaded(tmp_path)
    assert "\n" not in str(error.value)


def test_an_incomplete_adapter_is_refused(folder, tmp_path):
    loaded(folder, lora_rank=2).save(tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    weights.popitem()
    save_file(weights, tmp_path / "adapter_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="1 tensors are missing or left over"):
        loaded(tmp_path)


def lacks_weights(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def has_wrong_shapes(folder):
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = torch.zeros(3, 3)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def is_cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:2000])


def lacks_all_weights(folder):
    (folder / "model.safetensors").unlink()


def is_a_broken_gguf_file(folder):
    (folder / "config.json").unlink()
    (folder / "bad.gguf").write_bytes(b"GGUF" + bytes(20))


def lacks_a_tokenizer(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()


def is_an_encoder(folder):
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 32}
    config = BertConfig(vocab_size=400, num_attention_heads=2, **sizes)
    BertForMaskedLM(config).save_pretrained(folder)


def changes(file, **values):
    def change(folder):
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def has_another_tokenizer(folder):
    larger = copy.deepcopy(tokenizer())
    larger.add_tokens(["<more>"])
    larger.save_pretrained(folder)


CODE = {"auto_map": {"AutoModelForCausalLM": "own.Model"}, "model_type": "own"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lacks_weights, r"incomplete: 1 tensors of the causal LM are missing \(lm_head.weight"),
        (has_wrong_shapes, "cannot load a causal LM .* other shapes .*; copy the folder again"),
        (is_cut, "cannot load a causal LM .* is cut off; copy the folder again"),
        (lacks_all_weights, "cannot load a causal LM .* are missing; copy the folder again"),
        (is_a_broken_gguf_file, "cannot load a causal LM from .*/bad.gguf: "),
        (lacks_a_tokenizer, "holds no tokenizer"),
        (is_an_encoder, "holds a BertForMaskedLM, which cannot write text"),
        (changes("config.json", **CODE), "brings its own code"),
        (changes("tokenizer_config.json", auto_map={"AutoTokenizer": "t.T"}), "its own code"),
        (lambda folder: (folder / "config.json").unlink(), "no checkpoint at"),
        (has_another_tokenizer, "do not belong together"),
        (changes("config.json", model_type="unheard-of"), "cannot load a causal LM"),
    ],
)
def test_a_broken_folder_is_refused_in_one_line(tmp_path, monkeypatch, damage, reason):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question on stdin"))
    tiny_folder(tmp_path)
    damage(tmp_path)
    with pytest.raises((OSError, ValueError), match=reason) as error:
        loaded(tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises((OSError, ValueError), match=reason):
        CausalLM.load(tmp_path)


def test_code_of_a_known_architecture_is_left_aside(tmp_path):
    changes("config.json", auto_map={"AutoConfig": "own.Config"})(tiny_folder(tmp_path))
    assert loaded(tmp_path).chat.limit == 512


def test_missing_packages_have_an_install_command(folder, tmp_path, monkeypatch):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(checkpoints, "find_spec", lambda name: None)
    monkeypatch.setattr("agents.policies.adapters.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"gguf.* is missing: pip install \"eva-env\[real\]\""):
        loaded(tmp_path)
    with pytest.raises(ValueError, match=r"peft.* is missing: pip install \"eva-env\[real\]\""):
        loaded(folder, lora_rank=2)


def test_a_folder_of_several_gguf_files_needs_a_choice(tmp_path):
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(ValueError, match=r"holds 2 GGUF files; name one of them, .*a\."):
        loaded(tmp_path)
    with pytest.raises(ValueError, match="cannot load a causal LM"):
        loaded(tmp_path / "a.gguf")


def test_a_gguf_file_is_loaded_saved_and_loaded_again(tmp_path):
    """The file is written with the gguf package, so that no download is needed."""
    model = tiny(num_key_value_heads=4, head_dim=8, max_position_embeddings=128)
    write_gguf(tmp_path / "tiny.gguf", model)
    tokenizer().save_pretrained(tmp_path)
    policy, expected = loaded(tmp_path / "tiny.gguf"), CausalLM(model, tokenizer(), SHORT)
    assert torch.allclose(scores(policy), scores(expected), atol=1e-4)
    assert policy.chat.limit == 128
    policy.save(tmp_path / "saved")
    assert torch.equal(scores(loaded(tmp_path / "saved")), scores(policy))
    adapted = loaded(tmp_path, lora_rank=2)
    step(adapted)
    adapted.save(tmp_path / "adapter")
    assert torch.equal(scores(loaded(tmp_path / "adapter")), scores(adapted))
