"""`geoservice demo`: the sample region and the open data at hand, loaded once, then served."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.text import Text

from geoservice.alerts.desk import LAYER as ALERTS
from geoservice.cli.ingest import load_source, print_report
from geoservice.cli.layers import synchronise
from geoservice.cli.serve import require_free_port, run, start_database
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.settings import Settings, load_settings
from geoservice.sources.fetch import Origins, locate
from geoservice.sources.registry import read_registry
from ingest.load import identify
from layers.catalog import Catalog, read_catalog
from layers.errors import GeoError
from layers.system import edition

SAMPLE_MAPPING = "sample"
EXIT_REFUSED = 1


@dataclass(frozen=True)
class Delivery:
    """A file for a layer, by a mapping."""

    layer: str
    mapping: str
    file: Path


def register(root: typer.Typer) -> None:
    """Add the command to the root application."""
    root.command("demo")(demo)


def demo(
    parcels: Annotated[int, typer.Option(min=500, max=1_000_000, help="Land-use patches of the sample region.")] = 4000,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve when everything is loaded.")] = True,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Load the sample region and the open data found on this machine, then serve the portal."""
    settings = load_settings(port=port)
    console = Console()
    catalog = read_catalog(settings.layers_dir)
    if serve:
        require_free_port(settings)
    started_here = start_database(settings)
    database = open_database(settings)
    synchronise(settings, database)
    failed = fill(settings, database, catalog, parcels, console)
    console.print(f"\nThe data are loaded{f', {failed} source(s) were refused (see above)' if failed else ''}.")
    if serve:
        console.print(f"Open [bold]http://{settings.host}:{settings.port}/portal[/bold] in a browser (Ctrl-C ends).")
        run(settings, started_here=started_here)
    else:
        console.print("`geoservice serve` starts the service.")
        raise typer.Exit(EXIT_REFUSED if failed else 0)


def fill(settings: Settings, database: Database, catalog: Catalog, parcels: int, console: Console) -> int:
    """Load everything that is not loaded yet.

    Returns:
        How many sources were refused; each is reported on the console.
    """
    failed = 0
    console.print(f"Making the sample region ({parcels} patches) ...")
    deliveries = [*sample_deliveries(settings, catalog, parcels), *open_deliveries(settings)]
    done = _loaded(database)
    for delivery in deliveries:
        if (catalog.layer(delivery.layer).name, delivery.mapping, identify(delivery.file).sha256) in done:
            console.print(f"{delivery.layer} <- {delivery.file.name}: already loaded")
            continue
        try:
            print_report(load_source(catalog, database, delivery.layer, delivery.file, delivery.mapping))
        except GeoError as error:
            console.print(
                Text(f"{delivery.layer} <- {delivery.file.name}: {error.detail}", style="red"), soft_wrap=True
            )
            failed += 1
    return failed


def sample_deliveries(settings: Settings, catalog: Catalog, parcels: int) -> Iterator[Delivery]:
    """Write the sample region into the state directory and say which file feeds which layer."""
    folder = settings.home / "sample" / str(parcels)
    marker = folder / "complete"
    if not marker.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        importlib.import_module("ingest.sample.write").write_sample(folder, parcels)
        marker.touch()
    for layer in catalog:
        if SAMPLE_MAPPING in layer.sources:
            for file in sorted(folder.glob(f"sample_{layer.name}.*")):
                yield Delivery(layer.id, SAMPLE_MAPPING, file)
                if layer.name == ALERTS:
                    yield Delivery(layer.id, SAMPLE_MAPPING, _alert_of_today(file))


def _alert_of_today(file: Path) -> Path:
    """The sample alert as one that is in force, beside the one whose day is over."""
    dated = importlib.import_module("ingest.sample.alert").dated(file.read_bytes(), dt.datetime.now(dt.UTC))
    folder = file.parent / "today"
    folder.mkdir(exist_ok=True)
    today = folder / file.name
    today.write_bytes(dated)
    return today


def open_deliveries(settings: Settings) -> Iterator[Delivery]:
    """Open data for the demo that lie on this machine: in the local mirror or among the front-end packages' data."""
    bundled = Path(str(resources.files("web"))) / "static" / "vendor" / "data"
    origins = Origins(mirror=settings.data, bundled=bundled if bundled.is_dir() else None, network=False)
    for source in read_registry():
        found = locate(source, origins) if source.demo else None
        if found is not None:
            for feed in source.feeds:
                yield Delivery(feed.layer, feed.mapping, found)


def _loaded(database: Database) -> set[tuple[str, str, str]]:
    columns = (edition.c.layer, edition.c.mapping, edition.c.sha256)
    with database.transaction(Role.WRITER) as connection:
        return {(row.layer, row.mapping, row.sha256) for row in connection.execute(sa.select(*columns).distinct())}
