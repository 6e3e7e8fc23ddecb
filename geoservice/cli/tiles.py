"""`geoservice tiles`: what tiles are drawn from."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from geoservice.cli.layers import synchronise
from geoservice.db.provision import open_database
from geoservice.ladder import lagging, renew
from geoservice.settings import load_settings
from layers.catalog import read_catalog
from layers.errors import BadParameter
from layers.ladder import has_ladder
from layers.model import VectorLayer

commands = typer.Typer(help="What tiles are drawn from.", no_args_is_help=True)


@commands.callback()
def group() -> None:
    """What tiles are drawn from."""


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="tiles")


@commands.command("ladder")
def ladder(
    layers: Annotated[
        list[str] | None, typer.Argument(help="Layers, as name or theme/name; default: all that lag behind.")
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Build from all rows also where a refresh would do.")] = False,
) -> None:
    """Bring the generalised copies of layers, from which low zooms are drawn, to their current editions.

    Workers do this by themselves while the service runs.
    """
    settings = load_settings()
    catalog = read_catalog(settings.layers_dir)
    database = open_database(settings)
    synchronise(settings, database)
    chosen = [catalog.layer(name) for name in layers or ()] or list(lagging(database, catalog))
    for layer in chosen:
        if not isinstance(layer, VectorLayer) or not has_ladder(layer):
            raise BadParameter(f"Layer {layer.id} has no ladder: only lines and surfaces have one.")
        started = time.monotonic()
        done = renew(database, layer, anew=anew)
        took = f"{time.monotonic() - started:.1f} s"
        if done is None:
            typer.echo(f"{layer.id}: nothing to do, or a worker is at it")
        else:
            typer.echo(f"{layer.id}: {'built' if done.built else 'refreshed'} for edition {done.edition} in {took}")
