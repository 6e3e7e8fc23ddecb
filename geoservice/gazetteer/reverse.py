"""From a point to an address, and postcodes of places and places of postcodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyproj
import sqlalchemy as sa

from geoservice.gazetteer import codes, divisions
from geoservice.gazetteer.address import Address, parse
from geoservice.gazetteer.divisions import Division
from geoservice.gazetteer.geocode import whole_line
from geoservice.gazetteer.surroundings import ADDRESSES, POSTCODES, Gazetteer, attribute, visible
from layers.crs import STORAGE_SRID
from layers.errors import UnknownLayer
from layers.table import current_table

REACH = 0.004
"""Degrees around a point in which doors are looked for, about 400 m."""
HALF_DISTANCE = 50.0
"""Metres from a door at which the confidence in it is a half."""
MOST_NEAR, MOST_OFFICES = 200, 100
_GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)


@dataclass(frozen=True, slots=True)
class Reversed:
    """The address of a point.

    Attributes:
        line: Divisions and, where a door is near, its address.
        chain: The divisions around the point, the highest first.
        parts: The address of the nearest door; empty where none is near.
        key: Its public key in the collection of addresses.
        point: Where it is (degrees).
        distance: How far away (metres on the ellipsoid).
        confidence: 1 at the door, a half 50 m away from it; 0 without one.
    """

    line: str
    chain: tuple[Division, ...]
    parts: Address
    key: str | None = None
    point: tuple[float, float] | None = None
    distance: float | None = None
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Office:
    """An area of a postcode: the code, what it serves, its division, where it is."""

    postcode: str
    office: str
    adcode: str | None
    point: tuple[float, float] | None


async def reverse(gazetteer: Gazetteer, lon: float, lat: float) -> Reversed:
    """The address of a point.

    Args:
        gazetteer: The surroundings.
        lon: Longitude in degrees.
        lat: Latitude in degrees.
    """
    chain = tuple(await divisions.at_point(gazetteer, lon, lat))
    door = await _door(gazetteer, lon, lat)
    if door is None:
        return Reversed(whole_line(chain, Address()), chain, Address())
    line, key, point, distance = door
    parts = parse(line)
    confidence = round(1 / (1 + distance / HALF_DISTANCE), 4)
    return Reversed(whole_line(chain, parts), chain, parts, key, point, round(distance, 2), confidence)


async def offices(gazetteer: Gazetteer, *, postcode: str | None = None, adcode: str | None = None) -> list[Office]:
    """Areas of a postcode, or of the postcodes in a division, in the order of their codes.

    Raises:
        UnknownLayer: When the asker may not see the postcodes.
        BadParameter: When the division's code is none.
    """
    code = codes.canonical(adcode) if adcode is not None else None
    values = {"postcode": postcode, "code": code, "code_end": f"{code}:"}
    shape = ("offices", postcode is not None)
    rows = await gazetteer.fetch(shape, lambda: _offices(gazetteer, by_code=postcode is not None), values)
    return [
        Office(r["postcode"], r["office"], r["adcode"], (r["lon"], r["lat"]) if r["lon"] is not None else None)
        for r in rows
    ]


async def nearest_office(gazetteer: Gazetteer, lon: float, lat: float) -> Office | None:
    """The area of the postcode at a point: that of the nearest door, else of the lowest division with one."""
    door = await _door(gazetteer, lon, lat, postcode=True)
    if door is not None:
        found = await offices(gazetteer, postcode=door[0])
        if found:
            return found[0]
    for one in reversed(await divisions.at_point(gazetteer, lon, lat)):
        found = await offices(gazetteer, adcode=one.code)
        if found:
            return found[0]
    return None


async def _door(
    gazetteer: Gazetteer, lon: float, lat: float, *, postcode: bool = False
) -> tuple[str, str, tuple[float, float], float] | None:
    """The nearest door: its line or postcode, key, place and distance."""
    wanted = "postcode" if postcode else "line"
    try:
        gazetteer.open(ADDRESSES, (wanted,))
    except UnknownLayer:
        return None
    values = {"west": lon - REACH, "south": lat - REACH, "east": lon + REACH, "north": lat + REACH}
    shape = ("door", wanted)
    rows = await gazetteer.fetch(shape, lambda: _doors(gazetteer, wanted), {**values, "lon": lon, "lat": lat})
    told = [
        (r["told"], r["key"], (r["lon"], r["lat"]), float(_GEOD.inv(lon, lat, r["lon"], r["lat"])[2])) for r in rows
    ]
    return min(told, key=lambda door: (door[3], door[1]), default=None)


def _doors(gazetteer: Gazetteer, wanted: str) -> sa.Select[Any]:
    layer, decision = gazetteer.open(ADDRESSES, (wanted,))
    table = current_table(layer)
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    box = sa.func.ST_MakeEnvelope(*(_number(side) for side in ("west", "south", "east", "north")), STORAGE_SRID)
    east, north = (
        (sa.func.ST_X(geom) - _number("lon")) * sa.func.cosd(_number("lat")),
        sa.func.ST_Y(geom) - _number("lat"),
    )
    columns = [
        table.c.key,
        table.c[wanted].label("told"),
        sa.func.ST_X(geom).label("lon"),
        sa.func.ST_Y(geom).label("lat"),
    ]
    return (
        sa.select(*columns)
        .where(visible(table, decision), geom.op("&&")(box), sa.func.ST_GeometryType(geom) == "ST_Point")
        .where(table.c[wanted].is_not(None))
        .order_by(east * east + north * north)
        .limit(MOST_NEAR)
    )


def _offices(gazetteer: Gazetteer, *, by_code: bool) -> sa.Select[Any]:
    layer, decision = gazetteer.open(POSTCODES, ("postcode", "office", "adcode"))
    table = current_table(layer)
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    adcode = sa.collate(table.c.adcode, "C")
    inside = sa.and_(
        adcode >= sa.bindparam("code", type_=sa.Text()), adcode < sa.bindparam("code_end", type_=sa.Text())
    )
    wanted = table.c.postcode == sa.bindparam("postcode", type_=sa.Text()) if by_code else inside
    point = sa.func.ST_PointOnSurface(geom)
    columns = [attribute(table, decision, name) for name in ("postcode", "office", "adcode")]
    columns += [sa.func.ST_X(point).label("lon"), sa.func.ST_Y(point).label("lat")]
    found = sa.select(*columns).where(visible(table, decision), wanted)
    return found.order_by(sa.collate(table.c.key, "C")).limit(MOST_OFFICES)


def _number(name: str) -> sa.BindParameter[float]:
    return sa.bindparam(name, type_=sa.Double())
