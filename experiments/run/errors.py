"""The mistakes that a user can mend, told in one line."""


class UserError(Exception):
    """Something outside the program is wrong; ``eva`` prints it in one line, exit status 1."""
