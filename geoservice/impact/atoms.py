"""Features of an exposure layer, split at the borders of divisions, in arrays: what zones are laid over.

An atom is a feature, or the part of it in one division. Its size is known, so that only atoms on the rim of a zone are
cut. Points, and whatever counts as a whole, are not split: they belong to the division of their inner point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.impact.divisions import NOWHERE, Divisions
from geoservice.impact.measure import Measure, sizes_of, whole_units
from geoservice.impact.region import Bytes, Floats, Longs, Shapes, Truths

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Rows:
    """Rows of a layer as they are read: feature number, WKB, code of the group, value to be summed."""

    fid: Sequence[int]
    wkb: Sequence[bytes]
    code: Sequence[str | None]
    value: Sequence[float | None]


@dataclass(frozen=True)
class Atoms:
    """Atoms in arrays of equal length.

    Attributes:
        fid: Number of the feature.
        division: Place in `divisions`, or -1 outside all.
        code: Place in `codes`.
        size: Units (see `measure.UNITS`) of the measure.
        known: Whether it has a value; what has none adds nothing.
        box: West, south, east, north in degrees.
        begin: Where the WKB of each begins in `blob`, and where the last one ends.
        blob: The WKB of all.
        codes: Codes of the groups; None stands for none.
        divisions: Codes of the divisions.
    """

    fid: Longs
    division: Ints
    code: Ints
    size: Longs
    known: Truths
    box: Floats
    begin: Longs
    blob: Bytes
    codes: tuple[str | None, ...]
    divisions: tuple[str, ...]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.fid)

    def shapes(self, numbers: Longs) -> Shapes:
        """Geometries of some atoms."""
        whole = self.blob.data
        texts = [bytes(whole[self.begin[n] : self.begin[n + 1]]) for n in numbers.tolist()]
        return np.asarray(shapely.from_wkb(np.array(texts, dtype=np.object_)), dtype=np.object_).reshape(-1)

    def near(self, bounds: tuple[float, float, float, float]) -> Longs:
        """Numbers of the atoms whose boxes meet a box."""
        west, south, east, north = bounds
        box = self.box
        meets = (box[:, 0] <= east) & (box[:, 2] >= west) & (box[:, 1] <= north) & (box[:, 3] >= south)
        return np.flatnonzero(meets)

    def of_divisions(self, codes: Sequence[str]) -> Atoms:
        """The same with places in another list of divisions; what lies in none of them has -1.

        Only atoms near the zone are asked about, and the list has all divisions there.
        """
        place = {code: number for number, code in enumerate(codes)}
        told = np.array([*(place.get(code, NOWHERE) for code in self.divisions), NOWHERE], dtype=np.int32)
        return replace(self, division=told[self.division], divisions=tuple(codes))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by name, as they are kept in files."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("codes", "divisions")}

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]], codes: Sequence[str | None], divisions: Sequence[str]) -> Self:
        """The reverse of `arrays`."""
        given: dict[str, Any] = {**arrays, "codes": tuple(codes), "divisions": tuple(divisions)}
        return cls(**given)

    @classmethod
    def together(cls, parts: Sequence[Atoms]) -> Self:
        """Atoms of several parts of a layer that were split by the same divisions."""
        codes = sorted({code for part in parts for code in part.codes}, key=lambda code: (code is None, code or ""))
        place = {code: number for number, code in enumerate(codes)}
        told = [np.array([place[code] for code in part.codes], dtype=np.int32)[part.code] for part in parts]
        lengths = np.concatenate([np.diff(part.begin) for part in parts])
        arrays: dict[str, npt.NDArray[Any]] = {n: np.concatenate([getattr(part, n) for part in parts]) for n in _PLAIN}
        arrays["code"] = np.concatenate(told)
        arrays["begin"] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls.of(arrays, codes, parts[0].divisions)


_PLAIN = ("fid", "division", "size", "known", "box", "blob")


def atoms_of(rows: Rows, measure: Measure, divisions: Divisions) -> Atoms:
    """Split rows at the borders of divisions and measure the parts.

    Args:
        rows: Rows of a layer.
        measure: What is measured of each.
        divisions: The divisions around them.
    """
    shapes = np.asarray(shapely.from_wkb(np.array(list(rows.wkb), dtype=np.object_)), dtype=np.object_).reshape(-1)
    there = np.flatnonzero(~shapely.is_empty(shapes) & ~shapely.is_missing(shapes))
    shapes = shapes[there]
    codes, place = _codes([rows.code[n] for n in there.tolist()])
    fid = np.array(rows.fid, dtype=np.int64)[there]
    if measure in ("area", "length"):
        parts = divisions.split(shapes, measure)
        owner = parts.owner
        base = _Base(fid[owner], parts.division, place[owner], parts.size, np.ones(len(owner), dtype=np.bool_))
        return _made(base, parts.shapes, codes, divisions)
    points = shapely.point_on_surface(shapes)
    division = divisions.at(shapely.get_x(points), shapely.get_y(points))
    value = np.array([rows.value[n] for n in there.tolist()], dtype=np.float64)
    counted = measure == "count"
    size = sizes_of(measure, shapes) if counted else whole_units(value)
    known = np.ones(len(shapes), dtype=np.bool_) if counted else ~np.isnan(value)
    return _made(_Base(fid, division, place, size, known), shapes if counted else points, codes, divisions)


@dataclass(frozen=True)
class _Base:
    fid: Longs
    division: Longs
    code: Ints
    size: Longs
    known: Truths


def _made(base: _Base, shapes: Shapes, codes: tuple[str | None, ...], divisions: Divisions) -> Atoms:
    texts = shapely.to_wkb(shapes).tolist()
    begin = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)]).astype(np.int64)
    return Atoms(
        fid=base.fid,
        division=base.division.astype(np.int32),
        code=base.code,
        size=base.size,
        known=base.known,
        box=np.asarray(shapely.bounds(shapes), dtype=np.float64).reshape(-1, 4),
        begin=begin,
        blob=np.frombuffer(b"".join(texts), dtype=np.uint8),
        codes=codes,
        divisions=divisions.codes,
    )


def _codes(given: Sequence[str | None]) -> tuple[tuple[str | None, ...], Ints]:
    """The distinct codes, and the place of each given one; an empty text is none."""
    plain = [code or None for code in given]
    codes = sorted(set(plain), key=lambda code: (code is None, code or ""))
    place = {code: number for number, code in enumerate(codes)}
    return tuple(codes), np.array([place[code] for code in plain], dtype=np.int32)
