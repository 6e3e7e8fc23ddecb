"""The layers of a printed map: what the asker may see of them, and which rows were asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from geoservice.db.compiled import compile_statement
from geoservice.features.filtering import WrittenFilter, calculable
from geoservice.features.past import moment_asked
from geoservice.features.state import LayerState
from geoservice.house import House
from geoservice.maps.picture import Shown
from geoservice.maps.static import usual
from geoservice.prints.asked import SheetBody, SheetLayer
from geoservice.prints.place import Placed
from geoservice.tiles.questions import Written, understood
from layers.access import Principal, decide
from layers.errors import BadParameter, QueryTimeout
from layers.interval import parse_datetime
from layers.ladder import WORLD
from layers.model import Layer, RasterLayer, TableLayer, VectorLayer
from tiles.asked import PRESENT, Question
from tiles.plane import CELL, window
from tiles.section import WINDOW, counted_statement
from web.sheet.layout import POINT

FEW = 2_000
"""So many features that answer a question are drawn from their rows also at small scales, as the portal does."""
_METRE_MM = 1000.0


@dataclass(frozen=True)
class Chosen:
    """A layer of a printed map.

    Attributes:
        shown: As it is drawn.
        state: Its state.
        credited: The layer as it is credited.
        asked: What was asked of it.
        scale: Denominator from which it would be drawn, where it is left out; else None.
    """

    shown: Shown
    state: LayerState
    credited: Layer
    asked: SheetLayer
    scale: int | None = None


async def chosen(house: House, asker: Principal, asked: SheetBody, spot: Placed) -> tuple[Chosen, ...]:
    """The layers that a map shows, from bottom to top; layers that have no data are left out.

    Questions are answered from exact rows, which on maps of small scales would be too many: there a layer is drawn when
    few features answer, and is left out with its scale told when they are many. A part of them would look like all.

    Raises:
        UnknownLayer: When there is no layer of a name, or none that the asker may see.
        BadParameter: When a layer is a table, is named twice, or cannot answer what is asked of it.
        BadFilter: When a filter is no good.
    """
    wanted = _wanted(house, asker, asked)
    states = await house.states(asker, [layer for layer, _ in wanted])
    found = []
    for layer, one in wanted:
        state = states[layer.name]
        if isinstance(layer, TableLayer) or (state.edition is None and asked.layers is None):
            continue
        question = await _question(house, asker, layer, one, spot)
        coarse = isinstance(layer, VectorLayer) and not question.plain and spot.plane.level < layer.exact_from
        shown = Shown(layer, decide(asker, "read", layer), question, one.opacity, coarse)
        scale = await _missing_scale(house, asker, shown, spot)
        found.append(Chosen(shown, state, layer.crediting(state.mappings), one, scale))
    return tuple(found)


async def _missing_scale(house: House, asker: Principal, shown: Shown, spot: Placed) -> int | None:
    """The scale from which a layer is drawn, when more of its rows answer than are drawn at this one; else None."""
    layer, question, seen = shown.layer, shown.question, window(spot.plane.crs, spot.plane.box)
    if not shown.coarse or isinstance(layer, RasterLayer) or seen is None:
        return None
    shape = ("counted", FEW, layer.name, shown.decision.rule.max_clearance, question.shape)
    compiled = house.reading.statements.get(shape)
    if compiled is None:
        statement = counted_statement(layer, shown.decision, question, FEW)
        compiled = compile_statement(statement, house.reading.schema(shown.decision.rule.max_clearance))
        house.reading.keep(shape, compiled)
    values = {**dict(zip(WINDOW, seen, strict=True)), **question.values(layer)}
    try:
        async with house.pools.raw(asker.clearance) as connection:
            with calculable(question.filter):
                count = int(await connection.fetchval(compiled.sql, *compiled.arguments(values)))
    except QueryTimeout:
        count = FEW + 1
    return _scale(layer.exact_from, spot) if count > FEW else None


def _wanted(house: House, asker: Principal, asked: SheetBody) -> list[tuple[Layer, SheetLayer]]:
    if asked.layers is None:
        return [(layer, SheetLayer(id=layer.name)) for layer in usual(house, asker)]
    named = [SheetLayer(id=one) if isinstance(one, str) else one for one in asked.layers]
    found = [(house.open_layer(asker, one.id)[0], one) for one in named]
    if len({layer.name for layer, _ in found}) < len(found):
        raise BadParameter("layers names each collection once.", parameter="layers")
    for layer, _ in found:
        if isinstance(layer, TableLayer):
            raise BadParameter(f"layers names what can be drawn; {layer.name} is a table.", parameter="layers")
    return found


async def _question(house: House, asker: Principal, layer: Layer, asked: SheetLayer, spot: Placed) -> Question:
    written = Written(asked.datetime, asked.as_of, filter=WrittenFilter(asked.filter))
    if written.first is None or isinstance(layer, TableLayer):
        return PRESENT
    if isinstance(layer, RasterLayer):
        return _of_raster(layer, asked)
    return (await understood(house, asker, layer, max(spot.plane.level, layer.exact_from), written)).question


def _of_raster(layer: RasterLayer, asked: SheetLayer) -> Question:
    if asked.filter is not None:
        raise BadParameter(f"{layer.name} is a raster, which has no features to filter.", parameter="layers")
    if asked.datetime is not None and layer.time is None:
        raise BadParameter(f"The rasters of {layer.name} do not say when they were taken.", parameter="layers")
    interval = None if asked.datetime is None else parse_datetime(asked.datetime)
    return Question(interval, moment_asked(asked.as_of))


def _scale(level: int, spot: Placed) -> int:
    """About the scale that a zoom level has on paper at the latitude of a map, to two digits."""
    metres = WORLD * math.cos(math.radians(spot.plane.centre[1])) / CELL / 2**level
    exact = metres / POINT * _METRE_MM
    step = 10 ** max(len(str(int(exact))) - 2, 0)
    return int(exact // step * step)
