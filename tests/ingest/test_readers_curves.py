"""Circular arcs: against exact circles, against GDAL's own chords, in both directions, and with damaged bytes."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.readers.curves import arc, linear
from layers.system import quarantine
from tests.support.loading import count, load_file, prepared, trial_catalog, trial_layer, write_rows

MANY = 10**6
EAST, NORTH = 39_500_000.0, 4_400_000.0


def arcs(*points: tuple[float, ...], kind: int = 8) -> bytes:
    """WKB of a circular string (8) or a line string (2)."""
    code = kind + (1000 if len(points[0]) == 3 else 0)
    return struct.pack("<BII", 1, code, len(points)) + b"".join(struct.pack(f"<{len(p)}d", *p) for p in points)


def whole(kind: int, *parts: bytes) -> bytes:
    """WKB of several others: compound curve (9), curve polygon (10), multi curve (11), multi surface (12)."""
    return struct.pack("<BII", 1, kind, len(parts)) + b"".join(parts)


def circle(x: float, y: float, radius: float) -> bytes:
    """A full circle as two arcs."""
    r = radius
    return arcs((x + r, y), (x, y + r), (x - r, y), (x, y - r), (x + r, y))


@pytest.mark.parametrize(("x", "y", "radius"), [(0, 0, 1), (EAST, NORTH, 25), (EAST, NORTH, 5000), (105, 38, 1e-4)])
def test_a_circle_is_a_circle(x: float, y: float, radius: float) -> None:
    hole = circle(x, y, radius / 2)
    found = linear(whole(12, whole(10, circle(x, y, radius), hole)), MANY)
    assert found.geom_type == "MultiPolygon"
    assert shapely.is_valid(found)
    assert found.area == pytest.approx(math.pi * radius**2 * 0.75, rel=1e-4)
    corners = shapely.get_coordinates(shapely.get_exterior_ring(shapely.get_geometry(found, 0)))
    assert 361 <= len(corners) <= 365, "one chord per degree; rounding may add one to a quarter"
    far = np.hypot(corners[:, 0] - x, corners[:, 1] - y)
    assert np.abs(far - radius).max() <= 1e-8 * abs(x) / 1e7 + 1e-9 * radius + 1e-13 * abs(x)
    assert {(x, y + radius), (x - radius, y)} <= set(map(tuple, corners)), "control points stay"


def test_one_arc_that_ends_where_it_starts_is_a_full_circle() -> None:
    found = linear(whole(10, arcs((0, 0), (2, 0), (0, 0))), MANY)
    assert found.area == pytest.approx(math.pi, rel=1e-4)


def test_lines_and_arcs_in_one_ring_with_heights() -> None:
    ring = whole(
        9, arcs((0, 0, 5), (2, 0, 7), kind=2), arcs((2, 0, 7), (1, 1, 9), (0, 0, 5)),
    )  # fmt: skip
    found = linear(whole(10, ring), MANY)
    assert found.area == pytest.approx(math.pi / 2, rel=1e-4)
    heights = shapely.get_coordinates(found, include_z=True)[:, 2]
    assert (heights.min(), heights.max()) == (5, 9)
    line = linear(whole(11, ring, arcs((5, 5), (6, 6), kind=2)), MANY)
    assert line.geom_type == "MultiLineString"
    assert line.length == pytest.approx(2 + math.pi + math.sqrt(2), rel=1e-4)


def test_points_on_a_line_are_that_line() -> None:
    assert shapely.to_wkt(linear(arcs((0, 0), (1, 1), (3, 3)), MANY)) == "LINESTRING (0 0, 1 1, 3 3)"


@given(
    st.tuples(*[st.floats(-1000, 1000)] * 6),
    st.sampled_from([(0.0, 0.0), (EAST, NORTH)]),
)
def test_neighbours_share_their_boundary_bit_for_bit(flat: tuple[float, ...], base: tuple[float, float]) -> None:
    a, b, c = (np.array(flat[i : i + 2]) + base for i in (0, 2, 4))
    there, back = arc(a, b, c), arc(c, b, a)
    if not np.array_equal(a, c):
        assert np.array_equal(there, back[::-1])
    assert np.array_equal(there[0], a)
    assert np.array_equal(there[-1], c)
    assert any(np.array_equal(p, b) for p in there)


@given(st.data())
def test_damaged_bytes_give_nothing_or_a_geometry(data: st.DataObject) -> None:
    good = bytearray(whole(12, whole(10, whole(9, arcs((0, 0), (2, 0), kind=2), arcs((2, 0), (1, 1), (0, 0))))))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    found = linear(bytes(good[: data.draw(st.integers(0, len(good)))]), 10_000)
    assert found is None or isinstance(found, shapely.Geometry)


def test_nobody_draws_without_end() -> None:
    assert linear(circle(0, 0, 1), 300) is None
    deep = arcs((0, 0), (1, 1), (2, 0))
    for _ in range(5000):
        deep = whole(9, deep)
    assert linear(deep, MANY) is None
    assert linear(whole(12)[:5] + b"\xff\xff\xff\xff", MANY) is None


def test_a_geopackage_with_arcs_is_loaded(database: Database, tmp_path: Path) -> None:
    rows = [{"code": c, "name": c, "level": None, "geometry": shapely.box(100, 30, 101, 31)} for c in "abc"]
    file = write_rows(tmp_path / "arcs.gpkg", rows)
    frame = pyogrio.read_dataframe(file)
    file.unlink()
    pyogrio.write_dataframe(frame, file, layer="arcs", driver="GPKG", geometry_type="Unknown", SPATIAL_INDEX="NO")
    disc = whole(10, circle(100, 30, 0.1))
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        for code, wkb in (("a", disc), ("b", disc[:-9])):
            blob = b"GP\x00\x01" + struct.pack("<i", 4490) + wkb
            connection.execute("UPDATE arcs SET geom = ? WHERE code = ?", (blob, code))
        connection.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY'")
    pyogrio.set_gdal_config_options({"OGR_ARC_STEPSIZE": 1})
    try:
        theirs = pyogrio.read_dataframe(file, where="code = 'a'").geometry.iloc[0]
    finally:
        pyogrio.set_gdal_config_options({"OGR_ARC_STEPSIZE": None})
    catalog = trial_catalog(trial_layer(geometry="polygon", style={"fill": "#aabbcc"}))
    report = load_file(catalog, prepared(database, catalog), "trial", file)
    assert (report.inserted, report.quarantined, report.balanced) == (2, 1, True)
    said = {f.rule: f for f in report.summary.findings}
    assert (said["curves"].count, said["curves"].severity) == (1, "info")
    with database.transaction(Role.OWNER) as connection:
        stored = connection.exec_driver_sql("SELECT ST_AsBinary(geom) FROM geo.trial WHERE key = 'a'").scalar_one()
        reason = connection.execute(quarantine.select()).one().reason
    ours = shapely.from_wkb(bytes(stored))
    assert ours.area == pytest.approx(theirs.area, rel=1e-6)
    assert shapely.hausdorff_distance(ours, theirs) < 0.1 * 4e-5
    assert "damaged" in reason
    assert count(database, "geo.trial") == 2
