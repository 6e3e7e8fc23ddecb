"""Answers of the map service: maps, legends, and exceptions in the form that was asked for."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace

from lxml import etree

from geoservice.house import House
from geoservice.maps.encode import FORMATS, PNG, encoded_map
from geoservice.maps.legend import SWATCH, draw_legend, job_of, legend_of
from geoservice.maps.paper import Paper
from geoservice.maps.picture import MapRequest, draw_map
from geoservice.wms.pairs import Pairs, WmsError
from geoservice.wms.tree import check_style, wanted
from geoservice.wms.view import plane_of
from layers.access import Principal
from layers.errors import GeoError

XML = "text/xml"
OGC = "http://www.opengis.net/ogc"
EXCEPTIONS = ("XML", "INIMAGE", "BLANK")
_OLD_EXCEPTIONS = {
    "application/vnd.ogc.se_xml": "XML",
    "application/vnd.ogc.se_inimage": "INIMAGE",
    "application/vnd.ogc.se_blank": "BLANK",
}
_COLOUR = re.compile(r"0x([0-9a-f]{6})", re.ASCII)
_WORDS_PER_LINE = 56
_LARGEST_SWATCH = 256


@dataclass(frozen=True)
class Answer:
    """A body with its media type."""

    body: bytes
    media: str


async def get_map(house: House, asker: Principal, pairs: Pairs) -> Answer:
    """A map (06-042, 7.3).

    Raises:
        WmsError: When a parameter is no good.
        MapUnavailable: When the map cannot be drawn.
    """
    media = pairs.choice("FORMAT", FORMATS, "", "InvalidFormat")
    if not media:
        raise WmsError("The parameter FORMAT is missing.", "MissingParameterValue")
    shown = wanted(house, asker, pairs)
    plane = plane_of(pairs, house.settings.map_max_side)
    colour = _colour(pairs)
    clear = pairs.choice("TRANSPARENT", ("TRUE", "FALSE"), "FALSE") == "TRUE" and media != "image/jpeg"
    request = MapRequest(plane, shown, None if clear else colour, pairs.language)
    picture = await draw_map(house, asker, request)
    return Answer(await asyncio.to_thread(encoded_map, picture, media, colour), media)


def _colour(pairs: Pairs) -> str:
    text = pairs.get("BGCOLOR")
    if text is None:
        return "#ffffff"
    found = _COLOUR.fullmatch(text.lower())
    if found is None:
        raise WmsError(f"BGCOLOR is written 0xRRGGBB; {text[:20]!r} is not.", "InvalidParameterValue")
    return f"#{found.group(1)}"


async def get_legend(house: House, asker: Principal, pairs: Pairs) -> Answer:
    """The legend of one layer; WIDTH and HEIGHT are those of a swatch.

    Raises:
        WmsError: When a parameter is no good.
        MapUnavailable: When the legend cannot be drawn.
    """
    media = pairs.choice("FORMAT", FORMATS, PNG, "InvalidFormat")
    shown = wanted(house, asker, pairs, "LAYER")
    if len(shown) != 1:
        raise WmsError("LAYER names one layer.", "InvalidParameterValue")
    check_style(pairs.get("STYLE") or "")
    width = pairs.number("WIDTH", 1, _LARGEST_SWATCH, round(SWATCH[0]))
    height = pairs.number("HEIGHT", 1, _LARGEST_SWATCH, round(SWATCH[1]))
    sheet = legend_of(shown[0].layer, shown[0].decision.attributes, house.catalog.codelists, pairs.language)
    sheet = replace(sheet, swatch=(float(width), float(height)))
    picture = await draw_legend(house.renderer, sheet)
    return Answer(await asyncio.to_thread(encoded_map, picture, media), media)


def exception_form(pairs: Pairs) -> str:
    """The form of exceptions that a request asks for; XML when it is not understood."""
    try:
        written = (pairs.get("EXCEPTIONS") or "XML").strip()
    except WmsError:
        return "XML"
    word = _OLD_EXCEPTIONS.get(written.lower(), written.upper())
    return word if word in EXCEPTIONS else "XML"


async def exception_image(house: House, pairs: Pairs, error: GeoError) -> Answer | None:
    """An exception as an image of the size that was asked for; None when size or format are no good themselves."""
    try:
        media = pairs.choice("FORMAT", FORMATS, PNG)
        most = house.settings.map_max_side
        size = pairs.number("WIDTH", 1, most), pairs.number("HEIGHT", 1, most)
        clear = pairs.choice("TRANSPARENT", ("TRUE", "FALSE"), "FALSE") == "TRUE"
        colour = _colour(pairs)
    except WmsError:
        return None
    paper = Paper()
    if exception_form(pairs) == "INIMAGE":
        paper.text((10.0, 10.0), _broken(error.detail), 13.0, "top-left")
    picture = await house.renderer.draw(job_of(paper, size, None if clear else colour))
    return Answer(await asyncio.to_thread(encoded_map, picture, media, colour), media)


def _broken(words: str) -> str:
    """A sentence in lines."""
    lines, line = list[str](), ""
    for word in words.split(" "):
        if line and len(line) + len(word) >= _WORDS_PER_LINE:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def exception_report(error: GeoError, version: str) -> bytes:
    """An exception as XML (06-042, annex E.2)."""
    root = etree.Element(f"{{{OGC}}}ServiceExceptionReport", nsmap={None: OGC}, version=version)
    entry = etree.SubElement(root, f"{{{OGC}}}ServiceException")
    code = getattr(error, "code", None)
    if code:
        entry.set("code", code)
    entry.text = "".join(c if c.isprintable() else "?" for c in error.detail)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
