"""The words of the micro-language, and tables of their properties."""

# ruff: noqa: E501 - one topic per line

import numpy as np

TOPICS: dict[str, str] = {
    "animals": "cat dog cow fox hen wolf goat horse tiger rabbit monkey turtle donkey elephant",
    "foods": "pie egg jam rice soup cake bread pasta pizza cheese butter noodle pancake sandwich",
    "colours": "red tan blue gold pink grey green white black brown purple yellow orange crimson",
    "tools": "axe saw hoe nail rake file drill clamp hammer wrench shovel ladder chisel spanner",
    "clothes": "hat cap tie coat sock boot shirt scarf dress jacket mitten sandal sweater trousers",
    "plants": "ivy oak elm fern rose moss daisy tulip maple cactus willow clover orchid sunflower",
    "vehicles": "car bus van taxi ship boat train truck plane rocket ferry bicycle tractor scooter",
    "buildings": "inn hut shed barn mill tower cabin house castle church palace temple school cottage",
}
WORDS: tuple[str, ...] = tuple(word for words in TOPICS.values() for word in words.split())
TOPIC_NAMES: tuple[str, ...] = tuple(TOPICS)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NUMBERS = dict(enumerate(["two", "three", "four", "five", "six", "seven", "eight"], start=2))

WORD_ID: dict[str, int] = {word: i for i, word in enumerate(WORDS)}

# Each table has one row per word, and a last row, index -1, for any unknown word.
TOPIC_OF = np.array(
    [t for t, words in enumerate(TOPICS.values()) for _ in words.split()] + [-1]
)
LENGTH_OF = np.array([len(word) for word in WORDS] + [0])
RANK_OF = np.argsort(np.argsort(np.array([*WORDS, "~"])))
HAS_LETTER = np.array([[letter in word for letter in LETTERS] for word in [*WORDS, ""]])
SHORT, LONG = 4, 6
"""A short word has at most 4 letters, a long one at least 6."""
