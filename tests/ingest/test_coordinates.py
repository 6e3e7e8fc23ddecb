"""Coordinates that contradict what a source declares, zones by their number, swapped axes, offsets.

Expected places come from the fact book's worked point and from PROJ on the right CRS.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.offset import offset_added, offset_removed
from layers.errors import CrsRefused, SourceMismatch
from layers.gauss import zone_of
from tests.ingest.reading import Result, read, read_here, vector

BEIJING = (116.3913, 39.9075)
E39, E20, E6, NORTH = 39447950.515, 20447950.515, 447950.515, 4419435.790
POINT = {"x": "x", "y": "y"}


def rows(tmp_path: Path, places: list[tuple[float, float]], layer: Any = None, **mapping: Any) -> Result:
    """Points of a text table, read with these mapping keys."""
    file = tmp_path / "a.csv"
    file.write_text("x,y\n" + "".join(f"{x!r},{y!r}\n" for x, y in places))
    return read_here(file, layer or vector(), **{"point": POINT, **mapping})


def where(found: Result) -> list[tuple[float, float]]:
    """Longitudes and latitudes of the good rows."""
    return [(r["geom"].x, r["geom"].y) for r in found.good]


def forward(code: int, longitude: float, latitude: float) -> tuple[float, float]:
    """Easting and northing by PROJ."""
    x, y = pyproj.Transformer.from_crs(4490, code, always_xy=True).transform(longitude, latitude)
    return float(x), float(y)


@pytest.mark.parametrize(
    ("mapping", "place", "how"),
    [
        ({"crs": "EPSG:4527"}, (E39, NORTH), "assumed"),
        ({"crs": "EPSG:4498"}, (E20, NORTH), "assumed"),
        ({"crs": "EPSG:4548"}, (E6, NORTH), "assumed"),
        ({"override_crs": "EPSG:4548"}, (E6, NORTH), "override"),
        ({"datum": "cgcs2000"}, (E39, NORTH), "zone-number"),
        ({"datum": "cgcs2000"}, (E20, NORTH), "zone-number"),
        ({"datum": "cgcs2000"}, BEIJING, "degrees"),
    ],
)
def test_the_worked_point_by_every_way_of_deciding(
    tmp_path: Path, mapping: dict[str, str], place: tuple[float, float], how: str
) -> None:
    found = rows(tmp_path, [place], **mapping)
    assert where(found) == [pytest.approx(BEIJING, abs=1e-8)]
    assert found.summary.facts["crs_decision"]["how"] == how
    assert "crs" in found.rules()
    assert 0.9 <= found.summary.facts["crs_decision"]["confidence"] <= 1.0


@pytest.mark.parametrize("mapping", [{"crs": "EPSG:4527"}, {"datum": "cgcs2000"}, {"override_crs": "EPSG:4498"}])
def test_a_northing_that_comes_first_is_put_in_order(tmp_path: Path, mapping: dict[str, str]) -> None:
    east = E20 if mapping.get("override_crs") else E39
    found = rows(tmp_path, [(NORTH, east), (NORTH + 100, east + 100)], **mapping)
    assert where(found)[0] == pytest.approx(BEIJING, abs=1e-8)
    (finding,) = [f for f in found.summary.findings if f.rule == "axes-swapped"]
    assert (finding.severity, finding.count) == ("warning", 2)


def test_a_swapped_pair_without_zone_numbers(tmp_path: Path) -> None:
    found = rows(tmp_path, [(NORTH, E6)], crs="EPSG:4548")
    assert where(found) == [pytest.approx(BEIJING, abs=1e-8)]
    assert "axes-swapped" in found.rules()


def test_straight_axes_are_left_alone(tmp_path: Path) -> None:
    """Negative control: nothing is swapped where nothing is wrong."""
    assert "axes-swapped" not in rows(tmp_path, [(E39, NORTH)], crs="EPSG:4527").rules()


def test_without_crs_or_datum_a_zone_number_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(CrsRefused, match=r"states no coordinate reference system.*`datum:"):
        rows(tmp_path, [(E39, NORTH)])


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ((E6, NORTH), "six digits and carry no zone number"),
        ((55_500_000.0, NORTH), "neither degrees nor eastings"),
        ((39_990_000.0, NORTH), "neither degrees nor eastings"),
    ],
)
def test_a_datum_alone_does_not_place_everything(tmp_path: Path, place: tuple[float, float], said: str) -> None:
    with pytest.raises(CrsRefused, match=said):
        rows(tmp_path, [place], datum="cgcs2000")


@pytest.mark.parametrize(
    ("declared", "place", "said"),
    [
        ("EPSG:4527", (40_447_950.5, NORTH), r"carry the zone number 40.*override_crs: EPSG:4528"),
        ("EPSG:4527", (E20, NORTH), r"carry the zone number 20.*override_crs: EPSG:4498"),
        ("EPSG:4527", (E6, NORTH), r"six digits and carries no zone number.*EPSG:4548"),
        ("EPSG:4548", (E39, NORTH), r"carries the zone number 39.*EPSG:4527"),
        ("EPSG:4527", (39_950_000.0, NORTH), "more than 400 km"),
        ("EPSG:4527", (E39, 7_000_000.0), "northing lies outside China"),
        ("EPSG:4490", (E39, NORTH), r"declares degrees.*metres.*zone number 39, which is EPSG:4527"),
        ("EPSG:4326", (12956620.2, 4852509.5), r"declares degrees \(EPSG:4326\).*are metres"),
        ("EPSG:4527", BEIJING, r"declares metres \(EPSG:4527\).*are degrees"),
        ("EPSG:3857", BEIJING, r"declares metres.*are degrees"),
    ],
)
def test_declarations_that_cannot_be_right_are_refused(
    tmp_path: Path, declared: str, place: tuple[float, float], said: str
) -> None:
    with pytest.raises(CrsRefused, match=said):
        rows(tmp_path, [place], crs=declared)


def test_override_mends_a_wrong_declaration(tmp_path: Path) -> None:
    point = gpd.GeoDataFrame(geometry=[shapely.Point(40_447_950.5, NORTH)], crs="EPSG:4527")
    point.to_file(tmp_path / "a.gpkg")

    with pytest.raises(CrsRefused, match="zone number 40"):
        read(tmp_path / "a.gpkg", vector())
    found = read(tmp_path / "a.gpkg", vector(), override_crs="EPSG:4528")
    expected = pyproj.Transformer.from_crs(4528, 4490, always_xy=True).transform(40_447_950.5, NORTH)
    assert where(found) == [pytest.approx(expected, abs=1e-9)]


def test_rows_of_several_zones_are_read_each_in_its_own(tmp_path: Path) -> None:
    places = [(114.2, 30.0), (116.9, 40.0), (120.2, 35.0), (117.3, 39.0)]
    given_ = [forward(zone_of(x, 3).code("cgcs2000", prefixed=True), x, y) for x, y in places]
    for mapping in ({"crs": "EPSG:4527"}, {"datum": "cgcs2000"}):
        found = rows(tmp_path, given_, **mapping)
        assert np.array(where(found)) == pytest.approx(np.array(places), abs=1e-8)
        assert found.summary.facts["zones"] == {"38": 1, "39": 2, "40": 1}
    for mapping, severity in (({"crs": "EPSG:4527"}, "warning"), ({"datum": "cgcs2000"}, "info")):
        findings = rows(tmp_path, given_, **mapping).summary.findings
        assert [f.severity for f in findings if f.rule == "mixed-zones"] == [severity]


def test_single_impossible_rows_go_to_quarantine(tmp_path: Path) -> None:
    found = rows(tmp_path, [(E39, NORTH), (E6, NORTH), (E39, 100.0), (39_990_000.0, NORTH)], crs="EPSG:4527")
    reasons = [r["_reason"] for r in found.bad]
    assert len(found.good) == 1
    assert "six digits" in reasons[0]
    assert "northing" in reasons[1]
    assert "400 km" in reasons[2]


def test_the_south_china_sea_is_china(tmp_path: Path) -> None:
    """Zengmu Ansha lies at 4 degrees north, with a northing of some 440 km."""
    place = forward(4525, 112.28, 3.97)
    assert where(rows(tmp_path, [place], crs="EPSG:4525")) == [pytest.approx((112.28, 3.97), abs=1e-8)]


def test_a_polygon_over_two_zone_numbers_fits_none(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    x, y = E39, NORTH
    rings = [
        f"POLYGON(({x} {y},{x + 100} {y},{x + 100} {y + 100},{x} {y}))",
        f"POLYGON(({x} {y},40447950 {y},40447950 {y + 100},{x} {y}))",
    ]
    file.write_text("g\n" + "".join(f'"{ring}"\n' for ring in rings))
    found = read_here(file, vector("polygon"), wkt="g", crs="EPSG:4527")
    assert (len(found.good), len(found.bad)) == (1, 1)


def test_swapped_degrees(tmp_path: Path) -> None:
    swapped = [(y, x) for x, y in [BEIJING, (104.1, 30.6)]]
    with pytest.raises(SourceMismatch, match=r"swapped; say `swap: true` in the source mapping"):
        rows(tmp_path, swapped, crs="EPSG:4490")
    found = rows(tmp_path, swapped, crs="EPSG:4490", swap=True)
    assert where(found) == [BEIJING, (104.1, 30.6)]
    assert [f.severity for f in found.summary.findings if f.rule == "axes-swapped"] == ["info"]
    with pytest.raises(SourceMismatch, match=r"take `swap: true` out of"):
        rows(tmp_path, [BEIJING], crs="EPSG:4490", swap=True)


def test_swapped_degrees_below_ninety_show_against_the_extent(tmp_path: Path) -> None:
    kashgar = [(75.99, 39.47), (76.2, 39.5)]
    swapped = [(y, x) for x, y in kashgar]
    layer = vector(extent=[73.0, 34.0, 97.0, 50.0])
    with pytest.raises(SourceMismatch, match=r"outside the extent of its layer.*`swap: true`"):
        rows(tmp_path, swapped, layer, crs="EPSG:4490")
    assert where(rows(tmp_path, swapped, layer, crs="EPSG:4490", swap=True)) == kashgar
    assert where(rows(tmp_path, kashgar, layer, crs="EPSG:4490")) == kashgar
    # Without an extent nothing shows that they are swapped.
    assert where(rows(tmp_path, swapped, crs="EPSG:4490")) == swapped


@settings(max_examples=40, deadline=None)
@given(st.floats(73.6, 134.9), st.floats(4, 53), st.sampled_from([3, 6]), st.booleans())
def test_any_place_in_any_zone_comes_home(longitude: float, latitude: float, width: Any, swapped: bool) -> None:

    zone = zone_of(longitude, width)
    east, north = forward(zone.code("cgcs2000", prefixed=True), longitude, latitude)
    with tempfile.TemporaryDirectory() as folder:
        pair = (north, east) if swapped else (east, north)
        found = rows(Path(folder), [pair], datum="cgcs2000")
    assert where(found) == [pytest.approx((longitude, latitude), abs=1e-8)]


def test_controlled_datums_stay_refused_with_a_zone_number(tmp_path: Path) -> None:
    for datum in ("xian1980", "beijing1954", "newbeijing"):
        with pytest.raises(CrsRefused, match="no public transformation"):
            rows(tmp_path, [(E39, NORTH)], datum=datum)


PAIRS = [
    # Point pair printed in the documentation of several independent open implementations of the formulas.
    ((116.404, 39.915), (116.41024449916938, 39.91640428150164)),
]


def test_gcj_pairs_and_round_trip() -> None:
    for real, shifted in PAIRS:
        assert offset_added(np.array([real]), "gcj-02")[0] == pytest.approx(shifted, abs=1e-11)
        assert offset_removed(np.array([shifted]), "gcj-02")[0] == pytest.approx(real, abs=1e-9)
    # BD-09 moves GCJ-02 coordinates once more; the same sources print this pair for it.
    once = offset_removed(np.array([(116.404, 39.915)]), "gcj-02")
    assert offset_added(once, "bd-09")[0] == pytest.approx((116.41036949371029, 39.92133699351022), abs=1e-9)


@given(st.floats(73, 137), st.floats(2, 55), st.sampled_from(["gcj-02", "bd-09"]))
def test_offsets_are_taken_off_exactly(longitude: float, latitude: float, kind: Any) -> None:
    real = np.array([[longitude, latitude]])
    assert np.abs(offset_removed(offset_added(real, kind), kind) - real).max() < 1e-9


@pytest.mark.parametrize("kind", ["gcj-02", "bd-09"])
def test_offsets_only_by_the_mapping(tmp_path: Path, kind: Any) -> None:
    shifted = [tuple(c) for c in offset_added(np.array([BEIJING]), kind).tolist()] + [(2.35, 48.85)]
    found = rows(tmp_path, shifted, crs="EPSG:4326", offset=kind)
    assert where(found)[0] == pytest.approx(BEIJING, abs=1e-9)
    assert where(found)[1] == (2.35, 48.85)
    (finding,) = [f for f in found.summary.findings if f.rule == kind]
    assert "typically" in finding.message
    assert f"{kind}-outside" in found.rules()
    untouched = rows(tmp_path, shifted, crs="EPSG:4326")
    assert where(untouched) == shifted
    assert kind not in untouched.rules()
