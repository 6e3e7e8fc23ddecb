"""The command line: one module per group of commands, registered in `GROUPS`.

A module of this package offers `register(root)`, which adds its commands to the root application. Commands
build the settings themselves (`geoservice.settings.load_settings`), call one function of the house and print
its answer. Errors are typed: `run` prints their sentence and chooses the exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from geoservice import __version__
from geoservice.cli import (
    alerts,
    archives,
    db,
    demo,
    doctor,
    editions,
    feeds,
    ingest,
    jobs,
    keys,
    layers,
    night,
    observations,
    quarantine,
    repairs,
    reports,
    sample,
    serve,
    sources,
    subscriptions,
    tile_cache,
    tiles,
    verify,
    zones,
)
from geoservice.db.errors import ClusterError
from layers.errors import DatabaseUnavailable, GeoError, QueryTimeout

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
# Errors that no other wording of the command would have avoided.
FAILURES = (ClusterError, DatabaseUnavailable, QueryTimeout)
GROUPS = (
    serve,
    demo,
    night,
    ingest,
    editions,
    feeds,
    quarantine,
    reports,
    repairs,
    layers,
    sources,
    subscriptions,
    sample,
    observations,
    jobs,
    alerts,
    verify,
    zones,
    tiles,
    archives,
    tile_cache,
    keys,
    db,
    doctor,
)

app = typer.Typer(
    name="geoservice",
    help="Open geospatial information service and map portal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"geoservice {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Open geospatial information service and map portal."""


for group in GROUPS:
    group.register(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code: 0 done, 1 something is broken or away, 2 the input is not acceptable, 130 interrupted.
    """
    try:
        app(list(arguments))
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except GeoError as error:
        typer.echo(f"geoservice: {error.detail}", err=True)
        for note in getattr(error, "__notes__", ()):
            typer.echo(f"  {note}", err=True)
        return EXIT_FAILED if isinstance(error, FAILURES) else EXIT_BAD_INPUT
    except KeyboardInterrupt:
        typer.echo("geoservice: interrupted", err=True)
        return EXIT_INTERRUPTED
    return 0


def main() -> None:
    """Entry point of the `geoservice` command."""
    sys.exit(run(sys.argv[1:]))
