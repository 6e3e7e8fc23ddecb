"""Where active events come from: alerts in force, kept zones, recent earthquakes, clusters of fires, exceedances.

Each source returns its events, the latest first, at most so many. Times and thresholds stand here, in one place.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlencode

import shapely
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.alerts import read as alerts_read
from geoservice.alerts.desk import LAYER
from geoservice.alerts.present import headline, marked
from geoservice.alerts.read import Asked, Kept
from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.kept import whole_area
from geoservice.exceedances.now import Current, Standing, beyond_now
from geoservice.observations.played import EARNEST, Played
from geoservice.situation import tables
from geoservice.situation.event import Event, kept_shape, worst
from geoservice.situation.read import Scope
from layers.access import RowRule, decide
from layers.hazard import HazardZone
from layers.model import RowLayer, VectorLayer
from layers.system import hazard_zone
from layers.table import current_table, row_predicate

MOST = 500
"""Most events of one source."""
OPEN_ZONE = dt.timedelta(hours=72)
"""A kept zone without an end counts as active for so long after it was kept."""
QUAKES, FIRES = dt.timedelta(hours=72), dt.timedelta(hours=24)
"""For how long earthquakes and active fires count as events."""
LEAST_MAGNITUDE = 4.0
"""Source: National Earthquake Emergency Plan (国家地震应急预案, 2012), 3: first judgement by magnitude."""
MAGNITUDES = ((7.0, "Extreme"), (6.0, "Severe"), (5.0, "Moderate"), (LEAST_MAGNITUDE, "Minor"))
FIRE_GAP, FIRE_LEAST = 0.02, 3
"""Degrees (2 km at most) to which points of one fire lie apart, and how many make one."""
_MOST_POINTS = 5_000
JUST_NOW = dt.timedelta(hours=3)
"""How old a value beyond a limit may be."""
_MOST_ZONES, _ZONES_AT_ONCE = 2_000, 50
_EARTHQUAKE, _FIRE = "earthquake", "active_fire"


@dataclass(frozen=True)
class View:
    """What a source needs: a connection of the asker's clearance, who asks, and what they look at."""

    connection: AsyncConnection
    context: AnalysisContext
    scope: Scope

    def open(self, name: str, *needed: str) -> tuple[RowLayer, RowRule] | None:
        """A layer, when the asker may see it with the attributes that are needed."""
        layer = self.context.catalog.layers.get(name)
        if layer is None:
            return None
        decision = decide(self.context.principal, "read", layer)
        if not decision.allowed or not set(needed) <= set(decision.attributes):
            return None
        return cast("RowLayer", layer), decision.rule


async def alerts(view: View) -> list[Event]:
    """Alerts in force: those meant in earnest, or those of the exercise that is looked at."""
    opened = view.open(LAYER)
    if opened is None:
        return []
    status = "Actual" if view.scope.exercise is None else "Exercise"
    asked = Asked(view.scope.now, (status,), limit=MOST)
    found = (await alerts_read.listed(view.connection, opened[1], asked))[:MOST]
    if view.scope.exercise is not None:
        mine = await _members(view, "alert")
        named = view.scope.exercise.id
        found = [one for one in found if one.id in mine or named in (one.alert.incidents or "").split()]
    return [_alert(one) for one in await alerts_read.with_areas(view.connection, opened[1], found)]


def _alert(kept: Kept) -> Event:
    shapes = [area.geometry for area in kept.areas if area.geometry is not None]
    colour = next((info.colour for info in kept.alert.info if info.colour is not None), None)
    facts = {"identifier": kept.alert.identifier, "sender": kept.alert.sender, "status": kept.alert.status}
    return Event(
        id=f"alert:{kept.id}",
        kind="alert",
        title=headline(kept),
        severity=kept.severity,
        since=kept.begins,
        until=kept.ends,
        geometry=kept_shape(shapely.union_all(shapes)) if shapes else None,
        facts={**facts, **({} if colour is None else {"colour": colour})},
        places={"alert": f"/alerts/{kept.id}", "zone": f"/alerts/{kept.id}/zone"},
        impact={"alert": kept.id} if shapes else None,
    )


