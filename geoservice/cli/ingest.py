"""`geoservice ingest`: load sources into layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.text import Text

from geoservice.alerts.delivered import deliver
from geoservice.cli.bars import bar
from geoservice.cli.layers import ensure_tables
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.loads.document import ReferenceFacts
from geoservice.loads.reference import reference_facts
from geoservice.remote import is_remote, snapshot
from geoservice.settings import Settings, load_settings
from ingest.chronicle import Intent, attempt
from ingest.delivery import Delivery
from ingest.job import Fetched, IngestReport, LoadOptions
from ingest.load import LoadTarget
from ingest.remote.guard import redacted
from layers.catalog import Catalog, read_catalog
from layers.gauss import Datum
from web.loads import decided, zones
from web.texts import text

commands = typer.Typer(help="Load sources into layers; look at what could not be loaded.", no_args_is_help=True)


@commands.callback()
def group(
    context: typer.Context,
    owner: Annotated[
        str | None, typer.Option(help="Who delivered what is loaded, for its lineage (before the subcommand).")
    ] = None,
    parts: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Readers that share a large source; default: by size and processors."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler whose workers read the parts, such as tcp://10.0.0.5:8786.")
    ] = None,
    crs: Annotated[
        str | None, typer.Option(help="CRS of a source that states none, as EPSG:n; kept in its lineage.")
    ] = None,
    datum: Annotated[
        str | None,
        typer.Option(help="Datum of a source that states no CRS: cgcs2000, xian1980, beijing1954 or newbeijing."),
    ] = None,
) -> None:
    """Load sources into layers; look at what could not be loaded."""
    context.obj = LoadOptions(owner=owner, parts=parts, scheduler=scheduler, crs=crs, datum=cast("Datum | None", datum))


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="ingest")


def target_of(settings: Settings, database: Database) -> LoadTarget:
    """Where loads of this installation go."""
    return LoadTarget(
        engine=database.sync_engine(Role.WRITER),
        dsn=database.dsn(Role.WRITER),
        rasters=settings.home / "rasters",
    )


def load_source(
    catalog: Catalog,
    database: Database,
    layer_name: str,
    source: Path | Fetched,
    mapping: str | None = None,
    *,
    options: LoadOptions | None = None,
    quiet: bool = False,
) -> IngestReport:
    """Load one source with a progress bar, by the way that fits its layer; alerts pass their desk.

    Raises:
        GeoError: See `geoservice.alerts.delivered.deliver`.
    """
    target = target_of(database.settings, database)
    name = catalog.layer(layer_name).name
    file, origin = (source.file, source.origin) if isinstance(source, Fetched) else (source, None)
    delivery = Delivery(layer_name, file, mapping, options or LoadOptions(), origin)
    with bar(f"{name} <- {file.name}", quiet=quiet) as progress:
        return deliver(database, catalog, target, delivery, progress=progress)


@contextmanager
def _at_hand(
    settings: Settings, source: str, kept: AbstractContextManager[object], *, quiet: bool
) -> Iterator[Path | Fetched]:
    """The source as a file: itself, or the snapshot of a remote one, fetched before anything is opened.

    Args:
        settings: What may be fetched.
        source: Path or address.
        kept: In which a fetch that fails leaves its report.
        quiet: Whether no progress is shown.
    """
    if not is_remote(source):
        yield Path(source)
        return
    with ExitStack() as stack:
        with kept, bar(f"fetching {redacted(source)}", quiet=quiet) as progress:
            fetched = stack.enter_context(snapshot(settings, source, progress))
        yield fetched


@commands.command("load")
def load_command(
    context: typer.Context,
    layer: Annotated[str, typer.Argument(help="Layer, as name or theme/name.")],
    source: Annotated[
        str, typer.Argument(help="File to load, or a remote source: https://..., wfs:https://..., postgresql:...")
    ],
    mapping: Annotated[
        str | None, typer.Option(help="Source mapping of the layer; default: by the file's name.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything, report the counts, and write nothing.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair/--no-repair", help="Mend invalid geometries, or keep them out of the layer.")
    ] = True,
    json_: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Load a file or remote source into a layer as one edition. A second load of the same one changes nothing."""
    settings = load_settings()
    catalog = read_catalog(settings.layers_dir)
    found = catalog.layer(layer)
    database = open_database(settings)
    ensure_tables(settings, database)
    options = replace(context.obj, dry_run=dry_run, repair=repair)
    name = redacted(source) if is_remote(source) else source
    kept = attempt(database.sync_engine(Role.WRITER), Intent(found, name, mapping, options), "cli")
    with _at_hand(settings, source, kept, quiet=json_) as what:
        report = load_source(catalog, database, layer, what, mapping, options=options, quiet=json_)
    if json_:
        typer.echo(report.model_dump_json(indent=2))
    else:
        print_report(report, dry=dry_run)


def reference_lines(reference: ReferenceFacts | None, language: str) -> Iterator[str]:
    """How the CRS was decided and which zones were read, for a terminal; nothing for a source without coordinates."""
    body = None if reference is None else reference.model_dump(mode="json")
    for said in (decided(body, language), zones(body, language)):
        if said:
            yield f"  {said}"


def unused_line(fields: Sequence[str], language: str) -> str:
    """Which fields of the source go nowhere, for a terminal: what was not loaded is said, too."""
    return f"{text('unmapped', language)}: {', '.join(fields)}"


def print_report(report: IngestReport, *, dry: bool = False) -> None:
    """Print a report for a person: counts that add up, findings, what to do next. `dry`: nothing was written."""
    console = Console()
    for line in _lines(report, dry=dry):
        # As it is: names may hold brackets, and who searches the output wants whole lines.
        console.print(Text(line), soft_wrap=True)


def _lines(report: IngestReport, *, dry: bool) -> Iterator[str]:
    edition = f"edition {report.edition}" if report.edition else "nothing changed"
    came = "dry run, nothing was written" if dry else edition
    yield f"{report.layer} <- {report.source} ({report.mapping}): {came}, {report.seconds:.1f} s"
    yield (
        f"  read {report.read} = inserted {report.inserted} + updated {report.updated} + unchanged {report.unchanged} "
        f"+ quarantined {report.quarantined} + not selected {report.not_selected}; deleted {report.deleted}"
    )
    summary = report.summary
    facts = [f"driver {summary.driver}", f"CRS {summary.crs or '-'}", f"encoding {summary.encoding or '-'}"]
    if summary.repaired:
        facts.append(f"repaired {summary.repaired}")
    yield f"  {', '.join(facts)}"
    yield from reference_lines(reference_facts(summary, counted=True), "en")
    if summary.unmapped_fields:
        yield f"  {unused_line(summary.unmapped_fields, 'en')}"
    for finding in summary.findings:
        often = "" if finding.severity == "info" and finding.count == 1 else f" ({finding.count} x)"
        yield f"  {finding.severity}: {finding.message}{often}"
    if report.load is not None:
        yield f"  report: /loads/{report.load}, `geoservice ingest report {report.load}`"
    if report.quarantined and not dry:
        yield f"  see `geoservice ingest quarantine --layer {report.layer}`"
