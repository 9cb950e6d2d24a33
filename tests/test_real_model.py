"""SmolLM2-135M-Instruct of the cache: loads, samples, learns. Only with ``-m real``."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.policies.adapters import AdaptedLM
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.solvers import DPO, PolicySolver
from experiments import cli
from experiments.fetching.resources import RESOURCES
from tests.support.rounds import a_round
from tests.support.tiny_models import tiny_classifier

pytestmark = pytest.mark.real
PROMPTS = ["Write one sentence about a dog.", "Name a colour."]


@pytest.fixture(scope="module")
def smollm2():
    """The folder of the model."""
    if not RESOURCES["instruct"].is_fetched():
        pytest.skip("needs make test-real, or eva fetch instruct")
    return RESOURCES["instruct"].path


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


def test_what_smollm2_reads_is_what_it_drew(smollm2):
    policy = Pretrained(str(smollm2)).load(Sampling(0.7, 1.0, 16))
    assert policy.layout.packs
    assert policy.layout.head
    assert policy.layout.decoding == "unfinished"
    (row,) = policy.sample(PROMPTS[:1], 4, np.random.default_rng(0))
    with torch.no_grad():
        read = policy.as_sampled().token_logprobs(PROMPTS[:1] * 4, row)
    (prompt,) = policy.encode(PROMPTS[:1])
    for response, logprobs in zip(row, read, strict=True):
        ids = torch.tensor([[*prompt, *response.ids.tolist()]])
        with torch.no_grad():
            logits = policy.model(ids).logits[0, len(prompt) - 1 : -1] / 0.7
        plain = logits.log_softmax(-1).gather(-1, ids[0, len(prompt) :, None])[:, 0]
        size = len(response.ids)
        assert torch.allclose(logprobs[:size], plain, atol=1e-3)
        assert response.logprobs is not None
        assert np.allclose(response.logprobs, plain.numpy(), atol=1e-3)


SIZES = ["--rounds", "1", "--prompts", "4", "--samples", "2", "--evaluation-samples", "2"]
SIZES += ["--sampling.max-tokens", "24", "--task.held-out", "0.1"]
FILES = Path(__file__).parents[1] / "experiments/examples"


def check_evaluations(folder):
    rows = [json.loads(line) for line in (folder / "evaluations.jsonl").open()]
    assert {row["round"] for row in rows} == {0, 1}
    assert all(math.isfinite(row["gold"]) for row in rows)


def test_a_file_of_prompts_a_model_and_a_function_make_a_run(smollm2, tmp_path):
    task = ["task:prompts", "--task.file", str(FILES / "prompts.jsonl")]
    task += ["--reward", f"{FILES / 'own_reward.py'}:concise", "--policy", str(smollm2)]
    folder = tmp_path / "run"
    command = ["train", "creator:fresh", "solver:dpo", *task, *SIZES, "--out", str(folder)]
    assert cli.main([*command, "--keep", "last"]) == 0
    check_evaluations(folder)
    assert cli.main(["export", str(folder), "--out", str(tmp_path / "pairs.jsonl")]) == 0


def test_a_classifier_an_adapter_and_rewriting_make_a_run(smollm2, tmp_path):
    classifier = tiny_classifier(tmp_path / "classifier")
    task = ["task:prompts", "--task.file", str(FILES / "prompts.jsonl"), "--policy"]
    task += [str(smollm2), "--policy.lora-rank", "4", "--reward", str(classifier)]
    task += ["--rewriter", "solver", "--judge", f"{FILES / 'own_reward.py'}:concise"]
    folder = tmp_path / "run"
    command = ["train", "creator:eva-lite", "solver:rloo", *task, *SIZES, "--out", str(folder)]
    assert cli.main([*command, "--rounds", "2", "--evaluate-every", "1"]) == 0
    rows = [json.loads(line) for line in (folder / "prompts.jsonl").open()]
    assert any(row["operator"] for row in rows)
    rounds = [json.loads(line) for line in (folder / "rounds.jsonl").open()]
    assert rounds[-1]["budget"]["creator_tokens"] > 0
    assert 0 <= rounds[-1]["cut_off"] <= 1
    assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) < 40e6


def test_the_instruct_world_is_played_judged_and_tested_outside(smollm2, tmp_path, capsys):
    folder = tmp_path / "run"
    assert cli.main(["demo", "instruct", "--rounds", "1", "--out", str(folder)]) == 0
    assert "On 48 hard prompts that no creator saw" in capsys.readouterr().out
    before, after = (json.loads(line) for line in (folder / "evaluations.jsonl").open())
    assert 0.05 < before["gold"] < 0.25
    assert 0 < after["kl"] < 20
    command = ["evaluate", str(folder), "--suite", "ifeval", "--quick", "4"]
    assert cli.main([*command, "--sampling.max-tokens", "16"]) == 0
    assert (folder / "ifeval.json").is_file()
