"""Policies: models behind one interface, and the learned reward model.

``base`` is the interface; ``table`` a softmax table over integers, where everything is exact;
``causal_lm`` any Hugging Face causal LM, and ``CausalLM.untrained`` a small one with random
weights over the characters of a toy task (``character_lm``); ``learned_reward`` a sequence
classifier as reward model. The parts of a language model's work: ``decoding`` samples,
``packing`` reads log-probabilities, ``mixture`` joins two models, ``checkpoints`` finds the
shipped ones. ``batches`` and ``divergence`` serve any policy.
"""
