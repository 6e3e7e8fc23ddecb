"""Maps as pictures: sections of the layers a reader may see, their styles, and the renderer that puts them together.

Rows come by the statements and on the connection of that reader; the renderer gets them as files and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.features.assets import Which
from geoservice.features.filtering import calculable
from geoservice.house import House
from geoservice.maps.imagery import imagery
from geoservice.maps.renderer import Job
from layers.access import Decision, Principal
from layers.errors import MapUnavailable
from layers.ladder import cluster_at, mosaic_at, rung_at
from layers.maplibre import Json, draw_order, map_layers
from layers.model import Layer, RasterLayer, VectorLayer
from layers.stylesheet import as_seen, at_zoom, images
from tiles.asked import PRESENT, Question
from tiles.plane import CELL, LEVEL, Cell, Plane, grown, mercator_of, window
from tiles.section import LEAST, SIDES, WINDOW, Step, section_statement
from tiles.sprite import sheet

FILES = "job://files"
_SEEN = 3.0
"""Points on a side of what is too small to be seen as it is."""
GLYPHS = "job://glyphs/{fontstack}/{range}"


@dataclass(frozen=True)
class Shown:
    """A layer on a map.

    Attributes:
        layer: The layer.
        decision: What the reader may see of it.
        question: What is asked of its rows beside the place.
        opacity: Share by which it is drawn thinner than its style says.
        coarse: Whether its rows, few, are drawn at a scale that is smaller than the one from which rows answer: each of
            them is seen, whatever its size, also where the layer does not appear by itself.
    """

    layer: VectorLayer | RasterLayer
    decision: Decision
    question: Question = PRESENT
    opacity: float = 1.0
    coarse: bool = False


@dataclass(frozen=True)
class Overlay:
    """What is drawn on top of a map, or below its names: MapLibre sources and layers of its own making."""

    sources: Json = field(default_factory=dict)
    layers: tuple[Json, ...] = ()
    below: tuple[Json, ...] = ()


@dataclass(frozen=True)
class MapRequest:
    """A map to be drawn.

    Attributes:
        plane: The image and the ground that it shows.
        shown: Layers from bottom to top.
        background: Colour below everything; None for transparent.
        language: `zh` or `en`, for labels.
        ratio: Pixels per point.
        mixed: Whether all fills lie below all lines, and these below all labels, as in the portal; else the layers lie
            one upon the other as they were given.
        ordered: With `mixed`, whether areas lie upon areas and lines upon lines as they were given, too.
        overlay: What is drawn on top.
    """

    plane: Plane
    shown: Sequence[Shown]
    background: str | None = None
    language: str = "zh"
    ratio: float = 1.0
    mixed: bool = False
    ordered: bool = False
    overlay: Overlay = Overlay()


async def draw_map(house: House, asker: Principal, request: MapRequest) -> bytes:
    """Draw a map as a PNG with an alpha channel.

    Raises:
        MapUnavailable: When it takes too long or the renderer cannot draw it.
        AssetUnavailable: When a raster file is missing or damaged.
    """
    return await rendered(house, request, await sections(house, asker, request))


async def sections(house: House, asker: Principal, request: MapRequest) -> dict[str, bytes]:
    """What the layers of a map have in its cells: tiles and images by `<layer>/<column>/<row>`.

    Raises:
        MapUnavailable: When it takes too long.
        AssetUnavailable: When a raster file is missing or damaged.
    """
    seconds = house.settings.map_timeout
    try:
        async with asyncio.timeout(seconds):
            files: dict[str, bytes] = {}
            for shown in request.shown:
                files |= await _section(house, asker, request, shown)
    except TimeoutError:
        raise MapUnavailable(f"The map took longer than the {seconds:g} s that a map may take; ask for less.") from None
    return files


async def rendered(house: House, request: MapRequest, files: dict[str, bytes]) -> bytes:
    """A map as a PNG with an alpha channel, of what its cells hold; images of its style are put among the files.

    Raises:
        MapUnavailable: When it takes too long or the renderer cannot draw it.
    """
    style = await asyncio.to_thread(_style, request, files, house.catalog.codelists)
    plane = request.plane
    job = Job(style, files, (*plane.camera, LEVEL), (plane.width, plane.height), request.ratio)
    return await house.renderer.draw(job)


async def _section(house: House, asker: Principal, request: MapRequest, shown: Shown) -> dict[str, bytes]:
    if not shown.coarse and request.plane.zoom < max(shown.layer.portal.from_zoom, shown.layer.tiles.from_):
        return {}
    if isinstance(shown.layer, RasterLayer):
        which = Which(taken=shown.question.interval, instant=shown.question.as_of)
        return await imagery(house, asker, request.plane, (shown.layer, shown.decision), request.ratio, which)
    step = await _step(house, asker, request.plane, shown)
    async with house.pools.raw(asker.clearance) as connection:
        try:
            with calculable(shown.question.filter):
                return await _cells(house, connection, request.plane, shown, step)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            if step is None:
                raise
            # The ladder was dropped or made for another definition a moment ago; the rows are there in any case.
            return await _cells(house, connection, request.plane, shown, None)


async def _step(house: House, asker: Principal, plane: Plane, shown: Shown) -> Step:
    layer = shown.layer
    if isinstance(layer, RasterLayer) or not shown.question.plain:
        return None
    step: Step = mosaic_at(layer, plane.level) or cluster_at(layer, plane.level) or rung_at(layer, plane.level)
    return step if step is not None and layer.name in await house.ladders(asker) else None


async def _cells(house: House, connection: RawConnection, plane: Plane, shown: Shown, step: Step) -> dict[str, bytes]:
    compiled = _compiled(house, plane, shown, step)
    found: dict[str, bytes] = {}
    for cell in plane.cells():
        values = _values(plane, shown, cell, step)
        if values is None:
            continue
        tile = bytes(await connection.fetchval(compiled.sql, *compiled.arguments(values)) or b"")
        if tile:
            column, row = plane.address(cell)
            found[f"{shown.layer.name}/{column}/{row}"] = tile
    return found


def _values(plane: Plane, shown: Shown, cell: Cell, step: Step) -> Mapping[str, Any] | None:
    """What the statement of a cell binds; None where the CRS does not reach."""
    seen = window(plane.crs, grown(cell.box))
    if seen is None or isinstance(shown.layer, RasterLayer):
        return None
    sides = seen if step is None else mercator_of(seen)
    if sides[0] >= sides[2] or sides[1] >= sides[3]:
        return None
    box = dict(zip(SIDES, cell.box, strict=True))
    least = {LEAST: (sides[2] - sides[0]) / CELL * _SEEN} if shown.coarse else {}
    window_box = dict(zip(WINDOW, sides, strict=True))
    return {**box, **window_box, **least, "z": plane.level, **shown.question.values(shown.layer)}


def _compiled(house: House, plane: Plane, shown: Shown, step: Step) -> Compiled:
    layer, decision, question = shown.layer, shown.decision, shown.question
    if isinstance(layer, RasterLayer):
        raise TypeError("rasters are not read by statements")
    clearance = decision.rule.max_clearance
    shape = ("section", layer.name, clearance, decision.attributes, plane.crs.name, step, question.shape, shown.coarse)
    compiled = house.reading.statements.get(shape)
    if compiled is None:
        statement = section_statement(layer, decision, plane.crs, step, question, shown.coarse)
        compiled = house.reading.statements[shape] = compile_statement(statement, house.reading.schema(clearance))
    return compiled


def _style(request: MapRequest, files: dict[str, bytes], lists: Mapping[str, Any]) -> Json:
    """The style of the map at its zoom level; images that it asks for are put among the files."""
    parts: list[tuple[Layer, Json]] = []
    sources: Json = {}
    for shown in request.shown:
        seen = as_seen(shown.layer, shown.decision.attributes)
        sources[shown.layer.name] = _source(shown.layer)
        thin = [_thinned(part, shown.opacity) for part in map_layers(seen, lists, request.language)]
        parts += [(seen, _from_far(part, shown)) for part in thin]
    drawn = draw_order(parts, as_given=request.ordered) if request.mixed else [part for _, part in parts]
    own, overlay = at_zoom(drawn, request.plane.zoom), request.overlay
    names = next((number for number, part in enumerate(own) if part["type"] == "symbol"), len(own))
    layers = [*own[:names], *overlay.below, *own[names:], *overlay.layers]
    style: Json = {"version": 8, "glyphs": GLYPHS, "sources": sources | request.overlay.sources}
    if pictures := images(layers):
        style["sprite"] = f"{FILES}/sprite"
        made = sheet(pictures, 2 if request.ratio > 1 else 1)
        ending = "@2x" if request.ratio > 1 else ""
        files[f"sprite{ending}.json"] = made.index_text
        files[f"sprite{ending}.png"] = made.picture
    return style | {"layers": [*_background(request.background), *layers]}


_OPACITIES = {
    "fill": ("fill-opacity",),
    "line": ("line-opacity",),
    "circle": ("circle-opacity", "circle-stroke-opacity"),
    "raster": ("raster-opacity",),
    "symbol": ("icon-opacity", "text-opacity"),
}


def _thinned(part: Json, share: float) -> Json:
    """A MapLibre layer that is drawn thinner; opacities of styles are plain numbers."""
    if share == 1.0:
        return part
    paint = part.get("paint", {})
    return part | {"paint": paint | {name: paint.get(name, 1) * share for name in _OPACITIES[part["type"]]}}


def _from_far(part: Json, shown: Shown) -> Json:
    """A MapLibre layer that also appears where the layer would not by itself; labels and outlines keep their zoom."""
    if shown.coarse and part.get("minzoom") == shown.layer.portal.from_zoom:
        return part | {"minzoom": 0}
    return part


def _background(colour: str | None) -> list[Json]:
    return [] if colour is None else [{"id": "ground", "type": "background", "paint": {"background-color": colour}}]


def _source(layer: Layer) -> Json:
    own: Json = {"tiles": [f"{FILES}/{layer.name}/{{x}}/{{y}}"], "minzoom": LEVEL, "maxzoom": LEVEL}
    if isinstance(layer, RasterLayer):
        return own | {"type": "raster", "tileSize": 512}
    return own | {"type": "vector"}
