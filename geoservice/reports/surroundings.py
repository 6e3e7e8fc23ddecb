"""The map of a field package: the zone and what it hits over the layers around it, opened from a disk by any browser.

Blocking. The layers are cut as vector tiles by the reader of the report's clearance, so that nothing above it is in the
file; they are those of today, and the page names their editions. The map is made once and kept beside the report.
"""

from __future__ import annotations

import importlib
import math
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from geoservice.archives.build import Hands, Silent, build_seen
from geoservice.archives.package import MAP, packed
from geoservice.archives.request import ArchiveRequest, choose, reader
from geoservice.archives.snapshot import View, view
from geoservice.archives.snapshot import box as surface
from geoservice.db.engine import Database
from geoservice.features.state import LayerState
from geoservice.reports import overlays, shelf
from geoservice.reports.answer import LOOKED
from geoservice.reports.seal import Sealed
from geoservice.settings import Settings
from layers.access import visible
from layers.catalog import Catalog
from layers.errors import BadParameter
from layers.model import Text, VectorLayer
from web.package import PackageView, Packed, write_page
from web.texts import TEXTS

PAGE = "map.html"
MOST_BYTES = 10 << 20
"""Bytes of the tiles; in the scripts of the page they are a third larger."""
_MOST_TILES, _HIGHEST, _TRIES = 160, 15, 3
_AROUND, _AT_FIRST, _LEAST, _LIMIT, _HALF = 0.8, 0.1, 0.04, 85.0, 180.0
"""Shares of the zone's sides by which the layers, and the first view, reach beyond it; degrees at the least."""
Box = tuple[float, float, float, float]


