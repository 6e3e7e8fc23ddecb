"""Features as GML 3.2 in a collection of WFS 2.0, and alone."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from geoservice.formats.subject import GEOMETRY
from geoservice.wfs.find import Wanted
from geoservice.wfs.words import GML, GML_ID, OURS, PREFIX, WFS, XSI, feature_id

_SRS = re.compile(r' srsName="[^"]*"')
_ID = re.compile(r' gml:id="g([^"]*)"')
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAMES = f'xmlns:wfs="{WFS}" xmlns:gml="{GML}" xmlns:{PREFIX}="{OURS}" xmlns:xsi="{XSI}"'


def collection(found: Wanted, rows: Iterable[Mapping[str, Any]], head: Mapping[str, str], schema: str) -> bytes:
    """A collection of features.

    Args:
        found: What was read.
        rows: The rows, geometries as GML.
        head: Attributes of the collection: `timeStamp`, `numberMatched`, `numberReturned`, `next`, `previous`.
        schema: Address of the description of the feature type.
    """
    return _document("FeatureCollection", (feature(found, row) for row in rows), head, schema)


def values(found: Wanted, rows: Iterable[Mapping[str, Any]], head: Mapping[str, str], schema: str) -> bytes:
    """A collection of the values of one property; arguments as those of `collection`."""
    return _document("ValueCollection", (_value(found, row) for row in rows), head, schema)


def _document(tag: str, members: Iterable[str], head: Mapping[str, str], schema: str) -> bytes:
    places = f"xsi:schemaLocation={_quoted(f'{OURS} {schema}')}"
    attributes = " ".join(f"{name}={_quoted(value)}" for name, value in head.items())
    held = "".join(f"\n<wfs:member>{member}</wfs:member>" for member in members)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<wfs:{tag} {_NAMES} {places} {attributes}>{held}\n'
    return f"{text}</wfs:{tag}>\n".encode()


def _value(found: Wanted, row: Mapping[str, Any]) -> str:
    identifier, name = feature_id(found.layer.name, row["key"]), str(found.value)
    if name == GML_ID:
        return html.escape(identifier)
    return _shape(found, identifier, row[GEOMETRY]) if name == GEOMETRY else _element(name, row[name])


def alone(found: Wanted, row: Mapping[str, Any]) -> bytes:
    """One feature as a document of its own, as GetFeatureById answers."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{feature(found, row, _NAMES)}\n'.encode()


def feature(found: Wanted, row: Mapping[str, Any], names: str = "") -> str:
    """A feature as an element of its type; properties without a value are left out."""
    identifier = feature_id(found.layer.name, row["key"])
    parts = [f"<{PREFIX}:{found.layer.name}{' ' if names else ''}{names} gml:id={_quoted(identifier)}>"]
    parts.append(_element("key", row["key"]))
    parts += [_element(name, row[name]) for name in found.attributes if row[name] is not None]
    if found.shaped and row[GEOMETRY] is not None:
        parts.append(_shape(found, identifier, row[GEOMETRY]))
    return "".join([*parts, f"</{PREFIX}:{found.layer.name}>"])


def _shape(found: Wanted, identifier: str, gml: str) -> str:
    """GML of the database under the ids of its feature and the name of its CRS that was asked for."""
    named = _SRS.sub(lambda _: f" srsName={_quoted(found.name)}", gml)
    shape = _ID.sub(lambda match: f' gml:id="{identifier}.g{match.group(1)}"', named)
    return f"<{PREFIX}:{GEOMETRY}>{shape}</{PREFIX}:{GEOMETRY}>"


def _element(name: str, value: Any) -> str:
    return f"<{PREFIX}:{name}>{html.escape(_NO_XML.sub(' ', _text(value)), quote=False)}</{PREFIX}:{name}>"


def _quoted(text: str) -> str:
    """An attribute's value, with its quotes."""
    return f'"{html.escape(text)}"'


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return repr(value).replace("inf", "INF").replace("nan", "NaN")
    return str(value)
