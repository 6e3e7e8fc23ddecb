"""Which rows of a source one reader takes, when several readers share it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyogrio

from ingest.job import Part

_SPLIT = frozenset({"gpkg", "fgb"})


@dataclass(frozen=True)
class Window:
    """Consecutive rows of a source.

    Attributes:
        start: Number of the first row (from 0).
        rows: How many; None for all that follow.
        options: What GDAL is asked so that it begins there.
    """

    start: int = 0
    rows: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def share(self, rows: int) -> int:
        """How many rows it holds, of a source that has so many."""
        return max(0, rows - self.start) if self.rows is None else self.rows


def can_split(kind: str, layers: list[str], rows: int) -> bool:
    """Whether rows of a file of this kind can be reached by their number without reading those before."""
    return kind in _SPLIT and len(layers) == 1 and rows > 0


def window_of(file: Path, kind: str, layer: tuple[str, str], rows: int, part: Part) -> Window:
    """The share of a part.

    Args:
        file: The file.
        kind: Kind by content, one that `can_split`.
        layer: Layer in the file, and the name of its column of feature numbers.
        rows: Rows of the layer.
        part: Which part.
    """
    start, stop = rows * part.number // part.of, rows * (part.number + 1) // part.of
    count = None if part.number + 1 == part.of else stop - start
    if kind == "gpkg":
        options = _from_feature(file, layer, start)
        return Window(start, 0) if options is None else Window(start, count, options)
    return Window(start, count, {"skip_features": start})


def _from_feature(file: Path, layer: tuple[str, str], start: int) -> dict[str, Any] | None:
    """A condition on feature numbers; None when there are fewer rows than the file's own count says.

    GDAL gives the rows of a GeoPackage in the order of their feature numbers, and would read and throw away what it is
    told to skip.
    """
    if start == 0:
        return {}
    name, fid = layer
    _, fids, _, _ = pyogrio.raw.read(
        file, layer=name, columns=[], read_geometry=False, skip_features=start, max_features=1, return_fids=True
    )
    if not len(fids):
        return None
    quoted = fid.replace('"', '""')
    return {"where": f'"{quoted}" >= {int(fids[0])}'}
