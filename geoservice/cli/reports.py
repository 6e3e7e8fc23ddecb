"""`geoservice ingest report`: the report of a load as text, JSON, or a page that opens without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from geoservice.cli.ingest import commands, reference_lines, unused_line
from geoservice.cli.tables import show
from geoservice.db.provision import open_database
from geoservice.loads.complete import complete_report
from geoservice.loads.document import LoadReport
from geoservice.settings import load_settings
from layers.catalog import read_catalog
from layers.errors import BadParameter
from web.documents import load_file
from web.loads import headline

_MOST = 2**63 - 1


def register(_: typer.Typer) -> None:
    """Add the command to the group `ingest`, which adds itself to the root."""
    commands.command("report")(report_command)


def report_command(
    number: Annotated[int, typer.Argument(min=1, max=_MOST, help="Number of the load, as `ingest load` said it.")],
    json_: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page into this file.")] = None,
    language: Annotated[str, typer.Option("--lang", help="Language of the page: zh or en.")] = "en",
) -> None:
    """Show the report of a load: counts that add up, findings, lineage."""
    if language not in ("zh", "en"):
        raise BadParameter(f"--lang is zh or en, not {language!r}.")
    settings = load_settings()
    report = complete_report(open_database(settings), read_catalog(settings.layers_dir), number)
    body = report.model_dump(mode="json")
    if html is not None:
        _write(html, load_file(body, language=language))
    if json_:
        typer.echo(report.model_dump_json(indent=2))
    elif html is None:
        _print(report, body, language)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadParameter(f"{str(file)!r} cannot be written: {error.strerror}.") from None


def _print(report: LoadReport, body: dict[str, Any], language: str) -> None:
    console = Console()
    said = headline(body, language)
    console.print(Text(f"{said.word}. {' '.join(said.sentences)}", style="bold"))
    edition = f", edition {report.edition.number}" if report.edition else ""
    console.print(Text(f"load {report.number} of {report.collection}: {report.outcome}{edition}, {report.source.name}"))
    if report.counts is not None:
        n = report.counts
        total = f"read {n.read} = inserted {n.inserted} + updated {n.updated} + unchanged {n.unchanged}"
        rest = f"+ quarantined {n.quarantined} + not selected {n.not_selected}; deleted {n.deleted}"
        console.print(Text(f"{total} {rest}"), soft_wrap=True)
    for line in reference_lines(report.source.reference, language):
        console.print(Text(line), soft_wrap=True)
    if report.source.unmapped_fields:
        console.print(Text(unused_line(report.source.unmapped_fields, language)), soft_wrap=True)
    if report.problem is not None:
        console.print(Text(f"{report.problem.title}: {report.problem.detail}"))
    if report.findings:
        show(_findings(report, language))
    if report.samples is not None and report.samples.reasons:
        table = Table("rows", "reason", "first row")
        for one in report.samples.reasons:
            first = f" (first: {one.first.first_reason})" if one.first.first_reason else ""
            table.add_row(f"{one.count:,}", Text(f"{one.reason}{first}"), str(one.first.row))
        show(table)


def _findings(report: LoadReport, language: str) -> Table:
    table = Table("severity", "finding", "measure", "count")
    for one in report.findings:
        measure = str(one.measure.number) if one.measure is not None and one.measure.number else ""
        table.add_row(one.severity, Text(one.message or one.title.of(language)), measure, f"{one.count:,}")
    return table
