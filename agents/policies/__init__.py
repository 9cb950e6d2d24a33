"""Policies: models behind one interface, and the learned reward model.

``base`` is the interface; ``table`` a softmax table over integers, where everything is exact;
``causal_lm`` any Hugging Face causal LM, ``adapters`` one of which only a LoRA adapter learns,
and ``CausalLM.untrained`` a small one with random weights over the characters of a toy task
(``character_lm``); ``learned_reward`` a sequence classifier as reward model. ``batches`` and
``divergence`` serve any policy.

The parts of a language model's work:

- ``checkpoints`` and ``pretrained`` load models; ``chat`` gives a prompt's token ids;
  ``sampled`` is a response with the tokens that were drawn.
- ``decoding`` samples, by ``side_by_side`` or, for models that cannot decode samples so, by
  ``plain_decoding``; ``unfinished`` computes only samples that have not ended; ``sampling``
  holds settings and random streams, ``choosing`` draws a token from logits, and ``mixture``
  joins two models.
- ``packing`` reads log-probabilities of several responses in a row; ``logits`` computes them
  from hidden states, in chunks.
- ``attention`` makes masks; ``layout`` checks, on toy input, what a model reads right.
"""
