"""Looking at the road network around a zone: which network, which settlements, which facilities."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from geoservice.analysis.place import Box
from geoservice.features.lookup import label_columns, label_of
from geoservice.impact.asked import ImpactAsked
from geoservice.impact.fetch import Ground, near
from geoservice.impact.reachable import Spot
from geoservice.impact.ways import Telling, ways_of
from geoservice.impact.zoned import Zoned
from geoservice.queries.sources import open_layer
from geoservice.routing.asked import Asked
from geoservice.routing.errors import NetworkUnavailable
from geoservice.routing.ground import Office, ground_of, networks_of
from layers.access import Decision, decide
from layers.crs import STORAGE_SRID
from layers.errors import BadBody
from layers.impact import Ways
from layers.model import Text, VectorLayer
from layers.table import held, row_predicate

FACILITIES = ("hospital", "shelter")
"""Layers that people must reach, where the question names none; those that are not there are left out."""
MOST_SPOTS = 50_000
"""Settlements, or facilities of one layer, that are looked at: those nearest to the zone."""
_OWN = ("west", "south", "east", "north")
_AROUND = 0.25
"""Degrees around a zone, and its own size: where settlements and facilities are looked at."""


async def look_out(office: Office, asked: ImpactAsked, zoned: Zoned) -> Ways | None:
    """What a zone does to ways; None where the asker may see no network.

    Raises:
        UnknownLayer: When a layer of facilities is named that there is not.
        BadBody: When such a layer has no features that one could reach.
    """
    facilities = _facilities(office, asked)
    networks = networks_of(office.context)
    if not networks:
        return None
    layer, network, _ = networks[0]
    as_of = None if asked.as_of is None else asked.as_of.isoformat()
    try:
        ground = await ground_of(office, Asked(layer.name, None, "fastest", (), as_of))
    except NetworkUnavailable as error:
        mode = next(iter(network.modes))
        note = Text(zh="路网尚未就绪或过大，请稍后再试。", en=str(error))
        return Ways(network=layer.name, mode=mode, edition=0, status="unavailable", note=note)
    if not ground.travel.graph.nodes:
        note = Text(
            zh="路网没有数据，这不等于没有道路中断。", en="The network has no data; that is not zero roads cut."
        )
        return Ways(network=layer.name, mode=ground.travel.mode, edition=0, status="no-data", note=note)
    boxes = zoned.boxes()
    settlements, cut = await _spots(office, asked, _settlements(office), boxes)
    reached, left_out = await _spots(office, asked, facilities, boxes)
    telling = Telling(asked.minutes, asked.lines, asked.explain)
    ways = await asyncio.to_thread(ways_of, ground.travel, layer.name, zoned, (settlements, reached), telling)
    names = [*cut, *left_out]
    return ways.model_copy(update={"note": _cut(names)}) if names else ways


def _cut(layers: Sequence[VectorLayer]) -> Text:
    """That figures are about the nearest features only."""
    zh, en = "、".join(one.title.zh for one in layers), ", ".join(one.title.en for one in layers)
    most = f"{MOST_SPOTS:,}"
    return Text(
        zh=f"以下图层在范围周围的要素超过 {most} 个，只考虑了离范围最近的 {most} 个，数值可能偏小：{zh}。",
        en=f"More than {most} features lie around the zone in: {en}. Only the {most} nearest to the zone were looked "
        "at, so that figures may be too small.",
    )


def _facilities(office: Office, asked: ImpactAsked) -> list[tuple[VectorLayer, Decision]]:
    context = office.context
    if asked.facilities is None:
        known = (context.catalog.layers.get(name) for name in FACILITIES)
        return [(la, d) for la in known if isinstance(la, VectorLayer) and (d := _read(office, la)).allowed]
    found = []
    for name in asked.facilities:
        layer, decision = open_layer(context.catalog, context.principal, name)
        if not isinstance(layer, VectorLayer):
            raise BadBody(f"Collection {layer.name} has no features that one could reach.", where="facilities")
        found.append((layer, decision))
    return found


def _settlements(office: Office) -> list[tuple[VectorLayer, Decision]]:
    """Layers of points that are settlements."""
    points = (la for la in office.context.catalog if isinstance(la, VectorLayer) and la.geometry == "point")
    chosen = (la for la in points if la.exposure is not None and la.exposure.role == "settlement")
    return [(layer, decision) for layer in chosen if (decision := _read(office, layer)).allowed]


def _read(office: Office, layer: VectorLayer) -> Decision:
    return decide(office.context.principal, "read", layer)


async def _spots(
    office: Office, asked: ImpactAsked, layers: Sequence[tuple[VectorLayer, Decision]], boxes: Sequence[Box]
) -> tuple[list[Spot], list[VectorLayer]]:
    """Features around the boxes of a zone, and the layers that have more of them than are looked at."""
    found: list[Spot] = []
    cut: list[VectorLayer] = []
    async with office.pools.raw(office.context.principal.clearance) as connection:
        ground = Ground(connection, office.reading, asked.as_of)
        sides = {**_sides("wsen", _grown(boxes)), **_sides(_OWN, boxes)}
        for layer, decision in layers:
            rows = await _rows(ground, layer, decision, len(boxes), sides)
            cut += [layer] if len(rows) > MOST_SPOTS else []
            found += [_spot(layer, row) for row in rows[:MOST_SPOTS] if row["lon"] is not None]
    return found, cut


def _sides(names: Sequence[str], boxes: Sequence[Box]) -> dict[str, float]:
    return {f"{side}{n}": v for n, box in enumerate(boxes) for side, v in zip(names, box, strict=True)}


async def _rows(
    ground: Ground, layer: VectorLayer, decision: Decision, boxes: int, sides: Mapping[str, float]
) -> Sequence[Mapping[str, Any]]:
    def made() -> sa.Select[Any]:
        found = held(layer, rows_of, past=ground.as_of is not None)
        columns = found.selected_columns
        return found.order_by(columns["away"], sa.collate(columns["key"], "C")).limit(MOST_SPOTS + 1)

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        inner = sa.func.ST_PointOnSurface(sa.type_coerce(table.c.geom, sa.types.NullType()), type_=sa.types.NullType())
        value = layer.exposure.value if layer.exposure is not None else None
        people = table.c[value] if value in decision.attributes else sa.null()
        place = (sa.func.ST_X(inner).label("lon"), sa.func.ST_Y(inner).label("lat"))
        columns = (table.c.key, *label_columns(layer, table, decision), sa.cast(people, sa.Double()).label("people"))
        seen = (row_predicate(table, decision.rule), table.c.geom.is_not(None), *near(table, boxes))
        return sa.select(*columns, *place, _away(table, boxes).label("away")).where(*seen)

    shape = ("spots", layer.name, decision.attributes, boxes, MOST_SPOTS)
    return await ground.rows(shape, made, decision.rule.max_clearance, sides)


def _away(table: sa.Table, boxes: int) -> sa.ColumnElement[float]:
    """Degrees to the nearest box of the zone itself; none for what lies in it."""
    geometry = sa.type_coerce(table.c.geom, sa.types.NullType())
    away = list[sa.ColumnElement[float]]()
    for number in range(boxes):
        sides: list[sa.BindParameter[float]] = [sa.bindparam(f"{side}{number}", type_=sa.Double()) for side in _OWN]
        away.append(sa.func.ST_Distance(geometry, sa.func.ST_MakeEnvelope(*sides, STORAGE_SRID), type_=sa.Double()))
    return away[0] if boxes == 1 else sa.func.least(*away, type_=sa.Double())


def _spot(layer: VectorLayer, row: Mapping[str, Any]) -> Spot:
    label = label_of(row["key"], row["label_zh"], row["label_en"])
    return Spot(f"{layer.name}/{row['key']}", label, row["lon"], row["lat"], row["people"])


def _grown(boxes: Sequence[Box]) -> list[Box]:
    """Boxes grown by their own size; what lies beyond the antimeridian is left to the other box of such a zone."""
    made = []
    for west, south, east, north in boxes:
        wide, high = max(east - west, _AROUND), max(north - south, _AROUND)
        made.append(
            (max(west - wide, -180.0), max(south - high, -90.0), min(east + wide, 180.0), min(north + high, 90.0))
        )
    return made
