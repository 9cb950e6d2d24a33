"""Scripts and the ``eva`` command of eva-env: choose, run, record, report."""
