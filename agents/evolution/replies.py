"""Read what a language model replies when it is to write a text: the text, without the rest.

Models put a text into reasoning, labels, quotes and remarks, answer the request instead of
rewriting it, or refuse. ``stripped`` removes what surrounds a text; ``read_prompt`` and
``read_response`` return None for a reply that holds no usable text.
"""

import re
from collections.abc import Collection

REASONING = re.compile(
    r"<(think|thinking|thought|reasoning|reflection)>.*?</\1>", re.DOTALL | re.IGNORECASE
)
OPEN = re.compile(r"<(think|thinking|thought|reasoning|reflection)>.*", re.DOTALL | re.I)
CLOSE = re.compile(r".*</(think|thinking|thought|reasoning|reflection)>", re.DOTALL | re.I)

_NOUN = r"(?:prompt|request|instruction|question|task|query)"
_NEW = (
    r"(?:new|rewritten|re-written|revised|improved|updated|modified|harder|evolved|final|"
    r"better|transformed|different|variant|rephrased)"
)
_MARKUP = r"[\s*_#>`]*"
LABEL = re.compile(
    # "New prompt:" anywhere; the same with a dash, and "Prompt:", only where a line begins.
    rf"(?:#+\s*)?[*_`]*\b{_NEW}\s+(?:version\s+of\s+the\s+)?{_NOUN}\b"
    rf"(?:\s*\([^)\n]*\))?[*_`]*\s*:{_MARKUP}"
    rf"|^{_MARKUP}{_NEW}\s+(?:{_NOUN}|version)(?:\s*\([^)\n]*\))?{_MARKUP}(?:[:\u2013\u2014-]+|$){_MARKUP}"
    rf"|\A{_MARKUP}(?:the\s+)?(?:{_NOUN}|rewritten|rewrite|output|result){_MARKUP}:{_MARKUP}",
    re.IGNORECASE | re.MULTILINE,
)
"""A label before a prompt; the text after the last one counts."""

RESPONSE_LABEL = re.compile(
    rf"\A{_MARKUP}(?:(?:here\s+is\s+)?(?:the\s+|a\s+|my\s+)?)?"
    r"(?:better|improved|revised|rewritten|final|new|enhanced)\s+"
    rf"(?:answer|response|version|draft|reply)(?:\s*\([^)\n]*\))?{_MARKUP}:{_MARKUP}"
    rf"|\A{_MARKUP}(?:answer|response|reply){_MARKUP}:{_MARKUP}",
    re.IGNORECASE,
)
"""A label before a response, at its beginning alone."""

LEADING = re.compile(
    # "Sure!", "Of course.": an agreement alone.
    r"\A(?:(?:sure|certainly|absolutely|of\s+course|okay|ok|great|got\s+it|no\s+problem)"
    r"(?:\s+thing)?\s*[!.,:]+\s*)+"
    # "Here is a harder version of the prompt:": an announcement with a colon.
    r"(?:(?:here(?:['\u2019]s|\s+is|\s+are|\s+comes)|below\s+is|this\s+is|i(?:['\u2019]ve|\s+have)|"
    r"i(?:['\u2019]ll|\s+will|\s+would|['\u2019]d))\b[^\n]{0,160}?:(?=\s)[*_]*\s*)?"
    # The announcement alone, if it speaks of a rewrite: "Here is a table:" may be a prompt.
    r"|\A(?:here(?:['\u2019]s|\s+is|\s+are|\s+comes)|below\s+is)\b(?=[^\n:]{0,120}(?:prompt|version|"
    r"rewrit|revis|instruction|request|question|harder|another|variant|answer|response|draft))"
    r"[^\n]{0,160}?:(?=\s)[*_]*\s*",
    re.IGNORECASE,
)
"""A remark before the text."""

