"""Where the rows of a layer lie among the divisions of a level, in arrays: what is dear to find out and is kept.

It holds no attribute and decides nothing about access: a question reads which rows count, with their keys and values,
and asks here only where these lie. It blocks: call it in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.impact.divisions import NOWHERE, Divisions
from geoservice.impact.region import Longs

Size = Literal["area", "length"]
SIZES: Mapping[str, tuple[Size, ...]] = {"polygon": ("area",), "line": ("length",), "any": ("area", "length")}
"""What is measured of the geometries of a layer; points have no size."""
_Ints = npt.NDArray[np.int32]
_EMPTY = shapely.Point()


@dataclass(frozen=True)
class Split:
    """Parts of rows: place of the row in `Placement.fid`, place of the division (-1: in none), units of the size."""

    owner: _Ints
    division: _Ints
    units: Longs


@dataclass(frozen=True)
class Placement:
    """Rows among divisions.

    Attributes:
        fid: Feature numbers, rising.
        division: Place in `codes` of the division in which the inner point of each lies; -1 for none.
        parts: By size: what each row has in each division, cut at the borders.
        codes: Codes of the divisions.
    """

    fid: Longs
    division: _Ints
    parts: Mapping[Size, Split]
    codes: tuple[str, ...]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by name, as they are kept in files."""
        made: dict[str, npt.NDArray[Any]] = {"fid": self.fid, "division": self.division}
        for size, split in self.parts.items():
            made |= {f"{size}-owner": split.owner, f"{size}-division": split.division, f"{size}-units": split.units}
        return made

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]], codes: Sequence[str]) -> Self:
        """The reverse of `arrays`."""
        sizes: tuple[Size, ...] = SIZES["any"]
        parts = {
            size: Split(*(arrays[f"{size}-{name}"] for name in ("owner", "division", "units")))
            for size in sizes
            if f"{size}-owner" in arrays
        }
        return cls(arrays["fid"], arrays["division"], parts, tuple(codes))


@dataclass
class Placer:
    """Makes a placement of rows that come in blocks; those of a block had better lie together."""

    divisions: Divisions
    sizes: tuple[Size, ...]
    _rows: list[tuple[Longs, _Ints]] = field(default_factory=list)
    _parts: dict[Size, list[Split]] = field(default_factory=dict)
    _count: int = 0

    def put(self, fids: Sequence[int], texts: Sequence[bytes | None]) -> None:
        """Put rows in: feature numbers, and geometries as WKB; what has none lies nowhere."""
        shapes = np.array([_EMPTY] * len(fids), dtype=np.object_)
        read = shapely.from_wkb(np.array(list(texts), dtype=np.object_))
        there = np.flatnonzero(~(shapely.is_missing(read) | shapely.is_empty(read)))
        shapes[there] = read[there]
        division = np.full(len(fids), NOWHERE, dtype=np.int32)
        points = shapely.point_on_surface(shapes[there])
        division[there] = self.divisions.at(shapely.get_x(points), shapely.get_y(points))
        self._rows.append((np.array(fids, dtype=np.int64), division))
        for size in self.sizes:
            parts = self.divisions.split(shapes[there], size)
            owner = (there[parts.owner] + self._count).astype(np.int32)
            made = Split(owner, parts.division.astype(np.int32), parts.size)
            self._parts.setdefault(size, []).append(made)
        self._count += len(fids)
        self.divisions.forget()

    def placement(self) -> Placement:
        """All rows that were put in."""
        fid, division = (_joined([row[n] for row in self._rows]) for n in (0, 1))
        order = np.argsort(fid, kind="stable")
        told = np.empty(len(order), dtype=np.int32)
        told[order] = np.arange(len(order), dtype=np.int32)
        parts = {size: _split(some, told) for size, some in self._parts.items()}
        return Placement(fid[order].astype(np.int64), division[order].astype(np.int32), parts, self.divisions.codes)


def _split(some: Sequence[Split], told: _Ints) -> Split:
    owner, division, units = (_joined([getattr(one, n) for one in some]) for n in ("owner", "division", "units"))
    return Split(told[owner], division, units)


def _joined(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int64)
