"""Environmental indices: worked examples of the standards, and rules that hold for every value."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import BadParameter, UnknownResource
from layers.indices.air import level
from layers.indices.answer import IndexAnswer
from layers.indices.registry import INDICES, Index, find_index, judge
from layers.indices.rounding import rounded
from layers.indices.tables import edition_of, editions, table_of
from layers.indices.water import good_ratio

THEN, NOW = dt.date(2026, 2, 28), dt.date(2026, 3, 1)
NAMES = ("pm25", "pm10", "so2", "no2", "co", "o3_8h")
CASES = {
    "A": ((68, 132, 18, 52, 1.1, 121), (92, 91, 18, 65, 28, 68), (108, 105, 18, 65, 28, 68), 92, 108),
    "B": ((120, 180, 65, 150, 8, 200), (158, 115, 58, 135, 120, 137), (158, 124, 58, 135, 120, 137), 158, 158),
    "C": ((260, 410, 40, 95, 3.2, 60), (310, 286, 40, 108, 80, 30), (310, 286, 40, 108, 80, 30), 310, 310),
    "D": ((28, 45, 9, 31, 0.7, 182), (40, 45, 9, 39, 18, 120), (40, 45, 9, 39, 18, 120), 120, 120),
}
"""Published worked examples: concentrations, sub-indices of 2012 and 2026, indices of both."""


def asked(name: str, values: dict[str, float], day: dt.date = NOW, **options: str) -> IndexAnswer:
    return judge(find_index(name), values, day, options=options)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("day", "edition"), [(THEN, "2012"), (NOW, "2026")])
def test_published_days_of_air(case: str, day: dt.date, edition: str) -> None:
    values, old, new, before, after = CASES[case]
    found = asked("aqi", dict(zip(NAMES, map(float, values), strict=True)), day)
    assert found.edition.edition == edition
    assert [one.score for one in found.items] == list(old if edition == "2012" else new)
    assert found.value == (before if edition == "2012" else after)
    assert found.worst == (("o3_8h",) if case == "D" else ("pm25",))
    assert found.status == "complete"


@pytest.mark.parametrize(
    ("value", "compared", "score"), [(60.5, 60, 100), (60.6, 61, 101), (61.5, 62, 102), (0, 0, 0), (35, 35, 50)]
)
def test_values_are_rounded_half_to_even_and_scores_up(value: float, compared: int, score: int) -> None:
    (one,) = asked("aqi", {"pm25": value}).items
    assert (one.compared, one.score) == (compared, score)


ROWS = [(one, row) for one in ("2012", "2026") for row in table_of(edition_of("HJ 633", NOW, one))]


@given(st.sampled_from(ROWS), st.floats(0, 1, allow_nan=False))
def test_scores_lie_on_the_line_between_breakpoints(found: tuple[str, Mapping[str, str]], share: float) -> None:
    edition, row = found
    name = "o3_8h" if row["averaging"] == "8h" else row["item"]
    averaging = "hourly" if row["averaging"] == "1h" else "daily"
    points = [float(row[key]) for key in row if key[0] == "b" and row[key]]
    nodes = [int(key[1:]) for key in row if key[0] == "b" and row[key]]
    value = round(share * points[-1], int(row["decimals"]))
    (one,) = judge(find_index("aqi"), {name: value}, NOW, edition, {"averaging": averaging}).items
    expected = float(np.interp(value, points, nodes))
    assert one.score is not None
    assert expected - 1e-6 <= one.score < expected + 1 + 1e-6


def test_levels_follow_the_index() -> None:
    bounds = {0: "1", 50: "1", 51: "2", 100: "2", 101: "3", 150: "3", 151: "4", 200: "4", 201: "5", 300: "5", 301: "6"}
    assert {value: level(value).code for value in bounds} == bounds
    assert (level(120).colour, level(120).label.zh) == ("#ff7e00", "轻度污染")


def test_above_the_table() -> None:
    values = {"o3_8h": 801.0}
    assert asked("aqi", values, THEN).value is None
    assert "o3" in asked("aqi", values, THEN).missing, "an index without the worst pollutant would be too low"
    assert asked("aqi", {**values, "o3": 1000.0}, THEN).value == 400
    assert asked("aqi", values).value == 300
    assert asked("aqi", {"pm25": 900.0}).value == 500
    hourly = asked("aqi", {"so2": 900.0, "so2_24h": 900.0}, THEN, averaging="hourly")
    assert hourly.value == math.ceil(200 + 100 * 100 / 800)
    assert asked("aqi", {"so2": 700.0, "so2_24h": 2000.0}, THEN, averaging="hourly").worst == ("so2",)
    assert asked("aqi", {"so2": 900.0}, averaging="hourly").value == 200


def test_two_primary_pollutants_are_named() -> None:
    assert asked("aqi", {"pm25": 35.0, "no2": 40.0}).worst == ()
    assert asked("aqi", {"o3_8h": 160.0, "no2": 80.0, "co": 1.0}).worst == ("o3_8h", "no2")


@pytest.mark.parametrize(
    ("day", "edition"),
    [("2026-02-28", "2012"), ("2026-03-01", "2026-transitional"), ("2030-12-31", "2026-transitional"),
     ("2031-01-01", "2026")],
)  # fmt: skip
def test_limits_of_air_change_by_day(day: str, edition: str) -> None:
    found = asked("ambient-air", {"pm25": 55.0}, dt.date.fromisoformat(day))
    assert found.edition.edition == edition
    assert found.grade is not None
    assert found.grade.code == ("3" if edition == "2026" else "2")
    assert found.excess == ({"pm25": 0.1} if edition == "2026" else {})


def test_days_before_the_first_edition_are_refused() -> None:
    with pytest.raises(BadParameter, match="No known edition of GB 3095 held on 1999-01-01"):
        asked("ambient-air", {"pm25": 1.0}, dt.date(1999, 1, 1))
    with pytest.raises(BadParameter, match="none of them"):
        judge(find_index("aqi"), {"pm25": 1.0}, NOW, "1888")


@pytest.mark.parametrize(
    ("values", "options", "code", "worst"),
    [
        ({"do": 7.5, "codmn": 2.0, "nh3n": 0.15}, {}, "1", ()),
        ({"do": 7.4}, {}, "2", ("do",)),
        ({"do": 7.4, "do_saturation": 90.0}, {}, "1", ()),
        ({"do": 1.9}, {}, "6", ("do",)),
        ({"do": 6.0, "nh3n": 1.2, "codcr": 30.0}, {}, "4", ("nh3n", "codcr")),
        ({"nh3n": 0.154}, {}, "1", ()),
        ({"nh3n": 0.156}, {}, "2", ("nh3n",)),
        ({"tp": 0.15}, {}, "3", ("tp",)),
        ({"tp": 0.15}, {"waters": "lake"}, "5", ("tp",)),
        ({"do": 8.0, "fc": 1e6}, {}, "1", ()),
        ({"do": 8.0, "fc": 1e6}, {"scope": "all"}, "6", ("fc",)),
        ({"tn": 9.0}, {"waters": "lake", "scope": "section"}, None, ()),
        ({"tn": 9.0}, {"waters": "lake", "scope": "all"}, "6", ("tn",)),
        ({"ph": 9.1}, {}, "6", ("ph",)),
        ({"ph": 6.0}, {}, "1", ()),
        ({"hg": 0.00005}, {}, "1", ()),
        ({"hg": 0.00006}, {}, "3", ("hg",)),
    ],
)
def test_surface_water(
    values: dict[str, float], options: dict[str, str], code: str | None, worst: tuple[str, ...]
) -> None:
    found = asked("surface-water", values, **options)
    assert (found.grade.code if found.grade else None, found.worst) == (code, worst)


def test_sections_are_assessed_by_twenty_one_items() -> None:
    found = asked("surface-water", {"do": 8.0})
    assert len(found.missing) == 20
    assert not {"tn", "fc"} & set(found.missing)
    assert found.excess == {}
    assert asked("surface-water", {"nh3n": 1.5}).excess == {"nh3n": 0.5}
    assert good_ratio(["1", "3", "4", "6"]) == 50.0
    assert good_ratio([]) is None


@pytest.mark.parametrize(
    ("values", "code"), [({"do": 6.0}, "2"), ({"do": 6.01}, "1"), ({"din": 0.3, "oil": 0.05}, "2"), ({"cod": 6}, "5")]
)
def test_sea_water(values: dict[str, float], code: str) -> None:
    found = asked("sea-water", values)
    assert found.grade is not None
    assert found.grade.code == code


@pytest.mark.parametrize(
    ("values", "use", "code", "worst"),
    [
        ({"ph": 6.5, "cd": 0.4}, "paddy", "1", ()),
        ({"ph": 6.5, "cd": 0.4}, "other", "2", ("cd",)),
        ({"ph": 6.51, "cd": 3.1}, "paddy", "3", ("cd",)),
        ({"ph": 5.5, "cu": 120.0}, "orchard", "1", ()),
        ({"ph": 5.5, "cu": 120.0}, "paddy", "2", ("cu",)),
        ({"ph": 5.5, "zn": 1e6}, "other", "2", ("zn",)),
        ({"ph": 8.0, "as": 100.0}, "other", "2", ("as",)),
        ({"ph": 8.0, "as": 100.1}, "other", "3", ("as",)),
    ],
)
def test_farmland(values: dict[str, float], use: str, code: str, worst: tuple[str, ...]) -> None:
    found = asked("soil-farmland", values, use=use)
    assert (found.grade.code if found.grade else None, found.worst) == (code, worst)


def test_construction_land_and_noise() -> None:
    def code(name: str, values: dict[str, float], **options: str) -> str:
        grade = asked(name, values, **options).grade
        assert grade is not None
        return grade.code

    assert code("soil-construction", {"as": 60.0}, land="2") == "1"
    assert code("soil-construction", {"as": 60.0}, land="1") == "2"
    assert code("soil-construction", {"pb": 801.0}, land="1") == "3"
    assert code("noise", {"day": 70.0, "night": 55.0}, zone="4a") == "1"
    assert code("noise", {"night": 55.1}, zone="4a") == "2"
    assert code("noise", {"night_max": 75.0}, zone="4b") == "1"
    assert asked("noise", {"night_max": 75.3}, zone="4b").excess == {"night_max": 0.3}


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({}, {}),
        ({"pm25": math.nan}, {}),
        ({"pm25": math.inf}, {}),
        ({"pm25": -1.0}, {}),
        ({"gold": 1.0}, {}),
        ({"pm25": 1.0}, {"averaging": "weekly"}),
        ({"pm25": 1.0}, {"use": "paddy"}),
    ],
)
def test_nonsense_is_refused(values: dict[str, float], options: dict[str, str]) -> None:
    with pytest.raises(BadParameter):
        asked("aqi", values, **options)


def test_farmland_needs_its_ph() -> None:
    with pytest.raises(BadParameter, match="pH"):
        asked("soil-farmland", {"cd": 1.0})
    with pytest.raises(UnknownResource):
        find_index("happiness")


@given(st.floats(0, 1e12, allow_nan=False), st.integers(0, 5))
def test_rounding_agrees_with_decimal_arithmetic(value: float, decimals: int) -> None:
    found = rounded(value, decimals)
    assert abs(float(found) - value) <= 0.5 * 10**-decimals + abs(value) * 1e-15
    assert float(found) == round(float(found), decimals) or value > 1e9


@pytest.mark.parametrize("index", INDICES.values(), ids=lambda one: one.name)
def test_every_table_is_whole(index: Index) -> None:
    found = editions(index.standard)
    assert found
    assert all(one.end is None or one.start < one.end for one in found)
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]], "editions follow without a gap"
    for edition in found:
        assert table_of(edition)
        items = {row["item"] for row in table_of(edition) if "item" in row}
        assert {name.partition("_")[0] for name in items} <= {name.partition("_")[0] for name in index.items()}
