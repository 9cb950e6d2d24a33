"""The environments of text worlds, under the conventional name of a PettingZoo module."""

from eva_env.envs.text import env as env
from eva_env.envs.text import parallel_env as parallel_env
from eva_env.envs.text import raw_env as raw_env
from eva_env.envs.text import raw_parallel_env as raw_parallel_env
