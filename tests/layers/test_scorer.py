"""Classes of many values at once are those of the indices."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.indices.registry import INDICES, judge
from layers.indices.scorer import AirScorer, WaterScorer
from layers.indices.tables import edition_of

DAYS = {"2012": dt.date(2025, 7, 1), "2026": dt.date(2026, 7, 1)}
CONCENTRATION = st.one_of(
    st.floats(0, 4000, allow_nan=False),
    # On and beside the breakpoints, where rounding decides.
    st.sampled_from([35.0, 35.5, 34.5, 60.5, 61.0, 75.5, 150.49, 150.5, 0.145, 5.05, 4.95, 800.0, 800.4, 801.0, 2.5]),
)


@pytest.mark.parametrize("edition", list(DAYS))
@given(values=st.dictionaries(st.sampled_from(["pm25", "pm10", "so2", "no2", "co", "o3"]), CONCENTRATION, min_size=1))
def test_air_is_scored_as_the_index_judges(edition: str, values: dict[str, float]) -> None:
    day = DAYS[edition]
    told = judge(INDICES["aqi"], values, day, None, {"averaging": "hourly"})
    found = AirScorer(edition_of("HJ 633", day)).judge(values)
    assert (None if found is None else (found.value, str(found.code), found.worst)) == (
        None if told.grade is None else (told.value, told.grade.code, told.worst)
    )


def test_worked_examples_of_air() -> None:
    scorer = AirScorer(edition_of("HJ 633", DAYS["2026"]))
    # HJ 633-2026: 60 ug/m3 of fine particles end "good" at 100; 61 are (150-100)/(115-60) x 1 + 100 = 100.9, up to 101.
    found = [scorer.judge({"pm25": value}) for value in (60.0, 60.4, 61.0)]
    assert [(one.value, one.code) for one in found if one] == [(100, 2), (100, 2), (101, 3)]
    assert scorer.by_day == frozenset()
    assert AirScorer(edition_of("HJ 633", DAYS["2012"])).by_day == {"pm25", "pm10"}


WATER = {"do": st.floats(0, 12), "codmn": st.floats(0, 20), "nh3n": st.floats(0, 3), "tp": st.floats(0, 0.5)}


@given(values=st.fixed_dictionaries({}, optional={**WATER, "ph": st.floats(4, 11)}))
def test_water_is_scored_as_the_index_judges(values: dict[str, float]) -> None:
    found = WaterScorer(edition_of("GB 3838", DAYS["2026"])).judge(values)
    if not values:
        assert found is None
        return
    told = judge(INDICES["surface-water"], values, DAYS["2026"])
    assert found is not None
    assert told.grade is not None
    assert (str(found.code), found.worst) == (told.grade.code, told.worst)
