"""Roads as columns: what a network is made from, in the order of their keys, whatever order they came in.

The same set of rows gives the same columns, byte for byte, whether it was read at once or brought up to date. So
everything that is made from them is the same, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from layers.area import INVERSE_FLATTENING, SEMI_MAJOR

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
_SHORT = 0.02
"""Degrees: steps up to this (2 km) are measured on the plane that touches the ellipsoid in their middle."""


class Row(NamedTuple):
    """A line as a statement gives it: geometry as WKB (lon, lat), limit in km/h, what may not be seen is None."""

    fid: int
    edition: int
    key: str
    wkb: bytes
    kind: str | None
    oneway: bool | None
    limit: float | None
    name_zh: str | None
    name_en: str | None


@dataclass(frozen=True)
class Texts:
    """Texts as one block of UTF-8 and where each begins; it can be kept in a file and shared between processes."""

    block: Bytes
    begin: Longs

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Self:
        """Pack texts; None becomes empty."""
        parts = [(value or "").encode("utf-8", "surrogatepass") for value in values]
        begin = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum([len(part) for part in parts], out=begin[1:])
        return cls(np.frombuffer(b"".join(parts), dtype=np.uint8), begin)

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self.begin) - 1

    def __getitem__(self, number: int) -> str:
        """One text."""
        return self.block[self.begin[number] : self.begin[number + 1]].tobytes().decode("utf-8", "surrogatepass")

    def take(self, numbers: Longs) -> Texts:
        """Some of them, in the order given."""
        inside, begin = ragged(self.begin, numbers)
        return Texts(self.block[inside], begin)

    @classmethod
    def together(cls, parts: Sequence[Texts]) -> Texts:
        """The texts of all parts, one part after the other."""
        return cls(np.concatenate([p.block for p in parts]), _joined([p.begin for p in parts]))


@dataclass(frozen=True)
class Roads:
    """Lines of a layer, sorted by key (code points).

    A feature has one line or several. `lines` says where the lines of each feature begin among all lines, `begin`
    where the vertices of each line begin; `step` is the length (m) from a vertex to the next, 0 at the end of a line.
    """

    fid: Longs
    edition: Longs
    key: Texts
    kind: Texts
    name_zh: Texts
    name_en: Texts
    oneway: npt.NDArray[np.bool_]
    limit: Floats
    lines: Longs
    begin: Longs
    xy: Floats
    step: Floats

    def __len__(self) -> int:
        """How many features there are."""
        return len(self.fid)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Roads:
        """The columns of some rows; rows without a line are left out."""
        shapes = np.array(shapely.from_wkb([row.wkb for row in rows]), dtype=object)
        parts, owner = shapely.get_parts(shapes, return_index=True)
        counts = shapely.get_num_coordinates(parts)
        solid = counts > 1
        parts, owner, counts = parts[solid], owner[solid], counts[solid]
        begin = _offsets(counts)
        xy = np.ascontiguousarray(shapely.get_coordinates(parts))
        lines = _offsets(np.bincount(owner, minlength=len(rows)))
        limits = [np.nan if row.limit is None else float(row.limit) for row in rows]
        made = cls(
            fid=np.array([row.fid for row in rows], dtype=np.int64),
            edition=np.array([row.edition for row in rows], dtype=np.int64),
            key=Texts.of([row.key for row in rows]),
            kind=Texts.of([row.kind for row in rows]),
            name_zh=Texts.of([row.name_zh for row in rows]),
            name_en=Texts.of([row.name_en for row in rows]),
            oneway=np.array([row.oneway is True for row in rows], dtype=np.bool_),
            limit=np.array(limits, dtype=np.float64),
            lines=lines,
            begin=begin,
            xy=xy,
            step=_steps(xy, begin),
        )
        return made.take(_order(made.key))

    def take(self, numbers: Longs) -> Roads:
        """Some features, in the order given."""
        chosen, lines = ragged(self.lines, numbers)
        inside, begin = ragged(self.begin, chosen)
        return Roads(
            fid=self.fid[numbers],
            edition=self.edition[numbers],
            key=self.key.take(numbers),
            kind=self.kind.take(numbers),
            name_zh=self.name_zh.take(numbers),
            name_en=self.name_en.take(numbers),
            oneway=self.oneway[numbers],
            limit=self.limit[numbers],
            lines=lines,
            begin=begin,
            xy=self.xy[inside],
            step=self.step[inside],
        )

    @classmethod
    def together(cls, parts: Sequence[Roads]) -> Roads:
        """The features of all parts, sorted by key."""
        made: dict[str, Any] = {}
        for field in fields(cls):
            values = [getattr(part, field.name) for part in parts]
            if isinstance(values[0], Texts):
                made[field.name] = Texts.together(values)
            else:
                made[field.name] = _joined(values) if field.name in ("lines", "begin") else np.concatenate(values)
        whole = cls(**made)
        return whole.take(_order(whole.key))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All columns by name, as they are kept in files."""
        made: dict[str, npt.NDArray[Any]] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Texts):
                made |= {f"{field.name}.block": value.block, f"{field.name}.begin": value.begin}
            else:
                made[field.name] = value
        return made

    @classmethod
    def from_arrays(cls, found: Mapping[str, npt.NDArray[Any]]) -> Roads:
        """The reverse of `arrays`."""
        texts = {name.partition(".")[0] for name in found if name.endswith(".block")}
        made = {n: Texts(found[f"{n}.block"], found[f"{n}.begin"]) for n in texts}
        return cls(**{field.name: made.get(field.name, found.get(field.name)) for field in fields(cls)})  # type: ignore[arg-type]


