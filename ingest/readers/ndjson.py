"""GeoJSON in lines: one Feature per line (NDJSON), or text sequences (RFC 8142) with a record separator (0x1E) before.

A line that is no Feature goes to quarantine with its text: GDAL would leave it out without a word. Coordinates are
longitude and latitude in WGS 84 (RFC 7946, section 4).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pyproj
import shapely

from ingest.readers.columns import columns
from ingest.readers.source import Chunk, Geometries, Request, Source, decoded
from layers.errors import SourceUnreadable

_SEPARATOR = b"\x1e"
_LONGEST = 256 << 20
_NO_FEATURE = "The line is no GeoJSON Feature: {0}."


def open_ndjson(request: Request) -> Source:
    """Open a file of Features, one per line.

    Raises:
        SourceUnreadable: When no line is a Feature, or a line is longer than any honest one.
    """
    named, good = _names(request)
    if not good:
        raise SourceUnreadable(f"{request.name} holds no line that is a GeoJSON Feature.", source=request.name)
    fields = named if "id" in named else ("id", *named)
    return Source(
        driver="GeoJSONSeq",
        fields=fields,
        chunks=lambda: _chunks(request, fields),
        crs=pyproj.CRS.from_epsg(4326),
        encoding="utf-8",
    )


def _names(request: Request) -> tuple[tuple[str, ...], int]:
    """All property names in the order of their first appearance, and how many lines are Features."""
    names: dict[str, None] = {}
    good = 0
    for line in _lines(request):
        feature, _ = _feature(line)
        if feature is not None:
            good += 1
            names.update(dict.fromkeys(feature.get("properties") or {}))
    return tuple(names), good


def _lines(request: Request) -> Iterator[bytes]:
    with request.file.open("rb") as handle:
        while line := handle.readline(_LONGEST + 1):
            if len(line) > _LONGEST:
                raise SourceUnreadable(f"{request.name} has a line of more than {_LONGEST >> 20} MiB.")
            text = line.removeprefix(b"\xef\xbb\xbf").strip().strip(_SEPARATOR).strip()
            if text:
                yield text


def _feature(line: bytes) -> tuple[dict[str, Any] | None, str]:
    """The Feature of a line, or None and why it is none."""
    try:
        found = json.loads(line.decode())
    except UnicodeDecodeError:
        return None, _NO_FEATURE.format("it is not UTF-8")
    except json.JSONDecodeError as error:
        return None, _NO_FEATURE.format(f"{error.msg} at character {error.pos + 1}")
    except RecursionError:
        return None, _NO_FEATURE.format("it is nested too deeply")
    if not isinstance(found, dict) or found.get("type") != "Feature":
        return None, _NO_FEATURE.format("it is JSON of another kind")
    if not isinstance(found.get("properties"), dict | None) or not isinstance(found.get("geometry"), dict | None):
        return None, _NO_FEATURE.format("its properties or its geometry are no object")
    return found, ""


def _chunks(request: Request, fields: tuple[str, ...]) -> Iterator[Chunk]:
    lines, start = _lines(request), 0
    while block := list(islice(lines, request.plan.limits.batch_rows)):
        yield _chunk(block, fields, start)
        start += len(block)


def _chunk(lines: list[bytes], fields: tuple[str, ...], start: int) -> Chunk:
    rows: list[dict[str, Any]] = []
    broken: dict[int, str] = {}
    unread: dict[int, str] = {}
    texts: list[str | None] = []
    for i, line in enumerate(lines):
        feature, reason = _feature(line)
        if feature is None:
            broken[i], unread[i] = reason, _shown(line)
            feature = {}
        rows.append({"id": feature.get("id"), **(feature.get("properties") or {})})
        geometry = feature.get("geometry")
        texts.append(None if geometry is None else json.dumps(geometry))
    chunk = Chunk(
        np.arange(start, start + len(lines), dtype=np.int64), columns(fields, rows), broken=broken, unread=unread
    )
    chunk.geometry = _geometries(chunk, texts)
    return chunk


def _shown(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return f"hex:{line.hex()}"


def _geometries(chunk: Chunk, texts: list[str | None]) -> Geometries:
    found = decoded(np.array(texts, dtype=object), shapely.from_geojson)
    for i, text in enumerate(texts):
        if text is not None and found[i] is None:
            chunk.broken.setdefault(i, "The geometry does not follow the GeoJSON format.")
            chunk.unread.setdefault(i, text)
    return found
