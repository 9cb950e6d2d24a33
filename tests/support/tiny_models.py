"""Tiny random language models of real architectures, with a tokenizer that has the usual traps.

The tokenizer is a byte-level BPE whose samples seldom survive decoding and encoding, with a
ChatML template that adds a system message, and PAD = EOS, as SmolLM2 has them.
"""

from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

TEXT = (
    "Write a short poem about the sea. Tell a story about a clever fox in the forest. "
    "Describe the first snow. What do people like about old films? Give three reasons. "
    "Use at most twelve words. Begin with the word Imagine. Do not use any commas. "
)

CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n"
    "{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
RECURRENT = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}
SLIDING = {"sliding_window": 8}
LAYERS = {"layer_types": ["sliding_attention", "full_attention"]}

ARCHITECTURES = {
    "llama": SIZES,
    "mistral": SIZES | SLIDING,
    "qwen2": SIZES | SLIDING | LAYERS | {"use_sliding_window": True},
    "qwen3": SIZES,
    "gemma2": SIZES | SLIDING | LAYERS | {"final_logit_softcapping": 5.0},
    "gemma3_text": SIZES | SLIDING | LAYERS,
    "phi3": SIZES | SLIDING,
    "olmo2": SIZES,
    "gpt2": GPT2,
    "gpt_neox": SIZES,
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 512},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mamba": RECURRENT,
}
"""Configurations by architecture; a window of 8 tokens is shorter than every prompt."""

LINEAR = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
LOCAL = {"attention_types": [[["global", "local"], 1]], "window_size": 8}
GRIFFIN = {
    "attention_window_size": 8,
    "lru_width": 32,
    "block_types": ["recurrent", "attention"],
}

UNUSUAL = {
    "cohere2": SIZES | SLIDING | LAYERS | {"logit_scale": 0.25},
    "granite": SIZES | {"logits_scaling": 4.0},
    "gpt_neo": {"hidden_size": 32, "num_layers": 2, "num_heads": 4} | LOCAL,
    "recurrent_gemma": SIZES | GRIFFIN,
    "qwen3_next": SIZES | LINEAR,
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32},
}
"""Architectures with scaled logits, local attention or recurrent layers."""


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of all tiny models."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([TEXT] * 8, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        chat_template=CHATML,
        clean_up_tokenization_spaces=False,
    )


def tiny(architecture: str = "llama", seed: int = 0, **changes: object) -> torch.nn.Module:
    """A random model of an architecture in ``ARCHITECTURES`` or ``UNUSUAL``, in float32."""
    words = tokenizer()
    special = {
        "vocab_size": len(words),
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    settings = (ARCHITECTURES | UNUSUAL)[architecture] | special | changes
    config = AutoConfig.for_model(architecture, **settings)
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config).eval().requires_grad_(True)


def tiny_folder(folder: Path, architecture: str = "llama", **changes: object) -> Path:
    """Write a tiny model with its tokenizer as an ordinary checkpoint; return its folder."""
    tiny(architecture, **changes).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


BERT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


def tiny_classifier(
    folder: Path, architecture: str = "llama", seed: int = 0, **changes: object
) -> Path:
    """Write a random sequence classifier with one label and its tokenizer; return its folder.

    ``bert`` has a tokenizer with [CLS] and [SEP]; the others have that of all tiny models.
    """
    words = encoder_tokenizer() if architecture == "bert" else tokenizer()
    sizes = BERT | {"intermediate_size": 48, "max_position_embeddings": 64}
    settings = {
        **(sizes if architecture == "bert" else ARCHITECTURES[architecture]),
        "vocab_size": len(words),
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
        "num_labels": 1,
    }
    config = AutoConfig.for_model(architecture, **settings | changes)
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():  # of its usual size the head's scores differ by 1e-3 alone
        head = getattr(model, "score", None) or model.classifier
        head.weight.mul_(50)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@cache
def encoder_tokenizer() -> PreTrainedTokenizerFast:
    """The words of the tiny tokenizer with BERT's special tokens, and no chat template."""
    words = Tokenizer.from_str(tokenizer().backend_tokenizer.to_str())
    words.add_special_tokens(["[CLS]", "[SEP]", "[PAD]"])
    cls, sep = words.token_to_id("[CLS]"), words.token_to_id("[SEP]")
    words.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
