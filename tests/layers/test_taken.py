"""When rasters were taken, by their names; and how they are stacked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.asset import Asset
from layers.errors import DefinitionError
from layers.interval import Interval, parse_datetime
from layers.taken import meet, stacked, taken, time_pattern, within
from tests.support.rasters import raster_layer


def at(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc, arg-type]


def scene(name: str, pattern: str = "%Y%m%d") -> Asset:
    return Asset(Path(name), (0, 0, 1, 1), "EPSG:4490", name, taken(name, pattern))


@pytest.mark.parametrize(
    ("name", "pattern", "start", "end"),
    [
        ("LC08_L2SP_123032_20200815_02_T1.tif", "%Y%m%d", at(2020, 8, 15), at(2020, 8, 16)),
        ("a.nc#2026-01-01T06:00:00Z,level=850", "%Y-%m-%dT%H:%M:%SZ", at(2026, 1, 1, 6), at(2026, 1, 1, 6, 0, 1)),
        ("MOD13Q1.A2023060.h26v05.tif", "A%Y%j", at(2023, 3, 1), at(2023, 3, 2)),
        ("rain-2024-12.tif", "-%Y-%m", at(2024, 12, 1), at(2025, 1, 1)),
        ("nlcd_2011.tif", "nlcd_%Y", at(2011, 1, 1), at(2012, 1, 1)),
        ("h_2020080513.tif", "%Y%m%d%H", at(2020, 8, 5, 13), at(2020, 8, 5, 14)),
        ("x9999.tif", "x%Y", at(9999, 1, 1), None),
    ],
)
def test_names_say_when(name: str, pattern: str, start: dt.datetime, end: dt.datetime | None) -> None:
    assert taken(name, pattern) == Interval(start, end)


@pytest.mark.parametrize("name", ["scene.tif", "20200231.tif", "1202008151.tif", "20201315.tif", "", "2020-08-15.tif"])
def test_names_that_do_not(name: str) -> None:
    assert taken(name, "%Y%m%d") is None


@given(st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9998, 1, 1)))
def test_any_instant_comes_back(instant: dt.datetime) -> None:
    instant = instant.replace(microsecond=0, tzinfo=dt.UTC)
    for pattern in ("%Y%m%dT%H%M%S", "%Y-%j-%H%M%S"):
        name = f"scene_{instant.strftime(pattern)}.tif"
        assert taken(name, pattern) == Interval(instant, instant + dt.timedelta(seconds=1))


@pytest.mark.parametrize(
    "pattern", ["", "2020", "%m%d", "%Y%d", "%Y%Y", "%Y%H", "%Y%m%dT%M", "%Y%q", "%Y%", "%Y%m%j", "%Y" + "x" * 100]
)
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern of names"):
        time_pattern(pattern)
    with pytest.raises(DefinitionError, match="pattern of names"):
        raster_layer(time=pattern)


def test_a_layer_ordered_by_time_says_where_its_times_are() -> None:
    with pytest.raises(DefinitionError, match="needs time"):
        raster_layer(order="newest")
    assert raster_layer(order="newest", time="%Y%m%d").order == "newest"


def test_the_stack() -> None:
    b, a, none, c = (scene(name) for name in ("b_20210101", "a_20200101", "none", "c_20220101"))
    given_order = [b, a, none, c]
    assert stacked(given_order, "loaded") == given_order
    assert stacked(given_order, "newest") == [c, b, a, none]
    assert stacked(given_order, "oldest") == [a, b, c, none]
    assert stacked(given_order, "name") == [a, b, c, none]


def test_only_what_was_taken_in_the_interval() -> None:
    scenes = [scene(f"{year}0101") for year in (2019, 2020, 2021)] + [scene("none")]
    assert within(scenes, None) == scenes
    assert within(scenes, parse_datetime("2020-01-01")) == scenes[1:2]
    assert within(scenes, parse_datetime("2020-01-01T12:00:00Z/..")) == scenes[1:3]
    assert within(scenes, parse_datetime("../2020-01-01T00:00:00Z")) == scenes[:2]


@given(*[st.integers(0, 6)] * 4)
def test_intervals_meet_where_they_share_an_hour(a: int, b: int, c: int, d: int) -> None:
    one, other = (Interval(at(2020, 1, 1, low), at(2020, 1, 1, low + length + 1)) for low, length in ((a, b), (c, d)))
    shared = set(range(a, a + b + 1)) & set(range(c, c + d + 1))
    assert meet(one, other) == bool(shared)