TRAILING = re.compile(
    r"\n\s*[(\[*_]*(?:i\s+hope|hope\s+(?:this|that)|let\s+me\s+know|feel\s+free|please\s+let|"
    r"if\s+you(?:['\u2019]d|\s+would)?\s+(?:like|need|want|have)\s+(?:me|an[yo]|more|further)|"
    r"would\s+you\s+like\s+me|"
    r"this\s+(?:new\s+|revised\s+|rewritten\s+|harder\s+)?(?:version|prompt|rewrite|request|"
    r"question|revision|instruction)\b|in\s+this\s+(?:new\s+|revised\s+)?(?:version|prompt)|"
    r"note\b(?=[^\n]*(?:prompt|version|rewrit|original|\)\s*\Z))|explanation\s*[:*]|reasoning\s*[:*]|rationale\s*[:*]|"
    r"changes?(?:\s+made)?\s*:|is\s+there\s+anything\s+else|old\s+prompt\s*:|---+\s*$)"
    r".*\Z",
    re.IGNORECASE | re.DOTALL,
)
"""A remark after the text, from the line that it begins to the end."""

TRAILING_SENTENCE = re.compile(
    r"(?<=[.?!\"”])\s+(?:i\s+hope\s+(?:this|that|it)\b|let\s+me\s+know\s+if|feel\s+free\s+to\s+"
    r"(?:ask|modify|adjust|let))[^\n]*\Z",
    re.IGNORECASE,
)
"""A remark after the text on its last line."""

REFUSAL = re.compile(
    r"\A\W*(?:(?:i\s+am|i['\u2019]m|we\s+are|we're)\s+(?:really\s+|very\s+)?(?:sorry|afraid|"
    r"unable|not\s+able)|sorry,?\s+(?:but\s+)?i|(?:my\s+)?apologies|i\s+apologi[sz]e|"
    r"(?:unfortunately,?\s+)?i\s+(?:cannot|can['\u2019]t|can\s+not|won't|am\s+not\s+able)|"
    r"as\s+an?\s+(?:ai|language\s+model|artificial))",
    re.IGNORECASE,
)
"""The beginning of a refusal."""

QUOTES = (('"', '"'), ("“", "”"), ("'", "'"), ("\u2018", "\u2019"), ("«", "»"), ("`", "`"))
MARKS = ("***", "**", "__", "*", "_")
FENCE = re.compile(r"\A```[\w-]*\n?(.*?)\n?```\Z", re.DOTALL)
ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+", re.MULTILINE)

LONGEST = (2.0, 40)
"""A rewrite has at most this many times the prompt's words plus this many: the instruction
allows twenty words more, and an answer is usually longer."""

REQUESTS = re.compile(
    r"\?|\b(?:add|advise|analy[sz]e|answer|argue|ask|assess|begin|brainstorm|build|calculate|"
    r"choose|classify|compare|complete|compose|compute|consider|continue|contrast|convert|"
    r"correct|create|critique|debate|define|describe|design|determine|develop|devise|discuss|"
    r"draft|draw|edit|elaborate|estimate|evaluate|examine|explain|explore|extract|fill|find|"
    r"fix|generate|give|guess|help|how|identify|illustrate|imagine|implement|improve|include|"
    r"interpret|invent|invite|justify|list|make|name|need|offer|outline|paraphrase|pick|plan|"
    r"please|predict|prepare|pretend|produce|propose|prove|provide|rank|recommend|reflect|"
    r"rephrase|reply|report|respond|review|rewrite|role-?play|say|select|share|show|simplify|"
    r"sketch|solve|sort|specify|state|suggest|summari[sz]e|talk|teach|tell|think|translate|"
    r"use|want|what|when|where|which|who|why|write)\b",
    re.IGNORECASE,
)
"""A question mark, or a word by which one asks for something."""


