"""Examples of rewrites and of ratings, for a language model that continues text.

A small model answers a prompt that it should rewrite, but continues a list of rewrites with
another one. The operators are those of eva (Ye et al. 2025, arXiv 2411.00062, App. F); the
examples are ours.
"""

OLD, NEW = "Request:", "Rewritten request:"
"""Labels of the two texts of an example."""

HEADS = {
    "constraints": "Each request below is rewritten so that it has one more requirement.",
    "deepening": "Each request below is rewritten so that it asks for a deeper answer.",
    "concretizing": "Each request below is rewritten so that it asks about one specific case.",
    "reasoning": "Each request below is rewritten so that it takes several steps to answer.",
    "expansion": "Each request below is rewritten so that it asks for a second view as well.",
    "persona": "Each request below is rewritten as another person would ask it.",
    "shift_in": "Each request below is rewritten to ask about another part of its subject.",
    "shift_out": "Each request below is rewritten to ask the same about another subject.",
    "mix": "Each request below is rewritten so that it brings in an idea from a distant field.",
    "abstract": "Each request below is rewritten so that it asks for the general principle.",
}
"""The line above the examples, by operator."""

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "constraints": (
        (
            "Describe a harbour.",
            "Describe a harbour in three sentences, without using any colours.",
        ),
        (
            "What should I cook tonight?",
            "What should I cook tonight if I have only one pan and half an hour?",
        ),
        (
            "Write a function that sorts a list. Explain it.",
            "Write a function that sorts a list without calling a library. Explain it in at "
            "most 50 words.",
        ),
        (
            "Give me tips for learning Spanish.",
            "Give me five tips for learning Spanish that cost no money, and order them by the "
            "time they take.",
        ),
    ),
    "deepening": (
        (
            "Why do leaves change colour?",
            "Why do leaves change colour, and what happens inside the leaf while they do?",
        ),
        (
            "Tell me about the Roman army.",
            "Tell me about the Roman army: how was it organised, and how did that help it win?",
        ),
        (
            "How do I train for a marathon?",
            "How do I train for a marathon, how should the training change from month to "
            "month, and why does the body need that?",
        ),
        (
            "Write an email to my landlord about the heating.",
            "Write an email to my landlord about the heating that describes the fault, what it "
            "has led to, and what should happen next.",
        ),
    ),
    "concretizing": (
        (
            "How can I save energy?",
            "How can I save energy in an old brick house with four people?",
        ),
        (
            "Write a poem about a city.",
            "Write a poem about Lisbon on the morning after a street festival.",
        ),
        (
            "Explain how loans work.",
            "Explain how a loan of 10,000 dollars at 6 percent works over five years.",
        ),
        (
            "What are good hobbies?",
            "What are good hobbies for a retired nurse who likes birds and cannot walk far?",
        ),
    ),
    "reasoning": (
        (
            "Is it cheaper to rent or to buy a flat?",
            "Is it cheaper to rent or to buy a flat over ten years? List the costs of each, "
            "and add them up step by step.",
        ),
        (
            "How many tiles do I need for my bathroom?",
            "How many tiles of 20 centimetres do I need for a bathroom of 2 by 3 metres if one "
            "in ten breaks? Show each step.",
        ),
        (
            "Tell a story about a thief.",
            "Tell a story about a thief in which three clues, one after the other, show who it "
            "is.",
        ),
        (
            "Recommend a phone.",
            "Recommend a phone for a photographer: name your criteria, compare three phones on "
            "each of them, and then explain your choice.",
        ),
    ),
    "expansion": (
        (
            "What are the benefits of working from home?",
            "What are the benefits of working from home for employees, and how does it look to "
            "their managers?",
        ),
        (
            "Describe a day in the life of a baker.",
            "Describe a day in the life of a baker in a village, and compare it with a day in "
            "a bread factory.",
        ),
        (
            "How do bees find flowers?",
            "How do bees find flowers, and how do bats find their food in the dark?",
        ),
        (
            "Write a review of a hotel.",
            "Write two reviews of the same hotel, one by a business traveller and one by a "
            "family with small children.",
        ),
    ),
    "persona": (
        (
            "How does a car engine work?",
            "My grandson asked me how a car engine works, and I drove a tram all my life. How "
            "can I explain it to him?",
        ),
        (
            "Give me ideas for a garden.",
            "I run a small kindergarten and we have a muddy yard. What could we plant with the "
            "children?",
        ),
        (
            "Write a speech about friendship.",
            "I'm the best man at my brother's wedding and I hate speaking in public. Please "
            "write me a short speech about friendship.",
        ),
        (
            "What causes inflation?",
            "As a shop owner who has to print new price tags every month, I want to know: what "
            "causes inflation?",
        ),
    ),
    "shift_in": (
        (
            "How do I bake bread?",
            "How should I store bread so that it stays fresh?",
        ),
        (
            "What do doctors learn at university?",
            "How do doctors keep up with new medicines after university?",
        ),
        (
            "Explain how rockets leave the ground.",
            "Explain how a spacecraft comes back through the atmosphere without burning up.",
        ),
        (
            "Write a poem about a football match.",
            "Write a poem about the people who clean the stadium after a football match.",
        ),
    ),
    "shift_out": (
        (
            "How do I choose a good wine?",
            "How do I choose a good pair of running shoes?",
        ),
        (
            "Write a letter from a soldier to his family.",
            "Write a letter from an astronaut to her former teacher.",
        ),
        (
            "Explain how a bill becomes a law.",
            "Explain how a manuscript becomes a printed book.",
        ),
        (
            "List three ways to protect forests.",
            "List three ways to protect children on the internet.",
        ),
    ),
    "mix": (
        (
            "Describe how a clock works.",
            "Describe how a clock works as if it were a city with its workers and its traffic.",
        ),
        (
            "Give advice to a new manager.",
            "What could a new manager learn from the way a conductor leads an orchestra?",
        ),
        (
            "Explain how the heart pumps blood.",
            "Explain how the heart pumps blood in the words of a plumber.",
        ),
        (
            "Write a story about a lost dog.",
            "Write a story about a lost dog that finds its way home with the help of the "
            "stars, as sailors did.",
        ),
    ),
    "abstract": (
        (
            "How do I get my son to tidy his room?",
            "How can people be moved to take on duties that they dislike?",
        ),
        (
            "Why did the Titanic sink?",
            "Why do systems that are thought to be safe fail?",
        ),
        (
            "Write a story about two brothers who both want the farm.",
            "Write a story about what becomes of a family when a thing cannot be shared.",
        ),
        (
            "Which is the best route from Paris to Rome?",
            "How does one choose between routes when time, cost and comfort all matter?",
        ),
    ),
}
"""Prompts and their rewrites, by operator."""


