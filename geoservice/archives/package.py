"""An offline package for field teams: tiles, exact rows and a page in one folder that opens without a server.

Everything in it is seen in one snapshot by the reader of one clearance. The folder gets its name when it is whole; what
was drawn before a build was killed is used by the next one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from geoservice.archives.build import Built, Hands, Silent, Watcher, area_of, build_seen, climb
from geoservice.archives.describe import bounds_of
from geoservice.archives.geopackage import write_geopackage
from geoservice.archives.request import ArchiveRequest, Choice, Drawn, choose, reader
from geoservice.archives.snapshot import View, view
from geoservice.db.engine import Database
from geoservice.features.state import LayerState
from layers.access import Decision, decide
from layers.catalog import Catalog
from layers.errors import BadParameter, SourceMissing
from layers.model import RasterLayer, Text, VectorLayer
from layers.stylesheet import as_seen
from web.package import PackageView, Packed, write_page

MAP = "map"
"""Name of the archive of the vector layers; a raster layer has one of its own name."""
ROWS = "data.gpkg"


@dataclass(frozen=True)
class Package:
    """What came of it: the folder, its archives by name, rows by layer, bytes."""

    folder: Path
    archives: Mapping[str, Built]
    rows: Mapping[str, int]
    size: int


@dataclass(frozen=True)
class _Work:
    """What all steps of a package need."""

    seen: View
    database: Database
    catalog: Catalog
    request: ArchiveRequest
    folder: Path
    hands: Hands
    watcher: Watcher


def package(
    database: Database,
    catalog: Catalog,
    request: ArchiveRequest,
    folder: Path,
    hands: Hands | None = None,
    watcher: Watcher | None = None,
) -> Package:
    """Make a package.

    Args:
        database: The database.
        catalog: Its layers.
        request: What goes in; vector and raster layers may stand together.
        folder: Where to; nothing is there yet.
        hands: Who draws the tiles.
        watcher: Told how far each archive is.

    Raises:
        SourceMissing: When the folder is there already, or cannot be made.
        UnknownLayer, BadParameter, UnknownFeature, LayerBusy, DatabaseUnavailable: See `geoservice.archives.build`.
    """
    if folder.exists():
        raise SourceMissing(f"{folder.name} is there already; choose another name, or remove it.", source=folder.name)
    requests = _requests(catalog, request)
    for one in requests.values():
        climb(database, catalog, choose(catalog, one))
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    (unfinished / "tiles").mkdir(parents=True, exist_ok=True)
    with view(database, request.clearance) as seen:
        work = _Work(seen, database, catalog, request, unfinished, hands or Hands(), watcher or Silent())
        archives = {name: _archive(work, name, one) for name, one in requests.items()}
        rows = _fill(work, requests, archives)
    unfinished.rename(folder)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Package(folder, archives, rows, size)


def _requests(catalog: Catalog, request: ArchiveRequest) -> dict[str, ArchiveRequest]:
    """One request for all vector layers, and one for each raster layer."""
    layers = [catalog.layer(name) for name in dict.fromkeys(request.layers)]
    if not layers:
        raise BadParameter("A package holds at least one layer; name it.", parameter="layers")
    rasters = tuple(layer.name for layer in layers if isinstance(layer, RasterLayer))
    vectors = tuple(layer.name for layer in layers if layer.name not in rasters)
    if MAP in rasters:
        raise BadParameter(f"A raster layer cannot be called {MAP} in a package.", parameter="layers")
    found = {MAP: replace(request, layers=vectors)} if vectors else {}
    return found | {name: replace(request, layers=(name,), image="webp") for name in rasters}


def _archive(work: _Work, name: str, request: ArchiveRequest) -> Built:
    file = work.folder / "tiles" / f"{name}.pmtiles"
    return build_seen(work.seen, work.database, work.catalog, request, file, work.hands, work.watcher)


def _fill(work: _Work, requests: Mapping[str, ArchiveRequest], archives: Mapping[str, Built]) -> Mapping[str, int]:
    """Write rows and page."""
    choices = {name: choose(work.catalog, one) for name, one in requests.items()}
    layers = [layer for choice in choices.values() for layer, _ in choice.layers]
    states = work.seen.states(layers)
    area = area_of(work.seen, work.catalog, work.request)
    vectors = [pair for choice in choices.values() for pair in choice.vectors]
    rows_file = work.folder / ROWS
    rows_file.unlink(missing_ok=True)
    rows = write_geopackage(work.seen, vectors, area, rows_file) if vectors else {}
    files = [(ROWS, "package_rows")] if vectors else []
    files += [(f"tiles/{name}.pmtiles", "package_tiles") for name in archives]
    shutil.rmtree(work.folder / "page", ignore_errors=True)
    found = PackageView(
        title=_title(layers),
        clearance=work.request.clearance.label,
        bounds=bounds_of(states, area) or (-180.0, -85.0, 180.0, 85.0),
        layers=tuple(one for name, choice in choices.items() for one in packed(work.request, name, choice, states)),
        archives={name: built.file for name, built in archives.items()},
        files=tuple(files),
        codelists=work.catalog.codelists,
    )
    write_page(work.folder, found)
    return rows


def _title(layers: list[Drawn]) -> Text:
    """The titles of the layers, or of the first ones."""
    most = 3
    zh, en = ("、".join(la.title.zh for la in layers[:most]), ", ".join(la.title.en for la in layers[:most]))
    return Text(zh=zh, en=en) if len(layers) <= most else Text(zh=f"{zh} 等", en=f"{en} and others")


def packed(request: ArchiveRequest, archive: str, choice: Choice, states: Mapping[str, LayerState]) -> list[Packed]:
    """The layers of an archive as the page of a package shows them to its readers.

    Args:
        request: What the archive holds, and for whom.
        archive: Its name.
        choice: Its layers.
        states: Their editions.
    """
    return [_one(request, archive, layer, choice, states[layer.name]) for layer, _ in choice.layers]


def _one(request: ArchiveRequest, archive: str, layer: Drawn, choice: Choice, state: LayerState) -> Packed:
    decision: Decision = decide(reader(request.clearance), "read", layer)
    low, high = max(choice.zooms[0], layer.tiles.from_), min(choice.zooms[1], layer.tiles.to)
    shown = as_seen(layer.crediting(state.mappings), decision.attributes)
    if not isinstance(shown, VectorLayer | RasterLayer):
        raise TypeError(f"{layer.id} has no tiles")
    committed = state.committed.isoformat() if state.committed else None
    return Packed(shown, decision.attributes, archive, (low, high), state.edition, committed)
