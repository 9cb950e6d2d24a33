"""``python -m experiments`` is the ``eva`` command."""

import sys

from eva_env.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
