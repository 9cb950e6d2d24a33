"""Prompts in their chat template: conversations, special tokens, the context's length."""

import copy

import pytest

from agents.policies.causal_lm import CausalLM
from agents.policies.chat import Chat, context_length
from agents.policies.sampling import Sampling
from eva_env.chat import as_prompt
from tests.support.tiny_models import tiny, tokenizer

GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "<|im_start|>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<|endoftext|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"
)
SILENT = (
    "{% for m in messages %}{% if m['role'] == 'user' %}Q {{ m['content'] }}{% endif %}"
    "{% endfor %}"
)
HI, BYE = ({"role": "user", "content": text} for text in ("Hi", "Bye"))
HELLO = {"role": "assistant", "content": "Hello"}
RULE = {"role": "system", "content": "Rhyme."}


def words(template="same", **special):
    changed = copy.deepcopy(tokenizer())
    if template != "same":
        changed.chat_template = template
    for name, value in special.items():
        setattr(changed, name, value)
    return changed


def text(chat, prompt):
    return chat.tokenizer.decode(chat.encode([prompt])[0])


def test_a_conversation_is_rendered_whole():
    chat = Chat(words())
    expected = chat.tokenizer.apply_chat_template(
        [RULE, HI, HELLO, BYE], add_generation_prompt=True
    )["input_ids"]
    assert chat.encode([as_prompt([RULE, HI, HELLO, BYE])]) == [expected]
    assert text(chat, as_prompt([RULE, HI, HELLO, BYE])) == (
        "<|im_start|>system\nRhyme.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_response_that_has_begun_is_continued():
    assert text(Chat(words()), as_prompt([HI, HELLO])).endswith("<|im_start|>assistant\nHello")


def test_the_system_message_of_a_prompt_wins_over_the_setting():
    chat = Chat(words(), system="Be brief.")
    assert "Be brief." in text(chat, "Hi")
    assert "You help." not in text(chat, "Hi")
    assert "Be brief." not in text(chat, as_prompt([RULE, HI]))


@pytest.mark.parametrize("template", [GEMMA, SILENT])
def test_a_template_without_a_system_role_has_it_before_the_first_request(template):
    chat = Chat(words(template), system="Be brief.")
    assert "Be brief.\n\nHi" in text(chat, "Hi")
    assert "Rhyme.\n\nHi" in text(chat, as_prompt([RULE, HI]))


def test_bos_is_never_doubled():
    gemma = words(GEMMA)
    start = gemma.bos_token_id
    assert Chat(gemma).encode(["Hi"])[0].count(start) == 3  # BOS, the user's turn, the model's
    assert Chat(gemma).encode(["Hi"])[0][2] != start


def test_a_tokenizer_without_a_template_reads_plain_text():
    plain = Chat(words(None))
    assert text(plain, "Hi") == "Hi"
    with pytest.raises(ValueError, match=r"no chat template for the 2 messages .*--policy.tem"):
        plain.encode([as_prompt([HI, BYE])])
    with pytest.raises(ValueError, match="no chat template, so it cannot hold a system"):
        Chat(words(None), system="Be brief.")


@pytest.mark.parametrize(
    ("special", "expected"),
    [({}, "bos_token"), ({"bos_token": None}, "eos_token")],
)
def test_an_empty_prompt_has_a_token_to_start_from(special, expected):
    plain = words(None, **special)
    start = getattr(tokenizer(), f"{expected}_id")
    assert Chat(plain).encode([""]) == [[start]]


def test_an_empty_prompt_without_bos_and_eos_is_refused():
    with pytest.raises(ValueError, match="neither BOS nor EOS"):
        Chat(words(None, bos_token=None, eos_token=None)).encode([""])


def test_the_end_is_the_token_that_closes_a_response():
    assert Chat(words()).end == tokenizer().convert_tokens_to_ids("<|im_end|>")
    assert Chat(words(GEMMA)).end == tokenizer().convert_tokens_to_ids("<|endoftext|>")
    assert Chat(words(GEMMA)).end != tokenizer().eos_token_id
    assert Chat(words(SILENT)).end == tokenizer().eos_token_id
    assert Chat(words(None, eos_token=None)).end is None


def test_a_template_that_refuses_a_prompt_says_so_in_one_line():
    with pytest.raises(ValueError, match="the chat template refuses messages of user") as error:
        Chat(words("{{ raise_exception('no\nway') }}")).encode(["Hi"])
    assert "\n" not in str(error.value)


def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers():
    size = len(Chat(words()).encode(["Tell a story about a fox."])[0])
    fitting = Chat(words(), limit=size + 8, max_tokens=8)
    assert fitting.fits("Tell a story about a fox.")
    tight = Chat(words(), limit=size + 7, max_tokens=8)
    assert not tight.fits("Tell a story about a fox.")
    numbers = rf"prompt of {size} tokens \+ 8 for the response exceed .* context of {size + 7}"
    with pytest.raises(ValueError, match=numbers):
        tight.encode(["Tell a story about a fox."])


@pytest.mark.parametrize("side", ["left", "right"])
def test_truncation_cuts_the_request_and_keeps_the_template(side):
    request = "one two three four five six seven eight nine ten"
    full = Chat(words()).encode([request])[0]
    chat = Chat(words(), limit=len(full) + 2, max_tokens=8, truncation=side)
    ids = chat.encode([request])[0]
    assert len(ids) <= len(full) - 6
    kept = text(chat, request).split("user\n")[1].split("<|im_end|>")[0]
    assert 0 < len(kept) < len(request)
    assert request.endswith(kept) if side == "left" else request.startswith(kept)
    head, tail = "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n", "assistant\n"
    assert text(chat, request).startswith(head)
    assert text(chat, request).endswith(tail)
    # One character more would not fit.
    place = len(request) - len(kept) - 1
    longer = request[place:] if side == "left" else request[: len(kept) + 1]
    assert len(Chat(words()).encode([longer])[0]) + 8 > len(full) + 2


def test_truncation_from_the_left_drops_the_oldest_messages_first():
    dialogue = as_prompt([RULE, HI, HELLO, BYE])
    short = len(Chat(words()).encode([as_prompt([RULE, BYE])])[0])
    chat = Chat(words(), limit=short + 4, max_tokens=4, truncation="left")
    assert chat.encode([dialogue]) == Chat(words()).encode([as_prompt([RULE, BYE])])


def test_a_template_alone_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"context of 9; lower --sampling.max-tokens .the"):
        Chat(words(), limit=9, max_tokens=4, truncation="left").encode(["Hi"])
    with pytest.raises(ValueError, match=r"context of 9; shorten it, .*truncation left"):
        Chat(words(), limit=9, max_tokens=4).encode(["Hi"])


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [("llama", 512), ("gpt2", 512), ("bloom", None), ("mpt", None), ("mamba", None)],
)
def test_the_context_length_is_the_models(architecture, expected):
    assert context_length(tiny(architecture).config) == expected


def test_a_policy_refuses_what_its_model_cannot_read():
    policy = CausalLM(tiny("llama"), tokenizer(), Sampling(max_tokens=500))
    with pytest.raises(ValueError, match=r"500 for the response exceed .* of 512"):
        policy.prompt_lengths(["Hi"])
