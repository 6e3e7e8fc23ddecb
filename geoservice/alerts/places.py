"""Where an alert warns: its polygons and circles, divisions that its codes name, and whether that can be meant.

Geometries are valid polygons and multipolygons, x = longitude and y = latitude in degrees, cut at 180 degrees; circles
are geodesic. Blocking: it works on a connection of the writer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
import sqlalchemy as sa

from geoservice.alerts.errors import AlertImplausible, AlertRefused
from geoservice.gazetteer import codes
from geoservice.gazetteer.surroundings import DIVISIONS
from ingest.readers.antimeridian import cut
from ingest.readers.cap_area import AreaFault, area_geometry
from layers.access import Clearance, Principal, decide
from layers.cap import Alert, Area
from layers.catalog import Catalog
from layers.crs import STORAGE_SRID
from layers.errors import BadParameter
from layers.model import VectorLayer
from layers.table import current_table, row_predicate

Origin = Literal["drawn", "division", "none"]
SYSTEM = "alerts"
"""Who acts where alerts are taken in and let go: the service itself."""
_POLE = 90.0
_SPACES = re.compile(r"[\s/._-]+")
_DIVISION_CODES = frozenset(
    {"adcode", "gb2260", "gbt2260", "gb10114", "gbt10114", "行政区划代码", "行政区划编码", "区划代码"}
)
"""Names under which codes of divisions (GB/T 2260, GB/T 10114) come, without spaces, slashes and dashes.

