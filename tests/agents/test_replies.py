"""Replies of language models, and the prompt or response in each."""

import pytest

from agents.evolution.replies import read_prompt, read_response, same, stripped
from agents.policies.sampled import Sampled

PROMPT = "Describe the sea."
NEW = "Describe the sea in two sentences."
LONG = "The sea is a vast body of salt water that covers most of the planet. " * 5


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        # Reasoning
        (f"<think>Make it harder.</think>{NEW}", NEW),
        (f"<think>\nOne\n\nTwo\n</think>\n\n{NEW}\n", NEW),
        (f"Let me see, two sentences.\n</think>\n{NEW}", NEW),
        (f"<THINKING>x</THINKING> New prompt: {NEW}", NEW),
        ("<think>I should add a limit. Perhaps", None),
        (f"<think>New prompt: no</think>New prompt: {NEW} <think>was that good", NEW),
        # Labels
        (f"New prompt: {NEW}", NEW),
        (f"**New prompt:** {NEW}", NEW),
        (f"**New Prompt**: {NEW}", NEW),
        (f"### New Prompt\n{NEW}", NEW),
        (f"### Rewritten prompt:\n\n{NEW}", NEW),
        (f"Rewritten prompt - {NEW}", NEW),
        (f"*Rewritten Instruction:* {NEW}", NEW),
        (f"Prompt: {NEW}", NEW),
        (f"`New prompt:` {NEW}", NEW),
        (f"New prompt (harder): {NEW}", NEW),
        (f"I thought of something. New prompt: {NEW}", NEW),
        (f"New prompt: Who?\nNew prompt: {NEW}", NEW),
        (f"Old prompt: {PROMPT}\nNew prompt: {NEW}", NEW),
        ("I thought of something. New prompt:  ", None),
        # Wrapping
        (f'"{NEW}"', NEW),
        (f"“{NEW}”", NEW),
        (f"'{NEW}'", NEW),
        (f"`{NEW}`", NEW),
        (f"```\n{NEW}\n```", NEW),
        (f"```text\n{NEW}\n```", NEW),
        (f"**{NEW}**", NEW),
        (f'**New prompt:** "{NEW}"', NEW),
        (f"1. {NEW}", NEW),
        (f"- {NEW}", NEW),
        ("1. Describe the sea.\n2. Name a fish.", "1. Describe the sea.\n2. Name a fish."),
        ('"Sea" or "ocean": which do you use?', '"Sea" or "ocean": which do you use?'),
        ('Use the word "sea" and "salt"', 'Use the word "sea" and "salt"'),
        ("'Don't go in': explain the sign.", "'Don't go in': explain the sign."),
        ("Write code:\n```\nx = 1\n```", "Write code:\n```\nx = 1\n```"),
        # Remarks
        (f"Sure! Here is a harder version of the prompt:\n\n{NEW}", NEW),
        (f"Sure, here's one: {NEW}", NEW),
        (f"Certainly!\n\n{NEW}", NEW),
        (f'Here is the rewritten prompt:\n"{NEW}"', NEW),
        (f"{NEW}\n\nI hope this helps!", NEW),
        (f"{NEW} I hope this helps!", NEW),
        (f"{NEW}\n\nLet me know if you want another one.", NEW),
        (f"{NEW}\n\nThis version asks for two sentences, which is harder.", NEW),
        (f"{NEW}\n\n**Explanation:** it is harder now.", NEW),
        (f"{NEW}\n(Note: the limit is new.)", NEW),
        (f"Of course. **New prompt:** {NEW}\n\nFeel free to ask for more.", NEW),
        ("Here is a table:\n| a |\nSort it.", "Here is a table:\n| a |\nSort it."),
        (f"{NEW}\n\nNote: use metres.", f"{NEW}\n\nNote: use metres."),
        (f"{NEW}\n\nNote that the new prompt is harder.", NEW),
        # No rewrite
        ("", None),
        (" \n ", None),
        (PROMPT, None),
        ("  describe  THE sea ", None),
        ('New prompt: "Describe the sea!"', None),
        ("I'm sorry, but I can't help with that.", None),
        ("I cannot rewrite this.", None),
        ("As an AI language model, I have no sea.", None),
        (LONG, None),
        ("The sea is blue and deep.", None),
        ("Blue, deep and full of fish.", None),
        ("It must sound like something a person would ask.", None),
        ("Describe the forest. Use no adjectives.", None),
    ],
)
def test_the_prompt_in_a_reply(reply, text):
    shown = ("It must sound like something a person", "Describe the forest. Use no adjectives.")
    assert read_prompt(reply, PROMPT, shown) == text


def test_a_prompt_that_asks_without_such_words_may_be_rewritten_into_another_one():
    assert read_prompt("Das Meer im Winter.", "Das Meer.") == "Das Meer im Winter."
    assert read_prompt("Das Meer im Winter.", PROMPT) is None


def test_the_length_that_a_rewrite_may_have_depends_on_the_prompt():
    ask = "Write about " + "x " * 44
    assert read_prompt(ask, PROMPT) == ask.strip()
    assert read_prompt(ask + "x", PROMPT) is None
    assert read_prompt(ask + "x", PROMPT + " Please.") is not None


def test_texts_of_the_prompt_itself_may_come_back():
    shown = ("Use no adjectives.",)
    prompt = "Describe the forest. Use no adjectives."
    assert read_prompt(prompt + " Use no verbs.", prompt, shown) == prompt + " Use no verbs."


def test_a_reply_that_was_cut_off_is_no_rewrite():
    def drawn(text, ended):
        return Sampled(text, [1, 2], ended, 0)

    assert read_prompt(drawn(NEW, True), PROMPT) == NEW
    assert read_prompt(drawn(NEW, False), PROMPT) is None
    assert read_response(drawn("Deep.", False), "Blue.") is None
    assert type(read_prompt(drawn(NEW, True), PROMPT)) is str
    assert type(read_response(drawn("Deep.", True), "Blue.")) is str


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Blue and deep.", "Blue and deep."),
        ("Better answer: Blue and deep.", "Blue and deep."),
        ("**Improved answer:**\n\nBlue and deep.", "Blue and deep."),
        ("Sure! Here is a better answer:\n\nBlue and deep.", "Blue and deep."),
        ("<think>hm</think>\nAnswer: Blue and deep.", "Blue and deep."),
        ("Blue and deep.\n\nI hope this helps!", "Blue and deep."),
        ('"Blue and deep."', "Blue and deep."),
        ("Blue: the sky. Deep: the sea.", "Blue: the sky. Deep: the sea."),
        ("1. Blue\n2. Deep", "1. Blue\n2. Deep"),
        ("It is BLUE", None),
        ("", None),
        ("I'm sorry, I can't.", None),
    ],
)
def test_the_response_in_a_reply(reply, text):
    assert read_response(reply, "It is blue.") == text


def test_what_wraps_the_draft_stays_around_the_response():
    assert read_response('"Blue and deep."', '"Blue."') == '"Blue and deep."'
    assert read_response("I'm sorry, I can't do that.", "I'm sorry.") is not None


def test_texts_are_compared_by_their_letters():
    assert same("Why  not?", "why not")
    assert not same("?", "!")
    assert stripped("New prompt: **Sure. Why?**") == "Why?"
