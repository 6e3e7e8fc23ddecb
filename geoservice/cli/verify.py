"""`geoservice verify`: check the signature and the digests of a report, and compute its answer again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geoservice.db.provision import open_database
from geoservice.processes.model import Call
from geoservice.reports.errors import ReportDoubtful
from geoservice.settings import Settings, load_settings
from layers.access import Principal
from layers.errors import BadParameter, SourceMissing

# The package of signatures takes its time, which no other command need wait for.
if TYPE_CHECKING:
    from geoservice.reports.carrier import Carried
    from geoservice.reports.manifest import Manifest

_MOST = 1 << 30


def register(root: typer.Typer) -> None:
    """Add the command to the root application."""
    root.command("verify")(verify)


def verify(
    report: Annotated[Path, typer.Argument(help="The report: its JSON, page (HTML), PDF file or field package (ZIP).")],
    files: Annotated[
        list[Path] | None, typer.Option("--file", help="A GeoPackage or workbook of the same report; may be repeated.")
    ] = None,
    certificate: Annotated[
        list[Path] | None,
        typer.Option(help="Certificate (PEM) of those who made it, beside that of this installation; may be repeated."),
    ] = None,
    recompute: Annotated[
        bool, typer.Option(help="Whether the answer is computed again, which takes the database of its makers.")
    ] = True,
) -> None:
    """Check a report. Ends with 0 when everything holds.

    3: the signature does not hold, or its key is not trusted here. 4: the answer or a file is not what was signed.
    5: computed again from the same editions, figures differ; they are named. 6: the editions are not to be had here any
    more. 2: the file is no report. 1: the database or another part of this installation is out of order.
    """
    from geoservice.reports.carrier import opened  # noqa: PLC0415
    from geoservice.reports.seal import own_certificates  # noqa: PLC0415
    from geoservice.reports.verify import check_seal  # noqa: PLC0415

    settings = load_settings()
    carried = _with(opened(report.name, _read(report)), files or [])
    trusted = [*own_certificates(settings.home), *(_read(one) for one in certificate or [])]
    manifest = carried.sealed.manifest
    try:
        compared = check_seal(carried, trusted)
        typer.echo(f"Report {manifest.id}: {manifest.title}")
        typer.echo(f"The signature holds: certificate {carried.sealed.fingerprint}.")
        typer.echo(
            f"The answer is what was signed, and so are {len(compared)} file(s): {', '.join(compared) or 'none'}."
        )
        if recompute:
            _recompute(settings, manifest, carried.sealed.answer)
            typer.echo("Computed again from the same editions, every figure is the same.")
    except ReportDoubtful as doubt:
        typer.echo(f"{doubt.title}: {doubt.detail}", err=True)
        raise typer.Exit(doubt.exit_code) from None


def _read(file: Path) -> bytes:
    if not file.is_file():
        raise SourceMissing(f"There is no file {file}.")
    if file.stat().st_size > _MOST:
        raise BadParameter(f"{file.name} is larger than any report.", parameter="report")
    return file.read_bytes()


def _with(carried: Carried, files: list[Path]) -> Carried:
    from geoservice.reports.carrier import NAMES_BY_SUFFIX, Carried  # noqa: PLC0415

    found = dict(carried.files)
    for file in files:
        name = NAMES_BY_SUFFIX.get(file.suffix.lower())
        if name is None:
            raise BadParameter(
                f"--file takes {', '.join(NAMES_BY_SUFFIX)}; {file.name} is none of them.", parameter="file"
            )
        found[name] = _read(file)
    return Carried(carried.sealed, found)


def _recompute(settings: Settings, manifest: Manifest, answer: dict[str, Any]) -> None:
    # The application takes long to import, and not every check needs it.
    from geoservice import front  # noqa: PLC0415
    from geoservice.reports.verify import check_figures  # noqa: PLC0415

    open_database(settings)
    reader = Principal("verify", manifest.level)

    def ask(question: dict[str, Any]) -> dict[str, Any]:
        ((kind, body),) = question.items()
        found: dict[str, Any] = asyncio.run(front.ask(settings, reader, Call("POST", f"/{kind}", {}, body)))
        return found

    check_figures(manifest, answer, ask)
