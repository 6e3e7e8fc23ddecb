"""The vector layers of the region as rows: attributes named as in the layer definitions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import shapely

from ingest.sample.addresses import build_addresses, build_postcodes
from ingest.sample.buildings import building_id
from ingest.sample.facilities import (
    Feature,
    build_airport,
    build_dam,
    build_fault,
    build_geology,
    build_hazard_sources,
    build_hospitals,
    build_protected,
    build_schools,
    build_stations,
)
from ingest.sample.names import Name
from ingest.sample.networks import bridges, pipelines, power_lines
from ingest.sample.planning import land_approvals, planning_zones
from ingest.sample.refuge import monuments, shelters
from ingest.sample.region import Region
from ingest.sample.roads import CLASSES, LANES, SPEEDS
from ingest.sample.settlements import ADCODE, COUNTY, PARENT

COUNTRY = "样例（虚构）"
FLOOD_OBSERVED = dt.datetime(2026, 6, 18, 4, 0, tzinfo=dt.UTC)
RANK_BOUNDS = (12_000.0, 4000.0, 1200.0, 400.0)
"""Drained coarse cells from which a river has rank 6, 7, 8, 9; smaller ones have rank 10."""


def _named(name: Name | None) -> dict[str, object]:
    return {"name_zh": name.zh if name else None, "name_en": name.en if name else None}


def divisions(region: Region) -> list[Feature]:
    """The county and its townships."""
    people = [region.settlements.people(n) for n in range(len(region.settlements.townships))]
    county = {"adcode": ADCODE, "level": "county", **_named(COUNTY), "parent": PARENT, "population": sum(people)}
    rows = [Feature(region.county, county)]
    for township, count in zip(region.settlements.townships, people, strict=True):
        values = {"adcode": township.code, "level": "township", **_named(township.name), "parent": ADCODE}
        rows.append(Feature(township.polygon, {**values, "population": count}))
    return rows


def populated_places(region: Region) -> list[Feature]:
    """Seats and villages."""
    return [
        Feature(
            shapely.Point(place.point),
            {
                "place_id": place.code,
                **_named(place.name),
                "country": COUNTRY,
                "rank": place.rank,
                "population": place.people,
                "adcode": place.code[:9],
            },
        )
        for place in region.settlements.places
    ]


def rivers(region: Region) -> list[Feature]:
    """Rivers, one feature per part outside the reservoir, drawn downstream."""
    rows = []
    for number, (parts, name) in enumerate(zip(region.rivers, region.river_names, strict=True)):
        drained = float(np.max(region.waters.stems[number].drained))
        rank = 10 - sum(drained >= bound for bound in RANK_BOUNDS)
        kind = "river" if drained >= RANK_BOUNDS[-1] else "stream"
        for part, line in enumerate(parts):
            values = {"river_id": f"{ADCODE}R{number + 1:03d}-{part + 1}", **_named(name), "rank": rank, "kind": kind}
            rows.append(Feature(line, values))
    return rows


def lakes(region: Region) -> list[Feature]:
    """The reservoir."""
    river = region.river_names[region.reservoir.stem]
    name = Name(river.zh.removesuffix("河") + "水库", river.en.removesuffix(" River") + " Reservoir")
    return [Feature(region.reservoir.polygon, {"lake_id": f"{ADCODE}L001", **_named(name), "kind": "reservoir"})]


def roads(region: Region) -> list[Feature]:
    """Roads and streets, cut at joints and at the ends of bridges."""
    return [
        Feature(
            road.line,
            {
                "road_id": f"{ADCODE}T{number + 1:06d}",
                **_named(road.name),
                "class": CLASSES[road.rank],
                "lanes": LANES[road.rank],
                "speed": SPEEDS[road.rank],
                "oneway": False,
                "bridge": road.bridge,
            },
        )
        for number, road in enumerate(region.transport.roads)
    ]


def railways(region: Region) -> list[Feature]:
    """The railway."""
    name = _named(Name("样例铁路（虚构）", "Sample Railway (fictional)"))
    lines = region.transport.railway
    return [Feature(g, {"railway_id": f"{ADCODE}K{n + 1:02d}", **name, "kind": "rail"}) for n, g in enumerate(lines)]


def buildings(region: Region) -> list[Feature]:
    """Buildings."""
    return [
        Feature(
            building.polygon,
            {
                "building_id": building_id(number),
                **_named(building.name),
                "use": building.use,
                "floors": building.floors,
                "height": building.height,
                "sensitivity": building.sensitivity,
            },
        )
        for number, building in enumerate(region.buildings)
    ]


def flood_extents(region: Region) -> list[Feature]:
    """The flood below the dam."""
    name = _named(Name("样例洪水淹没区（演练）", "Sample flood extent (exercise)"))
    values = {"flood_id": f"{ADCODE}20260618", **name, "observed": FLOOD_OBSERVED, "kind": "modelled"}
    return [Feature(region.flood.polygon, {**values, "depth": region.flood.depth})]


def _plans(build: Callable[..., list[Feature]]) -> Callable[[Region], list[Feature]]:
    return lambda region: build(region.settlements, region.transport.plans, region.seed)


LAYERS: dict[str, Callable[[Region], list[Feature]]] = {
    "division": divisions,
    "populated_place": populated_places,
    "river": rivers,
    "lake": lakes,
    "road": roads,
    "railway": railways,
    "airport": lambda r: [build_airport(r.settlements, r.transport.plans)],
    "building": buildings,
    "hospital": _plans(build_hospitals),
    "school": _plans(build_schools),
    "hazard_source": lambda r: build_hazard_sources(r.settlements, r.transport.plans),
    "air_station": lambda r: build_stations(r.settlements, r.transport.plans),
    "dam": lambda r: [build_dam(r.reservoir, r.river_names[r.reservoir.stem])[0]],
    "power_plant": lambda r: [build_dam(r.reservoir, r.river_names[r.reservoir.stem])[1]],
    "protected_area": lambda r: build_protected(r.reservoir, r.waters.height, r.county),
    "geological_unit": lambda r: build_geology(r.outline, r.seed),
    "active_fault": lambda r: [build_fault(r.county, r.seed)],
    "flood_extent": flood_extents,
    "address": lambda r: build_addresses(r.settlements, r.transport.plans),
    "postcode": lambda r: build_postcodes(r.settlements),
    "bridge": bridges,
    "power_line": power_lines,
    "pipeline": pipelines,
    "shelter": shelters,
    "monument": monuments,
    "planning_zone": planning_zones,
    "land_approval": land_approvals,
}
"""How the rows of each small vector layer are made; patches, control lines, tables and rasters are written apart."""