def read_prompt(reply: str, prompt: str, shown: Collection[str] = ()) -> str | None:
    """Return the rewrite of a prompt in a reply; None if there is none.

    ``shown`` holds texts that the model was shown: those of the instruction and the examples. A
    reply is refused if it is empty, equals the prompt up to case, spaces and punctuation,
    repeats a shown text, refuses, or answers the prompt instead of asking. It counts as an
    answer if it is longer than ``LONGEST`` allows or, where the prompt itself has one, if it
    has no word of ``REQUESTS``. The line in which a reply was cut off is dropped.
    """
    whole = reply if getattr(reply, "ended", True) else reply.rpartition("\n")[0]
    text = without_reasoning(whole)
    labels = list(LABEL.finditer(text))
    text = stripped(text[labels[-1].end() :] if labels else text)
    if not text or same(text, prompt) or REFUSAL.match(text):
        return None
    if any(_holds(text, part) and not _holds(prompt, part) for part in shown):
        return None
    factor, more = LONGEST
    if len(text.split()) > factor * len(prompt.split()) + more:
        return None
    return text if REQUESTS.search(text) or not REQUESTS.search(prompt) else None


def read_response(reply: str, draft: str) -> str | None:
    """Return the better response in a reply; None if there is none.

    A reply is refused if it is empty, equals the draft up to case, spaces and punctuation,
    refuses where the draft did not, or was cut off.
    """
    if not getattr(reply, "ended", True):
        return None
    text = stripped(without_reasoning(reply), RESPONSE_LABEL, wrapped=_is_wrapped(draft))
    if not text or same(text, draft):
        return None
    return None if REFUSAL.match(text) and not REFUSAL.match(draft) else text


def without_reasoning(reply: str) -> str:
    """Return a reply without its reasoning; an unclosed one goes to the end of the reply.

    A template may have opened the reasoning, so that a reply begins inside it.
    """
    return CLOSE.sub("", OPEN.sub("", REASONING.sub("", reply))).strip()


def stripped(text: str, label: re.Pattern[str] = LABEL, wrapped: bool = False) -> str:
    """Return a text without labels, remarks, quotes and markup around it.

    ``wrapped`` keeps quotes and fences, because they belong to the text.
    """
    while True:
        before = text
        text = TRAILING_SENTENCE.sub("", TRAILING.sub("", f"\n{text}")).strip()
        text = LEADING.sub("", text).strip()
        match = label.match(text)
        text = text[match.end() :].strip() if match else text
        text = text if wrapped else _unwrapped(_without_loose_mark(text))
        if text == before:
            return text


def same(left: str, right: str) -> bool:
    """Return whether two texts are equal up to case, spaces and punctuation."""
    return _letters(left) == _letters(right)


def _letters(text: str) -> str:
    """The letters and digits of a text in lower case; the text itself if it has none."""
    return "".join(filter(str.isalnum, text.casefold())) or text.strip()


def _holds(text: str, part: str) -> bool:
    return _letters(part) in _letters(text)


def _is_wrapped(text: str) -> bool:
    return _unwrapped(text.strip()) != text.strip()


def _unwrapped(text: str) -> str:
    """The text without one layer of fences, marks, quotes, or the number of its only item."""
    if fence := FENCE.match(text):
        return fence[1].strip()
    for mark in MARKS:
        inner = text[len(mark) : -len(mark)]
        if len(inner) > 1 and text == f"{mark}{inner}{mark}" and mark[0] not in inner:
            return inner.strip()
    for left, right in QUOTES:
        inner = text[1:-1]
        if len(text) > 2 and text == f"{left}{inner}{right}" and _is_one_quote(inner, left):
            return inner.strip()
    items = ITEM.findall(text)
    if len(items) == 1 and text.startswith(items[0].strip()):
        return ITEM.sub("", text, count=1).strip()
    return text


def _without_loose_mark(text: str) -> str:
    """The text without a mark at its end whose opening one went with a label."""
    for mark in ("**", "`"):
        if text.endswith(mark) and text.count(mark) % 2:
            return text[: -len(mark)].strip()
    return text


def _is_one_quote(inner: str, left: str) -> bool:
    """True if the quotes around a text belong together: `"a" and "b"` has two pairs."""
    if left in ("'", "\u2018"):  # an apostrophe is no quote
        inner = re.sub(r"\w['\u2019]\w", "", inner)
    opening, closing = inner.find(left), inner.rfind(left)
    if opening < 0:
        return True
    # A quote inside opens after a space and closes before one; in `a" and "b` it is reversed.
    return opening != closing and not inner[opening - 1 : opening].strip(" (")
