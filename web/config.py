"""What the portal's scripts are told: layers with titles, legends and editions, code lists, addresses, words."""

from __future__ import annotations

import datetime as dt
from typing import Any

from layers.freshness import due
from layers.ladder import cluster_at, cluster_by
from layers.maplibre import draw_order, legend, legend_attribute, map_layers, source, stacked
from layers.model import Attribute, LayerBase, RasterLayer, RowLayer, TableLayer, Text, VectorLayer, codelists_of
from web.texts import PORTAL_TEXTS
from web.view import EditionInfo, PortalView, VisibleLayer, mercator_box

Json = dict[str, Any]
GROUND = "#dfe9ee"
GROUP_LIST = "portal-group@1"
OFFERED = frozenset({"compliance", "situation", "reports", "subscriptions"})
"""Parts of the service without which the portal does less."""


def portal_config(view: PortalView) -> Json:
    """The data block of the portal page."""
    shown = [entry for entry in view.layers if not isinstance(entry.layer, TableLayer)]
    return {
        "language": view.language,
        "reader": {
            "label": view.reader.label,
            "name": view.reader.name or view.reader.label,
            "clearance": view.reader.clearance,
            "rights": list(view.reader.rights),
        },
        "urls": {name: getattr(view.urls, name) for name in view.urls.__slots__},
        "mostRows": dict(zip(("file", "geojson"), view.most_rows, strict=True)),
        "offers": sorted(view.offers & OFFERED),
        "texts": PORTAL_TEXTS,
        "groups": _groups(shown, view),
        "layers": [layer_entry(entry, view) for entry in shown],
        "stack": [layer.name for layer in stacked(entry.layer for entry in shown)],
        "tables": [table_entry(entry, view) for entry in view.layers if isinstance(entry.layer, TableLayer)],
        "loads": [_loadable(entry) for entry in view.layers if entry.layer.name in view.loadable],
        "codelists": _codelists(view),
        "sample": view.sample,
    }


def _loadable(entry: VisibleLayer) -> Json:
    """What the panel of jobs says of a layer that may be loaded."""
    layer = entry.layer
    return {"id": layer.name, "title": layer.title.model_dump(), "kind": layer.kind, "mappings": list(layer.sources)}


def map_style(view: PortalView) -> Json:
    """One MapLibre style that draws all visible layers; those that are off at first are not shown."""
    drawn = []
    sources: Json = {}
    for entry in view.layers:
        layer = entry.layer
        if isinstance(layer, TableLayer):
            continue
        bounds = entry.edition.bbox if entry.edition else None
        sources[layer.name] = source(layer, view.urls.tiles(layer), mercator_box(bounds))
        for one in map_layers(layer, view.codelists, view.language):
            visibility = "visible" if layer.portal.visible and entry.edition else "none"
            drawn.append((layer, one | {"layout": one.get("layout", {}) | {"visibility": visibility}}))
    ground: Json = {"id": "ground", "type": "background", "paint": {"background-color": GROUND}}
    # The scheme of static/portal/glyphs.js: a glyph file where the packaged font has the characters, the reader's own
    # font where it has not.
    glyphs = f"geoglyphs:/{view.urls.static}/vendor/glyphs/{{fontstack}}/{{range}}.pbf"
    return {"version": 8, "glyphs": glyphs, "sources": sources, "layers": [ground, *draw_order(drawn)]}


def table_entry(entry: VisibleLayer, view: PortalView) -> Json:
    """A layer without geometry as the portal knows it: it has rows, and nothing on the map."""
    layer = entry.layer
    rows = row_entry(layer, entry.attributes) if isinstance(layer, TableLayer) else {}
    return _about(entry, view) | rows | {"legend": []}


def layer_entry(entry: VisibleLayer, view: PortalView) -> Json:
    """One layer as the portal knows it."""
    layer = entry.layer
    own: Json = _about(entry, view) | {
        "visible": layer.portal.visible,
        "fromZoom": layer.portal.from_zoom,
        "legend": [item.as_dict() for item in legend(layer, view.codelists)],
    }
    if isinstance(layer, VectorLayer):
        own |= row_entry(layer, entry.attributes) | {
            "geometry": layer.geometry,
            "legendBy": legend_attribute(layer),
            "clusterBy": cluster_by(layer) if cluster_at(layer, 0) is not None else None,
            "hazard": layer.hazard.model_dump() if layer.hazard else None,
            "exposure": layer.exposure.role if layer.exposure else None,
            "exactFrom": layer.exact_from,
            "singleFrom": _single_from(layer),
            "timeInTiles": layer.time is not None and layer.time in (layer.tiles.attributes or layer.attributes),
        }
    if isinstance(layer, RasterLayer):
        own |= {"timed": layer.time is not None, "band": _band(layer)}
    return own


