"""A rich console that shows text of others as text.

Names, paths, prompts and responses may come from a stranger's record. Therefore nothing else in
``experiments`` makes a rich ``Console``, and ``eva_env.plain_text.say`` replaces ``print``.
"""

from typing import Any

from rich.console import Console
from rich.text import Text

from eva_env.plain_text import clean_lines


class PlainConsole(Console):
    """A rich console that prints strings as plain text, those in tables and titles too.

    It drops control characters, and interprets neither markup such as [red] nor emoji codes.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as the text that is printed."""
        plain: dict[str, Any] = options | {"markup": False, "emoji": False}
        return super().render_str(clean_lines(text), **plain)