def few_shot(prompt: str, operator: str) -> str:
    """Return the text that a language model continues with a rewrite of the prompt."""
    shown = [f"{OLD} {old}\n{NEW} {new}\n" for old, new in EXAMPLES[operator]]
    return "\n".join([f"{HEADS[operator]}\n", *shown, f"{OLD} {prompt}\n{NEW}"])


def continued(reply: str, prompt: str) -> str:
    """Return the part of a continuation that is the rewrite of a prompt.

    It ends at the next example or, for a prompt of one line, at the first line break; the
    continuation may also end itself. A rewrite that was cut off is the empty text.
    """
    text, label, _ = reply.partition(f"\n{OLD}")
    line_break = ""
    if "\n" not in prompt:
        text, line_break, _ = text.lstrip().partition("\n")
    is_whole = label or line_break or getattr(reply, "ended", True)
    return text.strip() if is_whole else ""


def example_texts(operator: str) -> list[str]:
    """Return the texts of an operator's examples, which a rewrite must not repeat."""
    return [text for pair in EXAMPLES[operator] for text in pair]


RATINGS = {
    "complexity": (
        "Requests and how complex each one is, from 1 (anyone answers it at once) to 5 (it "
        "takes expert knowledge, many steps, or many demands at once).",
        (
            ("What colour is a ripe banana?", 1),
            ("Suggest a name for my cat and say why it fits.", 2),
            ("Compare two ways to heat a small house, with the costs of each per year.", 4),
            ("Say hello in French.", 1),
            (
                "Prove that there are endless primes, and estimate how many lie below n.",
                5,
            ),
            ("Write a polite email that asks for a day off.", 3),
        ),
    ),
    "quality": (
        "Requests and how good each one is, from 1 (unclear, broken, or impossible to answer) "
        "to 5 (clear, specific, and worth an answer).",
        (
            ("thing about the do, when?", 1),
            ("Explain how a bicycle stays upright, in words that a ten-year-old knows.", 5),
            ("Tell me something.", 2),
            ("List the without of every never.", 1),
            ("How can I learn to draw?", 3),
            ("Write a short scene in which two neighbours argue about a hedge.", 4),
        ),
    ),
}
"""The line above the examples, and requests with their ratings, by aspect."""


def rating_request(prompt: str, aspect: str) -> str:
    """Return the text that a language model continues with a rating of the prompt, 1 to 5.

    Raises ValueError for an aspect without examples.
    """
    if aspect not in RATINGS:
        raise ValueError(
            f"there are no examples of ratings for {aspect!r}, only for {', '.join(RATINGS)}; "
            f"use the form instructions"
        )
    head, shown = RATINGS[aspect]
    rated = [f"{OLD} {text}\nRating: {rating}\n" for text, rating in shown]
    return "\n".join([f"{head}\n", *rated, f"{OLD} {prompt}\nRating:"])
