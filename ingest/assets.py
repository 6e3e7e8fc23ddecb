"""Raster assets in the database: which are current, one more, one ended; and the figures of their layer."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
import sqlalchemy as sa
from geoalchemy2 import WKBElement
from sqlalchemy.dialects.postgresql import insert

from ingest.job import IngestPlan
from ingest.raster_facts import RasterFacts, RefusedRaster
from ingest.reasons import renewed
from ingest.record import Counts, moment
from ingest.undo import first_standing
from layers.access import Clearance
from layers.crs import STORAGE_SRID
from layers.model import RasterLayer
from layers.system import edition as edition_table
from layers.system import layer_figures, raster_asset
from layers.system import quarantine as quarantine_table
from layers.taken import taken

_CORNERS = {"west": "ST_XMin", "south": "ST_YMin", "east": "ST_XMax", "north": "ST_YMax"}


@dataclass(frozen=True)
class CurrentAsset:
    """A current asset of a layer: number, file name, digest of its content."""

    id: int
    file: str
    sha256: str


def current(connection: sa.Connection, layer: RasterLayer, name: str) -> CurrentAsset | None:
    """The current asset of this name; None when there is none."""
    statement = (
        sa.select(raster_asset.c.id, raster_asset.c.file, raster_asset.c.sha256)
        .where(raster_asset.c.source == name, _is_current(layer))
        .order_by(raster_asset.c.id.desc())
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else CurrentAsset(row.id, row.file, row.sha256)


def latest_report(connection: sa.Connection, layer: RasterLayer, source: str) -> Mapping[str, Any] | None:
    """The report of the latest edition that came from a source of this name; None when there is none."""
    statement = (
        sa.select(edition_table.c.report)
        .where(edition_table.c.layer == layer.name, edition_table.c.source == source, edition_table.c.kind == "load")
        .order_by(edition_table.c.id.desc())
        .limit(1)
    )
    found: Mapping[str, Any] | None = connection.execute(statement).scalar_one_or_none()
    return found


def others(connection: sa.Connection, layer: RasterLayer, names: Collection[str]) -> tuple[int, ...]:
    """Numbers of the current assets of a layer that bear none of these names."""
    statement = sa.select(raster_asset.c.id).where(raster_asset.c.source.not_in(names), _is_current(layer))
    return tuple(connection.execute(statement).scalars())


def end(connection: sa.Connection, assets: Sequence[int], edition: int) -> None:
    """End assets, given by number, at the instant of an edition; as-of reads still find them."""
    ended = sa.update(raster_asset).where(raster_asset.c.id.in_(assets)).values(valid_to=moment(edition))
    connection.execute(ended)


def quarantine(connection: sa.Connection, plan: IngestPlan, sha256: str, refused: Sequence[RefusedRaster]) -> None:
    """Keep what is known of rasters that could not be stored; a second load of the same source keeps one copy."""
    if not refused:
        return
    place = {"layer": plan.layer.name, "source": plan.source.name, "sha256": sha256, "mapping": plan.mapping_name}
    rows = [
        {**place, "position": n, "reason": one.reason, "raw": json.dumps({"raster": one.name}, ensure_ascii=False)}
        for n, one in enumerate(refused)
    ]
    statement = insert(quarantine_table).values(rows)
    again = {**renewed(statement.excluded.reason), "raw": statement.excluded.raw}
    connection.execute(statement.on_conflict_do_update(constraint="quarantine_place", set_=again))


def add(
    connection: sa.Connection, layer: RasterLayer, edition: int, named: Mapping[str, str], facts: RasterFacts
) -> None:
    """Make an asset current.

    Args:
        connection: The transaction of the load.
        layer: The layer.
        edition: The edition that brings it.
        named: `source`, `file` and `sha256` of the asset.
        facts: What the reader found.
    """
    connection.execute(
        sa.insert(raster_asset).values(
            layer=layer.name,
            clearance=int(layer.clearance),
            edition=edition,
            crs=facts.crs,
            width=facts.width,
            height=facts.height,
            footprint=WKBElement(shapely.to_wkb(facts.outline), srid=STORAGE_SRID),
            bands=[band.model_dump(mode="json") for band in facts.bands],
            valid_from=moment(edition),
            **named,
        )
    )


def later_touch(layer: RasterLayer, number: int) -> sa.Select[Any]:
    """The first edition after this one that brought or ended an asset of the same sources, and that stands."""
    table, instant = raster_asset, moment(number)
    mine = sa.or_(table.c.edition == number, table.c.valid_to == instant)
    sources = sa.select(table.c.source).where(table.c.layer == layer.name, mine)
    same = (table.c.layer == layer.name, table.c.source.in_(sources))
    brought = sa.select(table.c.edition.label("number")).where(*same, table.c.edition > number)
    ended = (
        sa.select(edition_table.c.id)
        .join(table, (table.c.layer == edition_table.c.layer) & (table.c.valid_to == edition_table.c.committed))
        .where(*same, table.c.valid_to > instant)
    )
    return first_standing(sa.union(brought, ended).subquery("touched").c.number, number)


def undo(connection: sa.Connection, layer: RasterLayer, number: int, withdrawal: int) -> Counts:
    """End the assets that an edition brought and make those current again that it ended.

    Returns:
        What the withdrawal inserted, updated and deleted, counted by source.
    """
    table, former = raster_asset, moment(number)
    ended = sa.and_(table.c.layer == layer.name, table.c.valid_to == former)
    back = set(connection.execute(sa.select(table.c.source).where(ended)).scalars())
    brought = sa.select(table.c.source).where(table.c.edition == number)
    gone = set(connection.execute(brought).scalars())
    now = sa.select(table.c.id).where(_is_current(layer), table.c.source.in_(gone))
    end(connection, list(connection.execute(now).scalars()), withdrawal)
    kept = [c for c in table.c if c.name not in ("id", "edition", "clearance", "valid_from", "valid_to")]
    values: list[sa.ColumnElement[Any]] = [sa.type_coerce(c, sa.types.NullType()) for c in kept]
    values += [sa.literal(withdrawal, sa.BigInteger()), sa.literal(int(layer.clearance), sa.SmallInteger())]
    rows = sa.select(*values, moment(withdrawal)).where(ended)
    names = [*(c.name for c in kept), "edition", "clearance", "valid_from"]
    connection.execute(sa.insert(table).from_select(names, rows))
    return Counts(len(back - gone), len(back & gone), len(gone - back))


def touched(connection: sa.Connection, layer: RasterLayer, edition: int) -> dict[str, float | None]:
    """Extent (degrees) of the assets that an edition brought and of those that it ended."""
    mine = sa.or_(raster_asset.c.edition == edition, raster_asset.c.valid_to == moment(edition))
    statement = sa.select(*_corners()).where(raster_asset.c.layer == layer.name, mine)
    return dict(connection.execute(statement).mappings().one())


def renew_figures(connection: sa.Connection, layer: RasterLayer) -> None:
    """Compute count, extent and time span of the current assets anew, for each clearance that may see the layer."""
    connection.execute(sa.delete(layer_figures).where(layer_figures.c.layer == layer.name))
    for clearance in Clearance:
        if clearance < layer.clearance:
            continue
        statement = sa.select(sa.func.count().label("rows"), *_corners()).where(
            _is_current(layer), raster_asset.c.clearance <= int(clearance)
        )
        figures = dict(connection.execute(statement).mappings().one())
        if figures["rows"]:
            figures |= _span(connection, layer, clearance)
            values = {"layer": layer.name, "clearance": int(clearance), **figures}
            connection.execute(sa.insert(layer_figures).values(**values))


def _span(connection: sa.Connection, layer: RasterLayer, clearance: Clearance) -> dict[str, dt.datetime]:
    """From when the earliest asset was taken until when the latest was; empty where no name states a time."""
    if layer.time is None:
        return {}
    mine = (_is_current(layer), raster_asset.c.clearance <= int(clearance))
    names = connection.execute(sa.select(raster_asset.c.source).where(*mine)).scalars()
    times = [found for found in (taken(name, layer.time) for name in names) if found is not None]
    begins = [one.start for one in times if one.start is not None]
    # Half open: the last second that still belongs to it, so that a year does not seem to reach into the next.
    ends = [one.end - dt.timedelta(seconds=1) for one in times if one.end is not None]
    return {"begins": min(begins), "ends": max(ends)} if begins and ends else {}


def files(connection: sa.Connection) -> set[str]:
    """Names of all raster files that the database knows, also of ended assets."""
    return set(connection.execute(sa.select(raster_asset.c.file)).scalars())


def _is_current(layer: RasterLayer) -> sa.ColumnElement[bool]:
    return sa.and_(raster_asset.c.layer == layer.name, raster_asset.c.valid_to.is_(None))


def _corners() -> list[sa.ColumnElement[Any]]:
    box = sa.func.ST_Extent(sa.type_coerce(raster_asset.c.footprint, sa.types.NullType()))
    return [getattr(sa.func, side)(box).label(name) for name, side in _CORNERS.items()]
