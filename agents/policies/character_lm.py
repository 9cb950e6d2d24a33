"""A small language model over single characters, with random weights."""

from typing import Any

import torch

END = "<eos>"
"""The only special token, so that every other token of a sample shows in its text."""


def character_tokenizer(characters: str) -> Any:
    """Return a tokenizer with one token per character, and one for the end of a text.

    A prompt is followed by the end token, which separates it from the response. The tokenizer
    refuses any other character.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    if not characters:
        raise ValueError("characters is empty; give all that prompts and responses contain")
    vocabulary = {token: i for i, token in enumerate([END, *dict.fromkeys(characters)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        clean_up_tokenization_spaces=False,
        chat_template="{{ messages[0]['content'] + eos_token }}",
    )


def small_llama(
    vocabulary: int, end: int, width: int, layers: int, heads: int, seed: int
) -> Any:
    """Return a Llama with random weights; ``end`` is the id of its end token."""
    from transformers import LlamaConfig, LlamaForCausalLM

    if width % (2 * heads):
        raise ValueError(f"width must be a multiple of 2 * heads = {2 * heads}, got {width}")
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
