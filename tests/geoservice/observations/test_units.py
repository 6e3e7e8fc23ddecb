"""Conversions are exact, and only between units of the same dimension."""

from __future__ import annotations

import csv
from importlib import resources

import pytest
import scipy.constants as si

from geoservice.observations.units import all_units, conversion, find
from layers.indices.tables import rows


@pytest.mark.parametrize(
    ("value", "given", "wanted", "expected"),
    [
        (1.0, "ft", "m", si.foot),
        (1.0, "in", "mm", si.inch * 1000),
        (1.0, "kn", "m/s", si.knot),
        (36.0, "km/h", "m/s", 10.0),
        (1.0, "ft³/s", "m3/s", si.foot**3),
        (25.0, "°C", "K", si.convert_temperature(25.0, "C", "K")),
        (-40.0, "°F", "°C", -40.0),
        (98.6, "°F", "K", si.convert_temperature(98.6, "F", "K")),
        (1013.25, "hPa", "Pa", si.atm),
        (35.0, "ug/m3", "mg/m³", 0.035),
        (0.05, "[ppm]", "ppb", 50.0),
        (1.5, "mg/L", "ug/L", 1500.0),
        (3600.0, "m3/h", "m3/s", 1.0),
    ],
)
def test_values_become_what_other_tables_say(value: float, given: str, wanted: str, expected: float) -> None:
    change = conversion(given, wanted)
    assert change is not None
    assert value * change.factor + change.shift == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("given", "wanted"), [("ppm", "ug/m3"), ("m", "m3/s"), ("furlong", "m"), ("mm", "mm/h")])
def test_other_dimensions_and_unknown_units_are_refused(given: str, wanted: str) -> None:
    assert conversion(given, wanted) is None


def test_an_unknown_unit_is_the_same_as_itself() -> None:
    assert conversion("furlong", " furlong") is not None


def test_there_and_back_is_where_it_began() -> None:
    for unit in all_units():
        for other in all_units():
            there, back = conversion(unit.code, other.code), conversion(other.code, unit.code)
            assert (there is None) == (back is None) == (unit.dimension != other.dimension)
            if there is not None and back is not None:
                again = (7.25 * there.factor + there.shift) * back.factor + back.shift
                assert again == pytest.approx(7.25, rel=1e-9)


def test_every_way_of_writing_names_one_unit() -> None:
    assert find("μg/m³") is find("µg/m3") is find("ug/m3")
    assert find("nonsense") is None


def test_what_standards_judge_is_known_in_a_unit_that_they_can_be_asked_in() -> None:
    """Each item of surface water and of soil has a property whose numbers can be told in the unit of the standard."""
    known = properties()
    for row in rows("gb3838@2002"):
        own = known[{"do": "dissolved_oxygen"}.get(row["item"], row["item"])]
        unit = {"1": "[pH]", "/L": "{MPN}/L"}.get(row["unit"], row["unit"])
        way = conversion(own["unit"], unit)
        assert way is not None, row["item"]
        worst = float(row["class5"].split("/")[-1])
        assert float(own["highest"]) * way.factor > worst, row["item"]
    for item in {row["item"] for name in ("gb15618@2018", "gb36600@2018") for row in rows(name)}:
        assert known[f"soil_{item}"]["unit"] == "mg/kg", item


def test_every_property_has_a_unit_limits_and_both_names() -> None:
    for code, one in properties().items():
        assert find(one["unit"]) is not None, code
        assert float(one["lowest"]) < float(one["highest"]), code
        assert one["name"].isascii() or "µ" in one["name"], code
        assert not one["zh"].isascii(), code
        assert one["definition"].startswith("http"), code


def properties() -> dict[str, dict[str, str]]:
    with resources.files("geoservice.observations").joinpath("properties.csv").open(encoding="utf-8") as handle:
        return {row["code"]: row for row in csv.DictReader(handle)}
