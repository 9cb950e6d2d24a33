"""An index that finds near-duplicates of a text without comparing all pairs."""

from zlib import crc32

import numpy as np

from agents.evolution.similarity import Embed
from eva_env.types import Floats, Ints

HASHES = 128
"""Number of hashes in a signature."""

MISSED = 0.01
"""Highest probability, approximately, that a pair exactly at the threshold is missed."""

_MULTIPLIERS, _OFFSETS = np.random.default_rng(0).integers(
    0, 2**64, (2, HASHES, 1), dtype=np.uint64
)


class NearDuplicates:
    """An index of texts that finds one of high Jaccard similarity to a given text.

    The similarity is that of the sets of shingles, runs of ``shingle`` words:

    1. A text's signature is 128 min-wise hashes of its shingles (Broder 1997, "On the
       resemblance and containment of documents"). Two texts agree in a hash with a probability
       that is their similarity.
    2. The signature is cut into bands. Texts that share a whole band are candidates.
    3. Candidates are compared by their shingles, so there are no false positives.

    Bands are as long as possible while a pair exactly at the threshold is missed with a
    probability of about 1 %; pairs above it are missed less often.

    Args:
        threshold: similarity in (0, 1] from which texts are near-duplicates.
        shingle: words in a shingle; a text of fewer is one shingle.
    """

    def __init__(self, threshold: float, shingle: int = 3) -> None:
        self.threshold, self.shingle = threshold, shingle
        # A band of r hashes agrees with probability t^r, and none of 128 / r bands with
        # (1 - t^r)^(128 / r).
        self.rows = max(
            rows
            for rows in range(1, HASHES + 1)
            if rows == 1 or (1 - threshold**rows) ** (HASHES // rows) <= MISSED
        )
        self.texts: list[str] = []
        self.shingles: list[Ints] = []
        self.buckets: dict[bytes, list[int]] = {}

    def add(self, text: str) -> None:
        """Add a text."""
        shingles = self._shingles(text)
        for band in self._bands(shingles):
            self.buckets.setdefault(band, []).append(len(self.texts))
        self.texts.append(text)
        self.shingles.append(shingles)

    def find(self, text: str) -> str | None:
        """Return the first text added that is near the given one but not equal; else None."""
        shingles = self._shingles(text)
        candidates: set[int] = set()
        for band in self._bands(shingles):
            candidates.update(self.buckets.get(band, ()))
        for i in sorted(candidates):
            if self.texts[i] != text and self._near(self.shingles[i], shingles):
                return self.texts[i]
        return None

    def _near(self, left: Ints, right: Ints) -> bool:
        """Return whether the Jaccard similarity of two sets reaches the threshold."""
        shared = len(np.intersect1d(left, right, assume_unique=True))
        return shared >= self.threshold * (len(left) + len(right) - shared)

    def _shingles(self, text: str) -> Ints:
        """Return the distinct shingles of a text as 32-bit checksums, increasing."""
        words = text.lower().split()
        starts = range(max(1, len(words) - self.shingle + 1))
        runs = (" ".join(words[start : start + self.shingle]) for start in starts)
        return np.unique(np.array([crc32(run.encode()) for run in runs], dtype=np.uint64))

    def _bands(self, shingles: Ints) -> list[bytes]:
        """Return the bands of the signature, each preceded by its number."""
        signature = ((_MULTIPLIERS * shingles + _OFFSETS) >> np.uint64(32)).min(1)
        count = HASHES // self.rows
        bands = signature[: count * self.rows].astype(np.uint32).reshape(count, self.rows)
        return [k.to_bytes(2, "big") + band.tobytes() for k, band in enumerate(bands)]


class NearMeanings:
    """An index of texts that finds one of similar meaning to a given text.

    The similarity is the cosine of sentence embeddings, compared with all texts in the index.

    Args:
        threshold: cosine in (0, 1] from which texts are near-duplicates. With all-MiniLM-L6-v2,
            0.95 finds other spellings, 0.85 nine of ten paraphrases.
        embed: gives the embeddings.
    """

    def __init__(self, threshold: float, embed: Embed) -> None:
        self.threshold, self.embed = threshold, embed
        self.texts: list[str] = []
        self.vectors: Floats = np.zeros((0, 0))

    def add(self, text: str) -> None:
        """Add a text."""
        (vector,) = self.embed([text])
        # 1. Double the room, so that adding n texts copies O(n) vectors.
        if len(self.texts) == len(self.vectors):
            larger = np.zeros((max(64, 2 * len(self.texts)), len(vector)))
            larger[: len(self.texts)] = self.vectors if self.texts else 0.0
            self.vectors = larger
        # 2. Fill the next place.
        self.vectors[len(self.texts)] = vector
        self.texts.append(text)

    def find(self, text: str) -> str | None:
        """Return the first text added that is near the given one but not equal; else None."""
        if not self.texts:
            return None
        cosines = self.vectors[: len(self.texts)] @ self.embed([text])[0]
        near = (self.texts[i] for i in np.flatnonzero(cosines >= self.threshold))
        return next((found for found in near if found != text), None)
