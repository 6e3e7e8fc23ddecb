"""Ways into storage, and the ways that are refused; judged by PROJ's own operation lists and closed formulas."""

from __future__ import annotations

import warnings

import numpy as np
import pyproj
import pytest
from pyproj.enums import PJType
from pyproj.transformer import TransformerGroup

from layers.crs import (
    controlled_datum,
    conversion,
    describe,
    horizontal,
    is_null_linked,
    keeps_coordinates,
    parse_crs,
    storage_transformer,
    vertical_datum,
)
from layers.errors import CrsRefused
from layers.gauss import all_grids

ROTATED = (
    'GEOGCRS["rotated",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,'
    '298.257223563]]],DERIVINGCONVERSION["Pole rotation",METHOD["Pole rotation (GRIB convention)"],'
    'PARAMETER["Latitude of the southern pole (GRIB convention)",-30,ANGLEUNIT["degree",0.0174532925199433]],'
    'PARAMETER["Longitude of the southern pole (GRIB convention)",10,ANGLEUNIT["degree",0.0174532925199433]],'
    'PARAMETER["Axis rotation (GRIB convention)",0,ANGLEUNIT["degree",0.0174532925199433]]],CS[ellipsoidal,2],'
    'AXIS["latitude",north],AXIS["longitude",east],ANGLEUNIT["degree",0.0174532925199433]]'
)
GEOGRAPHIC = 'GEOGCS["x",DATUM["{}",SPHEROID["s",{}]],PRIMEM["Greenwich",{}],UNIT["{}",{}]]'
WGS = "6378137,298.257223563"
DEGREE = ("degree", 0.0174532925199433)


def refused(crs: pyproj.CRS | str) -> str:
    """The sentence with which a CRS is refused."""
    with pytest.raises(CrsRefused) as caught:
        storage_transformer(parse_crs(crs) if isinstance(crs, str) else crs)
    return caught.value.detail


@pytest.mark.parametrize("code", ["EPSG:4490", "EPSG:4326", "OGC:CRS84", "EPSG:4979", "EPSG:4480", "EPSG:4490+5737"])
def test_linked_degrees_are_kept(code: str) -> None:
    assert storage_transformer(parse_crs(code)) is None
    assert keeps_coordinates(parse_crs(code))


@pytest.mark.parametrize("code", ["EPSG:4978", "EPSG:4479"])
def test_geocentric_coordinates_are_refused(code: str) -> None:
    assert "geocentric" in refused(code)


@pytest.mark.parametrize("code", ["EPSG:5737", 'LOCAL_CS["site",UNIT["m",1]]'])
def test_what_is_not_on_the_earth_is_refused(code: str) -> None:
    assert "not tied to the Earth" in refused(code)


def test_a_rotated_pole_is_turned_back() -> None:
    crs = parse_crs(ROTATED)
    assert is_null_linked(crs)
    assert not keeps_coordinates(crs)
    way = storage_transformer(crs)
    assert way is not None
    # The rotated origin lies 90 degrees north of the rotated south pole, on its meridian.
    longitude, latitude = way.transform(0.0, 0.0)
    assert (longitude, latitude) == pytest.approx((10.0, 60.0), abs=1e-9)


def test_other_meridians_and_units_are_converted() -> None:
    paris = parse_crs(GEOGRAPHIC.format("WGS_1984", WGS, 2.5, *DEGREE))
    grads = parse_crs(GEOGRAPHIC.format("WGS_1984", WGS, 0, "grad", 0.015707963267948967))
    for crs, given, expected in ((paris, (10.0, 50.0), (12.5, 50.0)), (grads, (100.0, 50.0), (90.0, 45.0))):
        way = storage_transformer(crs)
        assert way is not None
        assert way.transform(*given) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        GEOGRAPHIC.format("D_Foo", WGS, 0, *DEGREE),
        GEOGRAPHIC.format("Beijing54", "6378245,298.3", 0, *DEGREE),
        GEOGRAPHIC.format("D_Xian_1980", "6378140,298.257", 0, *DEGREE),
        GEOGRAPHIC.format("D_Beijing_1954", "6378245,298.3", 0, *DEGREE),
        "+proj=longlat +ellps=krass +type=crs",
        "+proj=longlat +ellps=WGS84 +type=crs",
        "+proj=longlat +ellps=krass +towgs84=15.8,-154.4,-82.3,0,0,0,0 +type=crs",
        "+proj=tmerc +lon_0=117 +x_0=500000 +ellps=krass +towgs84=15.8,-154.4,-82.3 +type=crs",
        "EPSG:4024",
    ],
)
def test_strangers_datums_and_shifts_are_not_trusted(text: str) -> None:
    assert refused(text)


