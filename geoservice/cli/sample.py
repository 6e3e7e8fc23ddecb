"""`geoservice sample`: write the files of the fictional sample region."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from ingest.sample.size import DEFAULT_PARCELS, DEFAULT_SEED, FEWEST, MOST

app = typer.Typer(help="The fictional sample region.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the group `sample` to the root application."""
    root.add_typer(app, name="sample")


@app.callback()
def group() -> None:
    """The fictional sample region."""


@app.command()
def write(
    directory: Annotated[Path, typer.Argument(help="Folder for the files; made when missing.")],
    parcels: Annotated[
        int, typer.Option("--parcels", help=f"Number of land-use patches, {FEWEST} to {MOST}.")
    ] = DEFAULT_PARCELS,
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives another county.")] = DEFAULT_SEED,
) -> None:
    """Write one file per layer (GeoPackage, CSV, GeoTIFF, CAP) and what is known to be true of them as JSON."""
    # What makes the region loads large libraries that no other command needs.
    maker = importlib.import_module("ingest.sample.write")
    manifest = maker.write_sample(directory, parcels, seed, _tell)
    path = directory / "manifest.json"
    path.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    typer.echo(f"{manifest.name_en}: {sum(manifest.counts.values())} features in {len(manifest.counts)} layers, {path}")


def _tell(what: str, share: float) -> None:
    typer.echo(f"{share:4.0%} {what}", err=True)
