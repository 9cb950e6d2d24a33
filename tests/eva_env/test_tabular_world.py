"""The skill ladder as a task, its tables, and its reward model."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from eva_env.game import Game
from eva_env.tabular import exact, ladder
from eva_env.tabular.world import OPERATORS, TabularReward, TabularWorld
from eva_env.types import Proposal

TINY = TabularWorld(topics=2, levels=4, variants=1, responses=4)
TABLES = ("gold", "proxy", "noise_std", "reference_logits", "features", "trainable")

worlds = st.builds(
    TabularWorld,
    topics=st.integers(2, 4),
    levels=st.integers(2, 7),
    variants=st.integers(1, 3),
    responses=st.integers(4, 9),
    slope=st.floats(0, 100),
    drift=st.floats(0, 1),
    lengthscale=st.floats(0, 20),
    hackable=st.integers(0, 2),
    world_seed=st.integers(0, 1000),
)


def prompt(world, topic, level, variant):
    return (topic * world.levels + level) * world.variants + variant


@settings(max_examples=40, deadline=None)
@given(worlds)
def test_every_world_is_a_sound_task(world):
    rng = np.random.default_rng(0)
    easy, hard = set(world.suites["easy"]), set(world.suites["hard"])
    assert easy
    assert hard
    assert not easy & hard
    for x in easy | hard:
        assert not world.valid(x)
    for distribution in ("human", "easy", "hard", "uniform"):
        seeds = world.seed(20, rng, distribution)
        assert len(seeds) == 20
        assert all(world.valid(x) and type(x) is int for x in seeds)
    for x in range(world.size):
        assert world.topic(x) == f"topic{world.prompt_topics[x]}"
        for operator in world.operators:
            child = world.mutate(x, operator, rng)
            assert child is None or (world.valid(child) and child != x)


@settings(max_examples=40, deadline=None)
@given(worlds)
def test_every_table_is_sound(world):
    shape = (world.size, world.responses)
    assert world.gold.shape == world.proxy.shape == world.reference_logits.shape == shape
    assert world.gold.min() >= 0
    assert world.gold.max() <= 1
    np.testing.assert_allclose(np.exp(world.reference_logits).sum(-1), 1, atol=1e-12)
    assert world.features.shape[0] == world.noise_std.shape[0] == world.size


def test_same_fields_give_the_same_bytes():
    fields = dict(hackable=2, noise=0.2, noisy_topics=1, world_seed=7)
    world, two = TabularWorld(**fields), TabularWorld(**fields)
    other = TabularWorld(**{**fields, "world_seed": 8})
    for name in TABLES:
        assert getattr(world, name).tobytes() == getattr(two, name).tobytes()
        with pytest.raises(ValueError, match="read-only"):
            getattr(world, name)[...] = 0
    assert world.gold.tobytes() != other.gold.tobytes()
    assert world == two != other
    assert pickle.loads(pickle.dumps(world)).gold.tobytes() == world.gold.tobytes()
    assert copy.deepcopy(world) == world


def test_values_fall_along_the_ladder_and_rewards_become_sparse():
    seeds = [TabularWorld(world_seed=seed) for seed in range(8)]
    value, learnability, regret, best = (np.zeros(8) for _ in range(4))
    for world in seeds:
        policy = np.exp(world.reference_logits)
        for table, row in (
            (value, exact.value(policy, world.gold)),
            (learnability, exact.expected_signal("a_star_min", policy, world.gold, 6)),
            (regret, exact.regret(policy, world.gold, policy, 0.1)),
            (best, world.gold.max(-1)),
        ):
            table += np.bincount(world.prompt_levels, row / 18) / len(seeds)
    assert (np.diff(value) < 0).all()
    assert value[0] > 0.85
    assert value[-1] < 0.05
    assert best.min() > 0.8
    # Learnability by n = 6 samples peaks at a lower level than regret: the frontier.
    assert learnability.argmax() == 3
    assert regret.argmax() == 5


def test_a_flat_ladder_keeps_its_skill():
    steep, flat = (TabularWorld(slope=slope, variants=1) for slope in (0.5, 0.0))
    assert (steep.gold == flat.gold).all()
    value = [
        exact.value(np.exp(w.reference_logits), w.gold)[7::8].mean() for w in (steep, flat)
    ]
    assert value[0] < 0.1 < 0.5 < value[1]


def test_drift_is_the_correlation_of_neighbouring_levels():
    world = TabularWorld(topics=2, levels=3, variants=2, responses=4000, drift=0.7)
    kappa = 8.0 ** (world.prompt_levels / 2)
    quality = norm.ppf(world.gold ** (1 / kappa[:, None]))
    correlation = np.corrcoef(quality)
    base = prompt(world, 0, 0, 0)
    for other, expected in {
        (0, 1, 0): 0.7,
        (0, 2, 0): 0.49,
        (1, 0, 0): ladder.TOPIC_CORRELATION,
        (0, 0, 1): ladder.VARIANT_CORRELATION,
        (1, 1, 1): 0.7 * ladder.TOPIC_CORRELATION * ladder.VARIANT_CORRELATION,
    }.items():
        assert correlation[base, prompt(world, *other)] == pytest.approx(expected, abs=0.06)
    np.testing.assert_allclose(quality.std(-1), 1, atol=0.06)


def test_features_are_a_root_of_the_transfer_kernel():
    world = TabularWorld(topics=3, levels=4, variants=2, lengthscale=2.0)
    kernel = world.features @ world.features.T
    topic, level, variant = world.coordinates
    expected = np.exp(-np.abs(np.subtract.outer(level, level)) / 2.0)
    expected *= np.where(np.not_equal.outer(topic, topic), 0.3, 1.0)
    expected *= np.where(np.not_equal.outer(variant, variant), 0.9, 1.0)
    np.testing.assert_allclose(kernel, expected, atol=1e-12)


@pytest.mark.parametrize(("lengthscale", "carried"), [(0.0, 0.0), (math.inf, 1.0)])
def test_extreme_lengthscales(lengthscale, carried):
    features = TabularWorld(lengthscale=lengthscale).features
    assert features[0] @ features[3 * 7] == pytest.approx(carried, abs=1e-12)
    assert features[0] @ features[0] == pytest.approx(1)


def test_neighbours_by_hand():
    world = TabularWorld()
    at = prompt(world, 2, 3, 1)
    assert world.neighbours[at] == {
        "up": (prompt(world, 2, 4, 1),),
        "down": (prompt(world, 2, 2, 1),),
        "breadth_topic": tuple(prompt(world, t, 3, 1) for t in (0, 1, 3, 4, 5)),
        "breadth_variant": (prompt(world, 2, 3, 2),),
    }
    assert world.neighbours[prompt(world, 0, 7, 1)]["up"] == ()
    rng = np.random.default_rng(0)
    children = {world.mutate(at, "breadth_topic", rng) for _ in range(200)}
    assert children == set(world.neighbours[at]["breadth_topic"])
    assert world.mutate(prompt(world, 0, 0, 1), "down", rng) is None


def test_held_out_prompts():
    world = TabularWorld()
    held_out = [x for x in range(world.size) if not world.valid(x)]
    assert held_out == list(range(0, world.size, 3))
    levels = {name: set(world.prompt_levels[list(s)]) for name, s in world.suites.items()}
    assert levels == {"easy": {0, 1}, "hard": {5, 6, 7}}
    rng = np.random.default_rng(0)
    assert set(world.prompt_levels[world.seed(300, rng, "hard")]) == {5, 6, 7}
    assert set(world.prompt_levels[world.seed(300, rng)]) == {0, 1}
    assert set(world.seed(5000, rng, "uniform")) == set(world.trainable.tolist())


def test_without_variants_topic_zero_is_held_out():
    assert TINY.suites == {"easy": (0, 1), "hard": (2, 3)}
    assert TINY.trainable.tolist() == [4, 5, 6, 7]
    assert TINY.neighbours[4] == {
        "up": (5,),
        "down": (),
        "breadth_topic": (),
        "breadth_variant": (),
    }
    assert TINY.gold.shape == (8, 4)


@pytest.mark.parametrize("wrong", [-1, 8, "4", "", 4.0, None])
def test_invalid_prompts_are_refused(wrong):
    assert not TINY.valid(wrong)
    with pytest.raises(ValueError, match=r"prompt must be an integer in 0 \.\.\. 7, got"):
        TINY.topic(wrong)
    with pytest.raises(ValueError, match=r"prompt must be an integer in 0 \.\.\. 7, got"):
        TINY.mutate(wrong, "up", np.random.default_rng(0))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(topics=1, variants=1), r"topics must be at least 2, got 1"),
        (dict(levels=1), "levels must be at least 2"),
        (dict(responses=4, hackable=3), r"responses must be at least 5, got 4"),
        (dict(drift=math.nan), r"drift must lie in \[0, 1\], got nan"),
        (dict(noise=math.inf), "noise must be at least 0 and finite"),
        (dict(noisy_topics=7), r"noisy_topics must lie in \[0, 6\], got 7"),
        (dict(lengthscale=-1.0), "lengthscale must be at least 0"),
        (dict(slope=math.inf), r"slope must lie in \[0, 100\]"),
    ],
)
def test_impossible_worlds_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        TabularWorld(**fields)


def test_unknown_names_list_the_known_ones():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="unknown operator 'sideways'; known: up, down"):
        TINY.mutate(4, "sideways", rng)
    with pytest.raises(ValueError, match="unknown distribution 'alien'; known: human, easy"):
        TINY.seed(1, rng, "alien")
    with pytest.raises(ValueError, match="must be 'proxy' or 'gold', got 'silver'"):
        TINY.reward_model("silver")
    assert TINY.operators == tuple(OPERATORS)


def test_hackable_responses_fool_the_proxy_alone():
    clean, hacked = TabularWorld(), TabularWorld(hackable=3)
    assert (clean.gold == clean.proxy).all()
    assert (hacked.gold[:, -3:] == 0).all()
    assert (hacked.proxy[:, -3:] == 1).all()
    assert (hacked.gold[:, :-3] == hacked.proxy[:, :-3]).all()
    np.testing.assert_allclose(np.exp(hacked.reference_logits[:, -3:]), 0.002)


def test_reward_model_looks_up_rewards_and_the_best():
    model = TINY.reward_model()
    prompts, responses = np.array([5, 2, 5]), np.array([[0, 3], [1, 1], [2, 0]])
    expected = [
        [TINY.gold[x, y] for y in row] for x, row in zip(prompts, responses, strict=True)
    ]
    assert model(prompts, responses).tolist() == expected
    assert model([5, 2, 5], responses.tolist()).tolist() == expected
    assert model.best(prompts).tolist() == [max(TINY.gold[x]) for x in prompts]


def test_only_noisy_topics_have_noise():
    world = TabularWorld(noise=0.3, noisy_topics=2)
    assert set(world.prompt_topics[world.noise_std > 0]) == {4, 5}
    model, rng = world.reward_model(), np.random.default_rng(0)
    prompts = np.repeat([prompt(world, 1, 2, 1), prompt(world, 5, 2, 1)], 500)
    responses = rng.integers(64, size=(1000, 20))
    error = model(prompts, responses) - world.proxy[prompts[:, None], responses]
    assert (error[:500] == 0).all()
    assert error[500:].std() == pytest.approx(0.3, abs=0.01)
    assert abs(error[500:].mean()) < 0.012
    assert world.reward_model("gold").noise_std is None
    assert TabularWorld().reward_model().noise_std is None


def test_noise_is_a_function_of_seed_round_and_position():
    prompts, responses = np.zeros(3, int), np.zeros((3, 2), int)

    def noise(**fields):
        return TabularReward(np.zeros((1, 1)), np.ones(1), **fields)(prompts, responses)

    assert (noise() == noise()).all()
    assert len(np.unique(noise())) == 6
    assert (noise(index=1) != noise()).all()
    assert (noise(seed=1) != noise()).all()


def test_noise_and_tables_do_not_share_a_stream_with_the_players():
    noise = TabularReward(np.zeros((1, 1)), np.ones(1))(np.zeros(4, int), np.zeros((4, 1), int))
    spawned = np.random.SeedSequence(0).spawn(1)[0]
    for players in (0, [0, 0], spawned):
        assert (noise.ravel() != np.random.default_rng(players).standard_normal(4)).all()
    quality = norm.ppf(TINY.gold[0])
    assert not np.isclose(quality, np.random.default_rng(0).standard_normal(4)).any()


def play(game, rounds):
    proposal = Proposal(np.arange(8), np.zeros(8))
    for _ in range(rounds):
        game.propose(proposal)
        game.respond(np.zeros((4, 2), int))
    return game.last.rewards


def test_noisy_games_fork_and_resume_exactly():
    world = TabularWorld(topics=2, levels=4, variants=1, responses=4, noise=0.5)
    settings = dict(batch_size=4, samples=2, rounds=9)
    game = Game(world.reward_model(), **settings)
    game.reset(0)
    first = play(game, 1)
    play(game, 2)
    twin, resumed = game.fork(), Game(world.reward_model(), **settings)
    resumed.load_state_dict(pickle.loads(pickle.dumps(game.state_dict())))
    rewards = play(game, 2)
    assert (rewards == play(twin, 2)).all()
    assert (rewards == play(resumed, 2)).all()
    assert game.reward_model.index == 5
    game.reset(0)
    assert (play(game, 1) == first).all()


def test_a_game_without_noise_keeps_its_reward_model():
    game = Game(TINY.reward_model(), batch_size=4, samples=2, rounds=9)
    play(game, 1)
    assert game.reward_model is game._first_reward_model
    best = game.reward_model.best(game.last.prompts)
    np.testing.assert_allclose(game.last.signal, best - game.last.rewards.mean(-1))
