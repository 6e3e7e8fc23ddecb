"""Rules about single rows, through the reading pipeline; sizes against an independent geodesic library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.checks.measure import areas, lengths
from ingest.job import Finding
from ingest.notes import Notes
from ingest.pipeline import Pipeline
from ingest.readers.choose import open_source
from ingest.readers.source import Request
from ingest.wire import batch_schema
from layers.area import ellipsoidal_area
from tests.ingest.reading import Result, plan_for, vector

GEOD = pyproj.Geod(ellps="GRS80")
SQUARE = shapely.box(105, 38, 105.001, 38.001)
STRIP = shapely.box(105, 38, 105.001, 38.0000001)
AREA = float(ellipsoidal_area(SQUARE))


def table_of(folder: Path, shapes: list[shapely.Geometry | None], **columns: list[Any]) -> Path:
    """A text table with WKT, which is read without GDAL."""
    file = folder / "rows.csv"
    names = list(columns)
    lines = [";".join([*names, "wkt"])]
    for i, shape in enumerate(shapes):
        values = ["" if columns[n][i] is None else str(columns[n][i]) for n in names]
        lines.append(";".join([*values, "" if shape is None else shapely.to_wkt(shape, rounding_precision=-1)]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def read(folder: Path, layer: Any, shapes: list[shapely.Geometry | None], **columns: list[Any]) -> Result:
    file = table_of(folder, shapes, **columns)
    plan = plan_for(file, layer, wkt="wkt", crs="EPSG:4490", delimiter=";")
    request = Request(file, plan, folder, Notes())
    pipeline = Pipeline(request, open_source(request))
    rows = pa.Table.from_batches(list(pipeline.batches()), schema=batch_schema(layer))
    return Result(rows, pipeline.summary())


def surfaces(*rules: dict[str, Any], **attributes: Any) -> Any:
    return vector("polygon", {"n": "integer", **attributes}, checks=list(rules))


def finding_of(found: Result, rule: str) -> Finding:
    return next(f for f in found.summary.findings if f.rule == rule)


def broken(found: Result, rule: str) -> tuple[int, ...]:
    """Rows that break a rule, by their place in the list (from 0; findings count rows from 1)."""
    return next((tuple(row - 1 for row in f.rows) for f in found.summary.findings if f.rule == rule), ())


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"rule": "sliver", "minimum": "100 m2"}, (1,)),
        ({"rule": "sliver", "thinness": 0.01}, (1,)),
        ({"rule": "sliver", "minimum": "0.1 m2"}, ()),
        ({"rule": "minimum-size", "area": "1 ha"}, (0, 1)),
        ({"rule": "minimum-size", "area": "500 m2"}, (1,)),
    ],
)
def test_small_and_thin_surfaces(tmp_path: Path, rule: dict[str, Any], expected: tuple[int, ...]) -> None:
    found = read(tmp_path, surfaces(rule), [SQUARE, STRIP], n=[1, 2])
    assert broken(found, rule["rule"]) == expected
    assert tuple(row["_position"] for row in found.bad) == expected
    assert read(tmp_path, surfaces(), [SQUARE, STRIP], n=[1, 2]).bad == []


def test_short_lines(tmp_path: Path) -> None:
    lon, lat, _ = GEOD.fwd(105, 38, 60, 12)
    line = shapely.LineString([(105, 38), (lon, lat)])
    for limit, expected in (("12.1 m", (0,)), ("11.9 m", ())):
        layer = vector("line", {"n": "integer"}, checks=[{"rule": "minimum-size", "length": limit}])
        assert broken(read(tmp_path, layer, [line], n=[1]), "minimum-size") == expected


@pytest.mark.parametrize(
    ("unit", "factor"), [("m2", 1.0), ("ha", 1e-4), ("mu", 15e-4), (None, 1.0)]
)  # fmt: skip
def test_areas_that_attributes_state(tmp_path: Path, unit: str | None, factor: float) -> None:
    attribute = {
        "type": "number",
        "unit": unit,
        "check": {"equals": "ellipsoidal_area", "tolerance": "0.5 %", "slack": 0},
    }
    values = [AREA * factor * part for part in (1.0, 1.004, 0.996, 1.006, 0.994)] + [None]
    found = read(tmp_path, surfaces(area=attribute), [SQUARE] * 6, n=list(range(6)), area=values)
    assert broken(found, "area-attribute") == (3, 4)
    assert "ellipsoidal area" in found.bad[0]["_reason"]


def test_rounding_is_allowed_for_beside_the_tolerance(tmp_path: Path) -> None:
    attribute = {
        "type": "number",
        "unit": "m2",
        "check": {"equals": "ellipsoidal_area", "tolerance": 0, "slack": "5 m2"},
    }
    found = read(tmp_path, surfaces(area=attribute), [SQUARE] * 2, n=[1, 2], area=[AREA + 4.9, AREA + 5.1])
    assert broken(found, "area-attribute") == (1,)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"rule": "domain", "attribute": "n", "values": ["1", "2"]}, (2,)),
        ({"rule": "range", "attribute": "n", "range": [2, None]}, (0,)),
        ({"rule": "range", "attribute": "n", "range": [None, 5]}, (2,)),
        ({"rule": "required", "attribute": "n"}, (3,)),
    ],
)
def test_declared_rules_about_attributes(tmp_path: Path, rule: dict[str, Any], expected: tuple[int, ...]) -> None:
    for severity, kept_out in (("error", expected), ("warning", ())):
        found = read(tmp_path, surfaces({**rule, "severity": severity}), [SQUARE] * 4, n=[1, 2, 9, None])
        assert broken(found, rule["rule"]) == expected
        assert tuple(row["_position"] for row in found.bad) == kept_out
        assert finding_of(found, rule["rule"]).severity == severity


def test_findings_name_measure_element_places_and_values(tmp_path: Path) -> None:
    layer = vector("polygon", {"n": {"type": "integer", "range": [0, 5]}})
    finding = finding_of(read(tmp_path, layer, [SQUARE] * 3, n=[1, 7, 8]), "range")
    assert (finding.rule, finding.count, finding.measure, finding.element) == ("range", 2, 16, "domain consistency")
    assert finding.samples == ("7", "8")
    assert len(finding.places) == 2
    assert all(shapely.intersects(SQUARE.boundary, shapely.Point(place)) for place in finding.places)


def test_findings_hold_nothing_above_the_layers_clearance(tmp_path: Path) -> None:
    secret = {"type": "integer", "range": [0, 5], "clearance": "restricted"}
    finding = finding_of(read(tmp_path, vector("polygon", {"n": secret}), [SQUARE], n=[4711]), "range")
    assert (finding.count, finding.samples) == (1, ())
    attributes = {"n": {"type": "integer", "range": [0, 5]}, "level": {"type": "text"}}
    layer = vector("polygon", attributes, row_clearance="level")
    raised = finding_of(read(tmp_path, layer, [SQUARE] * 2, n=[4711, 4712], level=["restricted", ""]), "range")
    assert (raised.count, len(raised.places)) == (2, 1)
    assert "4711" not in raised.model_dump_json()


@pytest.mark.parametrize("level", ["confidential", "RESTRICTED", " restricted", "机密"])
def test_rows_whose_clearance_is_not_understood_count_as_hidden(tmp_path: Path, level: str) -> None:
    """The loader takes such a row for a restricted one; where it is refused, its finding must not tell more."""
    attributes = {"n": {"type": "integer", "range": [0, 5]}, "level": {"type": "text", "pattern": "^(public)?$"}}
    layer = vector("polygon", attributes, row_clearance="level")
    read_ = read(tmp_path, layer, [SQUARE] * 2, n=[4711, 1], level=[level, "public"])
    for rule in ("range", "pattern"):
        finding = finding_of(read_, rule)
        assert (finding.count, finding.places, finding.samples) == (1, (), ())
    open_row = finding_of(read(tmp_path, layer, [SQUARE], n=[4711], level=["public"]), "range")
    assert (len(open_row.places), open_row.samples) == (1, ("4711",)), "a silence that hides everything proves nothing"


def test_the_clearance_of_rows_is_not_tolerated() -> None:
    """A level that cannot be read would be left empty, and an empty one opens the row."""
    attributes = {"n": "integer", "level": "text"}
    sources = {"csv": {"match": ["*.csv"], "tolerate": ["n"]}}
    assert vector("polygon", attributes, row_clearance="level", sources=sources)
    sources["csv"]["tolerate"] = ["n", "level"]
    with pytest.raises(ValueError, match="the clearance of rows"):
        vector("polygon", attributes, row_clearance="level", sources=sources)


def test_many_breaches_are_counted_exactly_and_named_in_part(tmp_path: Path) -> None:
    layer = vector("polygon", {"n": {"type": "integer", "range": [0, 5]}})
    finding = finding_of(read(tmp_path, layer, [SQUARE] * 700, n=[9] * 700), "range")
    assert (finding.count, len(finding.rows), len(finding.places)) == (700, 200, 200)


@settings(deadline=None)
@given(st.floats(-179, 178), st.floats(-85, 84), st.floats(1e-6, 0.5), st.floats(1e-6, 0.5), st.booleans())
def test_areas_agree_with_the_area_rule(west: float, south: float, width: float, height: float, holed: bool) -> None:
    shape = shapely.box(west, south, west + width, south + height)
    if holed:
        shape = shapely.difference(shape, shapely.centroid(shape).buffer(min(width, height) / 5, quad_segs=2))
    found = areas(np.array([shape, None, shapely.Point(1, 2)], dtype=object))
    # Far from the origin the area rule itself is exact to about a square centimetre only.
    assert found[0] == pytest.approx(float(ellipsoidal_area(shape)), rel=1e-9, abs=0.02)
    assert np.isnan(found[1])
    assert found[2] == 0


def test_tiny_areas_keep_their_digits() -> None:
    lon, lat, _ = GEOD.fwd([105, 105], [38, 38], [90, 0], [0.2, 0.3])
    sliver = shapely.Polygon([(105, 38), (lon[0], 38), (lon[0], lat[1]), (105, lat[1])])
    assert areas(np.array([sliver], dtype=object))[0] == pytest.approx(0.06, rel=1e-5)


def test_zigzags_around_the_world_are_beyond_measure() -> None:
    zigzag = shapely.Polygon([(-179 + 358 * (i % 2), -80 + 160 * i / 999) for i in range(1000)])
    assert np.isnan(areas(np.array([zigzag], dtype=object))[0])


@given(st.lists(st.tuples(st.floats(-170, 170), st.floats(-80, 80)), min_size=2, max_size=6, unique=True))
def test_lengths_are_geodesic(points: list[tuple[float, float]]) -> None:
    line = shapely.LineString(points)
    both = shapely.MultiLineString([line, shapely.LineString([(1, 2), (1, 3)])])
    found = lengths(np.array([line, both, None], dtype=object))
    assert found[0] == pytest.approx(GEOD.geometry_length(line))
    assert found[1] == pytest.approx(GEOD.geometry_length(both))
    assert np.isnan(found[2])
