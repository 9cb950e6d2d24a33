"""GGUF files of tiny Llama models."""

from gguf import GGUFWriter


def write_gguf(path, model):
    """Write a model with the gguf package, so that no download is needed."""
    config, weights = model.config, model.state_dict()
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(config.vocab_size)
    ours = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm"}
    names |= {"lm_head": "output"}
    for block in range(config.num_hidden_layers):
        names |= {f"model.layers.{block}.{a}": f"blk.{block}.{b}" for a, b in ours.items()}
    for name, tensor in weights.items():
        array = tensor.float().numpy()
        if "q_proj" in name or "k_proj" in name:  # GGUF pairs the rotated halves
            heads = config.num_attention_heads
            shape = (heads, 2, array.shape[0] // heads // 2, array.shape[1])
            array = array.reshape(shape).swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(f"{names[name.removesuffix('.weight')]}.weight", array.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
