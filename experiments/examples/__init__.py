"""Parts of your own, one file each: copy one, change it, and name it on the command line.

Each file names the commands that use it; ``tests/experiments/test_examples.py`` runs them all.
"""
