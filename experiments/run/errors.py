"""The error of a mistake that a user can fix."""


class UserError(Exception):
    """A mistake outside the program; ``eva`` prints it in one line and exits with status 1."""
