"""The features of a layer that a zone hits, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from geoservice.analysis.statements import MAX_LISTED
from geoservice.features.lookup import label_columns, label_of
from geoservice.impact.fetch import Ground
from layers.access import Decision
from layers.impact import HitFeature
from layers.model import VectorLayer
from layers.table import held, row_predicate

_ATTRIBUTE = "a_"


async def listed_features(
    ground: Ground, layer: VectorLayer, decision: Decision, sizes: Mapping[int, float | None]
) -> tuple[HitFeature, ...]:
    """The first features by key of those with some numbers: names, visible attributes, a point on each.

    Args:
        ground: Where to read.
        layer: Their layer.
        decision: What the asker may see of it.
        sizes: How much of each lies in the zone, by number; None where that is not told.
    """
    if not sizes:
        return ()
    shape = ("listing", layer.name, decision.attributes)
    values = {"fids": list(sizes)}
    rows = await ground.rows(shape, lambda: _statement(layer, decision, ground), decision.rule.max_clearance, values)
    return tuple(_feature(layer, decision, row, sizes[row["fid"]]) for row in rows)


async def cut_features(
    ground: Ground, layer: VectorLayer, decision: Decision, sizes: Mapping[int, float | None]
) -> tuple[HitFeature, ...]:
    """The same, with those first of which most lies in the zone."""
    found = await listed_features(ground, layer, decision, sizes)
    return tuple(sorted(found, key=lambda one: (-(one.value or 0.0), one.id)))


def _statement(layer: VectorLayer, decision: Decision, ground: Ground) -> sa.Select[Any]:
    def rows_of(table: sa.Table) -> sa.Select[Any]:
        # The inner point is one on the whole feature; it may lie outside the zone.
        inner = sa.func.ST_PointOnSurface(sa.type_coerce(table.c.geom, sa.types.NullType()), type_=sa.types.NullType())
        attributes = [table.c[name].label(f"{_ATTRIBUTE}{name}") for name in decision.attributes]
        columns = (table.c.fid, table.c.key, *label_columns(layer, table, decision))
        place = (sa.func.ST_X(inner).label("lon"), sa.func.ST_Y(inner).label("lat"))
        wanted = table.c.fid == sa.any_(sa.bindparam("fids", type_=sa.ARRAY(sa.BigInteger())))
        return sa.select(*columns, *place, *attributes).where(row_predicate(table, decision.rule), wanted)

    found = held(layer, rows_of, past=ground.as_of is not None)
    return found.order_by(sa.collate(found.selected_columns["key"], "C")).limit(MAX_LISTED)


def _feature(layer: VectorLayer, decision: Decision, row: Mapping[str, Any], size: float | None) -> HitFeature:
    names = () if layer.label is None else (layer.label.zh, layer.label.en)
    shown = [name for name in decision.attributes if name not in names and row[f"{_ATTRIBUTE}{name}"] is not None]
    return HitFeature(
        id=row["key"],
        label=label_of(row["key"], row["label_zh"], row["label_en"]),
        lon=row["lon"],
        lat=row["lat"],
        value=size,
        attributes={name: row[f"{_ATTRIBUTE}{name}"] for name in shown},
    )
