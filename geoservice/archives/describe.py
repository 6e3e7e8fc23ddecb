"""What an archive says of itself: names, fields, whom to credit, editions and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import shapely

from geoservice.archives.request import Choice, Drawn
from geoservice.db.sync import definition_digest
from geoservice.features.state import LayerState
from layers.access import Clearance, Decision
from layers.ladder import rungs
from layers.maplibre import label_source_layer
from layers.model import VectorLayer
from tiles.vector import MERCATOR_LIMIT, tile_attributes

OURS = "geoservice"
"""Member of the metadata that holds what only this product knows to read."""
_TYPES = {"integer": "Number", "number": "Number", "boolean": "Boolean"}


def metadata(
    name: str,
    choice: Choice,
    clearance: Clearance,
    states: Mapping[str, LayerState],
    ladders: Mapping[str, int | None],
) -> dict[str, Any]:
    """The metadata of an archive, as PMTiles and MBTiles readers know them, with members of our own."""
    layers = [layer.crediting(states[layer.name].mappings) for layer, _ in choice.layers]
    credits = dict.fromkeys(layer.licence.attribution for layer in layers if layer.licence.attribution)
    body: dict[str, Any] = {
        "name": name,
        "description": "; ".join(layer.title.en for layer in layers),
        "attribution": "; ".join(credits),
        "version": str(max((state.edition or 0 for state in states.values()), default=0)),
        "type": "overlay",
        OURS: {
            "format": 1,
            "clearance": clearance.label,
            "layers": [
                _lineage(layer, decision, states[layer.name], ladders.get(layer.name))
                for layer, decision in choice.layers
            ],
        },
    }
    if choice.vectors:
        body["vector_layers"] = [
            one for layer, decision in choice.vectors for one in _vector_layers(layer, decision, choice.zooms)
        ]
    return body


def bounds_of(
    states: Mapping[str, LayerState], area: shapely.Geometry | None
) -> tuple[float, float, float, float] | None:
    """The box around the data within an area, in degrees; None when there are none."""
    extents = [box for state in states.values() if state.extent is not None for box in state.extent.boxes()]
    if not extents:
        return None
    data = shapely.union_all([shapely.box(*box) for box in extents])
    whole = data if area is None else shapely.intersection(data, shapely.box(*shapely.bounds(area)))
    if whole.is_empty:
        return None
    west, south, east, north = (float(side) for side in shapely.bounds(whole))
    return west, max(south, -MERCATOR_LIMIT), east, min(north, MERCATOR_LIMIT)


def fingerprint(layer: Drawn, decision: Decision, state: LayerState, ladder: int | None) -> dict[str, Any]:
    """What the tiles of a layer depend on."""
    return {
        "layer": layer.name,
        "definition": definition_digest(layer),
        "edition": state.edition,
        "ladder": ladder,
        "attributes": list(decision.attributes),
    }


def _lineage(layer: Drawn, decision: Decision, state: LayerState, ladder: int | None) -> dict[str, Any]:
    shown = tile_attributes(layer, decision) if isinstance(layer, VectorLayer) else ()
    return {
        **fingerprint(layer, decision, state, ladder),
        "attributes": list(shown),
        "title": {"zh": layer.title.zh, "en": layer.title.en},
        "clearance": layer.clearance.label,
        "committed": state.committed.isoformat() if state.committed else None,
        "source": state.source,
    }


def _vector_layers(layer: VectorLayer, decision: Decision, zooms: tuple[int, int]) -> list[dict[str, Any]]:
    names = tile_attributes(layer, decision)
    fields = {"key": "String"} | {name: _TYPES.get(layer.attributes[name].type, "String") for name in names}
    if layer.tiles.mosaic is not None and rungs(layer) and zooms[0] < layer.tiles.mosaic.below:
        fields |= {"count": "Number", "share": "Number"}
    low, high = max(zooms[0], layer.tiles.from_), min(zooms[1], layer.tiles.to)
    return [
        {"id": name, "description": layer.title.en, "fields": fields, "minzoom": low, "maxzoom": high}
        for name in (layer.name, label_source_layer(layer))
        if name
    ]