def map_of(settings: Settings, catalog: Catalog, sealed: Sealed) -> Path:
    """The folder of the map of a kept report; it is made when it is not there yet.

    Where two make it at the same time, both get the one that was finished first.

    Raises:
        UnknownResource: When the files of the report are not there.
        DatabaseUnavailable: When the server does not answer.
    """
    kept = shelf.map_folder(settings, sealed.manifest.id)
    if kept.is_dir():
        return kept
    fresh = shelf.path_of(settings, f".{sealed.manifest.id}-{secrets.token_hex(4)}")
    fresh.mkdir(mode=0o700, parents=True)
    try:
        write_map(settings, catalog, sealed, fresh)
        shelf.keep_map(settings, sealed.manifest.id, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return kept


def write_map(settings: Settings, catalog: Catalog, sealed: Sealed, folder: Path) -> None:
    """Write the map of a report into a folder: one page and the scripts that it loads."""
    zone = list(_zone(settings, sealed.manifest.id))
    shapes = [part.shape for part in zone]
    around = _around(shapes, _AROUND)
    tiles = _Surroundings((), None)
    request = ArchiveRequest((), sealed.manifest.level, area=_surface(around), high=_highest(around))
    database = Database.from_settings(settings)
    with view(database, request.clearance) as seen:
        for lower in range(_TRIES):
            tiles = _tiles(seen, database, catalog, _lowered(request, lower), folder)
            if tiles.file is None or tiles.file.stat().st_size <= MOST_BYTES:
                break
        else:
            # The zone and what it hits are what matters.
            tiles = _Surroundings((), None)
    write_page(folder, _view(catalog, sealed, zone, around, tiles))
    shutil.rmtree(folder / "tiles", ignore_errors=True)


@dataclass(frozen=True)
class _Surroundings:
    """The layers around a zone, and the archive of their tiles; None where there are none."""

    layers: tuple[Packed, ...]
    file: Path | None


def _lowered(request: ArchiveRequest, steps: int) -> ArchiveRequest:
    high = max((request.high or 0) - steps, 0)
    return ArchiveRequest(request.layers, request.clearance, area=request.area, high=high)


def _tiles(seen: View, database: Database, catalog: Catalog, request: ArchiveRequest, folder: Path) -> _Surroundings:
    chosen = [one for one in _candidates(catalog, request) if one.tiles.from_ <= (request.high or 0)]
    states = seen.states(chosen)
    names = tuple(one.name for one in chosen if _reaches(states[one.name], request.area))
    if not names:
        return _Surroundings((), None)
    wanted = ArchiveRequest(names, request.clearance, area=request.area, high=request.high)
    file = folder / "tiles" / f"{MAP}.pmtiles"
    file.parent.mkdir(exist_ok=True)
    try:
        built = build_seen(seen, database, catalog, wanted, file, Hands(workers=1), Silent())
    except BadParameter:
        # Their extents meet, but none of them has anything here.
        return _Surroundings((), None)
    return _Surroundings(tuple(packed(wanted, MAP, choose(catalog, wanted), states)), built.file)


def _candidates(catalog: Catalog, request: ArchiveRequest) -> Iterator[VectorLayer]:
    """What the portal shows at first, and what may be exposed to danger."""
    for layer in visible(reader(request.clearance), catalog):
        if isinstance(layer, VectorLayer) and (layer.portal.visible or layer.exposure is not None):
            yield layer


def _reaches(state: LayerState, area: shapely.Geometry | None) -> bool:
    boxes = state.extent.boxes() if state.extent is not None and state.edition is not None else ()
    return any(shapely.intersects(shapely.box(*box), area) for box in boxes)


def _zone(settings: Settings, number: str) -> Iterator[overlays.ZonePart]:
    """The best estimate of the zone, as the GeoPackage of the report has it; where it is empty, where was looked."""
    file = shelf.file_of(settings, number, "gpkg")
    meta, table = importlib.import_module("pyogrio").raw.read_arrow(file, layer="zone")
    for row in table.to_pylist():
        if row["estimate"] in ("best", LOOKED):
            label = Text(zh=row["label_zh"], en=row["label_en"])
            shape = shapely.from_wkb(row[meta["geometry_name"] or "wkb_geometry"])
            yield overlays.ZonePart(row["rank"], row["code"], label, shape)


def _around(shapes: Sequence[shapely.Geometry], share: float) -> Box:
    """A box around a zone; its east is beyond 180 where the zone lies on both sides of that meridian."""
    west, south, east, north = _bounds(shapes)
    wide, high = (max(side * share, _LEAST * share) for side in (east - west, north - south))
    # Beyond the limit there is no map; of what lies there its edge is shown.
    low, top = min(max(south - high, -_LIMIT), _LIMIT - high), max(min(north + high, _LIMIT), high - _LIMIT)
    if east > _HALF:
        return west - wide, low, east + wide, top
    return max(west - wide, -_HALF), low, min(east + wide, _HALF), top


def _bounds(shapes: Sequence[shapely.Geometry]) -> Box:
    boxes = shapely.bounds(shapely.get_parts(np.array(shapes, dtype=np.object_)))
    if np.ptp(boxes[:, [0, 2]]) > _HALF:
        turned = boxes + np.where(boxes[:, 2:3] < 0, 2 * _HALF, 0.0) * (1, 0, 1, 0)
        boxes = turned if np.ptp(turned[:, [0, 2]]) < np.ptp(boxes[:, [0, 2]]) else boxes
    (west, south), (east, north) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    return west, south, east, north


def _surface(box: Box) -> shapely.Geometry:
    west, south, east, north = box
    return surface((west, south, east - 2 * _HALF if east > _HALF else east, north))


def _highest(box: Box) -> int:
    """The highest zoom level at which no more than so many tiles lie in a box (degrees)."""
    return next((zoom for zoom in range(_HIGHEST, 0, -1) if _count(box, zoom) <= _MOST_TILES), 0)


def _count(box: Box, zoom: int) -> int:
    west, south, east, north = box
    side = 1 << zoom
    columns = math.floor((east + 180) / 360 * side) - math.floor((west + 180) / 360 * side) + 1
    low, high = (side * (0.5 - math.asinh(math.tan(math.radians(lat))) / (2 * math.pi)) for lat in (north, south))
    return columns * (math.floor(high) - math.floor(low) + 1)


def _view(
    catalog: Catalog, sealed: Sealed, zone: Sequence[overlays.ZonePart], around: Box, tiles: _Surroundings
) -> PackageView:
    manifest = sealed.manifest
    status = (sealed.answer.get("zone") or {}).get("status", "actual")
    banner = None if status == "actual" else Text(**TEXTS[f"report_status_{status}"])
    return PackageView(
        title=Text(zh=manifest.title, en=manifest.title),
        clearance=manifest.clearance,
        bounds=around if around[2] <= _HALF else (-_HALF, around[1], _HALF, around[3]),
        layers=tiles.layers,
        archives={} if tiles.file is None else {MAP: tiles.file},
        files=(("report.html", "package_report"), ("report.pdf", "package_pdf"), ("report.gpkg", "package_figures")),
        codelists=catalog.codelists,
        overlays=tuple(overlays.overlays(sealed, catalog, zone)),
        banner=banner,
        page=PAGE,
        start=_around([part.shape for part in zone], _AT_FIRST),
    )
