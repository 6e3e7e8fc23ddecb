"""Layers of series become observations: whatever an edition brings, changes or takes back is written here too.

The layer stays what is loaded, checked, kept by edition and shown; this room has the model in which stations of all
layers, OGC SensorThings and OGC API EDR meet. Following is repeatable: killed anywhere, it begins anew, and what is
written already is unchanged.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.reading import Reading, Source
from geoservice.observations.register import Station, StreamWish, ensure_stations, ensure_streams, raise_streams
from geoservice.observations.removal import remove_readings
from geoservice.observations.tables import datastream, followed
from geoservice.observations.write import write
from layers.access import Clearance
from layers.catalog import Catalog
from layers.model import TableLayer, VectorLayer
from layers.observed import Observes, Series
from layers.system import layer_state
from layers.table import current_table, history_table

BATCH = 20_000
"""Rows that are written in one transaction."""
_log = logging.getLogger(__name__)
_LOCK = "geoservice.obs.follow"


@dataclass(frozen=True)
class Course:
    """A layer of readings, its layer of stations, and what its rows mean."""

    layer: TableLayer
    stations: VectorLayer
    series: Series
    observes: Observes

    def station_key(self, value: str) -> str:
        """Key of the thing of a station: numbers of stations of several layers may be the same."""
        return f"{self.stations.name}:{value}"


def courses(catalog: Catalog) -> tuple[Course, ...]:
    """The layers that observe."""
    found = (la for la in catalog if isinstance(la, TableLayer) and la.observes is not None)
    return tuple(course for layer in found if (course := _course(catalog, layer)) is not None)


def _course(catalog: Catalog, layer: TableLayer) -> Course | None:
    if layer.belongs_to is None or layer.observes is None:
        return None
    stations = catalog.layer(layer.belongs_to.layer)
    return Course(layer, stations, layer.belongs_to, layer.observes) if isinstance(stations, VectorLayer) else None


def lagging(connection: sa.Connection, found: Sequence[Course]) -> tuple[Course, ...]:
    """Those whose readings or stations are of an earlier edition than the current one."""
    state, done = layer_state.c, followed.c
    behind = (
        sa.select(state.layer)
        .select_from(sa.outerjoin(layer_state, followed, state.layer == done.layer))
        .where(state.edition.is_not(None), state.edition.is_distinct_from(done.edition))
    )
    late = set(connection.execute(behind).scalars())
    return tuple(course for course in found if late & {course.layer.name, course.stations.name})


def follow(database: Database, course: Course) -> int:
    """Bring the observations of one layer to its current edition.

    Returns:
        The number of rows that were read; 0 when there was nothing to do or another process is at it.
    """
    with database.transaction(Role.WRITER) as watch:
        # Held until the end: two that follow the same layer would do the same work.
        key = sa.func.hashtextextended(f"{_LOCK}.{course.layer.name}", 0)
        if not watch.execute(sa.select(sa.func.pg_try_advisory_xact_lock(key))).scalar():
            return 0
        target, done = _editions(watch, course.layer.name)
        stations, placed = _editions(watch, course.stations.name)
        if stations != placed:
            _follow_stations(database, course, stations)
        if target == done:
            return 0
        rows = 0
        with closing(_rows(watch, course, done, target)) as batches:
            for batch in batches:
                with database.transaction(Role.WRITER) as connection:
                    _write(connection, course, batch)
                rows += len(batch)
        with database.transaction(Role.WRITER) as connection:
            _take_back(connection, course, done, target)
            _remember(connection, course.layer.name, target)
    return rows


def _editions(connection: sa.Connection, layer: str) -> tuple[int, int]:
    """The current edition of a layer, and the one up to which it is followed; 0 for none."""
    state = sa.select(layer_state.c.edition).where(layer_state.c.layer == layer)
    known = sa.select(followed.c.edition).where(followed.c.layer == layer)
    return connection.execute(state).scalar() or 0, connection.execute(known).scalar() or 0


def _remember(connection: sa.Connection, layer: str, edition: int) -> None:
    made = insert(followed).values(layer=layer, edition=edition)
    connection.execute(made.on_conflict_do_update(index_elements=["layer"], set_={"edition": edition}))


def _follow_stations(database: Database, course: Course, edition: int) -> None:
    table = current_table(course.stations)
    label = course.stations.label
    names = [table.c[name] for name in (label.en, label.zh) if name is not None] if label is not None else []
    chinese = table.c[label.zh] if label is not None and label.zh is not None else sa.null()
    geom = sa.func.ST_PointOnSurface(sa.type_coerce(table.c.geom, sa.types.NullType()))
    chosen = sa.select(
        table.c.key,
        sa.func.coalesce(*names, table.c.key).label("name"),
        sa.type_coerce(chinese, sa.Text()).label("name_zh"),
        sa.func.ST_X(geom, type_=sa.Double()).label("x"),
        sa.func.ST_Y(geom, type_=sa.Double()).label("y"),
        table.c["_clearance"].label("clearance"),
    )
    with database.transaction(Role.WRITER) as connection:
        found = [
            Station(
                course.station_key(row.key),
                row.name,
                (row.x, row.y) if row.x is not None else None,
                {"layer": course.stations.id, "feature": row.key}
                | ({} if row.name_zh is None else {"name_zh": row.name_zh}),
                Clearance(row.clearance),
            )
            for row in connection.execute(chosen)
        ]
        ensure_stations(connection, found)
        _remember(connection, course.stations.name, edition)


def _rows(
    connection: sa.Connection, course: Course, after: int, until: int
) -> Generator[Sequence[sa.RowMapping], None, None]:
    """Rows that editions since then wrote, as they are now."""
    table, observes = current_table(course.layer), course.observes
    columns = {"station": course.series.by, "time": course.layer.time, "value": observes.value}
    optional = {
        "property": observes.property,
        "unit": observes.unit,
        "quality": observes.quality,
        "result_time": observes.result_time,
    }
    named = {**columns, **optional}
    chosen = sa.select(
        *(table.c[name].label(label) for label, name in named.items() if name is not None),
        table.c["_clearance"].label("clearance"),
    )
    chosen = chosen.where(table.c["_edition"] > after, table.c["_edition"] <= until)
    with connection.execute(chosen, execution_options={"yield_per": BATCH}) as found:
        yield from found.mappings().partitions()


def _write(connection: sa.Connection, course: Course, rows: Sequence[sa.RowMapping]) -> None:
    observes = course.observes
    told: dict[str, StreamWish] = {}
    stations: dict[str, Station] = {}
    readings = []
    for row in rows:
        observed = row.get("property") or observes.code or ""
        station = course.station_key(str(row["station"]))
        key = f"{station}:{observed}"
        unit = row.get("unit") or observes.unit_code
        if key not in told:
            stations[station] = Station(station, str(row["station"]))
            told[key] = _wish(course, key, station, observed, unit)
        readings.append(_reading(row, key, unit))
    _register(connection, course, list(stations.values()), list(told.values()))
    levels: dict[int, set[str]] = {}
    for row, reading in zip(rows, readings, strict=True):
        levels.setdefault(row["clearance"], set()).add(reading.datastream or "")
    for level, keys in levels.items():
        _raise(connection, keys, level)
    source = Source("layer", course.layer.id, "geoservice")
    outcome = write(connection, readings, source)
    _log.info("%s: %s readings, %s set aside", course.layer.id, outcome.readings, outcome.quarantined)


def _register(
    connection: sa.Connection, course: Course, stations: Sequence[Station], wishes: Sequence[StreamWish]
) -> None:
    """Make what is missing; stations that their own layer does not have are known by their number alone."""
    ensure_stations(connection, stations, known=False)
    ensure_streams(connection, wishes, sensor=course.layer.id)


def _wish(course: Course, key: str, station: str, observed: str, unit: str | None) -> StreamWish:
    value = course.layer.attributes[course.observes.value]
    clearance = max(course.layer.clearance, value.effective_clearance(course.layer))
    name = f"{course.layer.title.en}: {observed}, {station.partition(':')[2]}"
    return StreamWish(
        key, station, observed, unit, name, course.observes.cadence, course.observes.zone, Clearance(clearance)
    )


def _raise(connection: sa.Connection, keys: set[str], level: int) -> None:
    """A datastream is as confidential as the most confidential of its readings."""
    wanted = sa.any_(sa.bindparam("keys", sorted(keys), sa.ARRAY(sa.Text())))
    lower = sa.select(datastream.c.id).where(datastream.c.key == wanted, datastream.c.clearance < level)
    ids = connection.execute(lower).scalars().all()
    if ids:
        raise_streams(connection, ids, Clearance(level))


def _reading(row: sa.RowMapping, key: str, unit: str | None) -> Reading:
    value = row["value"]
    return Reading(
        time=_instant(row["time"]),
        result=None if value is None else float(value),
        datastream=key,
        unit=None if value is None else unit,
        quality=row.get("quality") if value is not None else "missing",
        result_time=_instant(row["result_time"]) if row.get("result_time") is not None else None,
    )


def _instant(value: dt.date) -> dt.datetime:
    """A day is its first instant in UTC, as in the layer."""
    if isinstance(value, dt.datetime):
        return value
    return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)


def _take_back(connection: sa.Connection, course: Course, after: int, until: int) -> None:
    """Remove the readings of rows that editions since then ended and that have no successor."""
    current, former, observes = current_table(course.layer), history_table(course.layer), course.observes
    time = former.c[str(course.layer.time)]
    chosen = sa.select(
        former.c[course.series.by].label("station"),
        time.label("time"),
        *([former.c[observes.property].label("property")] if observes.property is not None else []),
    )
    ended = sa.and_(former.c["_ended_by"] > after, former.c["_ended_by"] <= until)
    stands = sa.exists().where(current.c.key == former.c.key)
    gone = connection.execute(chosen.where(ended, ~stands)).mappings().all()
    wanted = [
        (f"{course.station_key(str(r['station']))}:{r.get('property') or observes.code}", _instant(r["time"]))
        for r in gone
    ]
    if wanted:
        remove_readings(connection, wanted)