def _about(entry: VisibleLayer, view: PortalView) -> Json:
    """What the portal tells of every layer."""
    layer = entry.layer
    return {
        "id": layer.name,
        "kind": layer.kind,
        "group": layer.group,
        "theme": layer.theme,
        "order": layer.portal.order,
        "title": words(layer.title),
        "abstract": words(layer.abstract) if layer.abstract else None,
        "authority": authority(layer),
        "licence": layer.licence.model_dump(exclude_none=True),
        "review": layer.release.review_number if layer.release else None,
        "cycle": layer.cycle,
        "clearance": layer.clearance.label,
        "edition": edition_entry(entry.edition),
        "overdue": overdue(layer.cycle, entry.edition, view.now),
    }


def _single_from(layer: VectorLayer) -> int:
    """The zoom level from which tiles show single features, not cells of a mosaic or clusters."""
    return max((part.below for part in (layer.tiles.mosaic, layer.tiles.cluster) if part is not None), default=0)


def _band(layer: RasterLayer) -> Json:
    """The first band of a raster: what its cells are, and whether they add up."""
    band, exposure = layer.bands[0], layer.exposure
    made: Json = {"name": band.name, "unit": band.unit, "list": layer.list}
    adds = exposure is not None and exposure.measure == "sum"
    return made | {"title": words(band.title) if band.title else None, "adds": adds}


def row_entry(layer: RowLayer, attributes: tuple[str, ...]) -> Json:
    """Attributes, label and time of a layer with rows; only the attributes that this reader may see."""
    seen = [name for name in layer.attributes if name in attributes]
    label = layer.label if layer.label and {layer.label.zh, layer.label.en} <= set(seen) else None
    return {
        "attributes": [attribute_entry(name, layer.attributes[name]) for name in seen],
        "label": words(label) if label else None,
        "time": layer.time if layer.time in seen else None,
    }


def attribute_entry(name: str, attribute: Attribute) -> Json:
    """One attribute: name, type, and where they exist title, unit and code list."""
    extra = {
        "title": words(attribute.title) if attribute.title else None,
        "unit": attribute.unit,
        "list": attribute.list,
    }
    return {"name": name, "type": attribute.type} | {k: v for k, v in extra.items() if v}


def words(text: Text) -> dict[str, str]:
    """A text as JSON."""
    return {"zh": text.zh, "en": text.en}


def authority(layer: LayerBase) -> dict[str, str]:
    """Name of the authority in both languages; its kind when the file names none."""
    named = layer.authority.name
    return words(named) if named else {"zh": layer.authority.kind, "en": layer.authority.kind}


def edition_entry(edition: EditionInfo | None) -> Json | None:
    """An edition as JSON, times in ISO 8601."""
    if edition is None:
        return None
    interval = [moment.isoformat() for moment in edition.interval] if edition.interval else None
    return {
        "number": edition.number,
        "committed": edition.committed.isoformat(),
        "source": edition.source,
        "features": edition.features,
        "load": edition.load,
        "bbox": list(edition.bbox) if edition.bbox else None,
        "interval": interval,
    }


def overdue(cycle: str, edition: EditionInfo | None, now: dt.datetime) -> bool:
    """Whether the update cycle (an ISO 8601 duration) has run out since the edition was committed."""
    moment = due(cycle, edition.committed) if edition is not None else None
    return moment is not None and now > moment


def _groups(shown: list[VisibleLayer], view: PortalView) -> Json:
    """Titles of the portal groups in use, in the order of their code list; a group it lacks stands last, by its id."""
    used = {entry.layer.group for entry in shown}
    known = view.codelists[GROUP_LIST].codes if GROUP_LIST in view.codelists else {}
    titled = {name: {"zh": code.zh, "en": code.en} for name, code in known.items() if name in used}
    return titled | {name: {"zh": name, "en": name} for name in sorted(used - set(known))}


def _codelists(view: PortalView) -> Json:
    wanted = set().union(*(codelists_of(entry.layer) for entry in view.layers))
    return {
        list_id: {code.code: [code.zh, code.en] for code in codes.codes.values()}
        for list_id, codes in view.codelists.items()
        if list_id in wanted
    }
