"""Which cache the tests see."""

import os
import shutil
import tempfile
from pathlib import Path

from eva_env.cache import cache_folder


def pytest_configure(config):
    """Give the ordinary tests a cache with nothing but IFEval, if that is fetched.

    No model in the user's cache then changes a result, and no test writes there. The tests
    marked ``real`` read the user's cache: ``pytest -m real``.
    """
    if "real" in config.option.markexpr:
        return
    benchmark, folder = cache_folder() / "ifeval", Path(tempfile.mkdtemp(prefix="eva-tests-"))
    if benchmark.is_dir():
        (folder / "ifeval").symlink_to(benchmark)
    os.environ["EVA_CACHE"] = str(folder)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
