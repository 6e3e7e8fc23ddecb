"""Coordinates as people write them: every notation read and written, and what is no coordinate refused."""

from __future__ import annotations

import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import BadParameter
from layers.notation import geo_address, iso6709, projected, read_coordinates, sexagesimal

LAT, LON = 39 + 54 / 60 + 26 / 3600, 116 + 23 / 60 + 29 / 3600
SAME_POINT = [
    "39°54′26″N 116°23′29″E",
    "39°54'26\"N, 116°23'29\"E",
    "39 54 26 N 116 23 29 E",
    "N39 54 26 E116 23 29",
    "e116°23'29'' n39°54'26''",
    "北纬39度54分26秒，东经116度23分29秒",
    "东经116°23′29″ 北纬39°54′26″",
    "３９°５４′２６″Ｎ １１６°２３′２９″Ｅ",
    "39°54.43333333333′N 116°23.48333333333′E",
    "39°54′26″ 116°23′29″",
    "+395426+1162329/",
]
lats, lons = st.floats(-89.9, 89.9), st.floats(-179.9, 179.9)


@pytest.mark.parametrize("text", SAME_POINT)
def test_one_point_in_many_notations(text: str) -> None:
    reading = read_coordinates(text)[0]
    assert (reading.lat, reading.lon) == (pytest.approx(LAT, abs=1e-9), pytest.approx(LON, abs=1e-9))
    assert reading.certain


@pytest.mark.parametrize("text", ["geo:39.9072,116.3914", "GEO:39.9072,116.3914;u=20", "+39.9072+116.3914/"])
def test_latitude_comes_first_in_standards(text: str) -> None:
    (reading,) = read_coordinates(text)
    assert (reading.lon, reading.lat) == (116.3914, 39.9072)
    assert reading.certain


def test_plain_pairs_have_two_readings_unless_one_is_impossible() -> None:
    assert [(r.lon, r.lat, r.certain) for r in read_coordinates("116.3914, 39.9072")] == [(116.3914, 39.9072, True)]
    assert [(r.lon, r.lat, r.certain) for r in read_coordinates("39.9072 116.3914")] == [(116.3914, 39.9072, True)]
    assert [(r.lon, r.lat, r.certain) for r in read_coordinates("31.5, 81.25")] == [
        (81.25, 31.5, False),
        (31.5, 81.25, False),
    ]


def test_signs_and_southern_half() -> None:
    (reading,) = read_coordinates("33°30′S 151°12′E")
    assert (reading.lat, reading.lon) == (-33.5, 151.2)
    assert read_coordinates("-33.5, 151.2")[0].lat == -33.5


@pytest.mark.parametrize("order", ["{e:.3f} {n:.3f}", "{n:.3f}, {e:.3f}"])
def test_gauss_krueger_with_its_zone(order: str) -> None:
    # pyproj on EPSG:4527 (zone 39, eight digits) is the oracle.
    east, north = pyproj.Transformer.from_crs(4490, 4527, always_xy=True).transform(LON, LAT)
    (reading,) = read_coordinates(order.format(e=east, n=north))
    assert (reading.lon, reading.lat) == (pytest.approx(LON, abs=1e-8), pytest.approx(LAT, abs=1e-8))
    assert (reading.zone, reading.certain) == (39, True)


def test_gauss_krueger_wants_its_zone() -> None:
    east, north = pyproj.Transformer.from_crs(4490, 4548, always_xy=True).transform(LON, LAT)
    with pytest.raises(BadParameter, match="give the zone"):
        read_coordinates(f"{east:.3f} {north:.3f}")
    (reading,) = read_coordinates(f"{east:.3f} {north:.3f}", zone=39)
    assert (reading.lon, reading.lat) == (pytest.approx(LON, abs=1e-8), pytest.approx(LAT, abs=1e-8))
    with pytest.raises(BadParameter, match="no zone 99"):
        read_coordinates(f"{east:.3f} {north:.3f}", zone=99)


@given(lons, lats, st.sampled_from(["zh", "en"]))
def test_written_sexagesimal_is_read_back(lon: float, lat: float, language: str) -> None:
    (reading,) = read_coordinates(sexagesimal(lon, lat, language))
    assert abs(reading.lon - lon) < 0.006 / 3600
    assert abs(reading.lat - lat) < 0.006 / 3600


@given(lons, lats)
def test_written_standards_are_read_back(lon: float, lat: float) -> None:
    for text in (iso6709(lon, lat), geo_address(lon, lat)):
        (reading,) = read_coordinates(text)
        assert abs(reading.lon - lon) < 1e-8
        assert abs(reading.lat - lat) < 1e-8


def test_sixty_seconds_never_appear() -> None:
    assert sexagesimal(115.9999999999, 39.9999999999, "en") == "40°00′00.00″N 116°00′00.00″E"


@pytest.mark.parametrize(("width", "zone", "code"), [(3, 39, 4527), (6, 20, 4498)])
def test_projected(width: int, zone: int, code: int) -> None:
    point = projected(LON, LAT, 3 if width == 3 else 6)
    assert point is not None
    east, north = pyproj.Transformer.from_crs("EPSG:4490", code).transform(LAT, LON)[::-1]
    assert (point.zone, point.crs) == (zone, f"EPSG:{code}")
    assert (point.prefixed, point.northing) == (pytest.approx(east, abs=1e-6), pytest.approx(north, abs=1e-6))
    assert point.easting == pytest.approx(east - zone * 1e6, abs=1e-6)


def test_no_zone_outside_china() -> None:
    assert projected(-70, 40, 3) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "here", "1", "1,2,3", "nan,nan", "inf, 3", "1e5, 2", "N39 54 26 N116 23 29", "39N 40N", "39°61′N 116°E"),
        *("91N 10E", "200, 95", "geo:91,10", "39.5°30′N 116°E", "+9995+99999/", "39500000.0 99", "1" * 201),
        *("٣٩ ١١٦", "39°54′26″N", "'; drop table x", "39500000 4418934 1"),
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        read_coordinates(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        readings = read_coordinates(text)
    except BadParameter:
        return
    assert all(abs(r.lon) <= 180 and abs(r.lat) <= 90 for r in readings)
