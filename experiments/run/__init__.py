"""One training run: settings, match, loop, record, evaluation, alarms, progress."""
