"""Legends as pictures, drawn by the renderer that draws the maps, from the classes that the portal shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geoservice.maps.paper import Paper, Place, text_width
from geoservice.maps.renderer import Job, Renderer
from layers.maplibre import Json, LegendClass
from tiles.plane import LEVEL, Plane, map_crs
from tiles.sprite import sheet

SIZE, PAD = 12.0, 8.0
SWATCH: Place = (22.0, 14.0)
MOST_CLASSES = 120
"""Classes beyond are not drawn; a line says how many there are."""
_WIDEST = 900.0
_MORE = {"zh": "… 另有 {n} 类", "en": "… and {n} more"}


@dataclass(frozen=True)
class LegendSheet:
    """A legend to be drawn: heading (may be empty), classes, language, width and height of a swatch in points."""

    heading: str
    classes: Sequence[LegendClass]
    language: str = "zh"
    swatch: Place = SWATCH


async def draw_legend(renderer: Renderer, legend: LegendSheet) -> bytes:
    """Draw a legend as a PNG on white, as large as it needs to be.

    Raises:
        MapUnavailable: When the renderer cannot draw it.
    """
    shown = legend.classes[:MOST_CLASSES]
    lines = [one.label.of(legend.language) for one in shown]
    if rest := len(legend.classes) - len(shown):
        lines.append(_MORE[legend.language].format(n=rest))
    step = max(legend.swatch[1], SIZE) + 6.0
    paper, top = Paper(), PAD
    if legend.heading:
        paper.text((PAD, top + step / 2), legend.heading, SIZE + 1)
        top += step + 2
    for number, words in enumerate(lines):
        at = (PAD, top + number * step + (step - legend.swatch[1]) / 2)
        if number < len(shown):
            draw_swatch(paper, shown[number], at, legend.swatch)
        paper.text((PAD * 2 + legend.swatch[0], top + (number + 0.5) * step), words, SIZE)
    wide = max((text_width(words, SIZE) for words in lines), default=0.0) + legend.swatch[0] + PAD
    wide = max(wide, text_width(legend.heading, SIZE + 1)) + 2 * PAD
    size = (round(min(wide, _WIDEST)), round(top + len(lines) * step + PAD))
    return await renderer.draw(job_of(paper, size, "#ffffff"))


def draw_swatch(paper: Paper, shown: LegendClass, at: Place, size: Place) -> None:
    """Draw the swatch of a class into a box."""
    (x, y), (width, height) = at, size
    middle = y + height / 2
    if shown.shape == "circle":
        ring: Json = {"circle-stroke-color": shown.outline or "#ffffff", "circle-stroke-width": 1}
        radius = min(width, height) / 2 - 2
        paper.circle((x + width / 2, middle), {"circle-color": shown.colour, "circle-radius": radius} | ring)
    elif shown.shape == "line":
        ends = [(x, middle), (x + width, middle)]
        wide = min(shown.width, height)
        if shown.outline:
            paper.line(ends, {"line-color": shown.outline, "line-width": wide + 1.6})
        dash: Json = {"line-dasharray": [2, 1.5]} if shown.dash else {}
        paper.line(ends, {"line-color": shown.colour, "line-width": wide} | dash)
    elif shown.shape == "ramp" and shown.colours:
        part = width / len(shown.colours)
        for number, colour in enumerate(shown.colours):
            paper.box((x + number * part, y), (part, height), {"fill-color": colour, "fill-antialias": False})
    else:
        _patch(paper, shown, at, size)


def _patch(paper: Paper, shown: LegendClass, at: Place, size: Place) -> None:
    (x, y), (width, height) = at, size
    paint: Json = {"fill-pattern": f"hatch:{shown.colour}"} if shown.hatch else {"fill-color": shown.colour}
    paper.box(at, size, paint)
    edge = shown.colour if shown.hatch else (shown.outline or "#8a8a8a")
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    paper.line(corners, {"line-color": edge, "line-width": 0.8})


def job_of(paper: Paper, size: tuple[int, int], background: str | None, ratio: float = 1.0) -> Job:
    """A drawing without a map."""
    plane = Plane(map_crs("EPSG:3857"), (0.0, 0.0, 1.0, 1.0), *size)
    ground: list[Json] = []
    if background is not None:
        ground = [{"id": "ground", "type": "background", "paint": {"background-color": background}}]
    patterns = [layer["paint"]["fill-pattern"] for layer in paper.layers if "fill-pattern" in layer["paint"]]
    style: Json = {
        "version": 8,
        "glyphs": "job://glyphs/{fontstack}/{range}",
        "sources": paper.sources(),
        "layers": [*ground, *paper.layers],
    }
    files: dict[str, bytes] = {}
    if patterns:
        made = sheet(patterns)
        style["sprite"] = "job://files/sprite"
        files = {"sprite.json": made.index_text, "sprite.png": made.picture}
    return Job(style, files, (*plane.camera, LEVEL), size, ratio)
