"""Making a report: from an answer to the map, the page, the files and the seal."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import replace

import shapely

from geoservice import __version__
from geoservice.alerts.keys import Identity, identity
from geoservice.house import House
from geoservice.maps.plate import Drawing, Ground, Mark, draw_plate
from geoservice.reports.answer import Answered, Part
from geoservice.reports.asked import ReportAsked
from geoservice.reports.carrier import with_seal_html, with_seal_pdf
from geoservice.reports.made import NAMES, Made
from geoservice.reports.manifest import FileDigest, Json, Manifest, digest, inputs_of
from geoservice.reports.press import Order
from geoservice.reports.seal import MOST_SIGNATURE, Sealed, fingerprint, seal
from layers.access import Principal
from layers.catalog import Catalog
from layers.errors import MapUnavailable
from layers.model import Text
from web.report import Plate, ReportView, Swatch, report_page
from web.report_tables import UNHURT, shade

PRODUCT = f"geoservice {__version__}"
_PRESSED = frozenset({"pdf", "gpkg", "xlsx"})
_ISOLATED = "#5b2a86"
_RED_LINE, _CLEAR = "#c9002b", 0.15
_MOST_LEGEND = 20
_ZERO = FileDigest(sha256="0" * 64, length=9_999_999_999)
_KINDS = {
    "impact": Text(zh="灾害影响评估", en="Impact assessment"),
    "compliance": Text(zh="用地合规审查", en="Compliance of a red line"),
}
_CUT_OFF = Text(zh="孤立居民点", en="Settlement cut off")


async def make_report(
    house: House, asker: Principal, asked: ReportAsked, found: Answered, wanted: frozenset[str]
) -> Made:
    """Make the files of a report and sign it.

    Args:
        house: The service.
        asker: For whom.
        asked: What was asked for.
        found: The answer.
        wanted: Formats, of `html`, `pdf`, `gpkg`, `xlsx`.

    Raises:
        ReportUnavailable: When a file cannot be made in the time and room that it has.
    """
    keys = await asyncio.to_thread(identity, house.settings.home, house.settings.alert_sender or "geoservice")
    bare = _manifest(asker, asked, found)
    page = b""
    if wanted & {"html", "pdf"}:
        page = await _page(house, asker, bare, found, keys)
    files = {"html": page} if "html" in wanted else {}
    zone = [_zone_row(part) for part in found.zone]
    gap = _gap(bare, found.answer, keys, wanted)
    order = Order(bare, found.answer, zone, page, gap, wanted & _PRESSED)
    files |= await house.press.make(order)
    return await asyncio.to_thread(_signed, bare, found.answer, files, keys)


def _signed(bare: Manifest, answer: Json, files: Mapping[str, bytes], keys: Identity) -> Made:
    digests = {NAMES[name]: FileDigest.of(body) for name, body in files.items()}
    sealed = seal(bare.model_copy(update={"files": digests}), answer, keys)
    ways = {"html": with_seal_html, "pdf": with_seal_pdf}
    return Made(sealed, {name: ways[name](body, sealed) if name in ways else body for name, body in files.items()})


def _gap(bare: Manifest, answer: Json, keys: Identity, wanted: frozenset[str]) -> int:
    """Room for the seal in a file: as if all digests and lengths were as long as they can be."""
    full = bare.model_copy(update={"files": dict.fromkeys((NAMES[name] for name in wanted), _ZERO)})
    return len(Sealed(full, bytes(MOST_SIGNATURE), keys.certificate, answer).as_json())


def _manifest(asker: Principal, asked: ReportAsked, found: Answered) -> Manifest:
    name = found.name or _KINDS[asked.kind]
    return Manifest(
        id=secrets.token_hex(16),
        kind=asked.kind,
        title=asked.title or name.of(asked.language),
        note=asked.note,
        language=asked.language,
        created=dt.datetime.now(dt.UTC).replace(microsecond=0),
        moment=found.moment,
        clearance=asker.clearance.label,
        product=PRODUCT,
        question={asked.kind: asked.question},
        inputs=inputs_of(found.answer),
        answer=digest(found.answer),
    )


def _zone_row(part: Part) -> Json:
    told = {"estimate": part.estimate, "rank": part.rank, "code": part.code}
    names = {"label_zh": part.label.zh, "label_en": part.label.en}
    return {**told, **names, "wkb": shapely.to_wkb(part.shape)}


async def _page(house: House, asker: Principal, bare: Manifest, found: Answered, keys: Identity) -> bytes:
    plate, missing = None, ""
    try:
        plate = _plate(await _drawn(house, asker, bare, found), found, bare)
    except MapUnavailable as error:
        # At three in the morning a report without a map is better than none; it says so.
        missing = error.detail
    view = _view(house.catalog, bare, found, fingerprint(keys.certificate))
    page = await asyncio.to_thread(report_page, replace(view, plate=plate, plate_missing=missing))
    return page.encode()


async def _drawn(house: House, asker: Principal, bare: Manifest, found: Answered) -> Drawing:
    return await draw_plate(house, asker, _grounds(found, bare), _marks(found, bare.language), bare.language)


def _grounds(found: Answered, bare: Manifest) -> list[Ground]:
    if bare.kind == "compliance":
        return [Ground(part.shape, _RED_LINE, part.label.of(bare.language), _CLEAR) for part in found.best]
    looked = [Ground(part.shape, UNHURT, part.label.of(bare.language), _CLEAR) for part in found.looked]
    return looked + [Ground(part.shape, shade(part.rank), part.label.of(bare.language)) for part in found.best]


def _marks(found: Answered, language: str) -> list[Mark]:
    settlements = (found.answer.get("ways") or {}).get("settlements", ())
    return [
        Mark(one["lon"], one["lat"], _ISOLATED, "isolated", one["label"][language])
        for one in settlements
        if one["situation"] == "isolated"
    ]


def _plate(drawing: Drawing, found: Answered, bare: Manifest) -> Plate:
    language = bare.language
    own = [Swatch(one.colour, "area", one.label) for one in _grounds(found, bare)]
    if _marks(found, language):
        own.append(Swatch(_ISOLATED, "circle", _CUT_OFF.of(language)))
    shapes = {"line": "line", "circle": "circle"}
    rest = [Swatch(one.colour, shapes.get(one.shape, "area"), one.label.of(language)) for one in drawing.legend]
    return Plate(
        image=drawing.image,
        scale=drawing.scale,
        credits=drawing.credits,
        reviews=drawing.reviews,
        legend=tuple(dict.fromkeys((*own, *rest[: max(_MOST_LEGEND - len(own), 0)]))),
        alternative=bare.title,
    )


def _view(catalog: Catalog, bare: Manifest, found: Answered, certificate: str) -> ReportView:
    inputs = []
    for one in bare.inputs:
        layer = catalog.layers.get(one.layer)
        title = layer.title.model_dump() if layer is not None else None
        inputs.append({"layer": one.layer, "title": title, **one.edition.model_dump(mode="json")})
    return ReportView(
        kind=bare.kind,
        language=bare.language,
        answer=found.answer,
        id=bare.id,
        title=bare.title,
        note=bare.note,
        created=bare.created.isoformat(),
        moment=bare.moment.isoformat(),
        clearance=bare.clearance,
        product=bare.product,
        inputs=inputs,
        digest=bare.answer,
        fingerprint=certificate,
        titles=_titles(catalog, found.answer),
    )


def _titles(catalog: Catalog, answer: Json) -> dict[str, dict[str, Json]]:
    """Titles of the attributes that listed features show."""
    found = {}
    for section in answer["sections"]:
        layer = catalog.layers.get(section["layer"])
        if layer is not None and section.get("features"):
            named = layer.attributes.items()
            found[layer.name] = {name: one.title.model_dump() for name, one in named if one.title is not None}
    return found
