"""The penalty on responses that were cut off."""

import numpy as np
import pytest

from agents.policies.sampled import Sampled
from eva_env.rewards import MissingEndPenalty
from eva_env.rewards.ending import cut_off
from eva_env.types import KnowsBest, offers
from eva_env.wordlist import Gold

ENDED, CUT = (Sampled("cat", [7, 2], True, 0), Sampled("cat", [7], False, 0))


def length(prompts, responses):
    return np.array([[float(len(text)) for text in row] for row in responses])


def test_only_responses_that_were_cut_off_pay_the_penalty():
    model = MissingEndPenalty(0.75).over(length)
    assert model(["x"], [[ENDED, CUT, "cat"]]).tolist() == [[3.0, 2.25, 3.0]]
    assert model.base(["x"], [[ENDED, CUT, "cat"]]).tolist() == [[3.0] * 3]


def test_integers_are_never_cut_off():
    assert cut_off(np.zeros((2, 3), int)).tolist() == [[0.0] * 3] * 2


def test_the_best_response_is_the_base_s_where_it_is_known():
    assert not offers(MissingEndPenalty().over(length), KnowsBest)
    prompts = ["Name one animal."]
    assert MissingEndPenalty().over(Gold()).best(prompts) == Gold().best(prompts) == 1.0


def test_a_negative_penalty_is_refused():
    with pytest.raises(ValueError, match="penalty must be at least 0"):
        MissingEndPenalty(-1.0)
