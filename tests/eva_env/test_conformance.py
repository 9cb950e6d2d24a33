"""The conformance tests of PettingZoo and Gymnasium, with their exact calls, for every id."""

import warnings

import gymnasium
import pettingzoo
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_match import check_environments_match
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
    state_test,
)
from pettingzoo.utils.conversions import (
    aec_to_parallel,
    parallel_to_aec,
    turn_based_aec_to_parallel,
)
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import eva_env
from tests.support.games import GAMES, SINGLE_AGENT, TABULAR_SINGLE_AGENT

EXPECTED = (
    "Action space for each agent probably should be",
    "Observation space for each agent probably should be",
    "Agents have different observation space sizes",
    "Observations are different shapes",
    "Observation is not a NumPy array",
)
pytestmark = [
    pytest.mark.filterwarnings("error"),
    *[pytest.mark.filterwarnings(f"ignore:{message}") for message in EXPECTED],
]
family = pytest.mark.parametrize("module", GAMES.values(), ids=GAMES)
single_agent = pytest.mark.parametrize("id", SINGLE_AGENT)


@family
def test_api(module):
    api_test(module.env(max_cycles=200), num_cycles=200)
    api_test(module.raw_env(), num_cycles=50)
    api_test(parallel_to_aec(module.parallel_env()), num_cycles=50)


@family
def test_parallel_api(module):
    parallel_api_test(module.parallel_env(max_cycles=200), num_cycles=200)
    parallel_api_test(turn_based_aec_to_parallel(module.env()), num_cycles=200)


@family
def test_seeds(module):
    seed_test(module.env, num_cycles=500)
    parallel_seed_test(module.parallel_env)
    seed_test(lambda: parallel_to_aec(module.parallel_env()))


@family
def test_max_cycles_render_and_state(module):
    max_cycles_test(module)
    render_test(module.env)
    state_test(module.env(), module.parallel_env())


@family
def test_sequential_game_refuses_to_be_made_parallel(module):
    with pytest.raises(AssertionError):
        aec_to_parallel(module.env())


@pytest.mark.parametrize("kind", ["aec", "parallel"])
@pytest.mark.parametrize("id", GAMES)
def test_pettingzoo_make(kind, id):
    env = pettingzoo.make(kind, id, max_cycles=3)
    assert env.unwrapped.max_cycles == env.unwrapped.game.rounds == 3
    assert isinstance(env, {"aec": pettingzoo.AECEnv, "parallel": pettingzoo.ParallelEnv}[kind])


@single_agent
def test_gymnasium_check_env(id):
    check_env(gymnasium.make(id).unwrapped)


@single_agent
def test_gymnasium_environments_match(id):
    check_environments_match(gymnasium.make(id), gymnasium.make(id), num_steps=50)


@single_agent
def test_spec_survives_json(id):
    spec = gymnasium.spec(id)
    assert EnvSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("id", TABULAR_SINGLE_AGENT)
def test_stable_baselines_check_env(id):
    sb3_check_env(gymnasium.make(id), warn=True)


@single_agent
@pytest.mark.parametrize("mode", ["sync", "async", "async without shared memory"])
def test_vectorised_by_gymnasium(id, mode):
    text = "Text" in id
    if text and mode == "async":
        mode = "async without shared memory"
    kwargs = {} if mode != "async without shared memory" else {"shared_memory": False}
    env = gymnasium.make_vec(
        id, num_envs=3, vectorization_mode=mode.split()[0], vector_kwargs=kwargs
    )
    observation, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(20):
        assert env.observation_space.contains(observation)
        observation, *_ = env.step(env.action_space.sample())
    env.close()


def test_vector_entry_point_is_the_default_for_tabular_single_agent_envs():
    for id in TABULAR_SINGLE_AGENT:
        env = gymnasium.make_vec(id, num_envs=3)
        assert type(env.unwrapped).__module__ == "eva_env.envs.vector"
        observation, _ = env.reset(seed=0)
        for _ in range(20):
            assert env.observation_space.contains(observation)
            observation, *_ = env.step(env.action_space.sample())


def test_registering_again_is_silent_and_keeps_the_registered_specs():
    before = gymnasium.spec(SINGLE_AGENT[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eva_env.register()
    assert gymnasium.spec(SINGLE_AGENT[0]) is before


def test_gymnasium_imports_the_package_by_itself():
    assert gymnasium.make("eva_env:eva/TabularSolver-v0").unwrapped.player == eva_env.SOLVER


def test_every_registered_id_is_tested():
    assert {id for id in gymnasium.registry if id.startswith("eva/")} == set(SINGLE_AGENT)
    for registry in (pettingzoo.aec_registry, pettingzoo.parallel_registry):
        assert {id for id in registry if id.startswith("eva/")} == set(GAMES)


def test_unknown_ids_are_named():
    with pytest.raises(gymnasium.error.NameNotFound, match="Nope"):
        gymnasium.make("eva/Nope-v0")
    with pytest.raises(Exception, match="Nope"):
        pettingzoo.make("aec", "eva/Nope-v0")
