"""The list of all building blocks. Adding a standard means: one module, one line here."""

from __future__ import annotations

from geoservice import portal
from geoservice.api import (
    analysis,
    archives,
    description,
    editions,
    gazetteer,
    health,
    jobs,
    loads,
    metrics,
    quarantine,
    session,
    sheets,
    static_map,
    uploads,
)
from geoservice.ogc import (
    common,
    contours,
    dataset_tiles,
    dataset_tilesets,
    features,
    map_looks,
    maps,
    styles,
    tiles,
    tilesets,
    wms,
    wmts,
)
from geoservice.ogc.block import Block

BLOCKS: tuple[Block, ...] = (
    common.BLOCK,
    features.BLOCK,
    tilesets.BLOCK,
    tiles.BLOCK,
    dataset_tiles.BLOCK,
    dataset_tilesets.BLOCK,
    maps.BLOCK,
    map_looks.BLOCK,
    contours.BLOCK,
    wmts.BLOCK,
    styles.BLOCK,
    archives.BLOCK,
    wms.BLOCK,
    static_map.BLOCK,
    sheets.BLOCK,
    analysis.BLOCK,
    gazetteer.BLOCK,
    loads.BLOCK,
    uploads.BLOCK,
    jobs.BLOCK,
    quarantine.BLOCK,
    editions.BLOCK,
    description.BLOCK,
    health.BLOCK,
    metrics.BLOCK,
    session.BLOCK,
    portal.BLOCK,
)
