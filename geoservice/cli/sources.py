"""`geoservice sources`: open data, its licences and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

from geoservice.settings import load_settings
from geoservice.sources.errors import ChecksumMismatch, DownloadFailed, NoOrigin
from geoservice.sources.fetch import Fetched, Origins, fetch, locate
from geoservice.sources.registry import OpenSource, read_registry
from layers.errors import BadParameter

EXIT_FAILED = 1

commands = typer.Typer(help="Open data sources: list, show, fetch.", no_args_is_help=True)
app = commands


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="sources")


def bundled_folder() -> Path:
    """Folder of the data that the front-end packages bring, in this installation."""
    return Path(str(resources.files("web"))) / "static" / "vendor" / "data"


def _origins(network: bool) -> Origins:
    return Origins(mirror=load_settings().data, bundled=bundled_folder(), network=network)


def describe(source: OpenSource) -> dict[str, Any]:
    """A source as plain values, for JSON and for `show`."""
    values = source.model_dump(mode="json", exclude_none=True)
    return values | {"themes": list(source.themes), "live": source.live, "name": source.name}


@commands.command("list")
def list_sources(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Only those that the demo loads.")] = False,
) -> None:
    """List the sources with their licence, attribution and official address."""
    chosen = [source for source in read_registry() if source.demo or not demo]
    if as_json:
        typer.echo(json.dumps([describe(source) for source in chosen], ensure_ascii=False, indent=2))
        return
    table = Table("id", "title", "layers", "licence", "attribution", "address", box=None, pad_edge=False)
    for source in chosen:
        layers = ", ".join(feed.layer.partition("/")[2] for feed in source.feeds)
        table.add_row(source.id, source.title.en, layers, source.licence, source.attribution, source.home)
    console = Console()
    if not console.is_terminal:
        # A pipe has no width: give each row one line, so that it can be searched.
        console = Console(width=400)
    console.print(table)


@commands.command()
def show(
    source_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the source.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show everything about one source, and whether a copy is on this machine."""
    source = read_registry().source(source_id)
    here = locate(source, _origins(network=False))
    values = describe(source) | {"copy": str(here) if here else None}
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False, indent=2))
        return
    spoken = {
        "title": f"{source.title.en} / {source.title.zh}",
        "feeds": ", ".join(f"{feed.layer} (mapping {feed.mapping})" for feed in source.feeds),
        "themes": ", ".join(source.themes),
    }
    for name, value in (values | spoken).items():
        typer.echo(f"{name:<12}{'-' if value is None else value}")


@commands.command("fetch")
def fetch_sources(
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="Folder to put the files into.")],
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Ids of sources.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Fetch all sources.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use the mirror and the bundled data only.")] = False,
) -> None:
    """Fetch sources with checksum and resume: from the mirror, the bundled data, or their address."""
    registry = read_registry()
    if bool(ids) == everything:
        raise BadParameter("Name the sources to fetch, or give --all; one of the two is expected.")
    chosen = tuple(registry) if everything else registry.pick(ids or ())
    if into.exists() and not into.is_dir():
        raise BadParameter(f"--into names {into}, which is a file; a folder was expected.")
    failed = _fetch_all(chosen, into, _origins(network=not offline))
    typer.echo(f"{len(chosen) - failed} of {len(chosen)} sources are in {into}.")
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _fetch_all(sources: Sequence[OpenSource], into: Path, origins: Origins) -> int:
    """Fetch each source; what fails is told and counted, the others still come."""
    failed = 0
    for source in sources:
        try:
            fetched = _fetch_one(source, into, origins)
        except (ChecksumMismatch, DownloadFailed, NoOrigin) as error:
            failed += 1
            typer.echo(f"{source.id}: {error.detail}", err=True)
            continue
        resumed = f", {fetched.resumed} bytes kept of an earlier transfer" if fetched.resumed else ""
        typer.echo(f"{source.id}: {fetched.path.name}, {fetched.size} bytes ({fetched.origin}{resumed})")
    return failed


def _fetch_one(source: OpenSource, into: Path, origins: Origins) -> Fetched:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(source.id, total=None)
        return fetch(source, into, origins, lambda done, total: bar.update(task, completed=done, total=total))