@dataclass
class Zones:
    """Kept zones as events; a zone never changes, so what was read once is known."""

    _known: OrderedDict[tuple[str, dt.datetime], Event | None] = field(default_factory=OrderedDict)

    async def active(self, view: View) -> list[Event]:
        """Kept zones that hold now, of the exercise that is looked at or meant in earnest."""
        table, clearance = hazard_zone.c, int(view.scope.clearance)
        status = "actual" if view.scope.exercise is None else "exercise"
        mine = sa.select(table.id, sa.func.min(table.kept).label("kept"))
        mine = mine.where(table.status == status, table.clearance <= clearance)
        latest = mine.group_by(table.id).order_by(sa.func.max(table.kept).desc(), table.id).limit(_MOST_ZONES)
        rows = {row.id: row.kept for row in await view.connection.execute(latest)}
        if view.scope.exercise is not None:
            belong = await _members(view, "zone")
            rows = {name: kept for name, kept in rows.items() if name in belong}
        await self._read(view, [name for name, kept in rows.items() if (name, kept) not in self._known], rows)
        # A zone in which nothing lies in danger is no event.
        found = [event for one in rows.items() if (event := self._known.get(one)) is not None]
        now = view.scope.now
        return [one for one in found if one.since <= now and (one.until is None or one.until > now)][:MOST]

    async def _read(self, view: View, names: list[str], kept: dict[str, dt.datetime]) -> None:
        table = hazard_zone.c
        for start in range(0, len(names), _ZONES_AT_ONCE):
            some = names[start : start + _ZONES_AT_ONCE]
            seen = table.id.in_(some), table.clearance <= int(view.scope.clearance)
            rows = (await view.connection.execute(sa.select(table.id, table.document).where(*seen))).all()
            for row in rows:
                self._known[row.id, kept[row.id]] = await asyncio.to_thread(_zone, row.document, kept[row.id])
        while len(self._known) > _MOST_ZONES * 2:
            self._known.popitem(last=False)


def _zone(text: str, kept: dt.datetime) -> Event | None:
    """The event of a kept zone; None where by its best estimate nothing lies in danger."""
    zone = HazardZone.model_validate_json(text)
    if not zone.classes:
        return None
    since = zone.start or kept
    return Event(
        id=f"zone:{zone.id}",
        kind="zone",
        title=marked({"zh": zone.label.zh, "en": zone.label.en}, zone.status.capitalize()),
        severity=_zone_severity(zone),
        since=since,
        until=zone.end or max(since, kept) + OPEN_ZONE,
        geometry=kept_shape(whole_area(zone)),
        facts={"hazard": zone.kind, "method": zone.method.id, "screening": zone.screening, "status": zone.status},
        places={"zone": f"/hazards/zones/{zone.id}"},
        impact={"zone": zone.id},
    )


def _zone_severity(zone: HazardZone) -> str:
    """Severity of a zone: what its classes say in words of CAP, or its magnitude; otherwise nobody has said."""
    magnitude = zone.parameters.get("magnitude")
    if zone.kind == "earthquake" and isinstance(magnitude, int | float):
        return magnitude_severity(magnitude)
    return worst([one.code for one in zone.classes] if (zone.codes or "").startswith("cap-severity@") else ["Unknown"])


def magnitude_severity(magnitude: float) -> str:
    """Severity of an earthquake by its magnitude (see `MAGNITUDES`)."""
    return next((severity for least, severity in MAGNITUDES if magnitude >= least), "Minor")


async def earthquakes(view: View) -> list[Event]:
    """Earthquakes of the last days; none in an exercise."""
    opened = view.open(_EARTHQUAKE, "time", "magnitude")
    if opened is None or view.scope.exercise is not None or not isinstance(opened[0], VectorLayer):
        return []
    table = current_table(opened[0])
    now, known = view.scope.now, table.c.magnitude >= LEAST_MAGNITUDE
    recent = table.c.time > now - QUAKES, table.c.time <= now, table.c.geom.is_not(None), known
    names = [n for n in ("depth", "place") if view.open(_EARTHQUAKE, n) is not None]
    columns = (table.c.key, table.c.time, table.c.magnitude, *_point(table), *(table.c[n] for n in names))
    chosen = sa.select(*columns).where(*recent, row_predicate(table, opened[1]))
    rows = await view.connection.execute(chosen.order_by(table.c.time.desc(), table.c.key).limit(MOST))
    return [_earthquake(row, names) for row in rows]


def _earthquake(row: Any, names: list[str]) -> Event:
    facts = {name: getattr(row, name) for name in names if getattr(row, name) is not None}
    place = f" {facts['place']}" if "place" in facts else ""
    return Event(
        id=f"earthquake:{row.key}",
        kind="earthquake",
        title={"zh": f"{row.magnitude:.1f} 级地震{place}", "en": f"M {row.magnitude:.1f} earthquake{place}"},
        severity=magnitude_severity(row.magnitude),
        since=row.time,
        until=row.time + QUAKES,
        geometry=shapely.Point(row.x, row.y),
        facts={"magnitude": row.magnitude, **facts},
        places={},
        zone={"path": "/hazards/zones/earthquake", "body": {"event": row.key}},
    )


