"""Administrative divisions: one by its code, those below, those above, and those around a point; now or as of then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from geoservice.gazetteer import codes
from geoservice.gazetteer.surroundings import DIVISIONS, Gazetteer, attribute, visible
from layers.crs import STORAGE_SRID
from layers.model import Text
from layers.table import AS_OF, held

COORDINATE_DIGITS = 9
MOST_STEPS = 8
"""Units above one another; a circle of parents ends here too."""
_PLAIN = ("level", "name_zh", "name_en", "parent", "population")
_Condition = Callable[[sa.Table], sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Division:
    """An administrative division.

    Attributes:
        code: Its code as the register spells it.
        level: province, city, county, township or village.
        name: Its name; None where the register gives none.
        parent: Canonical code of the unit above, as the register says or as the digits tell.
        population: People.
        edition: The edition that wrote it.
        geometry: GeoJSON text (CRS84: longitude, latitude); None when it was not asked for or there is none.
    """

    code: str
    level: str
    name: Text | None
    parent: str | None
    population: int | None
    edition: int
    geometry: str | None = None


async def division(
    gazetteer: Gazetteer, code: str, as_of: dt.datetime | None = None, *, geometry: bool = False
) -> Division | None:
    """A division by its code in any spelling; None when there is none, or was none then.

    Raises:
        BadParameter: When the text is no code.
    """
    values = {"codes": codes.spellings(code), "limit": 1, "after": ""}
    found = await _read(gazetteer, "code", _coded, values, as_of, geometry=geometry)
    return found[0] if found else None


async def children(
    gazetteer: Gazetteer, code: str, as_of: dt.datetime | None, limit: int, after: str = ""
) -> list[Division]:
    """The divisions directly below one, in the order of their codes.

    Args:
        gazetteer: The surroundings.
        code: Code of the unit above, in any spelling.
        as_of: An instant of system time, or None.
        limit: Most rows.
        after: Code after which the page begins.
    """
    values = {"codes": codes.spellings(code), "limit": limit, "after": after}
    return await _read(gazetteer, "children", _below, values, as_of)


async def of_level(
    gazetteer: Gazetteer, level: str | None, as_of: dt.datetime | None, limit: int, after: str = ""
) -> list[Division]:
    """All divisions, or those of one level, in the order of their codes."""
    values = {"level": level, "limit": limit, "after": after}
    return await _read(gazetteer, "level" if level else "all", _levelled if level else _any, values, as_of)


async def chain(gazetteer: Gazetteer, code: str, as_of: dt.datetime | None = None) -> list[Division]:
    """A division and those above it, the highest first; empty when there is none."""
    found: list[Division] = []
    wanted: list[str] = [codes.canonical(code)]
    while wanted and len(found) < MOST_STEPS:
        one = await division(gazetteer, wanted[0], as_of)
        if one is None:
            wanted = wanted[1:] if found else []
            continue
        found.append(one)
        above = codes.enclosing(one.code)
        # What the register says comes first; where it names nothing that exists, the digits lead on.
        wanted = [c for c in dict.fromkeys([one.parent, *above]) if c is not None]
    return found[::-1]


async def at_point(gazetteer: Gazetteer, lon: float, lat: float, as_of: dt.datetime | None = None) -> list[Division]:
    """The divisions around a point, the highest first: one of each level.

    A point on a border belongs to the division with the lowest code of those that meet there, level by level below
    what was chosen above.

    Args:
        gazetteer: The surroundings.
        lon: Longitude in degrees.
        lat: Latitude in degrees.
        as_of: An instant of system time, or None.
    """
    values = {"lon": lon, "lat": lat, "limit": 1000, "after": ""}
    return one_chain(await _read(gazetteer, "point", _around, values, as_of))


def one_chain(found: Iterable[Division]) -> list[Division]:
    """One division per level out of those that meet at a point, the highest level first."""
    levels: dict[str, list[Division]] = {}
    for one in found:
        levels.setdefault(one.level, []).append(one)
    chosen: list[Division] = []
    for level in (name for name in codes.LEVELS if name in levels):
        known = {codes.canonical(one.code) for one in chosen}
        inside = [one for one in levels[level] if one.parent in known] or levels[level]
        chosen.append(min(inside, key=lambda one: codes.canonical(one.code)))
    return chosen


async def _read(
    gazetteer: Gazetteer,
    what: str,
    condition: _Condition,
    values: dict[str, Any],
    as_of: dt.datetime | None,
    *,
    geometry: bool = False,
) -> list[Division]:
    past = as_of is not None

    def build() -> sa.Select[Any]:
        return _statement(gazetteer, condition, past=past, geometry=geometry)

    shape = ("division", what, past, geometry)
    rows = await gazetteer.fetch(shape, build, {**values, AS_OF: as_of})
    return [_division(row) for row in rows]


def _statement(gazetteer: Gazetteer, condition: _Condition, *, past: bool, geometry: bool) -> sa.Select[Any]:
    layer, decision = gazetteer.open(DIVISIONS, ("level", "parent"))

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        shape: sa.ColumnElement[Any] = sa.cast(sa.null(), sa.Text())
        if geometry:
            shape = sa.func.ST_AsGeoJSON(sa.type_coerce(table.c.geom, sa.types.NullType()), COORDINATE_DIGITS, 0)
        columns = [attribute(table, decision, name) for name in _PLAIN]
        code = sa.collate(table.c.key, "C")
        after = code > sa.bindparam("after", type_=sa.Text())
        found = sa.select(code.label("code"), table.c["_edition"].label("edition"), shape.label("geometry"), *columns)
        return found.where(visible(table, decision), condition(table), after)

    rows = held(layer, rows_of, past=past).subquery("found")
    return sa.select(rows).order_by(rows.c.code).limit(sa.bindparam("limit", type_=sa.BigInteger()))


def _coded(table: sa.Table) -> sa.ColumnElement[bool]:
    return table.c.key == sa.any_(sa.bindparam("codes", type_=ARRAY(sa.Text())))


def _below(table: sa.Table) -> sa.ColumnElement[bool]:
    return table.c.parent == sa.any_(sa.bindparam("codes", type_=ARRAY(sa.Text())))


def _levelled(table: sa.Table) -> sa.ColumnElement[bool]:
    return table.c.level == sa.bindparam("level", type_=sa.Text())


def _any(_: sa.Table) -> sa.ColumnElement[bool]:
    return sa.true()


def _around(table: sa.Table) -> sa.ColumnElement[bool]:
    sides: list[sa.ColumnElement[Any]] = [sa.bindparam(name, type_=sa.Double()) for name in ("lon", "lat")]
    point = sa.func.ST_SetSRID(sa.func.ST_MakePoint(*sides), STORAGE_SRID)
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    # The bare && may run before row policies and so keeps the index.
    return sa.and_(geom.op("&&")(point), sa.func.ST_Intersects(geom, point))


def _division(row: Any) -> Division:
    parent = codes.canonical(row["parent"]) if row["parent"] else next(iter(codes.enclosing(row["code"])), None)
    name = None
    if row["name_zh"] or row["name_en"]:
        name = Text(zh=row["name_zh"] or row["name_en"], en=row["name_en"] or row["name_zh"])
    people = row["population"]
    return Division(
        code=row["code"],
        level=row["level"] or codes.level_of(row["code"]),
        name=name,
        parent=parent,
        population=None if people is None else int(people),
        edition=row["edition"],
        geometry=row["geometry"],
    )
