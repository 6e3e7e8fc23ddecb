"""Legends as pictures, drawn by the renderer that draws the maps, from the classes that the portal shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from geoservice.maps.paper import Paper, Place, text_width
from geoservice.maps.renderer import Job, Renderer
from layers.maplibre import Json, LegendClass, Lists, legend
from layers.model import Layer
from layers.stylesheet import as_seen
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

    @property
    def shown(self) -> Sequence[LegendClass]:
        """The classes that are drawn."""
        return self.classes[:MOST_CLASSES]

    @property
    def lines(self) -> list[str]:
        """What is written, line by line."""
        lines = [one.label.of(self.language) for one in self.shown]
        if rest := len(self.classes) - len(self.shown):
            lines.append(_MORE[self.language].format(n=rest))
        return lines

    @property
    def swatch_room(self) -> Place:
        """Width and height that a swatch takes with what is left free around it."""
        return self.swatch[0] + PAD, max(self.swatch[1], SIZE) + 6.0

    @property
    def top(self) -> float:
        """Where the classes begin, in points from the upper edge."""
        return PAD + (self.swatch_room[1] + 2 if self.heading else 0.0)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        lines = self.lines
        wide = max((text_width(words, SIZE) for words in lines), default=0.0) + self.swatch_room[0]
        wide = max(wide, text_width(self.heading, SIZE + 1)) + 2 * PAD
        return round(min(wide, _WIDEST)), round(self.top + len(lines) * self.swatch_room[1] + PAD)


def legend_of(layer: Layer, attributes: Collection[str], lists: Lists, language: str) -> LegendSheet:
    """The legend of a layer as a reader sees it; a single class has no heading that says the same.

    Args:
        layer: The layer.
        attributes: Attributes that the reader may see.
        lists: Code lists by id.
        language: `zh` or `en`.
    """
    classes = legend(as_seen(layer, attributes), lists)
    single = len(classes) == 1 and classes[0].label == layer.title
    return LegendSheet("" if single else layer.title.of(language), classes, language)


async def draw_legend(renderer: Renderer, wanted: LegendSheet) -> bytes:
    """Draw a legend as a PNG on white, as large as it needs to be.

    Raises:
        MapUnavailable: When the renderer cannot draw it.
    """
    paper, (_, step), top = Paper(), wanted.swatch_room, wanted.top
    if wanted.heading:
        paper.text((PAD, PAD + step / 2), wanted.heading, SIZE + 1)
    for number, words in enumerate(wanted.lines):
        if number < len(wanted.shown):
            at = (PAD, top + number * step + (step - wanted.swatch[1]) / 2)
            draw_swatch(paper, wanted.shown[number], at, wanted.swatch)
        paper.text((PAD * 2 + wanted.swatch[0], top + (number + 0.5) * step), words, SIZE)
    return await renderer.draw(job_of(paper, wanted.size, "#ffffff"))


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
