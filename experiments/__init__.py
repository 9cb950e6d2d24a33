"""Scripts and the ``eva`` command: choose, run, record, report."""
