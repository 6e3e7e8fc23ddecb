"""The size that a vector tile may have: how many features are drawn where all of them would be too large."""

from __future__ import annotations

from collections.abc import Generator

from tiles import vector
from tiles.packing import gzipped

TILE_BYTES = 500_000
"""Bytes that a compressed tile may have at most, at any zoom level."""
_AIM, _TRIES = 0.9, 6
Attempts = Generator[int | None, tuple[int, int], int | None]


def attempts(budget: int, *, whole: bool = False) -> Attempts:
    """How many features to draw, attempt by attempt.

    Yields:
        How many of the most important features to draw next; None for all. It is sent how many there were and the
        compressed size of what was drawn.

    Args:
        budget: Bytes that the tile may have when compressed.
        whole: Whether nothing may be left out.

    Returns:
        How many features are missing in what was drawn last; None when it does not fit, so that the tile stays empty.
    """
    found, size = yield None
    if whole or (found <= vector.MOST_FEATURES and size <= budget):
        return 0
    most = _fitting(found, size, budget)
    for _ in range(_TRIES):
        found, size = yield most
        if size <= budget:
            return found - min(most, found)
        most = min(max(1, most // 2), _fitting(most, size, budget))
    return None


def compressed_size(body: bytes, budget: int) -> int:
    """Bytes of a tile as it is sent; what fits as it is need not be packed to know."""
    return len(body) if len(body) <= budget else len(gzipped(body))


def _fitting(drawn: int, size: int, budget: int) -> int:
    """How many of the features that were drawn will fit; more important ones tend to be larger."""
    return max(1, int(drawn * min(1.0, _AIM * budget / max(size, 1))))