def test_a_linked_name_on_another_ellipsoid_is_a_stranger() -> None:
    for name in ("World Geodetic System 1984", "China 2000"):
        liar = parse_crs(GEOGRAPHIC.format(name, "6378245,298.3", 0, *DEGREE))
        assert not is_null_linked(liar)
        assert not keeps_coordinates(liar)


def test_a_shift_bound_to_a_linked_datum_is_ignored() -> None:
    crs = parse_crs("+proj=longlat +datum=WGS84 +towgs84=500,500,500 +type=crs")
    assert crs.is_bound
    assert storage_transformer(crs) is None
    assert not horizontal(crs).is_bound


def test_controlled_datums_in_every_form() -> None:
    for grid in all_grids():
        crs = pyproj.CRS.from_epsg(grid.code or 0)
        if grid.datum == "cgcs2000":
            assert controlled_datum(crs) is None
            assert storage_transformer(crs) is not None
        else:
            assert str(controlled_datum(crs)) in refused(crs)


def ways(crs: pyproj.CRS) -> list[float]:
    """Accuracies (m) of the operations that PROJ offers to WGS 84 without a ballpark."""
    with warnings.catch_warnings():
        # Grids that are not installed are said to be missing; the next best operation is judged instead.
        warnings.filterwarnings("ignore", message="Best transformation is not available")
        return [t.accuracy for t in TransformerGroup(crs, 4326, always_xy=True, allow_ballpark=False).transformers]


def test_no_code_of_the_registry_gets_in_by_a_ballpark() -> None:
    """A seeded sample of all geographic and projected codes, and all that are used in China."""
    codes = pyproj.get_codes("EPSG", PJType.GEOGRAPHIC_2D_CRS) + pyproj.get_codes("EPSG", PJType.PROJECTED_CRS)
    sample = np.random.default_rng(4490).choice(sorted(codes), 60, replace=False)
    for code in [*sample, "4214", "4610", "4555", "2326", "4611", "3824", "3827", "8433", "21458"]:
        crs = pyproj.CRS.from_epsg(int(code))
        try:
            way = storage_transformer(crs)
        except CrsRefused:
            continue
        if is_null_linked(crs):
            assert way is None or way.accuracy == 0 or "helmert" not in way.definition
        else:
            found = ways(crs)
            assert found, code
            assert min(found) >= 0, code


def test_without_the_guard_a_ballpark_would_pass() -> None:
    """Negative control: PROJ itself hands out a shift of nothing for Beijing 1954 to CGCS2000."""
    loose = pyproj.Transformer.from_crs(4214, 4490, always_xy=True)
    assert loose.transform(109.5, 39.5) == (109.5, 39.5)
    assert loose.accuracy == -1


def test_conversions_stay_on_their_datum() -> None:
    way = conversion(parse_crs("EPSG:2363"), parse_crs("EPSG:4610"))
    assert way is not None
    back = pyproj.Proj("+proj=tmerc +lon_0=117 +x_0=39500000 +a=6378140 +rf=298.257")(
        39447950.0, 4419435.0, inverse=True
    )
    assert way.transform(39447950.0, 4419435.0) == pytest.approx(back, abs=1e-11)
    assert conversion(parse_crs("EPSG:4610"), parse_crs("EPSG:4610")) is None
    for other in ("EPSG:4214", "EPSG:4490"):
        with pytest.raises(CrsRefused, match="does not stand on the datum"):
            conversion(parse_crs("EPSG:2363"), parse_crs(other))


def test_vertical_part_and_names() -> None:
    assert vertical_datum(parse_crs("EPSG:4490+5737")) == "EPSG:5737"
    assert vertical_datum(parse_crs("EPSG:4527+5736")) == "EPSG:5736"
    assert vertical_datum(parse_crs("EPSG:4490")) is None
    named = [describe(parse_crs(c)) for c in ("EPSG:4527", "EPSG:3857", "EPSG:4490")]
    assert named == ["EPSG:4527", "EPSG:3857", "EPSG:4490"]
