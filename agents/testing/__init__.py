"""Contract checks for your own creators, methods and solvers.

Each raises AssertionError with a message that names the broken rule, and returns None if all
rules hold::

    from agents.testing import check_creator, check_solver
    check_creator(MyCreator())
    check_solver(MyMethod())

``eva_env.testing`` has the checks for tasks, reward models and environments.
"""

from agents.testing.creators import check_creator as check_creator
from agents.testing.solvers import check_solver as check_solver
