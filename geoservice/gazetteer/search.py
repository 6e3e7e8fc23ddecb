"""Searching names: candidates from the index, their scores, and a last look at the rows themselves.

The index follows the layers within a moment. What is shown is read from the rows of the layers, as the asker may see
them now: a name that was removed, changed or closed since the index was made is not shown. Of the past it is read from
the rows as they were.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pyproj
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from geoservice.gazetteer import codes, finding, rank
from geoservice.gazetteer.lookup import alive
from geoservice.gazetteer.rank import Match, Score, Wanted
from geoservice.gazetteer.slips import slips
from geoservice.gazetteer.spelling import fold
from geoservice.gazetteer.surroundings import DIVISIONS, Gazetteer, visible
from geoservice.gazetteer.then import Former, entry_of, former_names, standing_then
from layers.access import Decision, decide
from layers.errors import UnknownFeature
from layers.model import Text, VectorLayer
from layers.table import current_table

MOST_RESULTS = 200
"""How deep a search can be paged."""
LEAST_SOUND = 3
"""Letters from which on names are searched for a text in their middle, and for slips."""
GOOD = 0.5
"""Quality of a match from which on nobody looks for slips."""
_GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
_SETTINGS = sa.select(
    # Few rows are wanted of many; the planner would rather read them all than the index.
    sa.func.set_config("enable_seqscan", "off", sa.true()),
)


@dataclass(frozen=True, slots=True)
class NameQuery:
    """What is searched for.

    Attributes:
        text: Chinese, pinyin, initials, English or part of it.
        limit: Most results.
        offset: Results that are passed over.
        classes: Classes of features, or None for all.
        within: Code of a division in any spelling, or None.
        near: Longitude and latitude in degrees, or None; what is near comes first among what matches alike.
        as_of: Instant of system time at which the names were borne; None for now. It goes without `within`.
    """

    text: str
    limit: int
    offset: int = 0
    classes: frozenset[str] | None = None
    within: str | None = None
    near: tuple[float, float] | None = None
    as_of: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One result.

    Attributes:
        layer: Name of the layer.
        class_: What the feature is.
        key: Its public key.
        name: The name that matched.
        names: Its names in both languages, as far as the asker may see them.
        marks: Which characters of `name` matched, as half-open ranges.
        point: Longitude and latitude of a point on the feature; None without a geometry.
        adcode: Canonical code of its division, where its row names one.
        distance: Metres from the point of the question, on the ellipsoid.
        score: The score and what it is made of.
    """

    layer: str
    class_: str
    key: str
    name: str
    names: Text
    marks: list[tuple[int, int]]
    point: tuple[float, float] | None
    adcode: str | None
    distance: float | None
    score: Score


@dataclass(frozen=True, slots=True)
class _Hit:
    row: Mapping[str, Any]
    match: Match


@dataclass(frozen=True, slots=True)
class _Candidate:
    row: Mapping[str, Any]
    score: Score
    distance: float | None


@dataclass(frozen=True)
class _Opened:
    """Layers with names that the asker may see, with the decisions."""

    layers: dict[str, tuple[VectorLayer, Decision]]

    @property
    def names(self) -> list[str]:
        return list(self.layers)


async def search(gazetteer: Gazetteer, query: NameQuery) -> list[Found]:
    """The names that answer a query, the best first.

    Raises:
        UnknownFeature: When there is no such division.
        BadParameter: When its code is none.
    """
    wanted = Wanted.of(query.text)
    opened = _opened(gazetteer, query.classes)
    if not wanted.folded or not opened.layers:
        return []
    async with gazetteer.connection.transaction(isolation="repeatable_read", readonly=True):
        former = None
        if query.as_of is not None:
            former = await former_names(gazetteer, opened.layers.values(), query.as_of)
        await gazetteer.fetch(("settings",), lambda: _SETTINGS, {})
        values = await _values(gazetteer, query, wanted, opened)
        hits = await _candidates(gazetteer, query, wanted, values)
        if former is not None:
            hits = _of_then(hits, former, wanted)
        ranked = _ranked(hits, query)
        return await _shown(gazetteer, ranked, (wanted, query), opened)


def _opened(gazetteer: Gazetteer, classes: frozenset[str] | None) -> _Opened:
    found = {}
    for layer in gazetteer.catalog:
        if not isinstance(layer, VectorLayer) or layer.names is None:
            continue
        decision = decide(gazetteer.principal, "read", layer)
        if decision.allowed and (classes is None or layer.names.class_ in classes):
            found[layer.name] = (layer, decision)
    return _Opened(found)


