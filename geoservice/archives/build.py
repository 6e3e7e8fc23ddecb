"""Building an archive: ladders first, then all tiles from one snapshot, in parts, as the reader of its clearance.

What was drawn is kept beside the file until it is whole: a build that was killed goes on where it was, as long as the
same editions of the same layers are asked for.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import shapely

from geoservice import __version__
from geoservice.archives.describe import bounds_of, fingerprint, metadata
from geoservice.archives.request import ArchiveRequest, Choice, choose
from geoservice.archives.snapshot import View, view
from geoservice.db.engine import Database
from geoservice.ladder import lagging, renew
from layers.catalog import Catalog
from layers.errors import BadParameter
from tiles.archive.mbtiles_file import write_mbtiles
from tiles.archive.parts import Area, Part, parts_of
from tiles.archive.pmtiles_file import Description, Written, write_pmtiles
from tiles.archive.rasters import Images
from tiles.archive.run import Order, draw_missing, draw_missing_on_cluster
from tiles.archive.shelf import Shelf, shelf
from tiles.archive.subject import Subject
from tiles.archive.vectors import Member, Vectors

WRITERS = {".pmtiles": write_pmtiles, ".mbtiles": write_mbtiles}


class Watcher(Protocol):
    """Follows a build."""

    def begin(self, parts: int, /) -> None:
        """Drawing begins; so many parts there are."""

    def drawn(self, tiles: int, /) -> None:
        """One more part is there, with so many tiles."""


class Silent:
    """A watcher that says nothing."""

    def begin(self, parts: int, /) -> None:
        """Nothing."""

    def drawn(self, tiles: int, /) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Hands:
    """Who draws: so many threads of this process, or the workers of a Dask cluster."""

    workers: int | None = None
    scheduler: str | None = None


@dataclass(frozen=True)
class Built:
    """What came of a build.

    Attributes:
        file: The archive.
        written: Its tiles and size.
        metadata: What it says of itself.
        parts: In how many parts it was drawn.
        resumed: Whether parts of a former, killed build were looked for.
    """

    file: Path
    written: Written
    metadata: dict[str, Any]
    parts: int
    resumed: bool


def build(
    database: Database,
    catalog: Catalog,
    request: ArchiveRequest,
    file: Path,
    hands: Hands | None = None,
    watcher: Watcher | None = None,
) -> Built:
    """Build an archive.

    Args:
        database: The database.
        catalog: Its layers.
        request: What the archive is to hold.
        file: Where to; `.pmtiles` or `.mbtiles`. A file of the name is replaced when the new one is whole.
        hands: Who draws.
        watcher: Told how far it is.

    Raises:
        UnknownLayer, BadParameter: When the request cannot be met, or nothing lies in the area.
        UnknownFeature: When there is no division of the code.
        LayerBusy: When another build writes the same file.
        DatabaseUnavailable: When the server does not answer.
    """
    choice = choose(catalog, request)
    if file.suffix not in WRITERS:
        raise BadParameter(f"Archives are {' or '.join(WRITERS)}; {file.name} is neither.", parameter="file")
    climb(database, catalog, choice)
    with view(database, request.clearance) as seen:
        return build_seen(seen, database, catalog, request, file, hands or Hands(), watcher or Silent())


def climb(database: Database, catalog: Catalog, choice: Choice) -> None:
    """Bring the ladders of the chosen layers to their current editions."""
    chosen = {layer.name for layer, _ in choice.vectors}
    for layer in lagging(database, catalog):
        if layer.name in chosen:
            renew(database, layer)


def build_seen(
    seen: View,
    database: Database,
    catalog: Catalog,
    request: ArchiveRequest,
    file: Path,
    hands: Hands,
    watcher: Watcher,
) -> Built:
    """Build an archive of what a view sees; arguments and errors as `build`."""
    choice = choose(catalog, request)
    layers = [layer for layer, _ in choice.layers]
    states, ladders = seen.states(layers), seen.ladders(layers)
    surface = area_of(seen, catalog, request)
    bounds = bounds_of(states, surface)
    if bounds is None:
        raise BadParameter("Nothing of these layers lies there that readers of the archive may see.", parameter="area")
    subject = _subject(seen, database, catalog, choice, request, ladders)
    plan = {
        "version": __version__,
        "kind": choice.kind(request.image),
        "zooms": list(choice.zooms),
        "clearance": request.clearance.label,
        "area": None if surface is None else hashlib.sha256(shapely.to_wkb(surface)).hexdigest(),
        "layers": [fingerprint(la, d, states[la.name], ladders[la.name]) for la, d in choice.layers],
        "files": [asset.path.name for asset in subject.assets] if isinstance(subject, Images) else [],
    }
    about = Description(
        choice.kind(request.image), bounds, metadata(file.stem, choice, request.clearance, states, ladders)
    )
    order = Order(subject, Area.of(surface))
    with shelf(file) as kept:
        resumed = kept.prepare(plan)
        names = _draw(order, kept, hands, watcher)
        if not len(kept.index(names)):
            raise BadParameter("Nothing can be seen there: not one tile has content.", parameter="area")
        written = WRITERS[file.suffix](file, kept, names, about)
    return Built(file, written, about.metadata, len(names), resumed)


def area_of(seen: View, catalog: Catalog, request: ArchiveRequest) -> shapely.Geometry | None:
    """The surface that a request means, in degrees; None for everything.

    Raises:
        BadParameter: When it names two.
    """
    if request.adcode is None:
        return request.area
    if request.area is not None:
        raise BadParameter("Give a box or an adcode, not both.", parameter="adcode")
    return seen.division(catalog, request.adcode)


def _draw(order: Order, kept: Shelf, hands: Hands, watcher: Watcher) -> tuple[str, ...]:
    """Draw what is missing; the names of all parts, in their order."""
    drawer = order.subject.open()
    try:
        parts = parts_of(drawer, order.subject.zooms, order.area)
    finally:
        drawer.close()
    watcher.begin(len(parts))

    def done(_: Part, tiles: int) -> None:
        watcher.drawn(tiles)

    if hands.scheduler is not None:
        draw_missing_on_cluster(order, parts, kept, hands.scheduler, done)
    else:
        draw_missing(order, parts, kept, hands.workers or max(2, len(os.sched_getaffinity(0))), done)
    return tuple(part.name for part in parts)


def _subject(
    seen: View,
    database: Database,
    catalog: Catalog,
    choice: Choice,
    request: ArchiveRequest,
    ladders: dict[str, int | None],
) -> Subject:
    if choice.raster is not None:
        (_, decision), *_ = choice.layers
        assets = seen.assets(choice.raster, decision, database)
        return Images(choice.raster, assets, dict(catalog.codelists), request.image, choice.zooms)
    members = tuple(Member(layer, decision, ladders[layer.name] is not None) for layer, decision in choice.vectors)
    return Vectors(seen.snapshot, members, choice.zooms)
