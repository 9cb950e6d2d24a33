"""Runs of pretrained language models: options, records, resumption, checkpoints, memory."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agents.creators import Fresh
from agents.policies.causal_lm import CausalLM
from agents.policies.pretrained import Pretrained
from agents.policies.sampling import Sampling
from agents.solvers import DPO, ORPO, RLOO, XPO, Fixed, NashMD, SimPO
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from experiments.cli import main
from experiments.commands.options import Arguments, read_policy, settings_from, with_files
from experiments.run import start
from experiments.run.config import describe, from_json, to_json, to_toml
from experiments.run.errors import UserError
from experiments.run.fitting import Fitting
from experiments.run.match import Match
from experiments.run.named_code import NamedCode
from experiments.run.records import Run
from experiments.run.settings import Settings, remarks
from experiments.run.setup import load_checkpoint, load_policy
from experiments.run.state import State
from experiments.run.train import train
from tests.support.letters import Letters
from tests.support.tiny_models import tiny_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_folder(tmp_path_factory.mktemp("models") / "llama")


def settings(folder, solver=None, **changes):
    policy = Pretrained(str(folder), lora_rank=changes.pop("lora_rank", 0))
    sizes = {"rounds": 2, "prompts": 2, "samples": 2, "evaluate_every": 1}
    return Settings(
        task=changes.pop("task", Letters()),
        creator=Fresh(),
        solver=solver or DPO(lr=1e-3, batch_size=2),
        policy=policy,
        evaluation_samples=2,
        **sizes | {"sampling": Sampling(max_tokens=4)} | changes,
    )


def run_of(path, chosen):
    return Run.create(path, describe(chosen, []))


def played(path, chosen):
    run = run_of(path, chosen)
    for _ in train(run, chosen):
        pass
    return run


def weights(run, round, chosen):
    policy = load_checkpoint(chosen.task, run.checkpoint(round), chosen.policy)
    return {name: tensor.clone() for name, tensor in policy.state_dict().items()}


@pytest.mark.parametrize(
    ("solver", "lora_rank"),
    [
        (DPO(lr=1e-2, batch_size=2), 0),
        (DPO(lr=1e-2, batch_size=2), 2),
        (RLOO(lr=1e-2, batch_size=4), 0),
        (RLOO(lr=1e-2, batch_size=4), 2),
    ],
)
def test_a_resumed_run_is_equal_bit_for_bit(folder, tmp_path, monkeypatch, solver, lora_rank):
    monkeypatch.setattr(start, "SMALL_BYTES", 0)  # as for a large model
    chosen = settings(folder, solver, lora_rank=lora_rank)
    whole = played(tmp_path / "whole", chosen)
    parts = run_of(tmp_path / "parts", chosen)
    for row in train(parts, chosen):
        if row["round"] == 1:
            break
    for _ in train(parts, chosen):
        pass
    one, two = (weights(run, 2, chosen) for run in (whole, parts))
    first = weights(whole, 1, chosen)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], first[name]) for name in one)
    kept = [[row["kl"] for row in run.rows("evaluations")] for run in (whole, parts)]
    assert kept[0] == kept[1]
    assert kept[0][0] == 0
    assert kept[0][-1] != 0


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_weights_are_written_once(folder, tmp_path, lora_rank):
    chosen = settings(folder, RLOO(lr=1e-2, batch_size=4), rounds=1, lora_rank=lora_rank)
    run = played(tmp_path, chosen)
    state = run.load(1).tree
    assert state["solver"].keys() == {"optimizer", "memory", "tokens", "scored"}
    assert "start" not in state
    files = {path.name for path in run.checkpoint(1).iterdir()}
    assert ("model.safetensors" in files) == (lora_rank == 0)
    assert ("adapter_model.safetensors" in files) == (lora_rank > 0)


def test_a_damaged_checkpoint_is_one_line(folder, tmp_path):
    chosen = settings(folder, rounds=1)
    run = played(tmp_path, chosen)
    (run.checkpoint(1) / "model.safetensors").unlink()
    with pytest.raises(UserError, match="delete it to continue from the checkpoint before"):
        next(train(run, replace(chosen, rounds=2)))


@pytest.mark.parametrize(
    ("solver", "needed"),
    [
        (DPO(), False),
        (DPO(reference="initial"), True),
        (ORPO(), False),
        (SimPO(), False),
        (SimPO(restart=True), True),
        (RLOO(), True),
        (RLOO(reference="round"), False),
        (NashMD(reference="round"), True),
        (XPO(), True),
        (Fixed(), False),
    ],
)
def test_the_start_is_in_memory_only_where_it_is_needed(folder, monkeypatch, solver, needed):
    assert solver.uses_initial == needed
    monkeypatch.setattr(start, "SMALL_BYTES", 0)
    match = Match.open(settings(folder, solver))
    assert (match.start._policy is not None) == needed
    assert match.solver.initial is match.start()
    assert not next(iter(match.start().parameters())).requires_grad
    match.start.release()
    assert (match.start._policy is not None) == needed
    adapted = Match.open(settings(folder, solver, lora_rank=2))
    assert adapted.start._policy is not None


def test_the_options_of_a_checkpoint_are_recorded_and_read_back(folder, tmp_path):
    chosen = settings(folder, lora_rank=2)
    assert to_json(chosen)["policy"]["type"] == "pretrained"
    assert from_json(to_json(chosen), Settings).policy == chosen.policy
    old = to_json(chosen) | {"policy": str(folder)}
    assert from_json(old, Settings).policy == str(folder)
    assert f'folder = "{folder}"' in to_toml(chosen)


def test_a_policy_is_a_name_a_folder_or_a_file(folder, monkeypatch):
    monkeypatch.chdir(Path(folder).parent)
    assert read_policy("llama") == Pretrained(str(folder))
    assert read_policy("wordlist") == Pretrained("wordlist")
    assert read_policy("none.gguf") == Pretrained("none.gguf")
    assert read_policy("pretrained:lora_rank=2,folder=llama").lora_rank == 2
    with pytest.raises(UserError, match=r"no checkpoint at none\.gguf"):
        load_policy(Wordlist(), Pretrained("none.gguf"))


def test_options_apply_to_the_worlds_own_checkpoint():
    arguments = Arguments.of(["--policy.lora-rank", "2"], ("task", "policy"))
    chosen = with_files(settings_from(arguments, Settings(), {}), arguments.rest)
    assert chosen.policy == Pretrained("wordlist")
    assert with_files(Settings(), ["--rounds", "2"]).policy is None
    with pytest.raises(UserError, match="give --policy FOLDER too"):
        with_files(Settings(task=TabularWorld()), ["--policy.lora-rank", "2"])
    with pytest.raises(UserError, match="Letters has no starting policy"):
        with_files(Settings(task=Letters()), ["--policy.lora-rank=2"])


def test_the_command_trains_evaluates_and_resumes(folder, tmp_path, capsys):
    run = str(tmp_path / "run")
    task = "task:tests.support.letters.Letters"
    sizes = ["--prompts", "2", "--samples", "2", "--evaluation-samples", "2"]
    sizes += ["--sampling.max-tokens", "4", "--rounds", "1", "creator:fresh"]
    lora = ["--policy", str(folder), "--policy.lora-rank", "2", "--policy.system", "Rhyme."]
    assert main(["train", task, *sizes, *lora, "--out", run]) == 0
    policy = json.loads(Path(run, "config.json").read_text())["settings"]["policy"]
    assert (policy["folder"], policy["lora_rank"]) == (str(folder), 2)
    capsys.readouterr()
    code = ["--code", task.removeprefix("task:")]
    assert main(["evaluate", run, "--samples", "2", "--json", *code]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["gold"] <= 1
    resumed = ["train", "--resume", run, "--rounds", "2", "--solver.micro-batch-tokens", "512"]
    assert main([*resumed, *code]) == 0
    named = NamedCode.of(["train", *code])
    assert Run.open(Path(run)).settings(Settings, named).solver.micro_batch_tokens == 512
    assert main(["train", "--resume", run, "--policy.lora-rank", "4", *code]) == 1
    assert "was begun with policy.lora_rank = 2" in capsys.readouterr().err


@pytest.mark.parametrize(("keep", "kept"), [("all", 4), ("last", 1), ("best", 2)])
def test_checkpoints_are_kept_as_the_setting_says(folder, tmp_path, keep, kept):
    chosen = settings(folder, rounds=4, keep=keep)
    run = run_of(tmp_path, chosen)
    for row in train(run, chosen):
        rows = [e for e in run.rows("evaluations") if e["round"]]
        best = max(rows, key=lambda e: e["win_rate"])["round"] if rows else 0
        expected = {"all": {*range(1, row["round"] + 1)}, "last": {row["round"]}}
        expected["best"] = {best, row["round"]}
        assert {*run.checkpoints} == (expected[keep] if row["round"] else set())
    assert len(run.checkpoints) in (kept, kept - (keep == "best"))
    for _ in train(run, replace(chosen, rounds=5)):
        pass
    assert run.checkpoints[-1] == 5


def test_the_best_checkpoint_is_that_of_the_highest_win_rate(folder, tmp_path):
    chosen = settings(folder)
    run, policy = run_of(tmp_path, chosen), load_policy(chosen.task, chosen.policy)
    for round, rate in ((1, 0.4), (2, 0.7), (3, 0.6), (4, 0.5)):
        run.append("evaluations", [{"round": round, "suite": "hard", "win_rate": rate}])
        run.append("evaluations", [{"round": round, "suite": "easy", "win_rate": 1 - rate}])
        run.save(round, policy, State.of({}))
        run.prune("best", "hard")
    assert run.checkpoints == [2, 4]


def test_prompts_that_do_not_fit_are_refused_before_the_run(folder, tmp_path):
    def message(**changes):
        with pytest.raises(UserError) as error:
            Match.open(settings(folder, **changes))
        return str(error.value)

    assert "+ 500 for the response exceed the model's context of 512" in message(
        sampling=Sampling(max_tokens=500)
    )
    assert "exceed the model's context of 512" in message(task=Letters(longest=800))


def test_an_evolved_prompt_that_does_not_fit_is_invalid(folder):
    match = Match.open(settings(folder))
    task = match.env.unwrapped.task
    assert isinstance(task, Fitting)
    assert task.valid("sea fox")
    assert not task.valid("sea fox " * 400)
    assert match.env.unwrapped.game.valid("sea fox")
    assert not match.env.unwrapped.game.valid("sea fox " * 400)


CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried\nto")


@pytest.mark.parametrize("error", [CUDA, RuntimeError("can't allocate memory")])
def test_out_of_memory_is_one_line_and_keeps_the_record(folder, tmp_path, monkeypatch, error):
    chosen = settings(folder, rounds=3)
    run = run_of(tmp_path, chosen)
    rows = train(run, chosen)
    assert [next(rows)["round"], next(rows)["round"]] == [0, 1]
    monkeypatch.setattr(CausalLM, "sample", lambda *_: exec_raise(error))
    with pytest.raises(UserError, match="out of memory") as raised:
        next(rows)
    text = str(raised.value)
    assert "\n" not in text
    for name in ("--policy.logits-megabytes", "micro-batch-tokens", "lora-rank", "--resume"):
        assert name in text
    monkeypatch.undo()
    assert run.checkpoints == [1]
    assert [row["round"] for row in train(run, chosen)] == [2, 3]


def exec_raise(error):
    raise error


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("tpu9", "unknown device 'tpu9'"),
        ("cuda:7", "sees . CUDA devices; give --dev"),
    ],
)
def test_an_unknown_device_is_refused(folder, device, reason):
    with pytest.raises(UserError, match=reason):
        Match.open(settings(folder, device=device))


def test_remarks_on_types_and_devices(folder, monkeypatch):
    chosen = settings(folder)
    assert remarks(chosen) == []
    half = replace(chosen, policy=replace(chosen.policy, dtype="bfloat16"))
    assert "round small steps" in remarks(half)[0]
    assert remarks(replace(half, policy=replace(half.policy, lora_rank=2))) == []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "give --device cuda" in remarks(chosen)[0]
