"""`geoservice tiles build`: tiles of many places as one file."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from geoservice.archives.build import Built, Hands, build
from geoservice.archives.package import package
from geoservice.archives.registry import Record, Registry
from geoservice.archives.request import ArchiveRequest
from geoservice.archives.snapshot import box
from geoservice.cli import tiles
from geoservice.cli.layers import ensure_tables
from geoservice.db.provision import open_database
from geoservice.settings import load_settings
from layers.access import Clearance
from layers.catalog import read_catalog
from layers.errors import BadParameter
from layers.extent import parse_bbox
from tiles.image import image_format

_ADCODE = "adcode:"
_ZOOMS = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?", re.ASCII)

Layers = Annotated[list[str], typer.Argument(help="Layers, as name or theme/name.")]
Place = Annotated[
    str | None,
    typer.Option(
        "--area", help="West,south,east,north in degrees, or adcode:CODE of a division; default: all there is."
    ),
]
ZoomRange = Annotated[str | None, typer.Option(help="Zoom levels, such as 5-14; default: those of the layers.")]
Level = Annotated[str, typer.Option(help="Of those who will read it: public, internal or restricted.")]
Image = Annotated[str, typer.Option("--format", help="Images of a raster layer: png, webp or jpeg.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Dask scheduler whose workers draw the parts, such as tcp://10.0.0.5:8786.")
]


def register(root: typer.Typer) -> None:
    """Add the commands to the group of tiles."""
    tiles.commands.command("build")(build_command)
    tiles.commands.command("package")(package_command)
    tiles.commands.command("publish")(publish)
    tiles.commands.command("archives")(archives)
    tiles.commands.command("withdraw")(withdraw)


def request_of(
    layers: list[str], place: str | None, zooms: str | None, clearance: str, image: str = "png"
) -> ArchiveRequest:
    """What the options of a command ask for.

    Raises:
        BadParameter: When one of them cannot be read.
    """
    low, high = zoom_range(zooms)
    try:
        level = Clearance.parse(clearance)
    except ValueError as error:
        raise BadParameter(f"--clearance: {error}.", parameter="clearance") from None
    code = place.removeprefix(_ADCODE) if place is not None and place.startswith(_ADCODE) else None
    area = None if place is None or code is not None else box(parse_bbox(place).as_list())
    return ArchiveRequest(tuple(layers), level, area, code, low, high, image_format(image))


def zoom_range(text: str | None) -> tuple[int | None, int | None]:
    """Read `--zooms`: one zoom level, or the lowest and the highest.

    Raises:
        BadParameter: When it is neither.
    """
    if text is None:
        return None, None
    found = _ZOOMS.fullmatch(text)
    if found is None:
        raise BadParameter(f"--zooms is a zoom level or two, such as 5-14; {text[:30]!r} is not.", parameter="zooms")
    low = int(found[1])
    high = int(found[2]) if found[2] else low
    if low > high:
        raise BadParameter(f"--zooms: {low} exceeds {high}; write the lower one first.", parameter="zooms")
    return low, high


class Bar:
    """One line of the terminal that follows a build."""

    def __init__(self, progress: Progress, title: str) -> None:
        """Draw on a display."""
        self._progress = progress
        self._tiles = 0
        self._task = progress.add_task(title, total=None, tiles=0)

    def begin(self, parts: int, /) -> None:
        """So many parts there are."""
        self._progress.update(self._task, total=parts)

    def drawn(self, tiles: int, /) -> None:
        """One more part is there."""
        self._tiles += tiles
        self._progress.update(self._task, advance=1, tiles=self._tiles)


@contextmanager
def progress_bar(title: str) -> Iterator[Bar]:
    """A bar on standard error, gone when it ends; nothing is drawn where there is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("parts, {task.fields[tiles]:,} tiles"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, title)


def build_command(
    file: Annotated[Path, typer.Argument(help="File to write, .pmtiles or .mbtiles.")],
    layers: Layers,
    area: Place = None,
    zooms: ZoomRange = None,
    clearance: Level = "public",
    image: Image = "png",
    scheduler: Scheduler = None,
) -> None:
    """Write the tiles of layers into one file: vector layers together, a raster layer by itself.

    Everything is drawn from one snapshot of the database, as the readers of the clearance see it. A build that was
    killed goes on where it was when it is started again over the same editions.
    """
    request = request_of(layers, area, zooms, clearance, image)
    settings = load_settings()
    catalog = read_catalog(settings.layers_dir)
    database = open_database(settings)
    ensure_tables(settings, database)
    started = time.monotonic()
    with progress_bar(file.name) as bar:
        built = build(database, catalog, request, file, Hands(scheduler=scheduler), bar)
    _say(built, time.monotonic() - started)


def _say(built: Built, seconds: float) -> None:
    written = built.written
    again = ", parts of a former build were kept" if built.resumed else ""
    typer.echo(
        f"{built.file}: {written.tiles:,} tiles ({written.contents:,} different), {written.size:,} bytes, "
        f"{built.parts} parts in {seconds:.1f} s{again}"
    )


def package_command(
    folder: Annotated[Path, typer.Argument(help="Folder to make; it is not there yet.")],
    layers: Layers,
    area: Place = None,
    zooms: ZoomRange = None,
    clearance: Level = "public",
    scheduler: Scheduler = None,
) -> None:
    """Make a folder for field teams: tiles, exact rows (GeoPackage) and a map page that opens without a server."""
    request = request_of(layers, area, zooms, clearance)
    settings = load_settings()
    catalog = read_catalog(settings.layers_dir)
    database = open_database(settings)
    ensure_tables(settings, database)
    started = time.monotonic()
    with progress_bar(folder.name) as bar:
        made = package(database, catalog, request, folder, Hands(scheduler=scheduler), bar)
    drawn = sum(built.written.tiles for built in made.archives.values())
    typer.echo(
        f"{made.folder}: {drawn:,} tiles, {sum(made.rows.values()):,} rows, {made.size:,} bytes in "
        f"{time.monotonic() - started:.1f} s; open {made.folder / 'index.html'}"
    )


def _registry() -> Registry:
    return Registry(load_settings().home / "archives")


def publish(
    file: Annotated[Path, typer.Argument(help="Archive that `geoservice tiles build` wrote, .pmtiles.")],
    name: Annotated[str | None, typer.Option(help="Under which it is handed out; default: that of the file.")] = None,
) -> None:
    """Hand an archive out at /archives/NAME, to readers of its clearance; one of the same name is replaced."""
    record = _registry().publish(file, name)
    typer.echo(f"{record.name}: {record.size:,} bytes, {record.clearance}, {_names(record)}")


def archives() -> None:
    """List the archives that are handed out."""
    for record in _registry():
        typer.echo(f"{record.name}: {record.size:,} bytes, {record.clearance}, {_names(record)}")


def withdraw(name: Annotated[str, typer.Argument(help="Name of the archive.")]) -> None:
    """Hand an archive out no longer."""
    _registry().withdraw(name)
    typer.echo(f"{name} is not handed out any more.")


def _names(record: Record) -> str:
    return ", ".join(f"{held.layer} (edition {held.edition})" for held in record.layers)
