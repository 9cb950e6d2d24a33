"""`eva train` on the tabular rung: what it records, and that resuming changes nothing."""

from dataclasses import replace

import numpy as np
import pytest

from agents.creators import SFL, Eva, EvaOnline, Fresh, PolicyGradient, UniformEvolve
from agents.evolution.diversity import largest_cluster
from agents.policies.causal_lm import CausalLM
from agents.policies.divergence import kl
from agents.policies.learned_reward import LearnedReward
from agents.policies.table import TablePolicy
from agents.solvers import DPO, RLOO, BestOfN, Fixed
from eva_env.rewards import LengthBiased, Retrained
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from experiments import cli
from experiments.commands import train as command
from experiments.run.config import describe
from experiments.run.errors import UserError
from experiments.run.evaluation import Evaluator
from experiments.run.match import Match
from experiments.run.records import FILES, Run
from experiments.run.settings import Settings, remarks
from experiments.run.train import train

WORLD = TabularWorld(topics=2, levels=4, variants=2, responses=6)


def settings(creator=None, solver=None, **changes):
    given = {"rounds": 4, "prompts": 8, "samples": 3, "seed": 5, "task": WORLD}
    given |= {"reward": "proxy", "evaluate_every": 1} | changes
    creator, solver = creator or Eva(), solver or RLOO(lr=0.1)
    return Settings(creator=creator, solver=solver, **given)


def start(folder, chosen):
    return Run.create(folder, describe(chosen, []))


def rows(run, name):
    return [
        {key: value for key, value in row.items() if key != "seconds"} for row in run.rows(name)
    ]


