"""Contract checks for your own tasks, reward models, signals and environments.

Each check returns None if all rules hold, and otherwise raises AssertionError with a message
that names the broken rule. Call them in your tests::

    from eva_env.testing import check_reward_model, check_signal, check_task

    def test_my_parts():
        check_task(MyTask())
        check_reward_model(my_reward, ["3 + 4"], [["7", "8", ""]])
        check_signal(my_signal)
"""

from eva_env.testing.environments import check_env as check_env
from eva_env.testing.reward_models import check_reward_model as check_reward_model
from eva_env.testing.signals import check_round_signal as check_round_signal
from eva_env.testing.signals import check_signal as check_signal
from eva_env.testing.tasks import check_task as check_task
