"""`geoservice tiles seed, warm, stats, purge`: tiles that are kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geoservice.app import create_app
from geoservice.cli import tiles
from geoservice.cli.archives import zoom_range
from geoservice.cli.layers import ensure_tables
from geoservice.db.provision import open_database
from geoservice.house import House
from geoservice.settings import Settings, load_settings
from geoservice.tiles.cache import store_of
from geoservice.tiles.seeding import LOW, Seeded, Seeding, opened, seed, warm
from layers.access import Clearance, Principal, decide
from layers.catalog import read_catalog
from layers.errors import BadParameter
from layers.extent import Extent, parse_bbox
from layers.model import VectorLayer
from tiles.sets.standard import WEB_MERCATOR_QUAD

MOST = 100_000
_HIGHEST = 30
_MEBIBYTE = 1 << 20


def register(root: typer.Typer) -> None:
    """Add the commands to the group of tiles."""
    for name, command in (("seed", seed_command), ("warm", warm_command), ("stats", stats), ("purge", purge)):
        tiles.commands.command(name)(command)


def seed_command(
    layers: Annotated[list[str], typer.Argument(help="Layers, as name or theme/name.")],
    zooms: Annotated[str | None, typer.Option(help="Zoom levels, such as 5-10; default: those of the layer.")] = None,
    clearance: Annotated[
        str | None, typer.Option(help="For whom: public, internal or restricted; default: all who may see the layer.")
    ] = None,
    matrix_set: Annotated[str, typer.Option("--set", help="Tile matrix set.")] = WEB_MERCATOR_QUAD,
    area: Annotated[str | None, typer.Option(help="West,south,east,north in degrees; default: all there is.")] = None,
    most: Annotated[int, typer.Option(help="Refuse to draw more tiles than this, for each clearance.")] = MOST,
    low: Annotated[
        bool, typer.Option("--low", help=f"Draw the lowest zoom levels only, of {LOW} tiles together at most.")
    ] = False,
) -> None:
    """Draw tiles before they are asked for, and keep them on disk.

    Running services find them there. What is kept already and has not changed is not drawn again.
    """
    settings = load_settings()
    from_, to = zoom_range(zooms)
    bounds = parse_bbox(area) if area is not None else None
    span = (from_ or 0, _HIGHEST if to is None else to)
    house = _house(settings)
    grid = house.grids.get(matrix_set)
    wanted = [
        Seeding(layer, level, grid, span, bounds and Extent(*bounds.as_list()), LOW if low else most, low)
        for layer in _vector_layers(house, layers)
        for level in _levels(layer, clearance)
    ]
    asyncio.run(_seed_all(house, wanted))


async def _seed_all(house: House, wanted: Iterable[Seeding]) -> None:
    async with opened(house):
        for one in wanted:
            started = time.monotonic()
            _say(f"{one.layer.id}, {one.clearance.label}", await seed(house, one), started)


def warm_command(
    layers: Annotated[list[str] | None, typer.Argument(help="Layers, as name or theme/name; default: all.")] = None,
) -> None:
    """Draw anew the kept tiles that have changed, so that nobody has to wait for them."""
    house = _house(load_settings())
    asyncio.run(_warm_all(house, _vector_layers(house, layers)))


async def _warm_all(house: House, layers: Iterable[VectorLayer]) -> None:
    async with opened(house):
        for layer in layers:
            started = time.monotonic()
            done = await warm(house, layer)
            if done.tiles:
                _say(layer.id, done, started)


def stats() -> None:
    """Show how many tiles are kept on disk, and how much room they take."""
    store = store_of(load_settings())
    table = Table("layer", "tiles", "MiB")
    found = store.kept()
    for kept in found:
        table.add_row(kept.layer, f"{kept.tiles:,}", f"{kept.bytes / _MEBIBYTE:,.1f}")
    store.close()
    Console().print(table)
    taken = sum(kept.bytes for kept in found) / _MEBIBYTE
    typer.echo(f"{taken:,.1f} of {store.limit / _MEBIBYTE:,.0f} MiB in {store.folder}")


def purge(
    layers: Annotated[list[str] | None, typer.Argument(help="Layers, as name or theme/name.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Tiles of all layers.")] = False,
) -> None:
    """Give kept tiles up, on disk and in the memory of running services.

    Tiles that have changed are never handed out; this is for making room, and after older files of the database were
    put in the place of newer ones.
    """
    if bool(layers) == everything:
        raise BadParameter("Name the layers whose tiles are to go, or --all.")
    settings = load_settings()
    catalog = read_catalog(settings.layers_dir)
    store = store_of(settings)
    gone = store.purge([catalog.layer(name).name for name in layers] if layers else None)
    store.close()
    typer.echo(f"{gone:,} tiles are gone.")


def _house(settings: Settings) -> House:
    ensure_tables(settings, open_database(settings))
    found: House = create_app(settings).state.house
    if settings.tile_disk_mb <= 0:
        raise BadParameter("No tiles are kept on disk: GEOSERVICE_TILE_DISK_MB is 0.")
    return found


def _vector_layers(house: House, names: Iterable[str] | None) -> list[VectorLayer]:
    if not names:
        return [layer for layer in house.catalog if isinstance(layer, VectorLayer)]
    found = [house.catalog.layer(name) for name in names]
    for layer in found:
        if not isinstance(layer, VectorLayer):
            raise BadParameter(f"Layer {layer.id} has no vector tiles.")
    return [layer for layer in found if isinstance(layer, VectorLayer)]


def _levels(layer: VectorLayer, named: str | None) -> list[Clearance]:
    """For whom tiles of a layer are drawn."""
    if named is None:
        return [level for level in Clearance if decide(Principal("reader", level), "read", layer).allowed]
    try:
        return [Clearance.parse(named)]
    except ValueError as error:
        raise BadParameter(f"--clearance: {error}.", parameter="clearance") from None


def _say(what: str, done: Seeded, started: float) -> None:
    typer.echo(f"{what}: {done.tiles:,} tiles, {done.drawn:,} of them drawn in {time.monotonic() - started:.1f} s")
