"""Alerts as documents: JSON, GeoJSON and Atom. What is not meant in earnest says so in each of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import shapely
from lxml import etree

from geoservice.alerts.read import Kept
from geoservice.alerts.zone import geojson, label_of
from layers.cap import LEVELS, MEDIA

ATOM = "application/atom+xml"
_ATOM_NAMESPACE = "http://www.w3.org/2005/Atom"
_DIGITS = 7
MARKS = {
    "Exercise": {"zh": "【演练】", "en": "[Exercise] "},
    "Test": {"zh": "【测试】", "en": "[Test] "},
    "System": {"zh": "【系统消息】", "en": "[System] "},
    "Draft": {"zh": "【草稿】", "en": "[Draft] "},
}
"""What goes before the headline of messages that are not meant in earnest."""
Address = Callable[[str], str]
"""Makes an absolute address of a path of this service."""


def headline(kept: Kept) -> dict[str, str]:
    """Headline by language (zh, en), with a mark unless the message is meant in earnest."""
    label = label_of(kept)
    return marked({"zh": label.zh, "en": label.en}, kept.alert.status)


def marked(words: Mapping[str, str], status: str) -> dict[str, str]:
    """Words by language with the mark of their status (of CAP) before them, unless they begin with it of themselves."""
    marks = MARKS.get(status, {})
    return {
        language: text if text.startswith(marks.get(language, "").strip()) else f"{marks[language]}{text}"
        for language, text in words.items()
    }


def summary(kept: Kept, at: dt.datetime, address: Address) -> dict[str, Any]:
    """A message in a list."""
    colours = {info.colour: LEVELS[info.colour] for info in kept.alert.info if info.colour is not None}
    worst = next((colour for colour in LEVELS if colour in colours), None)
    found: dict[str, Any] = {
        "id": kept.id,
        "identifier": kept.alert.identifier,
        "sender": kept.alert.sender,
        "sent": _time(kept.alert.name.sent),
        "status": kept.alert.status,
        "msgType": kept.alert.msg_type,
        "state": kept.phase(at),
        "headline": headline(kept),
        "severity": kept.severity,
        "begins": _time(kept.begins),
        "ends": _time(kept.ends),
        "signature": kept.signature,
        "href": address(f"/alerts/{kept.id}"),
    }
    if worst is not None:
        found |= {"colour": worst, "level": LEVELS[worst]}
    if kept.ending is not None and kept.ending[0] <= at:
        found |= {"ended": _time(kept.ending[0]), "endedBy": kept.ending[1]}
    return found


def whole(kept: Kept, story: Sequence[Kept], at: dt.datetime, address: Address) -> dict[str, Any]:
    """A message with all that it says, its areas and its history."""
    found = summary(kept, at, address)
    found |= {"signer": kept.signer} if kept.signer else {}
    return {
        **found,
        "received": _time(kept.received),
        "findings": list(kept.findings),
        "alert": kept.alert.model_dump(mode="json", by_alias=True, exclude_none=True),
        "areas": [
            {
                "info": area.info,
                "area": area.area,
                "origin": area.origin,
                "bbox": None if area.geometry is None else _box(area.geometry),
            }
            for area in kept.areas
        ],
        "history": [summary(one, at, address) for one in story],
    }


def features(messages: Iterable[Kept], at: dt.datetime, address: Address) -> dict[str, Any]:
    """The areas of messages as a GeoJSON feature collection (CRS84)."""
    return {"type": "FeatureCollection", "features": [f for kept in messages for f in _features(kept, at, address)]}


def _features(kept: Kept, at: dt.datetime, address: Address) -> Iterator[dict[str, Any]]:
    common = summary(kept, at, address)
    for area in kept.areas:
        info = kept.alert.info[area.info - 1]
        shape = None if area.geometry is None else geojson(area.geometry)
        said = {
            "language": info.language,
            "event": info.event,
            "urgency": info.urgency,
            "certainty": info.certainty,
            "areaDesc": info.area[area.area - 1].area_desc,
            "origin": area.origin,
        }
        own = {"severity": info.severity, "colour": info.colour}
        identity = f"{kept.id}.{area.info}.{area.area}"
        yield {"type": "Feature", "id": identity, "geometry": shape, "properties": {**common, **said, **own}}


def atom(messages: Sequence[Kept], title: str, address: Address) -> bytes:
    """Messages as an Atom feed (RFC 4287); each entry leads to the message in CAP."""
    feed = etree.Element(f"{{{_ATOM_NAMESPACE}}}feed", nsmap={None: _ATOM_NAMESPACE})
    latest = max((kept.received for kept in messages), default=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    _add(feed, "id", address("/alerts/feed.atom"))
    _add(feed, "title", title)
    _add(feed, "updated", _time(latest))
    _link(feed, "self", address("/alerts/feed.atom"), ATOM)
    for kept in messages:
        entry = etree.SubElement(feed, f"{{{_ATOM_NAMESPACE}}}entry")
        _add(entry, "id", address(f"/alerts/{kept.id}"))
        said = headline(kept)
        _add(entry, "title", said["zh"] if said["zh"] == said["en"] else f"{said['zh']} / {said['en']}")
        _add(entry, "updated", _time(kept.alert.name.sent))
        author = etree.SubElement(entry, f"{{{_ATOM_NAMESPACE}}}author")
        _add(author, "name", kept.alert.sender)
        for term in (kept.alert.status, kept.alert.msg_type, kept.severity):
            etree.SubElement(entry, f"{{{_ATOM_NAMESPACE}}}category", term=term)
        _link(entry, "alternate", address(f"/alerts/{kept.id}?f=cap"), MEDIA)
        _add(entry, "summary", next((info.description for info in kept.alert.info if info.description), said["en"]))
    found: bytes = etree.tostring(feed, xml_declaration=True, encoding="UTF-8")
    return found


def _add(parent: Any, name: str, text: str) -> None:
    child = etree.SubElement(parent, f"{{{_ATOM_NAMESPACE}}}{name}")
    child.text = text


def _link(parent: Any, relation: str, href: str, media: str) -> None:
    etree.SubElement(parent, f"{{{_ATOM_NAMESPACE}}}link", rel=relation, href=href, type=media)


def _box(geometry: shapely.Geometry) -> list[float]:
    return [round(side, _DIGITS) for side in shapely.bounds(geometry).tolist()]


def _time(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
