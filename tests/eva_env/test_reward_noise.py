"""Noise, length bias and drifting tastes: their distributions, and numbers by hand."""

import numpy as np
import pytest
from scipy import stats

from eva_env.rewards import (
    Drifting,
    LengthBiased,
    Noisy,
)
from eva_env.rewards.noise import content, draws, gaussian, occurrences
from eva_env.tabular.reward import TabularReward
from eva_env.wordlist import Gold
from tests.support.games import Close
from tests.support.reward_cases import PROMPTS, TABLE, WORDS, played


def test_noise_is_standard_normal_and_independent_of_code_round_and_seed():
    codes = np.arange(40_000, dtype=np.uint64)
    first, later, other = gaussian(0, 0, codes), gaussian(0, 1, codes), gaussian(1, 0, codes)
    assert stats.kstest(first, "norm").pvalue > 0.01
    for second in (later, other, np.roll(first, 1)):
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
        assert abs(np.corrcoef(first**2, second**2)[0, 1]) < 0.02


def test_codes_separate_prompts_and_responses_and_copies_are_counted():
    assert len(np.unique(content([0, 1, 2], [[0, 1, 2]] * 3))) == 9
    text = content(["a", "b"], [["x", "a", "b"], ["x", "a", "a"]])
    assert len(np.unique(text)) == 5
    assert text[1, 1] == text[1, 2] != text[0, 1]
    counted = occurrences(np.array([[7, 3, 7], [7, 3, 1]], np.uint64))
    assert counted.tolist() == [[0, 0, 1], [2, 1, 0]]


@pytest.mark.parametrize(
    ("prompts", "responses"),
    [([4, 2], [[1, 0, 3], [3, 3, 1]]), (["p", "q"], [["a", "b", "c d"], ["a", "a", "e"]])],
)
def test_noise_follows_the_response_to_any_place_in_the_batch(prompts, responses):
    table = np.array(responses)
    noise = draws(0, 0, prompts, responses)
    assert len(np.unique(noise)) == 6
    turned = draws(0, 0, prompts[::-1], table[::-1, ::-1])
    assert (np.sort(turned, axis=None) == np.sort(noise, axis=None)).all()
    assert (turned[1, ::-1] == noise[0]).all()
    changed = table.copy()
    changed[0, 0] = 9 if table.dtype.kind == "i" else "z"
    again = draws(0, 0, prompts, changed)
    assert again[0, 0] != noise[0, 0]
    assert (again.ravel()[1:] == noise.ravel()[1:]).all()


def test_a_second_set_of_responses_gets_new_noise_unless_it_repeats_the_first():
    """Noise by position would repeat everywhere: a correlation of 1."""
    rng, prompts = np.random.default_rng(0), np.zeros(2000, int)
    first, second = (rng.integers(10**6, size=(2000, 2)) for _ in range(2))
    noise, other = draws(0, 3, prompts, first), draws(0, 3, prompts, second)
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.06
    assert (draws(0, 3, prompts, first) == noise).all()


def test_copies_of_a_response_have_independent_noise_unless_it_is_fixed():
    zero, same = TabularReward(np.zeros((1, 4))), np.zeros((1000, 2), int)
    model = Noisy(std=2.0).over(zero)
    rewards = model([0] * 1000, same)
    assert rewards.std() == pytest.approx(2.0, abs=0.1)
    assert abs(np.corrcoef(rewards.T)[0, 1]) < 0.1
    fixed = Noisy(std=2.0, fixed=True).over(zero)
    assert len(np.unique(fixed([0] * 1000, same))) == 1
    assert fixed.advance(played([0], same[:1])) is fixed
    assert len(np.unique(fixed.matrix)) == 4
    assert (fixed([0], [[0, 1, 2, 3]]) == fixed.matrix).all()


# Biases


def test_length_is_in_words_or_the_integer_response():
    model = LengthBiased(bias=0.5).over(Close())
    plain = Close()(["1+2"], [["3", "3 3 3", ""]])
    assert (model(["1+2"], [["3", "3 3 3", ""]]) - plain).tolist() == [[0.5, 1.5, 0.0]]
    table = LengthBiased(bias=-0.5).over(TABLE)
    assert table([1, 0], [[2, 1], [0, 1]]).tolist() == [[-0.25, -0.5], [0.0, 0.5]]
    assert table.best([0, 1]).tolist() == [0.5, 0.5]


def test_a_length_bias_changes_the_best_response():
    """(0, 1, .25) + .5 * (0, 1, 2) = (0, 1.5, 1.25); with .8 the third is best, 1.85."""
    for bias, best in ((0.5, 1.5), (0.8, 1.85)):
        assert LengthBiased(bias=bias).over(TABLE).best([0])[0] == pytest.approx(best)


def steps_of(model, count):
    """The model's bonus for responses 0, 1, ... in each of the coming rounds."""
    rows = []
    for index in range(count):
        rows.append(model.bonus(np.arange(200)[None])[0])
        model = model.advance(played([0], [[0, 1]], index))
    return np.array(rows)


def test_tastes_walk_at_random_from_zero():
    walk = steps_of(Drifting(std=0.5).over(TABLE), 65)
    steps = np.diff(walk, axis=0)
    assert (walk[0] == 0).all()
    assert stats.kstest(steps.ravel() / 0.5, "norm").pvalue > 0.01
    assert abs(np.corrcoef(steps[0], steps[1])[0, 1]) < 0.25
    assert walk[64].std() == pytest.approx(0.5 * 8, rel=0.2)


def test_the_bonus_of_a_text_is_the_mean_over_its_words():
    model = Drifting(std=1.0).over(Gold()).advance(played(PROMPTS, WORDS))
    single = model.bonus([["cat", "dog", "wolf"]])[0]
    assert len(np.unique(single)) == 3
    liking = model.bonus([["cat dog wolf", "wolf wolf dog", ""]])[0]
    assert liking.tolist() == pytest.approx(
        [single.mean(), (2 * single[2] + single[1]) / 3, 0.0]
    )
    assert (model(PROMPTS, WORDS) == Gold()(PROMPTS, WORDS) + model.bonus(WORDS)).all()
