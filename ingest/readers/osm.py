"""OpenStreetMap extracts (PBF or XML): nodes, ways and areas with their tags as fields.

`$fid` is `n`, `w` or `r` with the number of the node, way or relation. Areas are closed ways and multipolygon
relations, assembled by libosmium; a relation that cannot be assembled is a bad row, not a missing one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import osmium
import osmium.geom
import pyarrow as pa
import pyproj
import shapely

from ingest.readers.source import Chunk, Request, Source
from layers.errors import SourceMismatch, SourceUnreadable
from layers.model import VectorLayer

_KINDS = {
    "points": frozenset("p"),
    "lines": frozenset("l"),
    "areas": frozenset("a"),
    "points+areas": frozenset("pa"),
    "any": frozenset("pa"),
}
_BY_GEOMETRY = {"point": "points", "line": "lines", "polygon": "areas", "any": "points+areas"}
_AREA_RELATIONS = frozenset({"multipolygon", "boundary"})
_TAGS = "tags"
_UNBUILDABLE = (osmium.InvalidLocationError, RuntimeError, ValueError)


@dataclass
class _Batch:
    """Objects gathered for the next chunk."""

    ids: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    tags: list[dict[str, str]] = field(default_factory=list)
    shapes: list[str | None] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)
    skipped: int = 0


def open_osm(request: Request) -> Source:
    """Open an OpenStreetMap extract.

    Raises:
        SourceMismatch: When the mapping's sublayer is not one that OpenStreetMap has.
    """
    kinds = _kinds(request)
    mapping = request.plan.mapping
    own = [n for n in request.plan.layer.attributes if n not in mapping.fields]
    wanted = dict.fromkeys([*mapping.fields, *own, *mapping.select, *mapping.any_of, *mapping.template_fields()])
    fields = tuple(f for f in wanted if not f.startswith("$"))
    return Source(
        driver="OSM",
        fields=fields,
        chunks=lambda: _Reader(request, kinds, fields).chunks(),
        crs=pyproj.CRS.from_epsg(4326),
        encoding="utf-8",
        any_field=True,
        facts={"objects": "+".join(sorted(kinds))},
    )


def _kinds(request: Request) -> frozenset[str]:
    layer = request.plan.layer
    name = request.plan.mapping.sublayer
    if name is None:
        name = _BY_GEOMETRY[layer.geometry] if isinstance(layer, VectorLayer) else "points"
    if name not in _KINDS:
        raise SourceMismatch(f"OpenStreetMap has no sublayer {name!r}; known are {', '.join(_KINDS)}.")
    return _KINDS[name]


class _Reader:
    """One pass over an extract."""

    def __init__(self, request: Request, kinds: frozenset[str], fields: tuple[str, ...]) -> None:
        self._request = request
        self._kinds = kinds
        self._fields = fields
        self._factory = osmium.geom.WKBFactory()
        self._count = 0
        self._batch = _Batch()
        self._pending: dict[str, tuple[int, dict[str, str]]] = {}

    def chunks(self) -> Iterator[Chunk]:
        """All objects of the wanted kinds that have tags; those not selected are only counted."""
        try:
            for item in self._items():
                self._take(item)
                if len(self._batch.ids) >= self._request.plan.limits.batch_rows:
                    yield self._flush()
        except RuntimeError as error:
            # libosmium reports every fault of a file as a plain run-time error.
            raise SourceUnreadable(
                f"{self._request.name} is not a readable OpenStreetMap file: {str(error)[:200]}.",
                source=self._request.name,
            ) from error
        for name, (position, tags) in self._pending.items():
            self._add(name, position, tags, None, "The area cannot be assembled: members are missing or do not close.")
        yield self._flush()

    def _items(self) -> Iterator[Any]:
        wanted = osmium.osm.NODE if self._kinds == {"p"} else osmium.osm.NODE | osmium.osm.WAY
        if "a" in self._kinds:
            wanted = osmium.osm.ALL
        processor = osmium.FileProcessor(str(self._request.file), wanted)
        if "a" in self._kinds:
            processor = processor.with_areas()
        elif "l" in self._kinds:
            processor = processor.with_locations()
        return iter(processor.with_filter(osmium.filter.EmptyTagFilter()))

    def _take(self, item: Any) -> None:
        if item.is_area():
            self._take_area(item)
        elif item.is_node() and "p" in self._kinds:
            self._count_in(f"n{item.id}", item, self._factory.create_point)
        elif item.is_way() and self._is_line(item):
            self._count_in(f"w{item.id}", item, self._factory.create_linestring)
        elif "a" in self._kinds and _may_be_area(item):
            self._expect(f"{'w' if item.is_way() else 'r'}{item.id}", item)

    def _is_line(self, way: Any) -> bool:
        return "l" in self._kinds and not (way.is_closed() and way.tags.get("area") == "yes")

    def _count_in(self, name: str, item: Any, build: Callable[[Any], str]) -> None:
        position = self._number()
        if not self._selected(item.tags):
            self._batch.skipped += 1
            return
        self._add_built(name, position, dict(item.tags), item, build)

    def _expect(self, name: str, item: Any) -> None:
        """Remember a candidate for an area until it was assembled."""
        position = self._number()
        if self._selected(item.tags):
            self._pending[name] = (position, dict(item.tags))
        else:
            self._batch.skipped += 1

    def _take_area(self, area: Any) -> None:
        name = f"{'w' if area.from_way() else 'r'}{area.orig_id()}"
        position, tags = self._pending.pop(name, (-1, {}))
        if position >= 0:
            self._add_built(name, position, tags, area, self._factory.create_multipolygon)

    def _number(self) -> int:
        self._count += 1
        return self._count - 1

    def _add_built(
        self, name: str, position: int, tags: dict[str, str], item: Any, build: Callable[[Any], str]
    ) -> None:
        reason = None
        try:
            shape: str | None = build(item)
        except _UNBUILDABLE:
            shape = self._rest(item, position) if item.is_way() else None
            reason = None if shape else "The geometry cannot be built: nodes are missing in the extract, or too few."
        self._add(name, position, tags, shape, reason)

    def _rest(self, way: Any, position: int) -> str | None:
        """The runs of a way whose nodes are in the extract; it may have been cut at the extract's edge."""
        runs: list[list[tuple[float, float]]] = [[]]
        for node in way.nodes:
            if node.location.valid():
                runs[-1].append((node.location.lon, node.location.lat))
            elif runs[-1]:
                runs.append([])
        lines = [run for run in runs if len(set(run)) > 1]
        if not lines:
            return None
        message = "Ways lack nodes that are not in the extract; the parts that are have been kept."
        self._request.notes.add("incomplete-way", "warning", message, [position])
        whole = shapely.LineString(lines[0]) if len(lines) == 1 else shapely.MultiLineString(lines)
        return str(shapely.to_wkb(whole, hex=True))

    def _add(self, name: str, position: int, tags: dict[str, str], shape: str | None, reason: str | None) -> None:
        batch = self._batch
        if reason is not None:
            batch.broken[len(batch.ids)] = reason
        batch.ids.append(name)
        batch.positions.append(position)
        batch.tags.append(tags)
        batch.shapes.append(shape)

    def _selected(self, tags: Any) -> bool:
        mapping = self._request.plan.mapping
        null = mapping.null
        if not all(_accepts(tags.get(key), accepted, null) for key, accepted in mapping.select.items()):
            return False
        either = mapping.any_of
        return not either or any(_accepts(tags.get(key), accepted, null) for key, accepted in either.items())

    def _flush(self) -> Chunk:
        batch, self._batch = self._batch, _Batch()
        found = {name: pa.array([t.get(name) for t in batch.tags], pa.string()) for name in self._fields}
        found["$fid"] = pa.array(batch.ids, pa.string())
        rest = [{k: v for k, v in t.items() if k not in found} for t in batch.tags]
        found.setdefault(_TAGS, pa.array([json.dumps(t, ensure_ascii=False) for t in rest], pa.string()))
        return Chunk(
            position=np.array(batch.positions, dtype=np.int64),
            fields=found,
            geometry=shapely.from_wkb(np.array(batch.shapes, dtype=object)),
            broken=batch.broken,
            skipped=batch.skipped,
        )


def _may_be_area(item: Any) -> bool:
    if item.is_way():
        return bool(item.is_closed()) and item.tags.get("area") != "no"
    return bool(item.is_relation()) and item.tags.get("type") in _AREA_RELATIONS


def _accepts(value: str | None, accepted: str | tuple[str, ...], null: tuple[str, ...]) -> bool:
    if value is None or not value.strip() or value.strip() in null:
        return False
    return accepted == "*" or value.strip() in accepted
