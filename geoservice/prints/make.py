"""Making a printed map: a plan of it, a picture, or a PDF file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rio_tiler.utils import render as encode_image

from geoservice.fiction import sample_box
from geoservice.house import House
from geoservice.maps.encode import decoded
from geoservice.maps.picture import MapRequest, Overlay, rendered, sections
from geoservice.maps.renderer import MOST_PIXELS
from geoservice.prints.asked import DPI, USUAL_DPI, SheetBody
from geoservice.prints.coloured import beside, colouring, colours, credited, group_of
from geoservice.prints.drawn import drawn_of, overlay
from geoservice.prints.facts import told_facts
from geoservice.prints.grid import grid_kind, grid_marks
from geoservice.prints.ink import inked
from geoservice.prints.layers import FEW, Chosen, chosen
from geoservice.prints.order import FORM, SheetOrder
from geoservice.prints.place import Placed, placed
from geoservice.prints.seen import groups_in_view
from geoservice.reports.errors import ReportUnavailable
from layers.access import Principal
from layers.errors import MapUnavailable, TooLarge
from layers.maplibre import Json
from layers.stylesheet import GROUND
from tiles.plane import window
from web.sheet.compose import compose
from web.sheet.layout import Layout, layout
from web.sheet.marks import Mark
from web.sheet.page import sheet_page
from web.sheet.view import Group, SheetView

PDF, PNG = "pdf", "png"
_INCH = 96.0
_DIGITS = 8


@dataclass(frozen=True)
class Sheet:
    """A printed map that was thought through: what was asked for, the paper, the place on the ground, its layers.

    Attributes:
        asked: What was asked for.
        place: What stands where on the paper.
        spot: Where it lies.
        chosen: Its layers.
        languages: Of its words.
        credited: What a map of statistics is made from.
    """

    asked: SheetBody
    place: Layout
    spot: Placed
    chosen: Sequence[Chosen]
    languages: tuple[str, ...]
    credited: Sequence[Chosen] = ()

    @property
    def drawn(self) -> list[Chosen]:
        """The layers that are not left out."""
        return [one for one in self.chosen if one.scale is None]

    def dpi(self, form: str) -> int:
        """Pixels per inch of a form: those asked for, or the usual ones as far as a map may have as many.

        Raises:
            TooLarge: When the paper is too large for those that were asked for.
        """
        size = self.place.page_points if form == PNG else self.place.points[2:]
        fitting = [n for n in DPI if size[0] * size[1] * (n / _INCH) ** 2 <= MOST_PIXELS]
        if self.asked.dpi is None:
            return max(n for n in fitting if n <= USUAL_DPI)
        if self.asked.dpi not in fitting:
            raise TooLarge(
                f"{self.asked.paper} at {self.asked.dpi} dpi has more than the {MOST_PIXELS} pixels that a map may "
                f"have; at most {max(fitting)} dpi are possible.",
                maximum=max(fitting),
            )
        return self.asked.dpi


async def planned(house: House, asker: Principal, asked: SheetBody, language: str) -> Sheet:
    """Think a printed map through.

    Args:
        house: The service.
        asker: Who will hold it.
        asked: What was asked for.
        language: Where the request names none.

    Raises:
        BadParameter, BadBody, BadFilter: When something about it is wrong.
        UnknownLayer: When the asker sees no layer of a name.
    """
    place = layout(asked.paper, asked.orientation)
    spot = await asyncio.to_thread(placed, asked, place)
    languages = ("zh", "en") if asked.lang == "both" else (asked.lang or language,)
    await asyncio.to_thread(drawn_of, asked.overlays)
    told = await credited(house, asker, asked.coloured)
    return Sheet(asked, place, spot, await chosen(house, asker, asked, spot), languages, told)


def plan_document(sheet: Sheet) -> Json:
    """What a printed map will show, as JSON: its outline on the ground, scale, CRS, grid and sizes."""
    spot, place, asked = sheet.spot, sheet.place, sheet.asked
    lon, lat = spot.plane.centre
    return {
        "paper": {
            "name": asked.paper,
            "orientation": asked.orientation,
            "width_mm": place.width,
            "height_mm": place.height,
        },
        "frame_mm": [round(n, 3) for n in (place.frame.x, place.frame.y, place.frame.width, place.frame.height)],
        "outline": {"type": "Polygon", "coordinates": [spot.outline()]},
        "center": [round(lon, _DIGITS), round(lat, _DIGITS)],
        "scale": spot.scale,
        "crs": spot.plane.crs.name,
        "convergence": round(0.0 - spot.north, 6),
        "grid": grid_kind(spot, asked.grid),
        "dpi": {form: sheet.dpi(form) for form in (PDF, PNG)}
        if asked.dpi is None
        else {PDF: asked.dpi, PNG: asked.dpi},
        "layers": [one.shown.layer.name for one in sheet.drawn],
        "left_out": [
            {"layer": one.shown.layer.name, "more_than": FEW, "scale": one.scale}
            for one in sheet.chosen
            if one.scale is not None
        ],
    }


async def make_sheet(house: House, asker: Principal, sheet: Sheet, form: str) -> bytes:
    """Make a printed map as a PDF file or a PNG picture of the paper.

    Raises:
        TooLarge: When it has too many pixels.
        MapUnavailable: When it cannot be drawn in the time and room that it has.
    """
    ratio = sheet.dpi(form) / _INCH
    left, top, width, height = sheet.place.points
    frame = (left, top, left + width, top + height) if form == PNG else (0, 0, width, height)
    plane = sheet.spot.page(sheet.place) if form == PNG else sheet.spot.plane
    shown = [one.shown for one in sheet.drawn]
    named = sheet.asked.layers is not None
    request = MapRequest(plane, shown, GROUND, sheet.languages[-1], ratio, mixed=True, ordered=named)
    files = await sections(house, asker, request)
    found = await asyncio.to_thread(groups_in_view, shown, files, frame, house.catalog.codelists)
    coloured = await colouring(house, asker, sheet.asked.coloured)
    below = await asyncio.to_thread(colours, plane, frame, coloured)
    view = await _view(house, asker, sheet, found)
    if coloured is not None and view.legend is not None:
        view = replace(view, legend=(group_of(coloured, below), *view.legend))
    marks = await asyncio.to_thread(compose, view, sheet.place)
    drawn = await asyncio.to_thread(overlay, plane, frame, drawn_of(sheet.asked.overlays))
    over = inked(sheet.place, marks) if form == PNG else Overlay()
    drawn = Overlay(below.sources | drawn.sources | over.sources, (*drawn.layers, *over.layers), below.below)
    image = await rendered(house, replace(request, overlay=drawn), files)
    return image if form == PNG else await _pressed(house, sheet, view, marks, image)


async def _pressed(house: House, sheet: Sheet, view: SheetView, marks: list[Mark], image: bytes) -> bytes:
    page = await asyncio.to_thread(lambda: sheet_page(view, sheet.place, marks, _opaque(image)).encode())
    try:
        return (await house.press.make(SheetOrder(page, view.title)))[FORM]
    except ReportUnavailable as error:
        raise MapUnavailable("The PDF file of the map was not made in its time; ask for a smaller paper.") from error


def _opaque(image: bytes) -> bytes:
    """A picture without its transparency, of which a map has none; PDF files take such pictures as they are."""
    return bytes(encode_image(decoded(image)[:3], img_format="PNG", ZLEVEL=6))


async def _view(house: House, asker: Principal, sheet: Sheet, found: Mapping[str, Group]) -> SheetView:
    seen = [one for one in sheet.chosen if one.shown.layer.name in found]
    told, asked = beside(seen, sheet.credited), sheet.asked
    return SheetView(
        languages=sheet.languages,
        title=asked.title,
        subtitle=asked.subtitle,
        remark=asked.remark,
        scale=sheet.spot.scale,
        north=sheet.spot.north,
        legend=tuple(found.values()) if asked.legend else None,
        facts=told_facts(sheet.spot, (*sheet.chosen, *sheet.credited), told, asker, sheet.languages),
        grid=tuple(grid_marks(sheet.spot, sheet.place, grid_kind(sheet.spot, asked.grid))),
        fictional=any("sample" in one.state.mappings for one in told) and await _in_sample(house, asker, sheet.spot),
        exercise=asked.exercise,
    )


async def _in_sample(house: House, asker: Principal, spot: Placed) -> bool:
    """Whether the fictional sample region is in view."""
    box, seen = await sample_box(house, asker), window(spot.plane.crs, spot.plane.box)
    if box is None or seen is None:
        return False
    return box[0] < seen[2] and box[2] > seen[0] and box[1] < seen[3] and box[3] > seen[1]
