"""The measure of how similar prompts are, from the settings of a run."""

from pathlib import Path

from agents.evolution.similarity import ByMeaning, ByWords, Similarity
from agents.policies.sentence_embedder import SentenceEmbedder, installed_embedder
from eva_env.world import World

CHOICES = AUTO, WORDS, EMBEDDER = "auto", "words", "embedder"
"""Choices of ``--similarity``; anything else is an encoder's folder."""


def similarity_of(world: World, choice: str) -> Similarity | None:
    """Return the measure that a run uses and records; None for worlds without real text.

    Raises ValueError for an embedder that is missing, broken, or not for this world.
    """
    if not world.real_text:
        if choice in (AUTO, WORDS):
            return None
        raise ValueError(
            f"--similarity {choice} compares ordinary language, which prompts of "
            f"{type(world).__name__} are not; leave it out"
        )
    if choice == WORDS:
        return ByWords()
    folder = installed_embedder() if choice in (AUTO, EMBEDDER) else Path(choice)
    if folder is not None:
        return ByMeaning(SentenceEmbedder.load(folder))
    if choice == AUTO:
        return ByWords()
    raise ValueError(
        "no sentence embedder is on this machine: run eva fetch embedder, or give "
        "--similarity FOLDER"
    )
