"""Hazard zones that were kept: finding them by their id, and listing them, up to the asker's clearance."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from layers.access import Clearance
from layers.errors import UnknownResource
from layers.hazard import ID_PATTERN, HazardZone
from layers.system import hazard_zone

_ID = re.compile(ID_PATTERN)
GRID = 1e-7


@dataclass(frozen=True, slots=True)
class KeptZone:
    """A zone with the clearance that it was kept with, and since when."""

    zone: HazardZone
    clearance: Clearance
    kept: dt.datetime


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """A zone in a list: its id, method, kind, status and clearance, and since when it is kept."""

    id: str
    method: str
    kind: str
    status: str
    clearance: Clearance
    kept: dt.datetime


async def find_kept(connection: AsyncConnection, clearance: Clearance, number: str) -> KeptZone:
    """The kept zone of an id.

    Args:
        connection: A read-only connection of the clearance.
        clearance: What the asker may see.
        number: The id.

    Raises:
        UnknownResource: When there is none that the asker may see.
    """
    table = hazard_zone.c
    if _ID.match(number):
        mine = sa.select(table.document, table.clearance, table.kept).where(
            table.id == sa.bindparam("number", type_=sa.Text()), table.clearance <= int(clearance)
        )
        # The same content may have been kept more than once: it is as open as its most open one.
        rows = await connection.execute(mine.order_by(table.clearance).limit(1), {"number": number})
        if (row := rows.first()) is not None:
            # A zone may have a million vertices, which take seconds to read.
            zone = await asyncio.to_thread(HazardZone.model_validate_json, row.document)
            return KeptZone(zone, Clearance(row.clearance), row.kept)
    raise UnknownResource(f"There is no kept zone {number[:60]!r}.", zone=number[:60])


async def list_kept(
    connection: AsyncConnection, clearance: Clearance, limit: int, offset: int = 0, status: str = "actual"
) -> Sequence[KeptEntry]:
    """Kept zones of a status up to a clearance, the latest first; what is played is never among what is real."""
    table = hazard_zone.c
    columns = (table.id, table.method, table.kind, table.status, table.clearance, table.kept)
    seen = table.clearance <= int(clearance), table.status == status
    mine = sa.select(*columns).where(*seen).order_by(table.kept.desc(), table.id)
    rows = await connection.execute(mine.limit(limit).offset(offset))
    return [KeptEntry(row.id, row.method, row.kind, row.status, Clearance(row.clearance), row.kept) for row in rows]


def whole_area(zone: HazardZone) -> shapely.Geometry:
    """All classes of a zone together (best estimate), in longitude and latitude."""
    parts = [area_of(one.geometry) for one in zone.classes]
    return parts[0] if len(parts) == 1 else shapely.union_all(parts, grid_size=GRID)


def area_of(geometry: Mapping[str, Any]) -> shapely.Geometry:
    """The polygon or multipolygon of a kept class; ring by ring, since its text again would take a gigabyte."""
    several = geometry["type"] == "MultiPolygon"
    polygons = geometry["coordinates"] if several else [geometry["coordinates"]]
    parts = [shapely.Polygon(np.array(rings[0]), [np.array(ring) for ring in rings[1:]]) for rings in polygons]
    return shapely.MultiPolygon(parts) if several else parts[0]
