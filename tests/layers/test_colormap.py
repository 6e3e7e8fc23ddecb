"""Colours of raster values: ramps by linear interpolation, classes by their list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.codelist import Code, CodeList
from layers.colormap import UNLISTED, class_colours, class_value, colour_of, ramp_stops, ramp_table, rgb
from layers.errors import DefinitionError
from layers.style import RAMPS, RasterStyle

GREY = RasterStyle(ramp="grey", stretch=(0, 255))
COVER = RasterStyle(classes="cover@1")
LIST = CodeList(
    "cover@1",
    {"11": Code("11", "水", "Water", "#466b9f"), "12": Code("12", "冰", "Ice"), "-3": Code("-3", "x", "x", "#010203")},
)


def test_the_table_starts_and_ends_with_the_ramp() -> None:
    for name, colours in RAMPS.items():
        table = ramp_table(RasterStyle(ramp=name, stretch=(-5, 5)))
        assert len(table) == 256
        assert (table[0], table[-1]) == (rgb(colours[0]), rgb(colours[-1]))


def test_grey_counts_up() -> None:
    assert ramp_table(GREY) == tuple((i, i, i) for i in range(256))


@given(st.floats(-1000, 1000))
def test_a_value_beyond_the_stretch_takes_the_end_colour(value: float) -> None:
    level = int(colour_of(GREY, value)[1:3], 16)
    assert level == max(0, min(255, round(value)))


def test_stops_are_evenly_spread() -> None:
    stops = ramp_stops(RasterStyle(ramp="population", stretch=(0, 200)))
    assert [value for value, _ in stops] == [0, 40, 80, 120, 160, 200]
    assert tuple(colour for _, colour in stops) == RAMPS["population"]
    assert ramp_stops(COVER) == ()


def test_classes_without_a_colour_are_grey() -> None:
    colours = class_colours(COVER, {"cover@1": LIST})
    assert colours == {11: (0x46, 0x6B, 0x9F, 255), 12: (*UNLISTED, 255), -3: (1, 2, 3, 255)}
    assert list(colours) == [11, 12, -3]


def test_what_does_not_fit_is_a_definition_error() -> None:
    with pytest.raises(DefinitionError, match="ramp"):
        ramp_table(COVER)
    with pytest.raises(DefinitionError, match="classes"):
        class_colours(GREY, {})
    with pytest.raises(DefinitionError, match="cover@1"):
        class_colours(COVER, {})
    with pytest.raises(DefinitionError, match="whole number"):
        class_value("0101a")
