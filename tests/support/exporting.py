"""Rows with everything that formats stumble over, and exports done without a worker."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import shapely

from geoservice.db.engine import Database
from geoservice.exports.run import RESULT, run
from geoservice.exports.wish import ExportInputs
from geoservice.jobs.execute import begun, execute
from geoservice.jobs.model import Job
from geoservice.processes.model import Output
from layers.access import Clearance, Principal
from layers.catalog import Catalog, read_catalog
from tests.support.jobs import claimed
from tests.support.loading import trial_catalog, trial_layer

LONG = "a_name_of_an_attribute_that_is_long"
LONGER = "a_name_of_an_attribute_that_is_longer"
ATTRIBUTES: dict[str, Any] = {
    "code": {"type": "text", "required": True},
    "name": {"type": "text", "title": {"zh": "名称", "en": "Name"}},
    "amount": {"type": "number"},
    "number": {"type": "integer"},
    "open": {"type": "boolean"},
    "seen": {"type": "date"},
    "moment": {"type": "datetime"},
    LONG: {"type": "text"},
    LONGER: {"type": "text"},
}
NOON = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)


def rows(shapes: list[shapely.Geometry | None]) -> list[dict[str, Any]]:
    """One row per geometry; texts that formulas, quotes and Chinese are made of, numbers, times, and empty values."""
    names = ["界址 一", "=1+1", 'with "quotes", commas', "line\nbreak", "@SUM(A1)", None, "-5", "＝全角", "plain"]
    made = []
    for i, shape in enumerate(shapes):
        full = i % 3 != 2
        made.append(
            {
                "code": f"r{i:02}",
                "name": names[i % len(names)],
                "amount": i + 0.25 if full else None,
                "number": 1_000_000_007 + i if full else None,
                "open": bool(i % 2),
                "seen": dt.date(2026, 1, 1 + i) if full else None,
                "moment": NOON + dt.timedelta(days=i) if full else None,
                LONG: f"one {i}",
                LONGER: f"two {i}" if full else None,
                "geometry": shape,
            }
        )
    return made


def points(number: int = 9) -> list[shapely.Geometry | None]:
    """Points near 105 E, 38 N; the last row has none."""
    return [*(shapely.Point(105.001 + i / 90, 38.001 + i / 70) for i in range(number - 1)), None]


def surfaces() -> list[shapely.Geometry | None]:
    """A square, one with a hole, two at once."""
    square = shapely.box(105.0, 38.0, 105.01, 38.01)
    holed = square.difference(shapely.box(105.004, 38.004, 105.006, 38.006))
    return [square, holed, shapely.MultiPolygon([square, shapely.box(105.02, 38.0, 105.03, 38.01)])]


def formats_catalog() -> Catalog:
    """Layers of points, surfaces, anything, and a table; one without rows."""
    common: dict[str, Any] = {"attributes": ATTRIBUTES, "row_clearance": None, "geometry_required": False}
    table = {"kind": "table", "geometry": None, "style": None, "geometry_required": None}
    catalog = trial_catalog(
        trial_layer("point", **common),
        trial_layer("surface", geometry="polygon", style={"fill": "#aabbcc"}, **common),
        trial_layer("mixed", geometry="any", **common),
        trial_layer("plain", **{**common, **table, "sources": {"csv": {"match": ["*.csv"]}}}),
        trial_layer("empty", **common),
    )
    return replace(catalog, templates=read_catalog().templates)


def made(
    database: Database, catalog: Catalog, inputs: ExportInputs, clearance: Clearance = Clearance.PUBLIC
) -> tuple[Path, Output]:
    """An export done here and now: where its file is, and what is known of it."""
    folder = Path(mkdtemp(dir=database.settings.home))
    asker = Principal("somebody", clearance)
    with begun(database, catalog, asker, (folder, None), lambda done, total: None) as execution:
        run(execution, inputs)
    execution.conclude()
    output = execution.outputs[RESULT]
    assert output.file is not None
    return folder / output.file, output


def do_waiting(database: Database, catalog: Catalog) -> None:
    """Do the execution that waits in the queue, as a worker would."""

    def do(job: Job) -> dict[str, Any]:
        execute(database.settings, database, catalog, job, lambda done, total: None)
        return {"done": True}

    claimed(database, do)
