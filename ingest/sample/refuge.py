"""Where people find shelter, and what is worth protecting: emergency shelters and monuments."""

from __future__ import annotations

import shapely

from ingest.sample.facilities import VILLAGE_WITH_SCHOOL, Feature
from ingest.sample.names import Name
from ingest.sample.region import Region
from ingest.sample.settlements import ADCODE, TOWNSHIPS, Place, Settlements

SHARE = 0.4
"""Part of the people of a place that its shelter takes."""
GRADES = ("national", "provincial", "municipal", "municipal")
KINDS = (("古塔", "Pagoda"), ("古桥", "Old Bridge"), ("城隍庙", "Town God Temple"), ("烽火台", "Beacon Tower"))
_SQUARE, _SITE = (70.0, -45.0), (-88.0, -64.0)
"""Metres along and across the street plan: where the shelter and the monument of a place stand."""


def places_with_shelter(settlements: Settlements) -> list[Place]:
    """All seats, and the villages that have a school."""
    return [
        place
        for number, place in enumerate(settlements.places)
        if number < TOWNSHIPS or place.people > VILLAGE_WITH_SCHOOL
    ]


def shelters(region: Region) -> list[Feature]:
    """One in each seat and each village with a school: long-term in the county seat, short-term in the other seats."""
    chosen = places_with_shelter(region.settlements)
    numbers = {place.code: number for number, place in enumerate(region.settlements.places)}
    return [
        Feature(
            _at(region, numbers[place.code], _SQUARE),
            {
                "shelter_id": f"Z{ADCODE}{serial:04d}",
                "name_zh": f"{place.name.zh}应急避难场所",
                "name_en": f"{place.name.en} Shelter",
                "kind": _kind(numbers[place.code]),
                "capacity": int(place.people * SHARE),
            },
        )
        for serial, place in enumerate(chosen, 1)
    ]


def monuments(region: Region) -> list[Feature]:
    """One in each seat."""
    found = []
    for number, place in enumerate(region.settlements.places[:TOWNSHIPS]):
        kind = KINDS[number % len(KINDS)]
        name = _name(place, kind)
        values: dict[str, object] = {"monument_id": f"M{ADCODE}{number + 1:04d}", "name_zh": name.zh}
        values |= {"name_en": name.en, "grade": GRADES[number % len(GRADES)]}
        found.append(Feature(_at(region, number, _SITE), values))
    return found


def _kind(number: int) -> str:
    if number == 0:
        return "long"
    return "short" if number < TOWNSHIPS else "urgent"


def _name(place: Place, kind: tuple[str, str]) -> Name:
    return Name(f"{place.name.zh}{kind[0]}", f"{place.name.en} {kind[1]}")


def _at(region: Region, number: int, spot: tuple[float, float]) -> shapely.Point:
    return region.transport.plans[number].at(*spot)
