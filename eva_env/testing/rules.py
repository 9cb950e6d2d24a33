"""The one statement that every check is made of."""


def rule(holds: bool, message: str) -> None:
    """Raise AssertionError with the message unless the rule holds."""
    if not holds:
        raise AssertionError(message)