Other systems have codes of six digits too; a name that is not known here is not looked up.
"""


@dataclass(frozen=True)
class Spot:
    """Where an area lies: its numbers (from 1), how that is known, and its geometry."""

    info: int
    area: int
    origin: Origin
    geometry: shapely.Geometry | None


@dataclass(frozen=True)
class Divisions:
    """The divisions that readers of a clearance may see."""

    connection: sa.Connection
    catalog: Catalog
    clearance: Clearance

    def named(self, wanted: Iterable[str]) -> shapely.Geometry | None:
        """The divisions of some codes together; None when there is none of them."""
        table = self._table()
        names = [spelling for code in wanted for spelling in codes.spellings(code)]
        if table is None or not names:
            return None
        return self._together(table, table.c.key.in_(names))

    def around(self, geometry: shapely.Geometry) -> bool | None:
        """Whether a geometry meets any division; None where there are none at all."""
        table = self._table()
        if table is None:
            return None
        bare = sa.type_coerce(table.c.geom, sa.types.NullType())
        drawn = sa.func.ST_GeomFromEWKB(ewkb(geometry))
        met = sa.select(sa.exists(self._seen(table).where(bare.op("&&")(drawn), sa.func.ST_Intersects(bare, drawn))))
        if self.connection.execute(met).scalar_one():
            return True
        some: bool = self.connection.execute(sa.select(sa.exists(self._seen(table)))).scalar_one()
        return False if some else None

    def _table(self) -> sa.Table | None:
        layer = self.catalog.layers.get(DIVISIONS)
        if not isinstance(layer, VectorLayer):
            return None
        self_made = Principal(SYSTEM, self.clearance)
        return current_table(layer) if decide(self_made, "read", layer).allowed else None

    def _seen(self, table: sa.Table) -> sa.Select[Any]:
        rule = decide(Principal(SYSTEM, self.clearance), "read", self.catalog.layer(DIVISIONS)).rule
        return sa.select(table.c.fid).where(row_predicate(table, rule))

    def _together(self, table: sa.Table, condition: sa.ColumnElement[bool]) -> shapely.Geometry | None:
        shape = sa.func.ST_AsBinary(sa.type_coerce(table.c.geom, sa.types.NullType()))
        rows = self._seen(table).with_only_columns(shape).where(condition, table.c.geom.is_not(None))
        found = [shapely.from_wkb(bytes(row)) for row in self.connection.execute(rows).scalars()]
        return _areas(shapely.union_all(found)) if found else None


def spots(alert: Alert, divisions: Divisions) -> tuple[list[Spot], list[str]]:
    """Where the areas of an alert lie, and what is odd about them.

    Raises:
        AlertRefused: When an area cannot be drawn.
        AlertImplausible: When latitude and longitude are swapped.
    """
    found: list[Spot] = []
    remarks: list[str] = []
    for i, info in enumerate(alert.info, start=1):
        for k, area in enumerate(info.area, start=1):
            spot, odd = _spot((i, k), area, divisions)
            found.append(spot)
            remarks += odd
    return found, list(dict.fromkeys(remarks))


def ewkb(geometry: shapely.Geometry) -> bytes:
    """A geometry as EWKB in storage coordinates."""
    found: bytes = shapely.to_wkb(shapely.set_srid(geometry, STORAGE_SRID), include_srid=True)
    return found


def drawn(area: Area) -> shapely.Geometry | None:
    """The polygons and circles of an area together; None without any that enclose something.

    Raises:
        AlertRefused: When they cannot be drawn in longitude and latitude.
    """
    try:
        shape, _ = area_geometry(list(area.polygon), list(area.circle))
    except AreaFault as fault:
        raise AlertRefused(f"An area cannot be drawn: {fault.sentence}", faults=[fault.sentence]) from None
    if shape is None:
        return None
    parts = [cut([shapely.get_coordinates(part.exterior)]) for part in shapely.get_parts(shape)]
    return _areas(shapely.union_all(parts))


def division_codes(area: Area) -> list[str]:
    """Codes of divisions that an area names."""
    found = []
    for one in area.geocode:
        if _SPACES.sub("", one.value_name).lower() in _DIVISION_CODES:
            try:
                found.append(codes.canonical(one.value.strip()))
            except BadParameter:
                continue
    return list(dict.fromkeys(found))


def _spot(numbers: tuple[int, int], area: Area, divisions: Divisions) -> tuple[Spot, list[str]]:
    shape, wanted = drawn(area), division_codes(area)
    named = divisions.named(wanted)
    if shape is not None:
        return Spot(*numbers, "drawn", shape), list(_oddities(shape, named, divisions))
    if named is not None:
        return Spot(*numbers, "division", named), []
    odd = [f"Nothing is known of the divisions {', '.join(wanted[:5])}."] if wanted else []
    return Spot(*numbers, "none", None), odd


def _oddities(shape: shapely.Geometry, named: shapely.Geometry | None, divisions: Divisions) -> Iterator[str]:
    """What is odd about a drawn area that lies elsewhere than what it names, or than everything that is known.

    Raises:
        AlertImplausible: When it would lie right with latitude and longitude swapped.
    """
    right = shapely.intersects(shape, named) if named is not None else divisions.around(shape)
    if right is None or right:
        return
    swapped = _swapped(shape)
    turned = swapped is not None and (
        shapely.intersects(swapped, named) if named is not None else divisions.around(swapped)
    )
    if turned:
        west, south, east, north = (round(side, 3) for side in shapely.bounds(shape).tolist())
        raise AlertImplausible(
            f"An area lies at latitude {south} to {north} and longitude {west} to {east}, outside "
            f"{'the divisions that it names' if named is not None else 'all divisions'}; with latitude and longitude "
            "swapped it would lie inside. CAP writes latitude,longitude.",
            bbox=[west, south, east, north],
        )
    if named is not None:
        yield "An area lies outside the divisions that it names."


def _swapped(shape: shapely.Geometry) -> shapely.Geometry | None:
    """A geometry with its axes swapped; None when that would lead beyond a pole."""
    west, _, east, _ = shapely.bounds(shape).tolist()
    if max(abs(west), abs(east)) > _POLE:
        return None
    return shapely.transform(shape, lambda c: np.asarray(c)[:, ::-1])


def _areas(geometry: shapely.Geometry) -> shapely.Geometry | None:
    """The surfaces of a geometry, valid; None when there are none."""
    parts = shapely.get_parts(shapely.make_valid(geometry))
    flat = shapely.get_parts(parts[shapely.get_dimensions(parts) == len(("x", "y"))])
    found = shapely.union_all(flat) if len(flat) else None
    return None if found is None or found.is_empty else found
