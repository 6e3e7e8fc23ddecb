"""A zone as the database held it: layers in two editions whose areas, points and cells are known beforehand.

The expected values come from the rows that were written (shapely, PROJ's geodesics), never from the service.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import pyproj
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.raster import load_raster
from layers.access import Clearance
from layers.catalog import Catalog
from layers.system import edition
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.rasters import grid, raster_layer, raster_plan, write_tif
from tests.support.service import Service, running
from tests.support.zones import prepare

GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
WHOLE = {"gpkg": {"match": ["*.gpkg"], "complete": True}}
SIDE = 0.01
ZONE = shapely.box(105.005, 38.005, 105.035, 38.015)
EAST = shapely.box(106.0, 38.0, 106.02, 38.02)
"""Where something is loaded only in the second edition."""


def square(x: int, y: int, west: float = 105.0, south: float = 38.0) -> shapely.Polygon:
    """A square of a grid."""
    return shapely.box(west + x * SIDE, south + y * SIDE, west + (x + 1) * SIDE, south + (y + 1) * SIDE)


def patch(code: str, name: str, geometry: shapely.Geometry, level: str | None = None) -> dict[str, Any]:
    """A row of any of the layers."""
    return {"code": code, "name": name, "level": level, "geometry": geometry}


PATCHES = (
    [patch(f"p{x}{y}", "forest" if y else "field", square(x, y)) for x in range(4) for y in range(2)]
    + [patch("hidden", "field", square(2, 0), "restricted")],
    # One is gone, one is of another class, one is larger, and the layer has come to the east.
    [
        patch(f"p{x}{y}", "forest" if y else "field", square(x, y))
        for x in range(3)
        for y in range(2)
        if (x, y) != (1, 0)
    ]
    + [patch("p30", "town", square(3, 0)), patch("p31", "forest", square(3, 1).buffer(0.002, join_style="mitre"))]
    + [patch("e", "field", EAST)],
)
CLINICS = (
    [patch(f"c{n}", f"clinic {n}", shapely.Point(105.006 + n * 0.004, 38.01)) for n in range(5)],
    [patch(f"c{n}", f"clinic {n} anew", shapely.Point(105.006 + n * 0.004, 38.01)) for n in range(1, 5)]
    + [patch("c9", "clinic 9", shapely.Point(105.02, 38.012))],
)
UNITS = (
    [patch("unit", "Unit", square(0, 0))],
    [patch("unit", "Unit", square(2, 0))],
)
CELLS = (2.0, 5.0)
"""What each cell of the raster holds, by edition."""


def catalog() -> Catalog:
    """Areas, points, a division and a raster."""
    land = {"role": "land", "measure": "area", "by": "name"}
    raster = raster_layer("people", exposure={"role": "population", "measure": "sum"})
    return trial_catalog(
        trial_layer("patch", geometry="polygon", style={"fill": "#aabbcc"}, exposure=land, sources=WHOLE,
                    compliance=[{"role": "land", "by": "name"}]),
        trial_layer("clinic", exposure={"role": "facility", "measure": "count", "listed": True}, sources=WHOLE,
                    label={"zh": "name", "en": "name"}),
        trial_layer("unit", geometry="polygon", style={"fill": "#ccbbaa"}, sources=WHOLE),
        raster,
    )  # fmt: skip


CATALOG = catalog()


@dataclass(frozen=True)
class Then:
    """A service whose layers have two editions, and the instants at which only the first, and both, were there."""

    service: Service
    early: dt.datetime
    late: dt.datetime
    numbers: Mapping[str, tuple[int, int]]

    def ask(self, body: Any, instant: dt.datetime | None = None, clearance: Clearance | None = None) -> dict[str, Any]:
        """The answer about a zone, which must be one."""
        answer = self.post(body, None if instant is None else instant.isoformat(), clearance)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def post(self, body: Any, as_of: str | None = None, clearance: Clearance | None = None) -> Any:
        """What is answered about a zone."""
        headers = {} if clearance is None else {"X-API-Key": self.service.keys[clearance]}
        path = "/analysis/zone" + ("" if as_of is None else f"?as-of={quote(as_of)}")
        return self.service.client.post(path, json=body, headers=headers)


@pytest.fixture(scope="module")
def then(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Then]:
    folder = tmp_path_factory.mktemp("then")
    target = prepared(module_database, CATALOG)
    instants = []
    for number in range(2):
        for name, rows in (("patch", PATCHES), ("clinic", CLINICS), ("unit", UNITS)):
            load_file(CATALOG, target, name, write_rows(folder / f"{name}.gpkg", rows[number]))
        cells = np.full((8, 8), CELLS[number], dtype="float32")
        file = write_tif(folder / "people.tif", cells, grid(105, 38.04, 0.005))
        load_raster(raster_plan(CATALOG.layer("people"), file), target)
        with module_database.transaction(Role.OWNER) as connection:
            instants.append(connection.execute(sa.select(sa.func.max(edition.c.committed))).scalar_one())
    with module_database.transaction(Role.OWNER) as connection:
        rows = connection.execute(sa.select(edition.c.layer, edition.c.id).order_by(edition.c.id)).all()
    numbers = {name: tuple(row.id for row in rows if row.layer == name) for name in ("patch", "clinic", "people")}
    with running(module_database, CATALOG) as service:
        yield Then(service, *instants, numbers)


def drawn(zone: shapely.Geometry) -> dict[str, Any]:
    """The body that asks about a drawn zone."""
    return {"zone": shapely.geometry.mapping(zone)}


def section(answer: dict[str, Any], layer: str) -> dict[str, Any]:
    """The section of a layer."""
    return next(one for one in answer["sections"] if one["layer"].rpartition("/")[2] == layer)


def area(geometry: shapely.Geometry) -> float:
    """Square metres on the ellipsoid, by geodesics between points that lie close together."""
    return abs(float(GEOD.geometry_area_perimeter(shapely.segmentize(geometry, 0.001))[0]))


def by_class(which: int, zone: shapely.Geometry, *, restricted: bool = False) -> dict[str, float]:
    """Square metres by class of an edition inside a zone."""
    found: dict[str, list[float]] = {}
    for row in PATCHES[which]:
        part = row["geometry"].intersection(zone)
        if part.area > 0 and (restricted or row["level"] != "restricted"):
            found.setdefault(row["name"], []).append(area(part))
    return {name: math.fsum(sizes) for name, sizes in found.items()}


def test_areas_points_and_cells_are_those_of_then(then: Then) -> None:
    cells = ZONE.area / 0.005**2
    for which, instant in enumerate((then.early, then.late)):
        answer = then.ask(drawn(ZONE), instant)
        assert dt.datetime.fromisoformat(answer["as_of"]) == instant
        patches, clinics, people = (section(answer, name) for name in ("patch", "clinic", "people"))
        assert {row["code"]: row["value"] for row in patches["rows"]} == pytest.approx(by_class(which, ZONE), rel=1e-5)
        inside = [row for row in CLINICS[which] if ZONE.covers(row["geometry"])]
        assert clinics["total"] == clinics["features_total"] == len(inside)
        assert {one["id"]: one["label"]["en"] for one in clinics["features"]} == {r["code"]: r["name"] for r in inside}
        assert people["total"] == pytest.approx(cells * CELLS[which], rel=1e-6)
        for name, found in (("patch", patches), ("clinic", clinics), ("people", people)):
            assert found["edition"]["number"] == then.numbers[name][which]
        assert "as_of" in answer["method"]["as-of"]


def test_without_a_date_it_is_now_and_differs_from_then(then: Then) -> None:
    now, early, late = then.ask(drawn(ZONE)), then.ask(drawn(ZONE), then.early), then.ask(drawn(ZONE), then.late)
    assert now["as_of"] is None
    assert "as-of" not in now["method"]
    assert now["sections"] == late["sections"]
    for name in ("patch", "clinic", "people"):
        assert section(now, name) != section(early, name)
    # Dates do not mix, in whatever order they are asked.
    assert then.ask(drawn(ZONE), then.early)["sections"] == early["sections"]
    assert then.ask(drawn(ZONE))["sections"] == now["sections"]


def test_what_was_not_loaded_then_is_not_zero(then: Then) -> None:
    body = drawn(EAST)
    now, early = section(then.ask(body), "patch"), section(then.ask(body, then.early), "patch")
    assert (now["status"], now["total"]) == ("ok", pytest.approx(area(EAST), rel=1e-5))
    # The box of what is loaded now meets the zone, that of then does not.
    assert (early["status"], early["total"], early["rows"]) == ("no-data", None, [])
    assert "at that time" in early["note"]["en"]
    assert "当时" in early["note"]["zh"]
    before = then.ask(drawn(ZONE), then.early - dt.timedelta(days=30))
    assert {(one["status"], one["total"], one["edition"]) for one in before["sections"]} == {("no-data", None, None)}
    # How much of a zone lies outside the box is told of the box of then.
    wide = drawn(shapely.box(105.0, 38.0, 105.08, 38.02))
    assert "50.0%" in section(then.ask(wide, then.early), "patch")["note"]["en"]
    assert section(then.ask(wide), "patch")["note"] is None


def test_impacts_and_red_lines_know_where_nothing_was_loaded_then(then: Then) -> None:
    body = {**drawn(EAST), "ways": False}
    for path, told in (("/impact", "total"), ("/compliance", "rows")):
        asked = body if path == "/impact" else drawn(EAST)
        now, early = (
            section(then.service.client.post(path, json={**asked, **more}).json(), "patch")
            for more in ({}, {"as_of": then.early.isoformat()})
        )
        assert (now["status"], early["status"]) == ("ok", "no-data")
        assert now[told]
        assert not early.get(told)


@pytest.mark.parametrize("mode", ["policies", "views"])
def test_rows_above_a_clearance_are_not_counted_of_the_past_either(then: Then, mode: Any) -> None:
    database = then.service.database
    prepare(database, CATALOG, mode)
    with running(database, CATALOG) as fresh:
        asked = Then(fresh, then.early, then.late, then.numbers)
        for clearance, restricted in ((None, False), (Clearance.RESTRICTED, True)):
            found = section(asked.ask(drawn(ZONE), then.early, clearance), "patch")
            expected = by_class(0, ZONE, restricted=restricted)
            assert {row["code"]: row["value"] for row in found["rows"]} == pytest.approx(expected, rel=1e-5)
    prepare(database, CATALOG, "policies")
    with database.transaction(Role.OWNER) as connection:
        for schema in [s for s in sa.inspect(connection).get_schema_names() if s.startswith("read_")]:
            connection.execute(sa.schema.DropSchema(schema, cascade=True))


def test_a_named_zone_is_where_it_was(then: Then) -> None:
    body = {"feature": {"collection": "unit", "id": "unit"}}
    for instant, which in ((then.early, 0), (then.late, 1), (None, 1)):
        answer = then.ask(body, instant)
        assert answer["zone"]["bbox"] == pytest.approx(UNITS[which][0]["geometry"].bounds)
        assert answer["zone"]["area_m2"] == pytest.approx(area(UNITS[which][0]["geometry"]), rel=1e-5)
    assert then.post(body, (then.early - dt.timedelta(days=30)).isoformat()).status_code == 404


@pytest.mark.parametrize("text", ["yesterday", "2020-01-01", "2020-01-01T00:00:00", "2999-01-01T00:00:00Z", ""])
def test_a_date_that_is_none_or_has_not_come_is_refused(then: Then, text: str) -> None:
    refused = then.post(drawn(ZONE), text)
    assert refused.status_code == 400, refused.text
    assert "as-of" in refused.json()["detail"]
    # In the body it is no member: nobody is answered about now who asked about then.
    assert then.post({**drawn(ZONE), "as-of": text}).status_code == 400


def test_with_the_box_of_now_it_would_be_zero(then: Then, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: what is known of a layer now must not answer for then."""
    monkeypatch.setattr("geoservice.analysis.known.stands_since", lambda committed, instant: True)
    wrong = section(then.ask(drawn(EAST), then.early), "patch")
    assert (wrong["status"], wrong["total"]) == ("ok", 0.0)
