"""What the prompts of ``Instruct`` ask for: open-ended requests on everyday topics.

No word that a constraint names is among the keywords of IFEval, which stays a test of transfer.
"""

FORMS = (
    "Write a few sentences about {}.",
    "Describe {}.",
    "Tell a short story about {}.",
    "Explain to a child what makes {} special.",
    "Give some advice to somebody who has to do with {}.",
    "Write a short message to a friend about {}.",
    "What do people like about {}?",
    "Write an advertisement for {}.",
)
"""Forms of a request, with a slot for its topic."""

TOPICS = {
    "nature": (
        *("a rainy morning", "the sea in winter", "the woods at dusk", "an old oak tree"),
        *("the first snow", "a thunderstorm", "a mountain lake", "the desert"),
    ),
    "food": (
        *("warm bread", "a bowl of soup", "an apple pie", "strong coffee"),
        *("a farmers' market", "spicy noodles", "chocolate", "a picnic"),
    ),
    "animals": (
        *("a clever puppy", "a lazy kitten", "a wild horse", "bees"),
        *("an owl", "a lost penguin", "a shy turtle", "whales"),
    ),
    "city": (
        *("an evening train", "a small bookshop", "a busy street", "a public library"),
        *("the town square", "an empty bus", "a tall bridge", "a street musician"),
    ),
    "discovery": (
        *("the moon", "electricity", "a telescope", "vaccines"),
        *("the human heart", "robots", "volcanoes", "gravity"),
    ),
    "life": (
        *("a first day at school", "moving house", "learning to swim", "an old neighbour"),
        *("a birthday party", "a long walk", "saving for a trip", "a job interview"),
    ),
}
"""Topics of requests, by subject."""

SUBJECTS = {topic: subject for subject, topics in TOPICS.items() for topic in topics}
"""The subject of each topic."""

WORDS = (
    *("garden", "silver", "window", "music", "winter", "yellow", "brother", "paper"),
    *("journey", "quiet", "golden", "market", "storm", "little", "letter", "morning"),
)
"""Words that a response must contain."""

COMMON_WORDS = ("with", "in", "to", "of", "is", "and")
"""Words that are hard to avoid, in increasing frequency."""

LETTERS = ("z", "x", "v", "b", "u", "h")
"""Letters to avoid, in increasing frequency."""

FIRST_WORDS = ("Today", "Imagine", "Once", "Listen", "Everyone", "Sometimes")
"""Words to begin with."""

USUAL_LETTERS = ("r", "s", "d")
"""Letters that nearly every response uses."""

VOWELS = ('e" and "a', 'e" and "u', 'i" and "e')
"""Pairs of letters without which hardly anything can be said."""
