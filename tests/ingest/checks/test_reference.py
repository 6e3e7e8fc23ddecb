"""Rules about other layers: values that must stand there at a date, surfaces that rows must lie in."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.checks.reference import excess
from ingest.job import IngestReport
from ingest.load import LoadTarget
from layers.catalog import Catalog
from layers.errors import DefinitionError
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows

DIVISION = {"code": {"type": "text", "required": True}, "level": {"type": "code", "list": "clearance@1"}}
PLACE = {"code": {"type": "text"}, "adcode": {"type": "text"}, "seen": {"type": "date"}}
SURFACE_STYLE = {"fill": "#336699"}
REFERENTIAL = {"rule": "referential", "attribute": "adcode", "layer": "trial/division", "by": "code"}
WITHIN = {"rule": "within", "layer": "trial/division", "attribute": "adcode", "by": "code", "tolerance": "1 m"}
WEST = shapely.box(105, 38, 105.1, 38.1)
EAST = shapely.box(105.1, 38, 105.2, 38.1)
METRE = 1 / 111_319.49


def world(*checks: dict[str, Any]) -> Catalog:
    """Divisions, and places that must fit them."""
    division = trial_layer(
        "division", geometry="polygon", attributes=DIVISION, style=SURFACE_STYLE, time=None,
        sources={"all": {"match": ["division*"], "complete": True}},
    )  # fmt: skip
    place = trial_layer("place", geometry="any", attributes=PLACE, row_clearance=None, checks=list(checks))
    return trial_catalog(division, place)


def load_divisions(catalog: Catalog, target: LoadTarget, folder: Path, **rows: shapely.Geometry) -> IngestReport:
    content = [{"code": code, "level": None, "geometry": shape} for code, shape in rows.items()]
    return load_file(catalog, target, "division", write_rows(folder / f"division{len(rows)}.gpkg", content))


def load_places(catalog: Catalog, target: LoadTarget, folder: Path, *rows: dict[str, Any]) -> IngestReport:
    content = [{"code": f"p{i}", "adcode": None, "seen": None, **row} for i, row in enumerate(rows)]
    return load_file(catalog, target, "place", write_rows(folder / "place.gpkg", content))


def at(lon: float, lat: float = 38.05, adcode: str | None = None, **more: Any) -> dict[str, Any]:
    return {"geometry": shapely.Point(lon, lat), "adcode": adcode, **more}


def finding(report: IngestReport, rule: str) -> Any:
    return next((f for f in report.summary.findings if f.rule == rule), None)


def test_values_must_stand_in_the_other_layer(database: Database, tmp_path: Path) -> None:
    catalog = world(REFERENTIAL)
    target = prepared(database, catalog)
    load_divisions(catalog, target, tmp_path, west=WEST)
    report = load_places(catalog, target, tmp_path, at(105, adcode="west"), at(105, adcode="north"), at(105))
    assert (report.inserted, report.quarantined) == (2, 1)
    found = finding(report, "referential")
    assert (found.count, found.rows, found.samples, found.measure) == (1, (2,), ("north",), 16)


def test_an_empty_layer_judges_nothing_and_says_so(database: Database, tmp_path: Path) -> None:
    catalog = world(REFERENTIAL, WITHIN)
    report = load_places(catalog, prepared(database, catalog), tmp_path, at(105, adcode="west"))
    assert report.inserted == 1
    assert [(f.rule, f.severity) for f in report.summary.findings] == [("referential", "info"), ("within", "info")]


def test_values_above_the_layers_clearance_do_not_count(database: Database, tmp_path: Path) -> None:
    catalog = world(REFERENTIAL)
    target = prepared(database, catalog)
    rows = [{"code": c, "level": v, "geometry": WEST} for c, v in (("west", None), ("secret", "restricted"))]
    load_file(catalog, target, "division", write_rows(tmp_path / "division.gpkg", rows))
    report = load_places(catalog, target, tmp_path, at(105, adcode="west"), at(105, adcode="secret"))
    assert (report.inserted, report.quarantined) == (1, 1)


def test_a_source_that_stands_is_read_again_only_when_the_other_layer_changed(
    database: Database, tmp_path: Path
) -> None:
    catalog = world(REFERENTIAL)
    target = prepared(database, catalog)
    load_divisions(catalog, target, tmp_path, west=WEST)
    rows = [{"code": code, "seen": None, **at(105, adcode=code)} for code in ("west", "east")]
    file = write_rows(tmp_path / "place.gpkg", rows)
    assert load_file(catalog, target, "place", file).quarantined == 1
    again = load_file(catalog, target, "place", file)
    assert (again.unchanged, again.quarantined, finding(again, "same-source").count) == (1, 1, 1)
    load_divisions(catalog, target, tmp_path, west=WEST, east=EAST)
    better = load_file(catalog, target, "place", file)
    assert (better.inserted, better.unchanged, better.quarantined) == (1, 1, 0)


def test_the_rows_date_decides_which_values_stood(database: Database, tmp_path: Path) -> None:
    catalog = world({**REFERENTIAL, "at": "seen"})
    target = prepared(database, catalog)
    load_divisions(catalog, target, tmp_path, west=WEST, east=EAST)
    load_divisions(catalog, target, tmp_path, west=WEST)
    ended = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.text("UPDATE hist.division SET _valid_to = :then"), {"then": ended})
    dated = [at(105.15, adcode="east", seen=dt.date(year, 6, 1)) for year in (2019, 2021)]
    report = load_places(catalog, target, tmp_path, *dated, at(105.15, adcode="east"))
    assert (report.inserted, finding(report, "referential").rows) == (1, (2, 3))


def test_geometries_must_lie_in_the_surface_they_name(database: Database, tmp_path: Path) -> None:
    catalog = world(WITHIN)
    target = prepared(database, catalog)
    load_divisions(catalog, target, tmp_path, west=WEST, east=EAST)
    near, far = (shapely.box(105.05, 38.05, 105.1 + k * METRE / np.cos(np.radians(38.05)), 38.06) for k in (0.9, 1.2))
    rows = [
        at(105.05, adcode="west"), at(105.15, adcode="west"), at(105.15, adcode="east"),
        {"geometry": near, "adcode": "west"}, {"geometry": far, "adcode": "west"}, at(130, adcode=None),
    ]  # fmt: skip
    report = load_places(catalog, target, tmp_path, *rows)
    assert finding(report, "within").rows == (2, 5)
    assert (report.inserted, report.quarantined) == (4, 2)


def test_geometries_must_lie_in_some_surface(database: Database, tmp_path: Path) -> None:
    catalog = world({"rule": "within", "layer": "trial/division", "severity": "warning"})
    target = prepared(database, catalog)
    load_divisions(catalog, target, tmp_path, west=WEST, east=EAST)
    report = load_places(catalog, target, tmp_path, at(105.05), at(105.1), at(105.2 + METRE / 2), at(105.3))
    assert (report.inserted, finding(report, "within").rows) == (4, (4,))


@pytest.mark.parametrize("change", [{"layer": "trial/nowhere"}, {"by": "nothing"}, {"attribute": "nothing"}])
def test_rules_name_what_exists(change: dict[str, str]) -> None:
    with pytest.raises(DefinitionError, match=next(iter(change.values()))):
        world(REFERENTIAL | change)


# To a tenth of a millimetre: no survey has latitudes of 5e-324 degrees, on which overlays lose their footing.
@given(st.floats(-80, 80).map(lambda degrees: round(degrees, 9)), st.floats(0.5, 500), st.booleans())
def test_the_excess_is_measured_in_metres(latitude: float, metres: float, eastward: bool) -> None:
    surface = shapely.box(105, latitude - 0.01, 105.01, latitude)
    geod = pyproj.Geod(ellps="GRS80")
    start = (105.01, latitude - 0.005) if eastward else (105.005, latitude)
    lon, lat, _ = geod.fwd(*start, 90 if eastward else 0, metres)
    line = shapely.LineString([(105.005, latitude - 0.005), (lon, lat)])
    assert excess(line, surface) == pytest.approx(metres, rel=0.01)