def drawn(run, round):
    return [
        row["text"] for row in run.rows("prompts") if row["drawn"] and row["round"] == round
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    chosen = settings(rounds=5, evaluate_every=2, checkpoint_every=2)
    run = start(tmp_path_factory.mktemp("runs") / "whole", chosen)
    return run, list(train(run, chosen)), chosen


def test_every_round_has_a_row_and_the_last_is_judged(finished):
    run, yielded, _ = finished
    assert [row["round"] for row in run.rows("rounds")] == [1, 2, 3, 4, 5]
    assert [row["round"] for row in yielded] == [0, 1, 2, 3, 4, 5]
    judged = [(row["round"], row["suite"]) for row in run.rows("evaluations")]
    assert judged == [(k, suite) for k in (0, 2, 4, 5) for suite in ("easy", "hard")]
    assert run.checkpoints == [2, 4, 5]


def test_the_start_is_on_a_par_with_itself_and_training_wins(finished):
    evaluations = finished[0].rows("evaluations")
    assert {row["win_rate"] for row in evaluations if row["round"] == 0} == {0.5}
    chosen = settings(creator=Fresh(), rounds=30, prompts=32, evaluation_samples=64)
    match = Match.open(chosen)
    evaluator = Evaluator(WORLD, match.solver.initial, 64)
    list(match.rounds())
    easy, _hard = evaluator.evaluate(match.solver.policy, 30)[0]
    assert easy["win_rate"] > 0.55
    assert easy["gold"] > evaluator.before["easy"][1].mean() + 0.02


def test_budget_counts_prompts_and_responses(finished):
    """5 rounds of 8 prompts x 3 responses, answered twice because Eva resamples."""
    spent = finished[0].rows("rounds")[-1]["budget"]
    assert (spent["prompts"], spent["responses"], spent["reward_calls"]) == (40, 240, 240)
    assert finished[0].rows("evaluations")[-1]["budget"] == spent


def test_no_round_is_begun_that_would_exceed_the_allowed_reward_calls(tmp_path):
    """8 prompts x 3 responses: 24 a round, 48 where Eva answers anew; resuming adds none."""
    for resample, rounds in ((False, 3), (True, 1)):
        chosen = settings(Eva(resample=resample), rounds=9, max_reward_calls=95)
        run = start(tmp_path / str(resample), chosen)
        assert [row["round"] for row in train(run, chosen)] == list(range(rounds + 1))
        assert run.rows("rounds")[-1]["budget"]["reward_calls"] == 72 - 24 * resample
        assert run.rows("evaluations")[-1]["round"] == run.checkpoints[-1] == rounds
        assert list(train(run, chosen)) == []
    with pytest.raises(ValueError, match="max_reward_calls must be at least 1, got 0"):
        settings(max_reward_calls=0)


def test_prompts_have_ids_and_every_parent_exists(finished):
    prompts = finished[0].rows("prompts")
    assert sum(row["drawn"] for row in prompts) == 40
    ids = {row["id"]: row["text"] for row in prompts}
    assert len(set(ids.values())) == len(ids)
    parents = {row["parent"] for row in prompts} - {None}
    assert parents
    assert parents <= set(ids)
    assert all(row["operator"] for row in prompts if row["parent"] is not None)


def test_drawn_prompts_keep_their_rewards_and_the_extreme_responses(finished):
    """On this rung the best response's reward can be looked up in the table that paid."""
    drawn = [row for row in finished[0].rows("prompts") if row["drawn"]]
    for row in drawn:
        assert len(row["rewards"]) == 3
        assert row["mean"] == pytest.approx(sum(row["rewards"]) / 3)
        for name, extreme in (("best", max), ("worst", min)):
            assert row[name] == extreme(row["rewards"])
            assert row[name] == WORLD.proxy[row["text"], row[f"{name}_response"]]
    known = [row for row in finished[0].rows("prompts") if not row["drawn"]]
    assert {row["rewards"] for row in known} | {row["best_response"] for row in known} <= {None}


def test_rounds_say_how_varied_and_how_hard_the_prompts_were(finished):
    """A world of 2 topics, 4 levels and a variant to publish: 8 slots. Twins share a level."""
    run = finished[0]
    for row in run.rows("rounds"):
        texts = drawn(run, row["round"])
        assert row["complexity"] == np.mean([*map(WORLD.complexity, texts)])
        own = [one for one in run.rows("prompts") if one["round"] == row["round"]]
        alike = [len(set(one["rewards"])) == 1 for one in own if one["drawn"]]
        assert row["no_gradient"] == np.mean(alike)
        cells = [text // WORLD.variants for text in texts]
        assert row["cluster_share"] == max(map(cells.count, cells)) / 8
        assert row["proposed"] == 8
        assert 1 <= row["effective"] <= np.exp(row["entropy"]) + 1e-9 <= 8 + 1e-6


def test_evaluations_say_how_far_the_policy_has_moved(finished):
    run, _, _ = finished
    start = TablePolicy(WORLD.reference_logits, WORLD.features)
    for row in run.rows("evaluations"):
        policy = TablePolicy.load(run.checkpoint(row["round"])) if row["round"] else start
        p, q = (one.probabilities()[[*WORLD.suites[row["suite"]]]] for one in (policy, start))
        assert row["kl"] == pytest.approx((p * np.log(p / q)).sum(-1).mean(), abs=1e-12)
        assert (row["kl"] > 0) == (row["round"] > 0)
        assert row["length"] is None
        assert row["proxy"] == row["gold"], "nothing can be hacked here"


def test_the_training_reward_is_that_which_pays_and_none_where_gold_does(tmp_path):
    """A response's number counts as its length here, so that the proxy shows the mean one."""
    chosen = settings(rounds=1, reward_model=LengthBiased(bias=1.0))
    row = list(train(start(tmp_path / "proxy", chosen), chosen))[-1]["evaluations"]["hard"]
    match = Match.open(chosen)
    evaluator = Evaluator(WORLD, match.solver.initial, 4)
    list(match.rounds())
    responses, gold = evaluator.respond(match.solver, WORLD.suites["hard"])
    assert row["proxy"] == pytest.approx(gold.mean() + responses.mean())
    chosen = settings(rounds=1, reward="gold", reward_model=LengthBiased(bias=1.0))
    row = list(train(start(tmp_path / "gold", chosen), chosen))[-1]["evaluations"]["hard"]
    assert row["proxy"] is None


@pytest.mark.parametrize("method", [Fixed(), BestOfN(candidates=2)])
def test_what_does_not_learn_does_not_move(tmp_path, method):
    chosen = settings(solver=method, rounds=2)
    run = start(tmp_path / "run", chosen)
    list(train(run, chosen))
    assert {row["kl"] for row in run.rows("evaluations")} == {0.0}


def test_transcripts_hold_answers_before_and_after(finished):
    run = finished[0]
    played = [row for row in run.rows("transcripts") if row["suite"] == "played"]
    assert {row["round"] for row in played} == {2, 4, 5}
    for row in run.rows("transcripts"):
        gold = WORLD.gold[row["prompt"]]
        assert row["after_rewards"] == gold[row["after"]].tolist()
        assert row["before_rewards"] == gold[row["before"]].tolist()


@pytest.mark.parametrize(
    ("creator", "solver"),
    [
        (Eva(), RLOO(lr=0.1)),
        (UniformEvolve(old_from="history"), DPO(lr=0.1, epochs=1)),
        (EvaOnline(), DPO(lr=0.1, epochs=1, restart=True)),
        (PolicyGradient(step=300.0), DPO(lr=1.0)),
    ],
    ids=["eva-rloo", "uniform-dpo", "online-dpo-restart", "with-alarms"],
)
@pytest.mark.parametrize("stop", [1, 3])
def test_resumed_equals_uninterrupted(tmp_path, creator, solver, stop):
    chosen = settings(creator, solver, checkpoint_every=2)
    whole, torn = start(tmp_path / "whole", chosen), start(tmp_path / "torn", chosen)
    assert len(list(train(whole, chosen))) == 5
    rounds = train(torn, chosen)
    for _ in range(stop + 1):
        next(rounds)
    rounds.close()
    torn.append("prompts", [{"round": stop + 1, "text": "of a round that did not end"}])
    with (torn.folder / "rounds.jsonl").open("a") as file:
        file.write('{"round": 4, "torn')
    list(train(torn, torn.settings(Settings)))
    for name in FILES:
        assert rows(torn, name) == rows(whole, name), name
    assert rows(whole, "alarms") or not isinstance(creator, PolicyGradient)
    for round in whole.checkpoints:
        ours, theirs = (TablePolicy.load(run.checkpoint(round)) for run in (torn, whole))
        assert (ours.theta == theirs.theta).all()


def test_judging_by_a_reward_model_that_is_retrained_changes_nothing_in_play(tmp_path):
    """The judge asks it between the rounds, and a resumed run when it has been read back."""
    chosen = settings(reward_model=Retrained(every=1), checkpoint_every=2)
    runs = [start(tmp_path / name, chosen) for name in ("whole", "torn", "rarely")]
    list(train(runs[0], chosen))
    rounds = train(runs[1], chosen)
    for _ in range(4):
        next(rounds)
    rounds.close()
    list(train(runs[1], chosen))
    for name in FILES:
        assert rows(runs[1], name) == rows(runs[0], name), name
    list(train(runs[2], replace(chosen, evaluate_every=4)))
    for name in ("rounds", "prompts"):
        assert rows(runs[2], name) == rows(runs[0], name), name
    played = [row for row in rows(runs[0], "prompts") if row["round"] == 4]
    paid = [(row["best"], WORLD.proxy[row["text"], row["best_response"]]) for row in played]
    assert any(best != before for best, before in paid), "it was not retrained"


def test_resumed_equals_uninterrupted_with_a_language_model(tmp_path):
    task = Wordlist(suite_size=4)
    chosen = settings(
        task=task, solver=DPO(epochs=1), rounds=2, prompts=12, evaluation_samples=2
    )
    whole, torn = start(tmp_path / "whole", chosen), start(tmp_path / "torn", chosen)
    list(train(whole, chosen))
    rounds = train(torn, chosen)
    assert [next(rounds)["round"], next(rounds)["round"]] == [0, 1]
    rounds.close()
    assert len(list(train(torn, chosen))) == 1
    for name in FILES:
        assert rows(torn, name) == rows(whole, name), name
    first, last = whole.rows("rounds")
    assert 1 < first["response_length"] < 12
    assert first["entropy"] == pytest.approx(np.log(12))
    assert first["complexity"] == np.mean([*map(task.complexity, drawn(whole, 1))])
    assert last["cluster_share"] == largest_cluster(drawn(whole, 2), task)
    evaluator = Evaluator(task, Match.open(chosen).solver.initial, 2)
    for row in whole.rows("evaluations"):
        assert len(evaluator.before) == 3
        suite = task.suites[row["suite"]]
        moved = (
            CausalLM.load(whole.checkpoint(row["round"])) if row["round"] else evaluator.start
        )
        answers, _ = evaluator.respond(moved, suite)
        assert row["kl"] == pytest.approx(kl(moved, evaluator.start, suite, answers), abs=1e-4)
        assert row["length"] == np.mean([len(a.split()) for pair in answers for a in pair])
        proxy = LearnedReward.load("wordlist")(suite, answers).mean()
        assert row["proxy"] == pytest.approx(proxy, abs=1e-4)


def test_resuming_a_finished_run_adds_nothing(finished):
    run, _, chosen = finished
    before = [rows(run, name) for name in FILES]
    assert list(train(run, chosen)) == []
    assert [rows(run, name) for name in FILES] == before


def test_seeds_differ_and_the_same_seed_agrees(tmp_path):
    runs = []
    for i, seed in enumerate((1, 1, 2)):
        chosen = settings(rounds=2, seed=seed)
        runs.append(start(tmp_path / str(i), chosen))
        list(train(runs[-1], chosen))
    assert rows(runs[0], "rounds") == rows(runs[1], "rounds")
    assert rows(runs[0], "rounds") != rows(runs[2], "rounds")


def test_a_run_leaves_the_settings_as_they_were(finished):
    run, _, chosen = finished
    assert run.settings(Settings) == chosen
    assert repr(chosen.creator.state_dict()) == repr(Eva().state_dict())


@pytest.mark.parametrize("change", [{"samples": 1}, {"rounds": 0}, {"evaluation_samples": 1}])
def test_sizes_out_of_range_name_the_setting(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"{name} must be at least"):
        settings(**change)


def test_unknown_signal_and_missing_checkpoint_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="unknown signal 'luck'"):
        Match.open(settings(signal="luck"))
    with pytest.raises(UserError, match="no softmax table"):
        Match.open(settings(policy=str(tmp_path)))


def test_what_a_player_refuses_in_play_is_a_user_error_and_loses_nothing(tmp_path, monkeypatch):
    def refuse(self, task, size, rng):
        raise ValueError("no parents\nto be had")

    monkeypatch.setattr(Eva, "select", refuse)
    chosen = settings(creator=Eva(signal="mean"))
    run = start(tmp_path / "run", chosen)
    with pytest.raises(UserError, match="no parents to be had"):
        list(train(run, chosen))
    assert [row["round"] for row in run.rows("rounds")] == run.checkpoints == [1]


def test_a_diverging_loss_is_a_user_error(tmp_path, monkeypatch):
    monkeypatch.setattr(DPO, "loss", lambda self, pairs: pairs.margin * float("nan"))
    chosen = settings(solver=DPO())
    says = r"update 1 of \d+ is not made: the loss of entry 0 of the batch \(.*\) is nan"
    with pytest.raises(UserError, match=says):
        list(train(start(tmp_path / "run", chosen), chosen))


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "table.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"cannot read the softmax table .*table.safetensors"):
        Match.open(settings(policy=str(tmp_path)))


def test_a_table_of_another_world_is_refused(tmp_path):
    TablePolicy(np.zeros((2, 2))).save(tmp_path)
    with pytest.raises(UserError, match="another tabular world"):
        Match.open(settings(policy=str(tmp_path)))


ARGS = "creator:fresh solver:rloo task:tabular-world --task.levels 3 --rounds 2 --prompts 8"


def test_command_trains_resumes_and_keeps_settings(tmp_path, capsys):
    out = str(tmp_path / "run")
    assert command.main([*ARGS.split(), "--out", out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("fresh-rloo, seed 0, round 0: hard gold reward 0.")
    assert lines[-2].startswith("after 2 rounds, suite hard: gold reward 0.")
    assert lines[-1] == f"the run is in {out}; eva report {out} shows it"
    assert len(lines) == 4
    run = Run.open(out)
    assert run.config["argv"][:3] == ["train", "creator:fresh", "solver:rloo"]
    assert run.settings(Settings).task == TabularWorld(levels=3)
    with pytest.raises(UserError, match="--resume"):
        command.main([*ARGS.split(), "--out", out])
    assert command.main(["--resume", out]) == 0
    assert len(run.rows("rounds")) == 2


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--prompts", "16"], "was begun with prompts = 8, not 16"),
        (["--seed", "1"], "seed = 0, not 1"),
        (["creator:eva"], "creator = fresh, not eva"),
        (["--creator.suite", "easy"], None),
        (["--solver.beta", "0.5"], "solver.beta = 0.01, not 0.5"),
        (["--samples", "7"], "samples = 6, not 7"),
        (["--rounds", "1"], "rounds = 2 already, so --rounds 1 would shorten it"),
        (["--out", "elsewhere"], "leave out --out"),
        (["task:wordlist"], "leave out task:"),
    ],
)
def test_a_typed_option_that_differs_from_the_record_is_refused(tmp_path, args, says):
    out = str(tmp_path / "run")
    assert command.main([*ARGS.split(), "--out", out]) == 0
    before = [rows(Run.open(out), name) for name in FILES]
    with pytest.raises((UserError, SystemExit), match=says):
        command.main(["--resume", out, *args])
    assert [rows(Run.open(out), name) for name in FILES] == before


def test_a_finished_run_is_extended_to_what_a_longer_one_would_have_been(tmp_path):
    out, whole = tmp_path / "run", tmp_path / "whole"
    args = [*ARGS.split(), "--evaluate-every", "1", "--checkpoint-every", "1"]
    assert command.main([*args, "--out", str(out)]) == 0
    assert command.main(["--resume", str(out), "--rounds", "4"]) == 0
    longer = " ".join(args).replace("--rounds 2", "--rounds 4").split()
    assert command.main([*longer, "--out", str(whole)]) == 0
    for name in FILES:
        assert rows(Run.open(out), name) == rows(Run.open(whole), name), name
    assert Run.open(out).settings(Settings) == Run.open(whole).settings(Settings)


def test_ctrl_c_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    class Interrupted(command.ProgressTable):
        def update(self, arm, seed, row):
            super().update(arm, seed, row)
            if row["round"] == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(command, "ProgressTable", Interrupted)
    out = tmp_path / "run"
    assert command.main([*ARGS.split(), "--out", str(out)]) == 130
    assert f"eva train --resume {out}" in capsys.readouterr().err
    monkeypatch.undo()
    assert command.main(["--resume", str(out)]) == 0
    assert [row["round"] for row in Run.open(out).rows("rounds")] == [1, 2]


def test_players_that_do_not_fit_are_refused_before_a_folder_is_made(tmp_path, capsys):
    for args, message in (
        (["creator:eva", "--creator.operators", "foo", "1.0"], "operators must give weights"),
        (
            ["solver:sppo", "reward-model:pairwise-win-rate"],
            "SPPO would make win rates of the win rates",
        ),
    ):
        assert cli.main(["train", *args, "--out", str(tmp_path / "run")]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert len(error.strip().splitlines()) == 1
        assert not (tmp_path / "run").exists()


def test_pass_rates_of_a_proxy_are_remarked_on():
    assert "logits without a scale" in str(remarks(Settings(creator=SFL(), reward="proxy")))
    assert "logits without a scale" in str(
        remarks(Settings(creator=Eva(signal="learnability"), reward="proxy"))
    )
    assert remarks(Settings(creator=SFL())) == []
    assert remarks(Settings(creator=SFL(), reward="proxy", task=TabularWorld())) == []
    assert remarks(Settings()) == []