async def _values(gazetteer: Gazetteer, query: NameQuery, wanted: Wanted, opened: _Opened) -> dict[str, Any]:
    """What the parameters of all statements stand for."""
    values: dict[str, Any] = {
        "text": wanted.folded,
        "last": wanted.folded + finding.LAST,
        "sound": wanted.sound,
        "layers": opened.names,
        "lon": query.near[0] if query.near else None,
        "lat": query.near[1] if query.near else None,
    }
    if query.within is None:
        return values
    code = codes.canonical(query.within)
    shape = await _shape(gazetteer, code)
    return {**values, "code": code, "code_end": code + ":", "shape": shape}


async def _shape(gazetteer: Gazetteer, code: str) -> bytes | None:
    """The area of a division as EWKB, None when it has none.

    Raises:
        UnknownFeature: When there is no such division.
    """

    def build() -> sa.Select[Any]:
        layer, decision = gazetteer.open(DIVISIONS)
        table = current_table(layer)
        same = table.c.key == sa.any_(sa.bindparam("codes", type_=ARRAY(sa.Text())))
        plain = sa.type_coerce(table.c.geom, sa.types.NullType())
        return sa.select(sa.func.ST_AsEWKB(plain).label("shape")).where(visible(table, decision), same).limit(1)

    rows = await gazetteer.fetch(("shape",), build, {"codes": codes.spellings(code)})
    if not rows:
        raise UnknownFeature(f"There is no division with the code {code!r}.", code=code)
    shape: bytes | None = rows[0]["shape"]
    return shape


