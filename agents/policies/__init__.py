"""Models behind one interface: a softmax table, any Hugging Face causal LM, a learned reward."""
