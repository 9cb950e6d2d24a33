"""One module for each ``eva`` command, each with ``main(args) -> exit status``."""
