"""The text environments, on the wordlist task and on a tiny task."""

import numpy as np
import pytest

from eva_env import text_v0
from eva_env.envs.text import MAX_LENGTH
from eva_env.types import CREATOR, SOLVER, Proposal
from eva_env.wordlist import Gold, Wordlist
from tests.support.games import Close, Sums


def sums(**kwargs):
    settings = {"proposals": 4, "batch_size": 2, "samples": 2, "max_cycles": 3}
    raw = text_v0.raw_env(task=Sums(), reward_model=Close(), **settings | kwargs)
    raw.reset(seed=0)
    return raw


def creator_move(prompts, logits):
    return {"prompts": tuple(prompts), "logits": np.array(logits, np.float32)}


def test_a_round_by_hand():
    raw = sums()
    assert raw.observe(CREATOR)["prompts"] == ("", "")
    raw.step(creator_move(["3+4", "", "3+4", "nonsense"], [1, 1, 1, 1]))
    assert raw.infos[CREATOR] == {"invalid": pytest.approx(1 / 3)}
    assert raw.observe(SOLVER)["prompts"] == ("3+4", "3+4")
    assert raw.observe(SOLVER)["observation"] == pytest.approx([1, 1 / 3])
    raw.step((("7", "8"), ("", "5")))
    # Rewards 1, 1/2 and 0, 1/3; regret 13/24, minus the invalid third.
    assert raw.rewards == pytest.approx({CREATOR: 13 / 24 - 1 / 3, SOLVER: 11 / 24})
    seen = raw.observe(CREATOR)
    assert seen["observation"] == pytest.approx([2 / 3, 1 / 3])
    assert seen["rewards"] == pytest.approx(np.array([[1, 1 / 2], [0, 1 / 3]]))
    assert seen["prompts"] == ("3+4", "3+4")
    assert raw.state() == pytest.approx([2 / 3, 1 / 3, 3 / 4, 1 / 6, 1 / 4, 5 / 6])
    assert raw.observation_space(CREATOR).contains(seen)


@pytest.mark.parametrize("prompts", [["", "", "", ""], ["no", "such", "prompts", ""]])
def test_rounds_without_a_valid_prompt_are_played_on_seed_prompts(prompts):
    raw = sums()
    raw.step(creator_move(prompts, [0, 0, 0, 0]))
    assert all(Sums().valid(prompt) for prompt in raw.observe(SOLVER)["prompts"])
    raw.step((("1", "1"), ("1", "1")))
    assert raw.rewards[CREATOR] == -1.0


def test_creator_action_pads_and_keeps_the_distribution():
    raw = sums()
    proposal = Proposal(["1+1", "", "2+2"], np.array([np.log(3) - 40, 99.0, -40.0]))
    action = raw.creator_action(proposal)
    assert raw.action_space(CREATOR).contains(action)
    assert action["prompts"] == ("1+1", "", "2+2", "")
    raw.step(action)
    assert raw.game.probabilities == pytest.approx([0.75, 0, 0.25, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("prompts", "logits", "message"),
    [
        (["1+1"] * 5, [0] * 5, r"1 \.\.\. 4 prompts, got 5; make the env with proposals=5"),
        ([], [], r"1 \.\.\. 4 prompts, got 0$"),
        (["1+1"], [np.inf], "logits must be 1 finite numbers"),
        (["1+1", 3], [0, 0], "prompts must hold strings, got int"),
        (["1+1" * MAX_LENGTH], [0], "prompts strings must have at most"),
    ],
)
def test_proposals_that_have_no_action(prompts, logits, message):
    with pytest.raises(ValueError, match=message):
        sums().creator_action(Proposal(prompts, np.array(logits, dtype=float)))


def test_solver_action_is_checked():
    raw = sums()
    assert raw.solver_action([["a", ""], ["\n", "ü"]]) == (("a", ""), ("\n", "ü"))
    with pytest.raises(ValueError, match=r"responses must be 2 rows of 2, .* lengths \[2, 1\]"):
        raw.solver_action([["a", "b"], ["c"]])
    with pytest.raises(ValueError, match=r"responses must be 2 rows of 2, .* lengths \[2\]"):
        raw.solver_action([["a", "b"]])


def test_wrapped_env_asserts_legal_actions():
    wrapped = text_v0.env(proposals=2, batch_size=2)
    wrapped.reset(seed=0)
    with pytest.raises(AssertionError, match="not in action space"):
        wrapped.step(creator_move(["only one"], [0]))
    wrapped.step(creator_move(["", ""], [0, 0]))
    with pytest.raises(AssertionError, match="not in action space"):
        wrapped.step((("a", "b"),))


def test_the_default_is_the_wordlist_world():
    raw = text_v0.raw_env()
    raw.reset(seed=0)
    assert isinstance(raw.task, Wordlist)
    assert isinstance(raw.game.reward_model, Gold)
    proposal = raw.reference(np.random.default_rng(0))
    raw.step(raw.creator_action(proposal))
    assert set(raw.game.prompts) <= set(proposal.prompts)
    raw.step(raw.solver_action([["", ""]] * 4))
    assert raw.rewards == pytest.approx({CREATOR: 1.0, SOLVER: 0.0})


def test_prompts_of_the_evaluation_suites_are_never_played():
    raw = text_v0.raw_env(proposals=2)
    raw.reset(seed=0)
    held_out = raw.task.suites["hard"][0]
    allowed = raw.task.seed(1, np.random.default_rng(0))[0]
    raw.step(creator_move([held_out, allowed], [1, -1]))
    assert set(raw.game.prompts) == {allowed}
    assert raw.game.invalid > 0.99


def test_echo_and_seed_opponents():
    raw = sums(samples=400)
    rng = np.random.default_rng(0)
    raw.step(raw.seed_creator(raw.observe(CREATOR), rng))
    assert raw.game.invalid == 0.0
    answers = raw.echo_solver({"prompts": ("two small words", "")}, rng)
    assert raw.action_space(SOLVER).contains(answers)
    assert {word for answer in answers[0] for word in answer.split()} == {
        "two",
        "small",
        "words",
    }
    assert {len(answer.split()) for answer in answers[0]} == {1, 2, 3, 4}
    assert set(answers[1]) == {""}


def test_drawing_shows_the_best_response_above_the_worst_and_the_total_payoffs():
    raw = sums(render_mode="ansi")
    for answers in (("7", "seven"), ("8", "7")):
        raw.step(creator_move(["3+4", "", "", ""], [0, 0, 0, 0]))
        raw.step((answers, answers[::-1]))
    # Regrets 1/2 and 1/4, mean rewards 1/2 and 3/4.
    assert raw.render().splitlines() == [
        "Round 2 of 3   creator_0 +0.250 (so far +0.75)   solver_0 +0.750 (so far +1.25)",
        *["3+4   [regret 0.25]", "    1.00  7", "    0.50  8"] * 2,
    ]


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="a task needs a reward model that scores it; give"):
        text_v0.raw_env(task=Sums())
    with pytest.raises(ValueError, match="proposals must be at least 1, got 0"):
        text_v0.raw_env(proposals=0)
    with pytest.raises(ValueError, match=r"render_mode must be one of .*, got 'video'"):
        text_v0.raw_env(render_mode="video")