async def fires(view: View) -> list[Event]:
    """Clusters of active fires of the last day; none in an exercise."""
    opened = view.open(_FIRE, "acquired")
    if opened is None or view.scope.exercise is not None or not isinstance(opened[0], VectorLayer):
        return []
    table, now = current_table(opened[0]), view.scope.now
    recent = table.c.acquired > now - FIRES, table.c.acquired <= now, table.c.geom.is_not(None)
    bare = sa.type_coerce(table.c.geom, sa.types.NullType())
    points = sa.select(table.c.key, table.c.acquired, bare.label("geom")).where(*recent)
    points = points.where(row_predicate(table, opened[1])).order_by(table.c.acquired.desc(), table.c.key)
    some = points.limit(_MOST_POINTS).subquery("points")
    place = sa.type_coerce(some.c.geom, sa.types.NullType())
    number = sa.func.ST_ClusterDBSCAN(place, FIRE_GAP, FIRE_LEAST, type_=sa.Integer()).over()
    joined = sa.select(some, number.label("number")).subquery("joined")
    together = sa.type_coerce(joined.c.geom, sa.types.NullType())
    grouped = sa.select(
        sa.func.min(joined.c.key).label("key"),
        sa.func.count().label("points"),
        sa.func.min(joined.c.acquired).label("since"),
        sa.func.max(joined.c.acquired).label("latest"),
        sa.func.ST_AsBinary(sa.func.ST_Envelope(sa.func.ST_Collect(together))).label("shape"),
    ).where(joined.c.number.is_not(None))
    rows = await view.connection.execute(grouped.group_by(joined.c.number).limit(MOST))
    return [_fire(row) for row in rows]


def _fire(row: Any) -> Event:
    shape = shapely.from_wkb(bytes(row.shape))
    west, south, east, north = shapely.bounds(shape).tolist()
    edge = FIRE_GAP
    # As the makers of zones take it: within the globe, and with some margin for the pixels.
    box = [max(west - edge, -180.0), max(south - edge, -90.0), min(east + edge, 180.0), min(north + edge, 90.0)]
    body = {"bbox": box, "seen_from": row.since.astimezone(dt.UTC).isoformat()}
    return Event(
        id=f"fire:{row.key}",
        kind="fire",
        title={"zh": f"火点群（{row.points} 个）", "en": f"Cluster of {row.points} active fires"},
        severity="Unknown",
        since=row.since,
        until=row.latest + FIRES,
        geometry=shape,
        facts={"points": row.points, "latest": row.latest.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")},
        places={},
        zone={"path": "/hazards/zones/fire", "body": body},
    )


async def exceedances(view: View) -> list[Event]:
    """Limits of the environment that are exceeded now; in an exercise by the readings that are played in it alone."""
    exercise = view.scope.exercise
    played = EARNEST if exercise is None else Played(of=exercise.id, alone=True)
    wish = Current(at=view.scope.now, fresh=JUST_NOW, limit=MOST, played=played)
    found, _ = await beyond_now(view.connection, view.scope.clearance, wish)
    return [_exceedance(one, None if exercise is None else exercise.id) for one in found]


def _exceedance(one: Standing, exercise: str | None) -> Event:
    stream, limit = one.stream, one.limit
    unit = stream.unit_symbol or stream.unit or ""
    said = f"{stream.name or stream.station} {stream.property} {one.value:g} {unit}".strip()
    title = {"zh": f"超标：{said}", "en": f"Limit exceeded: {said}"}
    asked = {"station": stream.station, **({} if exercise is None else {"exercise": exercise})}
    return Event(
        id=f"exceedance:{stream.key}:{limit.standard}:{limit.title}:{limit.basis}",
        kind="exceedance",
        title=title if exercise is None else marked(title, "Exercise"),
        severity="Unknown",
        since=one.time,
        until=None,
        geometry=shapely.Point(stream.x, stream.y),
        facts={
            "station": stream.station,
            "datastream": stream.key,
            "property": stream.property,
            "value": {"value": one.value, "unit": unit},
            "limit": {"value": limit.value, "unit": limit.unit, "standard": limit.standard, "name": limit.title},
        },
        places={"related": f"/exceedances?{urlencode(asked)}"},
    )


async def _members(view: View, kind: str) -> set[str]:
    table = tables.member.c
    seen = table.exercise == view.scope.named, table.clearance <= int(view.scope.clearance), table.kind == kind
    return set((await view.connection.execute(sa.select(table.object).where(*seen))).scalars())


def _point(table: sa.Table) -> tuple[sa.ColumnElement[Any], ...]:
    bare = sa.type_coerce(table.c.geom, sa.types.NullType())
    return sa.func.ST_X(bare, type_=sa.Double()).label("x"), sa.func.ST_Y(bare, type_=sa.Double()).label("y")
