"""Which of many prompts is a near twin of another, without comparing all pairs."""

from zlib import crc32

import numpy as np

from eva_env.types import Ints

HASHES = 128
"""Length of a signature."""

MISSED = 0.01
"""Probability, about and at most, that a pair exactly at the threshold is missed."""

_MULTIPLIERS, _OFFSETS = np.random.default_rng(0).integers(
    0, 2**64, (2, HASHES, 1), dtype=np.uint64
)


class NearDuplicates:
    """Texts, to be asked for one whose Jaccard similarity to another text is high.

    The similarity is that of the sets of shingles, runs of ``shingle`` words. Signatures of
    128 min-wise hashes (Broder 1997, "On the resemblance and containment of documents") are
    cut into bands, and only texts that share a whole band are compared, by their shingles: so
    there is no false alarm. Bands are as long as lets about 1 % of the pairs exactly at the
    threshold go unseen, and fewer of those above it.

    Args:
        threshold: similarity in (0, 1] from which texts are near-duplicates.
        shingle: words in a shingle; a text of fewer is one shingle.
    """

    def __init__(self, threshold: float, shingle: int = 3) -> None:
        self.threshold, self.shingle = threshold, shingle
        self.rows = max(
            rows
            for rows in range(1, HASHES + 1)
            if rows == 1 or (1 - threshold**rows) ** (HASHES // rows) <= MISSED
        )
        self.texts: list[str] = []
        self.shingles: list[Ints] = []
        self.buckets: dict[bytes, list[int]] = {}

    def add(self, text: str) -> None:
        """Remember a text."""
        shingles = self._shingles(text)
        for band in self._bands(shingles):
            self.buckets.setdefault(band, []).append(len(self.texts))
        self.texts.append(text)
        self.shingles.append(shingles)

    def find(self, text: str) -> str | None:
        """A remembered text, not the same one, at or above the threshold; None without."""
        shingles = self._shingles(text)
        bands = self._bands(shingles)
        for i in sorted({i for band in bands for i in self.buckets.get(band, ())}):
            if self.texts[i] != text and self._near(self.shingles[i], shingles):
                return self.texts[i]
        return None

    def _near(self, one: Ints, other: Ints) -> bool:
        shared = len(np.intersect1d(one, other, assume_unique=True))
        return shared >= self.threshold * (len(one) + len(other) - shared)

    def _shingles(self, text: str) -> Ints:
        words = text.lower().split()
        starts = range(max(1, len(words) - self.shingle + 1))
        runs = (" ".join(words[start : start + self.shingle]) for start in starts)
        return np.unique(np.array([crc32(run.encode()) for run in runs], dtype=np.uint64))

    def _bands(self, shingles: Ints) -> list[bytes]:
        """The signature in bands, each with its number in front."""
        signature = ((_MULTIPLIERS * shingles + _OFFSETS) >> np.uint64(32)).min(1)
        count = HASHES // self.rows
        bands = signature[: count * self.rows].astype(np.uint32).reshape(count, self.rows)
        return [k.to_bytes(2, "big") + band.tobytes() for k, band in enumerate(bands)]
