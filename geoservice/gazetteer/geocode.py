"""From an address to a place: the divisions it names, then its door, its neighbours, its road, or what is above them.

Confidence is that of the level that was matched, times 0.85 for each division that was named and not found, shared
among places that answer equally well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from geoservice.gazetteer import codes, divisions, history
from geoservice.gazetteer.address import Address, parse, write
from geoservice.gazetteer.changes import changes_about
from geoservice.gazetteer.divisions import Division
from geoservice.gazetteer.lookup import Named, named
from geoservice.gazetteer.search import NameQuery, search
from geoservice.gazetteer.spelling import fold
from geoservice.gazetteer.surroundings import ADDRESSES, CHANGES, DIVISIONS, Gazetteer, attribute, visible
from layers.errors import UnknownLayer
from layers.table import current_table

CONFIDENCE = {
    "door": 1.0,
    "interpolated": 0.8,
    "neighbour": 0.65,
    "compound": 0.7,
    "road": 0.5,
    "village": 0.45,
    "township": 0.35,
    "county": 0.2,
    "city": 0.1,
    "province": 0.05,
}
"""Confidence by level of the match."""
UNFOUND = 0.85
MOST_CODES = 12
_NO_DIVISIONS = {"province": None, "city": None, "county": None, "township": None}
_INDOORS = {"unit": None, "floor": None, "room": None, "rest": None}


@dataclass(frozen=True, slots=True)
class Geocoded:
    """A place that an address leads to.

    Attributes:
        level: What was matched: door, interpolated (between two doors), neighbour (the nearest door), compound, road,
            village, township, county, city or province.
        confidence: 0 to 1.
        point: Longitude and latitude in degrees; None where the division has no area in the base.
        line: The whole address in its canonical form, with the divisions of today.
        chain: The divisions, the highest first.
        feature: Layer and public key of what was matched; None for an interpolated place.
    """

    level: str
    confidence: float
    point: tuple[float, float] | None
    line: str
    chain: tuple[Division, ...]
    feature: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class _Hit:
    level: str
    code: str
    point: tuple[float, float] | None
    feature: tuple[str, str] | None


async def geocode(
    gazetteer: Gazetteer, text: str, limit: int, within: str | None = None
) -> tuple[Address, list[Geocoded]]:
    """The places that an address may mean, the likeliest first, and how it was read.

    Args:
        gazetteer: The surroundings.
        text: The address.
        limit: Most places.
        within: Code of a division in which to look, or None.

    Raises:
        BadParameter: When the code is none.
    """
    address = parse(text)
    known, lost = await _settled(gazetteer, address, codes.canonical(within) if within else "")
    hits: list[_Hit] = []
    for code in known[:MOST_CODES]:
        hits += await _hits(gazetteer, address, code)
    if not hits:
        return address, []
    best = max(CONFIDENCE[hit.level] for hit in hits)
    chosen = list(dict.fromkeys(hit for hit in hits if CONFIDENCE[hit.level] == best))
    confidence = round(best * UNFOUND**lost / len(chosen), 4)
    return address, [await _told(gazetteer, address, hit, confidence) for hit in chosen[:limit]]


async def _settled(gazetteer: Gazetteer, address: Address, within: str) -> tuple[list[str], int]:
    """Canonical codes of the lowest divisions that an address may mean, and how many names were not found."""
    levels = [n for n in (address.province, address.city, address.county, address.township) if n is not None]
    bearing = await _bearers(gazetteer, levels)
    held, lost = {within}, 0
    for name in levels:
        candidates = bearing.get(fold(name)) or await _formerly(gazetteer, name) or await _joined(gazetteer, name)
        inside = {c for c in candidates for code in held if c.startswith(code)}
        held, lost = (inside, lost) if inside else (held, lost + 1)
    return sorted(held), lost


async def _bearers(gazetteer: Gazetteer, names: Sequence[str]) -> dict[str, set[str]]:
    """Canonical codes of the divisions that bear some names, by folded name."""
    found: dict[str, set[str]] = {}
    for row in await named(gazetteer, DIVISIONS, [fold(name) for name in names]):
        found.setdefault(row.term, set()).add(codes.canonical(row.adcode or row.key))
    return found


async def _joined(gazetteer: Gazetteer, name: str) -> set[str]:
    """Divisions named by two names in one, the upper one without the word for its kind (`清源东关街道`)."""
    cuts = [(name[:n], name[n:]) for n in range(2, len(name) - 1)]
    bearing = await _bearers(gazetteer, [part for cut in cuts for part in cut])
    pairs = ((bearing.get(fold(upper), set()), bearing.get(fold(lower), set())) for upper, lower in cuts)
    return {code for uppers, lowers in pairs for code in lowers for above in uppers if code.startswith(above)}


async def _formerly(gazetteer: Gazetteer, name: str) -> set[str]:
    """Codes of today of the divisions that once bore a name."""

    def build() -> sa.Select[tuple[str]]:
        layer, decision = gazetteer.open(CHANGES, ("from_name", "from_code"))
        table = current_table(layer)
        same = table.c.from_name == sa.any_(sa.bindparam("names", type_=ARRAY(sa.Text())))
        return sa.select(attribute(table, decision, "from_code")).where(visible(table, decision), same)

    try:
        gazetteer.open(CHANGES, ("from_name", "from_code", "to_code"))
    except UnknownLayer:
        return set()
    rows = await gazetteer.fetch(("formerly",), build, {"names": [name]})
    today, found = dt.datetime.now(dt.UTC).date(), set()
    for code in {codes.canonical(row["from_code"]) for row in rows if row["from_code"]}:
        known = await changes_about(gazetteer, code)
        later = history.successors(known, code, today)
        found |= {one.code for one in later} if later else {code}
    return found


async def _hits(gazetteer: Gazetteer, address: Address, code: str) -> list[_Hit]:
    """The places of the finest level that are found in a division."""
    local = replace(address, **_NO_DIVISIONS, **_INDOORS)
    if address.number or address.yard or address.building or address.lane:
        doors = await named(gazetteer, ADDRESSES, _lines(local), code)
        if doors:
            return [_Hit("door", d.adcode or code, d.point, (d.layer, d.key)) for d in doors]
        if address.number and (address.road or address.village):
            near = await _between(gazetteer, local, code)
            if near is not None:
                return [near]
    for level, name in (("compound", address.compound), ("road", address.road), ("village", address.village)):
        if name is not None and (found := await _bearing(gazetteer, level, name, code)):
            return found
    return [await _division_hit(gazetteer, code)] if code else []


def _lines(local: Address) -> list[str]:
    """The lines under which a door may be kept, folded, the fullest first."""
    plain = replace(local, compound=None, building=None)
    shapes = [local, plain, replace(plain, branch=None), replace(plain, village=None, group=None)]
    if local.compound is not None:
        shapes.append(Address(compound=local.compound, building=local.building))
    told = [fold(write(shape)) for shape in shapes if shape.number or shape.yard or shape.building or shape.lane]
    return list(dict.fromkeys(told))


async def _between(gazetteer: Gazetteer, local: Address, code: str) -> _Hit | None:
    """A place between the doors with the next lower and higher number on the same side, or at the nearest door."""
    if local.number is None or not local.number.isdigit():
        return None
    wanted = int(local.number)
    street = Address(village=local.village if local.road is None else None, road=local.road)
    doors = await named(gazetteer, ADDRESSES, [fold(write(street))], code, beginning=True)
    numbered: dict[int, Named] = {}
    for door in doors:
        found = parse(door.name)
        if found.number and found.number.isdigit() and not found.branch and (found.road == street.road):
            numbered[int(found.number)] = door
    # Streets have odd and even sides; villages number their houses as they come.
    sides = 2 if street.road is not None else 1
    same = sorted(n for n in numbered if n % sides == wanted % sides and numbered[n].point is not None)
    below, above = [n for n in same if n < wanted], [n for n in same if n > wanted]
    if below and above:
        return _interpolated(numbered[below[-1]], numbered[above[0]], (wanted - below[-1]) / (above[0] - below[-1]))
    if not same:
        return None
    nearest = numbered[min(same, key=lambda n: abs(n - wanted))]
    return _Hit("neighbour", nearest.adcode or code, nearest.point, (nearest.layer, nearest.key))


def _interpolated(one: Named, other: Named, share: float) -> _Hit | None:
    if one.point is None or other.point is None:
        return None
    x, y = (round(a + (b - a) * share, 7) for a, b in zip(one.point, other.point, strict=True))
    return _Hit("interpolated", one.adcode or "", (x, y), None)


async def _bearing(gazetteer: Gazetteer, level: str, name: str, code: str) -> list[_Hit]:
    """Features with a name, exactly, in a division."""
    classes = {"road": frozenset({"road"}), "village": frozenset({"place"})}.get(level)
    query = NameQuery(name, 5, classes=classes, within=code or None)
    found = await search(gazetteer, query)
    exact = [f for f in found if f.score.match.exact and f.class_ not in ("address", "division")]
    return [_Hit(level, f.adcode or code, f.point, (f.layer, f.key)) for f in exact]


async def _division_hit(gazetteer: Gazetteer, code: str) -> _Hit:
    one = await divisions.division(gazetteer, code)
    point = None
    if one is not None and one.name is not None:
        same = await named(gazetteer, DIVISIONS, [fold(one.name.zh)], codes.canonical(code))
        point = next((n.point for n in same if n.key == one.code), None)
    level = codes.level_of(code)
    return _Hit(level if level in CONFIDENCE else "village", code, point, (DIVISIONS, one.code) if one else None)


async def _told(gazetteer: Gazetteer, address: Address, hit: _Hit, confidence: float) -> Geocoded:
    chain = await divisions.chain(gazetteer, hit.code) if hit.code else []
    if not chain and hit.point is not None:
        chain = await divisions.at_point(gazetteer, *hit.point)
    return Geocoded(hit.level, confidence, hit.point, whole_line(chain, address), tuple(chain), hit.feature)


def whole_line(chain: Sequence[Division], address: Address) -> str:
    """A line of address with the names of divisions in front; what names the same unit again is left out."""
    names = [one.name.zh for one in chain if one.name is not None and one.name.zh != "市辖区"]
    kept = [name for n, name in enumerate(names) if n == 0 or name != names[n - 1]]
    local = replace(address, **_NO_DIVISIONS, rest=None)
    return "".join(kept) + write(local)
