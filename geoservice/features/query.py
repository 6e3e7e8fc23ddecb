"""What is asked of the features of a layer, as one value, and the shape by which its statement is kept.

Whoever reads features (pages, formats, services of others) makes a `FeatureQuery`; `geoservice.features.rows` turns it
into the one select of the visible rows.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from layers.extent import Extent
from layers.filter import Filter
from layers.interval import Interval
from layers.model import RowLayer
from layers.offered import CRS84, OfferedCrs
from layers.table import AS_OF, time_values

SIDES = ("west", "south", "east", "north")


@dataclass(frozen=True, slots=True)
class SortKey:
    """One attribute to sort by. Missing values count as the largest: last when ascending, first when descending."""

    attribute: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of features: that of one feature, from which rows are read onwards or backwards.

    Attributes:
        fid: Its feature number.
        values: Its values of the sort keys, in their order.
        backward: Whether the rows before it are wanted; they come in reverse order.
    """

    fid: int
    values: tuple[Any, ...] = ()
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """How geometries are written.

    Attributes:
        geometry: Whether they are written at all.
        crs: Their coordinate reference system; axes come in the order of its authority.
        tolerance: Largest offset of a simplified geometry in degrees; None leaves geometries as they are.
    """

    geometry: bool = True
    crs: OfferedCrs = CRS84
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class FeatureQuery:
    """What is asked of a layer.

    Attributes:
        limit: Most features.
        bbox: Those whose geometry meets the box (degrees, CRS84).
        interval: Those whose time attribute meets the interval.
        as_of: Those that held at this instant of system time; None for now.
        region: Those whose geometry meets this one, as EWKB of storage (EPSG:4490, longitude before latitude).
        filter: Those that meet it.
        ids: Those with these public ids.
        sort: Keys of the order; the feature number is always the last one.
        start: From where in the order.
        properties: Attributes to write, of those the principal may see; None for all.
        look: How geometries are written.
        placeless: Whether what has no geometry meets every box, and what has no time every interval, as Features Part 1
            demands of its parameters; otherwise they meet none.
        named: Whether each feature names its collection.
        in_turn: Whether few features have a box where the query looks: then these are put in order first, and looked at
            one after the other until there are enough. It changes how features are found, not which.
    """

    limit: int
    bbox: Extent | None = None
    interval: Interval | None = None
    as_of: dt.datetime | None = None
    region: bytes | None = None
    filter: Filter | None = None
    ids: tuple[str, ...] | None = None
    sort: tuple[SortKey, ...] = ()
    start: Position | None = None
    properties: tuple[str, ...] | None = None
    look: Look = Look()
    placeless: bool = False
    named: bool = False
    in_turn: bool = False

    @property
    def backward(self) -> bool:
        """Whether rows come in reverse order."""
        return self.start is not None and self.start.backward

    def filtered(self, layer: RowLayer) -> bool:
        """Whether the query may leave out features of the layer, the past counted in."""
        timed = self.interval is not None and layer.time is not None
        others = (self.bbox, self.as_of, self.region, self.filter, self.ids)
        return timed or any(value is not None for value in others)

    def shape(self, layer: RowLayer) -> tuple[object, ...]:
        """What the statement depends on beside layer and decision; values that are bound are left out."""
        start = None if self.start is None else (tuple(v is None for v in self.start.values), self.start.backward)
        return (
            len(self.bbox.boxes()) if self.bbox else 0,
            tuple(value is None for value in time_values(layer, self.interval).values()),
            (self.as_of is None, self.region is None, self.ids is None, self.placeless, self.named, self.in_turn),
            None if self.filter is None else self.filter.shape,
            (self.sort, start, self.properties),
            (self.look.geometry, self.look.crs.uri, self.look.tolerance is None),
        )

    def values(self, layer: RowLayer) -> dict[str, Any]:
        """Values by the names under which the statement binds them."""
        values: dict[str, Any] = {"limit": self.limit, AS_OF: self.as_of, "tolerance": self.look.tolerance}
        values |= {"region": self.region, "ids": None if self.ids is None else list(self.ids)}
        values |= time_values(layer, self.interval)
        if self.bbox is not None:
            for number, box in enumerate(self.bbox.boxes()):
                values |= {f"{side}_{number}": value for side, value in zip(SIDES, box, strict=True)}
        if self.filter is not None:
            values |= self.filter.values
        if self.start is not None:
            values |= {"at": self.start.fid, **{f"at_{i}": value for i, value in enumerate(self.start.values)}}
        return values
