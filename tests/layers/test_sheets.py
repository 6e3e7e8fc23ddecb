"""Map sheets: published examples, a second way of finding a sheet, and what the numbers promise."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import BadParameter
from layers.extent import Extent
from layers.sheets import SCALES, Scale, parse_sheet, scale_of, sheet_at, sheets_in

PUBLISHED = [
    # longitude, latitude, scale, number: examples of the annex, of numbering tools, and corners.
    (114.5625, 39.375, 10_000, "J50G015010"),
    (114.5625, 39.375, 500, "J50K03600217"),
    (116.391388889, 39.907222222, 50_000, "J50E001010"),
    (116.4074, 39.9042, 10_000, "J50G003039"),
    (101.26, 38.67, 50_000, "J47E008022"),
    (121.4737, 31.2304, 250_000, "H51C001001"),
    (91.1409, 29.6456, 1_000, "H46J06790220"),
    (112.3387, 16.8336, 10_000, "E49G076070"),
    (122.5386, 52.9721, 100_000, "N51D010006"),
    (87.6168, 43.8256, 5_000, "K45H009116"),
    (113.2644, 23.1291, 2_000, "F49I126506"),
    (114.0, 40.0, 1_000_000, "K50"),
]
FORMER = {
    "J50": "J-50",
    "J50B001002": "J-50-B",
    "J50D001005": "J-50-5",
    "J50E001010": "J-50-5-B",
    "J50F002020": "J-50-5-B-4",
    "J50G003035": "J-50-5-(19)",
    "J50H006070": "J-50-5-(19)-d",
}
points = st.tuples(st.floats(-180, 179.999), st.floats(0, 59.999))
scales = st.sampled_from(SCALES)


@pytest.mark.parametrize(("lon", "lat", "denominator", "number"), PUBLISHED)
def test_published_sheets(lon: float, lat: float, denominator: int, number: str) -> None:
    sheet = sheet_at(lon, lat, scale_of(denominator))
    assert sheet.number == number
    assert parse_sheet(number) == sheet


def test_published_extent() -> None:
    # Published with a numbering package: 116 degrees 15 to 30 minutes east, 39 degrees 50 minutes to 40 degrees north.
    assert parse_sheet("J50E001010").extent == Extent(116.25, 39 + 50 / 60, 116.5, 40.0)


@pytest.mark.parametrize(("number", "former"), FORMER.items())
def test_former_numbers(number: str, former: str) -> None:
    assert parse_sheet(number).former == former
    assert parse_sheet(former).number == number


def test_other_number_of_two_thousand() -> None:
    assert parse_sheet("H49H192097-5").number == "H49I575290"
    assert parse_sheet("H49I575290").quarter_number == "H49H192097-5"
    assert parse_sheet("J50E001010").quarter_number is None


def walked(lon: Fraction, lat: Fraction, rows: int) -> tuple[str, int, int, tuple[Fraction, ...]]:
    """The sheet found by walking from edge to edge, with no formula: cell, row, column, edges."""
    letter, south = 0, Fraction(0)
    while south + 4 <= lat:
        letter, south = letter + 1, south + 4
    number, west = 1, Fraction(-180)
    while west + 6 <= lon:
        number, west = number + 1, west + 6
    wide, high = Fraction(6, rows), Fraction(4, rows)
    row, bottom = rows, south
    while bottom + high <= lat:
        row, bottom = row - 1, bottom + high
    column, left = 1, west
    while left + wide <= lon:
        column, left = column + 1, left + wide
    return f"{chr(65 + letter)}{number:02d}", row, column, (left, bottom, left + wide, bottom + high)


@given(points, st.sampled_from(SCALES[:8]))
def test_agrees_with_walking(point: tuple[float, float], scale: Scale) -> None:
    lon, lat = (round(value, 9) for value in point)
    exact = Fraction(round(lon * 10**9), 10**9), Fraction(round(lat * 10**9), 10**9)
    cell, row, column, edges = walked(*exact, scale.parts)
    sheet = sheet_at(lon, lat, scale)
    assert (sheet.number[:3], sheet.row, sheet.column) == (cell, row, column)
    assert sheet.extent.as_list() == [float(edge) for edge in edges]


@given(points, scales)
def test_numbers_come_back(point: tuple[float, float], scale: Scale) -> None:
    sheet = sheet_at(*point, scale)
    assert parse_sheet(sheet.number) == sheet
    assert sheet_at(*sheet.centre, scale) == sheet
    if sheet.former is not None:
        assert parse_sheet(sheet.former) == sheet


@given(points, scales)
def test_neighbours_share_an_edge_or_a_corner(point: tuple[float, float], scale: Scale) -> None:
    sheet = sheet_at(*point, scale)
    around = sheet.neighbours()
    box = sheet.extent
    if "north" in around:
        assert around["north"].extent.south == box.north
        assert around["north"].neighbours()["south"] == sheet
    assert around["east"].extent.west in (box.east, box.east - 360)
    assert around["east"].neighbours()["west"] == sheet


def test_neighbour_across_a_million_sheet() -> None:
    assert parse_sheet("J50E001010").neighbours()["north"].number == "K50E024010"
    assert "south" not in parse_sheet("A50").neighbours()


@pytest.mark.parametrize("scale", SCALES[1:6])
def test_parts_tile_the_whole(scale: Scale) -> None:
    whole = parse_sheet("J50")
    parts = list(whole.parts(scale))
    assert len({part.number for part in parts}) == scale.parts**2
    assert all(part.at(SCALES[0]) == whole for part in parts)
    assert (parts[0].row, parts[0].column) == (1, 1)


def test_parts_that_do_not_divide() -> None:
    with pytest.raises(BadParameter, match="do not divide"):
        list(parse_sheet("J50C001001").parts(scale_of(1_000_000)))


@given(points, points, st.sampled_from(SCALES[:5]))
def test_sheets_in_an_extent(one: tuple[float, float], other: tuple[float, float], scale: Scale) -> None:
    (west, east), (south, north) = (sorted(round(v, 6) for v in pair) for pair in zip(one, other, strict=True))
    box = Extent(west, south, min(east, west + 3), min(north, south + 2))
    count, found = sheets_in(box, scale)
    sheets = list(found)
    assert count == len(sheets) == len(set(sheets))
    for sheet in sheets:
        edge = sheet.extent
        assert edge.west < box.east
        assert edge.east > box.west
        assert edge.south < box.north
        assert edge.north > box.south
    if box.west < box.east and box.south < box.north:
        assert sheet_at(box.west, box.south, scale) in sheets


def test_extent_across_180_degrees() -> None:
    _, found = sheets_in(Extent(179, 1, -179, 2), SCALES[0])
    assert [sheet.number for sheet in found] == ["A60", "A01"]


@pytest.mark.parametrize("text", ["j50e001010", " J50 E 001010", "Ｊ５０Ｅ００１０１０", "j-50-5-b"])
def test_kindly_read(text: str) -> None:
    assert parse_sheet(text).number == "J50E001010"


@pytest.mark.parametrize(
    "text",
    [
        *("", "J", "J61", "J00", "P50", "J50E025001", "J50E000001", "J50B003001", "J50K00010001000", "J50J0010001"),
        *("J-50-145", "J-50-5-E", "J-50-5-(65)", "J-50-[3]", "J50E001010-5", "J50H001001-0", "J٥0", "x" * 10_000),
    ],
)
def test_refused_numbers(text: str) -> None:
    with pytest.raises(BadParameter, match="There is no sheet"):
        parse_sheet(text)


@pytest.mark.parametrize("point", [(114, 60), (114, -0.001), (181, 30), (114, 91)])
def test_points_without_a_sheet(point: tuple[float, float]) -> None:
    with pytest.raises(BadParameter, match="60 degrees north"):
        sheet_at(*point, SCALES[0])


def test_unknown_scale() -> None:
    with pytest.raises(BadParameter, match="200000"):
        scale_of(200_000)
