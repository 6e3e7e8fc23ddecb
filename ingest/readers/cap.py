"""Common Alerting Protocol 1.1 and 1.2 (OASIS), alone or inside an Atom feed or an EDXL-DE envelope.

One row per area of each info block; an info block without areas and an alert without info blocks give one row
with the number 0 and no geometry. Coordinates are written "latitude,longitude" in WGS 84 (CAP 1.2, 3.2.4) and are
turned here. Severity and colour follow the Chinese practice of four colours beside CAP's words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyproj
import shapely
from lxml import etree

from ingest.readers.cap_area import AreaFault, area_geometry
from ingest.readers.columns import columns
from ingest.readers.source import Chunk, Request, Source
from layers.cap import DEFAULT_LANGUAGE, severity_of, warning_colour
from layers.errors import SourceUnreadable

_NAMESPACES = ("urn:oasis:names:tc:emergency:cap:1.2", "urn:oasis:names:tc:emergency:cap:1.1")
_MAX_BYTES = 64 << 20
_ALERT = {
    "identifier": "identifier",
    "sender": "sender",
    "sent": "sent",
    "status": "status",
    "msgType": "msg_type",
    "scope": "scope",
    "source": "source",
    "note": "note",
    "references": "references",
    "incidents": "incidents",
}
_INFO = {
    "language": "language",
    "category": "category",
    "event": "event",
    "responseType": "response_type",
    "urgency": "urgency",
    "severity": "severity",
    "certainty": "certainty",
    "effective": "effective",
    "onset": "onset",
    "expires": "expires",
    "senderName": "sender_name",
    "headline": "headline",
    "description": "description",
    "instruction": "instruction",
    "web": "web",
    "contact": "contact",
}
_REQUIRED_ALERT = ("identifier", "sender", "sent", "status", "msgType", "scope")
_REQUIRED_INFO = ("category", "event", "urgency", "severity", "certainty")
_FIELDS = (
    *_ALERT.values(),
    "info_number",
    *_INFO.values(),
    "parameters",
    "area_number",
    "area_desc",
    "geocodes",
    "colour",
    "shown_as",
    "caption",
    "access",
    "cap_version",
)
_ACCESS = {"Public": "public", "Restricted": "internal", "Private": "restricted"}
_MARKS = {
    "Exercise": "【演练 Exercise】",
    "Test": "【测试 Test】",
    "System": "【系统 System】",
    "Draft": "【草稿 Draft】",
}

Element = Any


def open_cap(request: Request) -> Source:
    """Open a document with one or more alerts.

    Raises:
        SourceUnreadable: When it is too big, not well-formed, declares a document type, or holds no CAP alert.
    """
    alerts = _alerts(request)
    return Source(
        driver="CAP",
        fields=_FIELDS,
        chunks=lambda: _chunks(request, alerts),
        crs=pyproj.CRS.from_epsg(4326),
        facts={"alerts": len(alerts)},
    )


def _alerts(request: Request) -> list[Element]:
    size = request.file.stat().st_size
    if size > _MAX_BYTES:
        raise SourceUnreadable(f"{request.name} has {size} bytes; an alert may have {_MAX_BYTES}.", source=request.name)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        tree = etree.parse(str(request.file), parser)
    except etree.XMLSyntaxError as error:
        raise SourceUnreadable(f"{request.name} is not well-formed XML: {error.msg}.", source=request.name) from error
    if tree.docinfo.doctype:
        raise SourceUnreadable(f"{request.name} declares a document type; such XML is not read.", source=request.name)
    found = [a for n in _NAMESPACES for a in tree.iter(f"{{{n}}}alert")]
    if not found:
        raise SourceUnreadable(f"{request.name} holds no CAP 1.1 or 1.2 alert.", source=request.name)
    return found


def _chunks(request: Request, alerts: list[Element]) -> Iterator[Chunk]:
    rows: list[dict[str, Any]] = []
    areas: list[Element | None] = []
    start = 0
    for alert in alerts:
        for row, area in alert_rows(alert):
            rows.append(row)
            areas.append(area)
        if len(rows) >= request.plan.limits.batch_rows:
            yield _chunk(request, rows, areas, start)
            start += len(rows)
            rows, areas = [], []
    if rows:
        yield _chunk(request, rows, areas, start)


def _chunk(request: Request, rows: list[dict[str, Any]], areas: list[Element | None], start: int) -> Chunk:
    position = np.arange(start, start + len(rows), dtype=np.int64)
    chunk = Chunk(position, columns(_FIELDS, rows), np.full(len(rows), None, dtype=object))
    shapes: list[shapely.Geometry | None] = []
    for i, (row, area) in enumerate(zip(rows, areas, strict=True)):
        missing = row.pop("missing")
        if missing:
            chunk.broken[i] = f"CAP requires {', '.join(missing)}, which the alert does not have."
        try:
            shapes.append(None if area is None else _shape(area, request, start + i))
        except AreaFault as fault:
            chunk.broken[i] = " ".join(filter(None, (chunk.broken.get(i), fault.sentence)))
            chunk.unread[i] = fault.text
            shapes.append(None)
    chunk.geometry = np.array(shapes, dtype=object)
    return chunk


def _shape(area: Element, request: Request, position: int) -> shapely.Geometry | None:
    polygons, circles = _texts(area, "polygon"), _texts(area, "circle")
    geometry, remarks = area_geometry(polygons, circles)
    for remark in remarks:
        request.notes.add("cap-area", "warning", remark, [position])
    return geometry


def alert_rows(alert: Element) -> Iterator[tuple[dict[str, Any], Element | None]]:
    """Rows of the layer of alerts that an alert gives, each with its `area` element.

    A row says under `missing` which required elements are not there. What is not meant in earnest is shown as what it
    is, never by its severity, and bears a mark in its caption; the scope decides who may see it.
    """
    base: dict[str, Any] = {name: _text(alert, tag) for tag, name in _ALERT.items()}
    base["cap_version"] = str(etree.QName(alert).namespace).rpartition(":")[2]
    base["access"] = _ACCESS.get(base["scope"] or "", "restricted")
    missing = [tag for tag in _REQUIRED_ALERT if not base[_ALERT[tag]]]
    infos = _children(alert, "info")
    if not infos:
        yield {**base, **_shown(base), "info_number": 0, "area_number": 0, "missing": missing}, None
    for number, info in enumerate(infos, start=1):
        yield from _info_rows(base, missing, number, info)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """How a row is drawn and what it is called on a map."""
    status = row["status"] or "Draft"
    said = row.get("headline") or row.get("event") or row["identifier"]
    if status == "Actual":
        return {"shown_as": row.get("severity") or "Unknown", "caption": said}
    return {"shown_as": status, "caption": f"{_MARKS.get(status, _MARKS['Draft'])}{said}"}


def _info_rows(
    base: dict[str, Any], missing: list[str], number: int, info: Element
) -> Iterator[tuple[dict[str, Any], Element | None]]:
    row = {**base, "info_number": number, **_info(info)}
    row |= _shown(row)
    lacking = [*missing, *(tag for tag in _REQUIRED_INFO if not row[_INFO[tag]])]
    areas = _children(info, "area")
    if not areas:
        yield {**row, "area_number": 0, "missing": lacking}, None
    for count, area in enumerate(areas, start=1):
        desc = _text(area, "areaDesc")
        found = {"area_number": count, "area_desc": desc, "geocodes": _pairs(area, "geocode")}
        yield {**row, **found, "missing": lacking if desc else [*lacking, "areaDesc"]}, area


def _info(info: Element) -> dict[str, Any]:
    row: dict[str, Any] = {name: ", ".join(_texts(info, tag)) or None for tag, name in _INFO.items()}
    row["language"] = row["language"] or DEFAULT_LANGUAGE
    row["parameters"] = _pairs(info, "parameter")
    parameters = [(_text(e, "valueName") or "", _text(e, "value") or "") for e in _children(info, "parameter")]
    row["colour"] = warning_colour(row["severity"], parameters)
    row["severity"] = severity_of(row["severity"])
    return row


def _children(parent: Element, tag: str) -> list[Element]:
    return list(parent.findall(f"{{{etree.QName(parent).namespace}}}{tag}"))


def _texts(parent: Element, tag: str) -> list[str]:
    return [text for e in _children(parent, tag) if (text := "".join(e.itertext()).strip())]


def _text(parent: Element, tag: str) -> str | None:
    found = _texts(parent, tag)
    return found[0] if found else None


def _pairs(parent: Element, tag: str) -> str | None:
    """Name-value pairs of CAP as `name=value; name=value`."""
    pairs = ((_text(e, "valueName") or "", _text(e, "value") or "") for e in _children(parent, tag))
    return "; ".join(f"{name}={value}" for name, value in pairs) or None
