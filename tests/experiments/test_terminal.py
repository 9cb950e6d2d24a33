"""The terminal of `eva play`: text of a person or a model never controls the terminal."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from eva_env.plain_text import clean
from experiments.human_play.terminal import Terminal

HOSTILE = "a\x1b[2Jb\x9bc\x07\u202ed\ue000\ud800e\r\nf\tg\u2028h"
CLEANED = "a[2Jbcde  f g h"


def at_width(width=80, read=None):
    screen = io.StringIO()
    return Terminal(
        read or input, Console(file=screen, width=width, force_terminal=True)
    ), screen


def test_control_characters_are_dropped_and_line_ends_become_blanks():
    assert clean(HOSTILE) == CLEANED
    assert clean("déjà vu, 日本 🙂") == "déjà vu, 日本 🙂"


@given(st.text())
def test_clean_text_has_no_control_characters(text):
    shown = clean(text)
    kinds = {unicodedata.category(char) for char in shown}
    assert not any(kind.startswith("C") or kind in ("Zl", "Zp") for kind in kinds)
    assert clean(shown) == shown
    assert [c for c in shown if c.isalnum()] == [c for c in text if c.isalnum()]


@pytest.mark.parametrize("show", ["say", "grid"])
def test_printed_text_has_no_markup_no_emoji_and_no_escapes(show):
    terminal, screen = at_width()
    text = f"[bold red]x[/] :smile: [link=http://a]y {HOSTILE}"
    terminal.say(text) if show == "say" else terminal.grid([("1", text, "")])
    printed = screen.getvalue()
    assert f"[bold red]x[/] :smile: [link=http://a]y {CLEANED}" in printed
    assert "\x1b" not in printed.replace("\x1b[2m", "").replace("\x1b[0m", "")


def test_long_text_is_wrapped_without_losing_a_word():
    terminal, screen = at_width(30)
    words = [f"word{i}" for i in range(20)] + ["x" * 70]
    terminal.grid([("0.50", " ".join(words), "remark")])
    printed = screen.getvalue()
    assert max(map(len, printed.splitlines())) <= 30 + len("\x1b[2m\x1b[0m")
    assert all(word in printed for word in words[:-1])
    assert printed.count("x") == 70


def test_empty_columns_take_no_space():
    terminal, screen = at_width()
    terminal.grid([("a", "", "b"), ("c", "", "")])
    assert screen.getvalue().startswith("  a  \x1b[2mb")


def test_typed_text_is_cleaned_and_quit_leaves():
    lines = iter([f"  {HOSTILE} ", "QUIT"])
    terminal, _ = at_width(read=lambda question: next(lines))
    assert terminal.ask("> ") == CLEANED
    with pytest.raises(EOFError):
        terminal.ask("> ")