def ragged(begin: Longs, numbers: Longs) -> tuple[Longs, Longs]:
    """Where the members of some groups lie, one group after the other, and where each group begins among them.

    Args:
        begin: Where each group begins among all members, with the end of the last one.
        numbers: The groups wanted.
    """
    sizes = begin[numbers + 1] - begin[numbers]
    starts = _offsets(sizes)
    inside = np.arange(starts[-1]) + np.repeat(begin[numbers] - starts[:-1], sizes)
    return inside, starts


def _joined(parts: Sequence[Longs]) -> Longs:
    """Where groups begin when the members of each part follow those of the one before."""
    ends = np.cumsum([part[-1] for part in parts])
    return np.concatenate([parts[0], *(part[1:] + end for part, end in zip(parts[1:], ends, strict=False))])


def _offsets(sizes: npt.NDArray[Any]) -> Longs:
    made = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=made[1:])
    return made


def _order(keys: Texts) -> Longs:
    # The bytes of UTF-8 sort as code points do.
    block, begin = keys.block.tobytes(), keys.begin.tolist()
    texts = [block[start:end] for start, end in pairwise(begin)]
    return np.array(sorted(range(len(texts)), key=texts.__getitem__), dtype=np.int64)


def _steps(xy: Floats, begin: Longs) -> Floats:
    """Length from each vertex to the next, 0 at the end of each line."""
    made = np.zeros(len(xy), dtype=np.float64)
    if len(xy) > 1:
        made[:-1] = step_lengths(xy[:-1], xy[1:])
        made[begin[1:] - 1] = 0.0
    return made


def step_lengths(start: Floats, end: Floats) -> Floats:
    """Ellipsoidal lengths in metres of straight steps between positions (lon, lat in degrees), on CGCS2000.

    Short steps take the radii of curvature in the meridian and the prime vertical at their middle (Bomford, Geodesy,
    1980, appendix A); over 2 km this differs from the geodesic by less than a millimetre below 80 degrees of latitude.
    """
    flattening = 1.0 / INVERSE_FLATTENING
    squared = flattening * (2.0 - flattening)
    across, along = np.radians(end - start).T
    across = np.remainder(across + np.pi, 2.0 * np.pi) - np.pi
    middle = np.radians((start[:, 1] + end[:, 1]) / 2.0)
    bent = 1.0 - squared * np.sin(middle) ** 2
    prime = SEMI_MAJOR / np.sqrt(bent)
    meridian = SEMI_MAJOR * (1.0 - squared) / (bent * np.sqrt(bent))
    made: Floats = np.hypot(prime * np.cos(middle) * across, meridian * along)
    long = np.flatnonzero((np.abs(end - start) > _SHORT).any(axis=1))
    if long.size:
        geod = pyproj.Geod(a=SEMI_MAJOR, rf=INVERSE_FLATTENING)
        a, b = start[long], end[long]
        made[long] = geod.inv(a[:, 0], a[:, 1], b[:, 0], b[:, 1])[2]
    return made
