"""Doorplates and postcodes of the fictional county: numbers along the streets of seats, and of houses in villages."""

from __future__ import annotations

import numpy as np
import shapely

from ingest.sample.facilities import Feature
from ingest.sample.roads import StreetPlan
from ingest.sample.settlements import ADCODE, COUNTY_SEAT_PEOPLE, TOWNSHIPS, Place, Settlements

STREETS = ("幸福路", "建设街", "人民路", "光明巷", "文化街", "解放路")
LOT = 27.0
"""Metres between two doors on the same side."""
SETBACK = 9.0
"""Metres between the middle of a street and its doors."""
TOWN_STREETS, MOST_DOORS, VILLAGE_DOORS = 2, 60, 10
POSTCODE_BASE = 990100


def build_addresses(settlements: Settlements, plans: list[StreetPlan]) -> list[Feature]:
    """Doors with their parts, the county seat first; odd numbers on one side of a street and even on the other."""
    found: list[Feature] = []
    for number, (place, plan) in enumerate(zip(settlements.places, plans, strict=True)):
        doors = _street_doors(place, plan) if number < TOWNSHIPS else _village_doors(place, plan)
        for parts, point in doors:
            line = "".join(f"{value}号" if name == "number" else value for name, value in parts.items())
            values: dict[str, object] = {
                "address_id": f"A{ADCODE}{len(found) + 1:06d}",
                "adcode": place.code[:9],
                "line": line,
                "road": parts.get("road"),
                "number": parts["number"],
                "postcode": postcode(place.township),
                "method": "survey",
            }
            found.append(Feature(point, values))
    return found


def build_postcodes(settlements: Settlements) -> list[Feature]:
    """One office per township, at its seat."""
    return [
        Feature(
            shapely.Point(settlements.places[township.seat].point),
            {"postcode": postcode(number), "office": f"{township.name.zh}邮政所", "adcode": township.code},
        )
        for number, township in enumerate(settlements.townships)
    ]


def postcode(township: int) -> str:
    """The postcode of a township by its place in the list."""
    return str(POSTCODE_BASE + 10 * township)


def _street_doors(place: Place, plan: StreetPlan) -> list[tuple[dict[str, str], shapely.Point]]:
    streets = len(STREETS) if place.people > COUNTY_SEAT_PEOPLE // 2 else TOWN_STREETS
    doors = []
    for street in range(streets):
        across = plan.spacing * (street - streets // 2)
        count = min(MOST_DOORS, int(2 * plan.radius / LOT))
        for number in range(1, count + 1):
            along = LOT * ((number + 1) // 2) - plan.radius / 2
            side = SETBACK if number % 2 else -SETBACK
            doors.append(({"road": STREETS[street], "number": str(number)}, _at(plan, along, across + side)))
    return doors


def _village_doors(place: Place, plan: StreetPlan) -> list[tuple[dict[str, str], shapely.Point]]:
    return [
        ({"village": place.name.zh, "number": str(number)}, _at(plan, LOT * (number - VILLAGE_DOORS / 2), SETBACK))
        for number in range(1, VILLAGE_DOORS + 1)
    ]


def _at(plan: StreetPlan, along: float, across: float) -> shapely.Point:
    x, y = plan.place(np.array([[along, across]]))[0].tolist()
    return shapely.Point(x, y)
