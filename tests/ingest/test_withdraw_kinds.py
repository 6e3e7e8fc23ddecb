"""Withdrawing editions of rasters and of series."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.editions import withdraw
from ingest.load import LoadTarget
from ingest.raster import load_raster
from layers.errors import NotWithdrawable
from layers.system import layer_figures, raster_asset
from tests.support.loading import count, load_file, prepared, trial_catalog, trial_layer
from tests.support.rasters import ramp_of_numbers, raster_catalog, raster_layer, raster_plan, write_tif

RELIEF = raster_layer()
READING = trial_layer(
    "reading",
    kind="table",
    storage="series",
    geometry=None,
    style=None,
    key=["station", "moment"],
    time="moment",
    row_clearance=None,
    attributes={"station": {"type": "text"}, "moment": {"type": "datetime"}, "amount": {"type": "number"}},
    sources={"csv": {"match": ["*.csv"]}},
)


def current(database: Database) -> list[str]:
    """Files of the current assets."""
    statement = sa.select(raster_asset.c.sha256).where(raster_asset.c.valid_to.is_(None)).order_by("id")
    with database.transaction(Role.WRITER) as connection:
        return list(connection.execute(statement).scalars())


def load_cells(target: LoadTarget, folder: Path, factor: int, name: str = "a.tif") -> int:
    """Load a raster of numbers times a factor; the number of the edition."""
    file = write_tif(folder / name, ramp_of_numbers(8, 8) * factor)
    return int(load_raster(raster_plan(RELIEF, file), target).edition or 0)


def test_the_former_raster_is_current_again(database: Database, tmp_path: Path) -> None:
    target = prepared(database, raster_catalog(RELIEF))
    first = load_cells(target, tmp_path, 1)
    before = current(database)
    second = load_cells(target, tmp_path, 2)
    assert current(database) != before
    with pytest.raises(NotWithdrawable, match=f"withdraw edition {second} first"):
        withdraw(RELIEF, target, first, principal="officer", reason="x")
    report = withdraw(RELIEF, target, second, principal="officer", reason="wrong unit")
    assert (report.inserted, report.updated, report.deleted) == (0, 1, 0)
    assert current(database) == before
    assert (target.rasters / f"{before[0]}.tif").is_file()
    gone = withdraw(RELIEF, target, first, principal="officer", reason="not ours")
    assert (gone.deleted, current(database)) == (1, [])
    assert count(database, "meta.layer_figures") == 0
    withdraw(RELIEF, target, int(gone.edition or 0), principal="officer", reason="ours after all")
    assert current(database) == before


def test_a_series_is_withdrawn_over_its_months(database: Database, tmp_path: Path) -> None:
    target = prepared(database, trial_catalog(READING))
    catalog = trial_catalog(READING)

    def load_amounts(name: str, *amounts: float) -> int:
        lines = [f"s1,2026-0{month}-01T00:00:00Z,{amount}" for month, amount in enumerate(amounts, start=1)]
        file = tmp_path / f"{name}.csv"
        file.write_text("station,moment,amount\n" + "\n".join(lines) + "\n")
        return int(load_file(catalog, target, "reading", file).edition or 0)

    def amounts() -> list[float]:
        table = sa.table("reading", sa.column("amount"), sa.column("moment"), schema="geo")
        with database.transaction(Role.OWNER) as connection:
            return list(connection.execute(sa.select(table.c.amount).order_by(table.c.moment)).scalars())

    load_amounts("first", 1, 2)
    second = load_amounts("second", 1, 5, 7)
    assert amounts() == [1, 5, 7]
    report = withdraw(READING, target, second, principal="officer", reason="wrong sensor")
    assert (report.updated, report.deleted, amounts()) == (1, 1, [1, 2])
    with database.transaction(Role.WRITER) as connection:
        rows = connection.execute(sa.select(layer_figures.c.rows).where(layer_figures.c.clearance == 0)).scalar_one()
    assert rows == 2