async def _candidates(gazetteer: Gazetteer, query: NameQuery, wanted: Wanted, values: dict[str, Any]) -> list[_Hit]:
    """What may answer the query: by beginnings, then from the middle, then for slips, then what sounds alike.

    Each step looks at a bounded number of entries, and follows only where those before it leave something to wish.
    """
    hits = _matching(await _beginning(gazetteer, query, wanted, values), wanted)
    enough = query.limit + query.offset
    if len(hits) >= enough or len(wanted.sound) < LEAST_SOUND or any(hit.match.exact for hit in hits):
        return hits
    within, level = query.within is not None, gazetteer.principal.clearance
    pattern = {**values, "pattern": f"%{wanted.sound}%"}
    rows = await gazetteer.fetch(("containing", within), lambda: finding.containing(level, within=within), pattern)
    hits += _matching(rows, wanted)
    if any(hit.match.quality >= GOOD for hit in hits):
        return hits
    meant = {**values, "slips": slips(wanted.sound)}
    rows = await gazetteer.fetch(("slipped", within), lambda: finding.slipped(level, within=within), meant)
    if not rows:
        head = finding.head_length(wanted.sound[: max(1, len(wanted.sound) // 2)])
        begun = {**values, "head": wanted.sound[:head]}
        rows = await gazetteer.fetch(("alike", head, within), lambda: finding.alike(level, head, within=within), begun)
    return hits + _matching(rows, wanted)


async def _beginning(
    gazetteer: Gazetteer, query: NameQuery, wanted: Wanted, values: dict[str, Any]
) -> list[asyncpg.Record]:
    level = gazetteer.principal.clearance
    within, near, filtered = query.within is not None, query.near is not None, query.classes is not None
    by_name = {**values, "pattern": f"%\n_{wanted.folded}%"}
    if within and await _counted(gazetteer, ("inside",), finding.count_inside, values) < finding.MOST_NAMES:
        return await gazetteer.fetch(("one by one", False), lambda: finding.one_by_one(level, around=False), by_name)
    if await _counted(gazetteer, ("terms",), finding.count_terms, values) < finding.MOST_TERMS:
        shape = ("rare", filtered, within, near)
        return await gazetteer.fetch(
            shape, lambda: finding.rare(level, filtered=filtered, within=within, near=near), values
        )
    head = finding.head_length(wanted.folded)
    rows = await gazetteer.fetch(
        ("frequent", head, filtered, within),
        lambda: finding.frequent(level, head, filtered=filtered, within=within),
        {**values, "head": wanted.folded[:head]},
    )
    if near and not within:
        rows += await gazetteer.fetch(("one by one", True), lambda: finding.one_by_one(level, around=True), by_name)
    return rows


async def _counted(
    gazetteer: Gazetteer, shape: tuple[object, ...], build: Callable[..., sa.Select[Any]], values: dict[str, Any]
) -> int:
    rows = await gazetteer.fetch(shape, lambda: build(gazetteer.principal.clearance), values)
    return int(rows[0][0])


def _of_then(hits: Iterable[_Hit], former: Former, wanted: Wanted) -> list[_Hit]:
    """What may have answered the query then: hits of today whose names are the same, and names of then."""
    kept = [hit for hit in hits if (hit.row["layer"], hit.row["fid"]) not in former.features]
    # The index is asked for likeness only where it promises something; here every name has some.
    likely = (hit for hit in _matching(former.rows, wanted) if hit.match.how != "similar" or hit.match.quality >= GOOD)
    return [*kept, *likely]


def _matching(rows: Iterable[Mapping[str, Any]], wanted: Wanted) -> list[_Hit]:
    """The rows that answer the query, each with how it does."""
    pairs = ((row, rank.match(wanted, row["terms"], row["sound"])) for row in rows)
    return [_Hit(row, matched) for row, matched in pairs if matched is not None]


def _ranked(hits: Iterable[_Hit], query: NameQuery) -> list[_Candidate]:
    """The candidates, each feature once, the best first; ties are settled by importance and number."""
    best: dict[tuple[str, int], _Candidate] = {}
    for hit in hits:
        one = _scored(hit.row, hit.match, query.near)
        feature = (hit.row["layer"], hit.row["fid"])
        if feature not in best or best[feature].score.value < one.score.value:
            best[feature] = one
    return sorted(best.values(), key=lambda c: (-c.score.value, -c.row["importance"], c.row["layer"], c.row["fid"]))


def _scored(row: Mapping[str, Any], matched: Match, near: tuple[float, float] | None) -> _Candidate:
    distance, close = None, None
    if near is not None:
        close = 0.0
        if row["lon"] is not None:
            distance = float(_GEOD.inv(*near, row["lon"], row["lat"])[2])
            close = rank.nearness(distance)
    return _Candidate(row, Score(matched, float(row["importance"]), close), distance)


async def _shown(
    gazetteer: Gazetteer, ranked: list[_Candidate], asked: tuple[Wanted, NameQuery], opened: _Opened
) -> list[Found]:
    """The wanted page of what still stands in the rows."""
    wanted, query = asked
    until = min(query.offset + query.limit, MOST_RESULTS)
    shown: list[Found] = []
    lines: set[tuple[str, str, str | None]] = set()
    # A few more than wanted are looked at, because some may be gone or be parts of one road.
    step = until + query.limit
    for start in range(0, len(ranked), step):
        some = ranked[start : start + step]
        alive = await _alive(gazetteer, some, opened, query.as_of)
        for one in some:
            row = alive.get((one.row["layer"], one.row["fid"]))
            layer = opened.layers[one.row["layer"]][0]
            part = (layer.name, fold(one.row["name"]), one.row["adcode"])
            if row is None or one.row["name"] not in str(row[one.row["attribute"]]) or part in lines:
                continue
            if layer.geometry == "line":
                lines.add(part)
            now = one if query.as_of is None else _placed_then(one, row, layer, query)
            shown.append(_found(now, row, layer, wanted))
        if len(shown) >= until:
            break
    return shown[query.offset : until]


async def _alive(
    gazetteer: Gazetteer, some: list[_Candidate], opened: _Opened, instant: dt.datetime | None
) -> dict[tuple[str, int], asyncpg.Record]:
    """The rows of candidates as the asker may see them now, or as they were."""
    by_layer: dict[str, list[int]] = {}
    for one in some:
        by_layer.setdefault(one.row["layer"], []).append(one.row["fid"])
    found: dict[tuple[str, int], asyncpg.Record] = {}
    for name, fids in by_layer.items():
        if instant is None:
            rows = await alive(gazetteer, *opened.layers[name], fids)
        else:
            rows = await standing_then(gazetteer, *opened.layers[name], fids, instant)
        found |= {(name, fid): row for fid, row in rows.items()}
    return found


def _placed_then(one: _Candidate, row: asyncpg.Record, layer: VectorLayer, query: NameQuery) -> _Candidate:
    """A candidate with the place and the division that its feature had then."""
    entry = entry_of(layer, row, one.row["name"])
    if entry is None:
        return one
    lon, lat = entry.point or (None, None)
    scored = _scored({**one.row, "lon": lon, "lat": lat, "adcode": entry.adcode}, one.score.match, query.near)
    return replace(scored, score=one.score)


def _found(one: _Candidate, row: asyncpg.Record, layer: VectorLayer, wanted: Wanted) -> Found:
    name = one.row["name"]
    zh, en = (row[layer.label.zh], row[layer.label.en]) if layer.label is not None else (None, None)
    return Found(
        layer=layer.name,
        class_=layer.names.class_ if layer.names is not None else "",
        key=row["key"],
        name=name,
        names=Text(zh=str(zh or en or name), en=str(en or zh or name)),
        marks=rank.marks(wanted, name, one.score.match.how),
        point=(one.row["lon"], one.row["lat"]) if one.row["lon"] is not None else None,
        adcode=one.row["adcode"],
        distance=one.distance,
        score=one.score,
    )
