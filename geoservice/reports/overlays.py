"""What lies on top of the map of a field package: the zone by classes, settlements that are cut off, features hit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from geoservice.reports.answer import LOOKED
from geoservice.reports.flat import features_of
from geoservice.reports.manifest import Json
from geoservice.reports.seal import Sealed
from layers.catalog import Catalog
from layers.maplibre import LegendClass
from layers.model import Text
from web.package import Overlay
from web.report_tables import UNHURT, shade

_RED_LINE, _ISOLATED, _HIT = "#c9002b", "#5b2a86", "#1d2a33"
_FINE = 4_000
"""Steps along the longer side of the zone that its outlines keep: finer than a screen shows at any use."""
_ZONE = Text(zh="影响范围", en="Zone")
_LINE = Text(zh="用地红线", en="Red line")
_CUT_OFF = Text(zh="孤立居民点", en="Settlements cut off")
_HITS = Text(zh="受影响要素", en="Features hit")
_CLASS = Text(zh="等级", en="Class")
_NAME = Text(zh="名称", en="Name")
_LAYER = Text(zh="图层", en="Layer")
_PEOPLE = Text(zh="人口", en="People")


@dataclass(frozen=True)
class ZonePart:
    """A class of the zone: rank (1 is the worst), code, name, polygon in longitude and latitude."""

    rank: int
    code: str
    label: Text
    shape: shapely.Geometry


def overlays(sealed: Sealed, catalog: Catalog, zone: Sequence[ZonePart]) -> Iterator[Overlay]:
    """The overlays of a report, the topmost first; those without features are left out.

    Args:
        sealed: The report.
        catalog: Titles of layers.
        zone: Its zone.
    """
    cut_off = [
        _point(one, people=one.get("people"))
        for one in (sealed.answer.get("ways") or {}).get("settlements", ())
        if one["situation"] == "isolated"
    ]
    if cut_off:
        yield _points("cut-off", _CUT_OFF, cut_off, _ISOLATED, {"name": _NAME, "people": _PEOPLE})
    hits = [_point(one, layer=_title(catalog, layer)) for layer, one in features_of(sealed.answer)]
    if hits:
        yield _points("hit", _HITS, hits, _HIT, {"name": _NAME, "layer": _LAYER})
    yield _zone(zone, sealed.manifest.kind)


def _zone(zone: Sequence[ZonePart], kind: str) -> Overlay:
    parts = sorted(zone, key=lambda part: part.rank)
    bounds = shapely.total_bounds(np.array([part.shape for part in parts], dtype=np.object_))
    step = float(max(bounds[2] - bounds[0], bounds[3] - bounds[1])) / _FINE
    features, legend = [], []
    for part in parts:
        colour = _RED_LINE if kind == "compliance" else UNHURT if part.code == LOOKED else shade(part.rank)
        told = {"colour": colour, "class": f"{part.label.zh} / {part.label.en}", "code": part.code}
        shape = shapely.make_valid(shapely.simplify(part.shape, step))
        features.append({"type": "Feature", "properties": told, "geometry": json.loads(shapely.to_geojson(shape))})
        legend.append(LegendClass(part.label, "fill", colour))
    # The worst class lies on top, as on the map of the report.
    features.reverse()
    edge = {"line-color": ["get", "colour"], "line-width": 2.2}
    paint: tuple[Json, ...] = (
        {"type": "fill", "paint": {"fill-color": ["get", "colour"], "fill-opacity": 0.4}},
        {"type": "line", "paint": {"line-color": "#ffffff", "line-width": 4.2, "line-opacity": 0.85}},
        {"type": "line", "paint": edge},
    )
    title = _LINE if kind == "compliance" else _ZONE
    return Overlay("zone", title, tuple(features), paint, tuple(legend), {"class": _CLASS})


def _points(name: str, title: Text, features: list[Json], colour: str, attributes: dict[str, Text]) -> Overlay:
    # From afar hundreds of houses would cover the town in which they stand.
    radius = ["interpolate", ["linear"], ["zoom"], 9, 2, 14, 5]
    ring = {"circle-stroke-color": "#ffffff", "circle-stroke-width": 1}
    paint = {"type": "circle", "paint": {"circle-color": colour, "circle-radius": radius, **ring}}
    return Overlay(name, title, tuple(features), (paint,), (LegendClass(title, "circle", colour),), attributes)


def _point(one: Json, **more: Any) -> Json:
    label = one["label"]
    name = label["zh"] if label["zh"] == label["en"] else f"{label['zh']} / {label['en']}"
    told = {name: value for name, value in more.items() if value is not None}
    place = {"type": "Point", "coordinates": [one["lon"], one["lat"]]}
    return {"type": "Feature", "properties": {"name": name, **told}, "geometry": place}


def _title(catalog: Catalog, name: str) -> str:
    layer = catalog.layers.get(name)
    return name if layer is None else f"{layer.title.zh} / {layer.title.en}"
