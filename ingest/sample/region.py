"""The whole sample region, put together in the order in which its parts depend on one another."""

from __future__ import annotations

from dataclasses import dataclass

import shapely

from ingest.sample.buildings import Building, build_buildings
from ingest.sample.chance import stream
from ingest.sample.landuse import Fields, build_fields
from ingest.sample.lines import polygon_parts
from ingest.sample.names import Name, NameGiver
from ingest.sample.outline import Outline, build_outline
from ingest.sample.parcels import Parcels, build_parcels
from ingest.sample.reservoir import Flood, Reservoir, build_flood, build_reservoir, river_lines
from ingest.sample.roads import Crossings, Transport, build_transport
from ingest.sample.settlements import Settlements, build_settlements
from ingest.sample.terrain import build_relief
from ingest.sample.water import Waters, build_waters


@dataclass(frozen=True)
class Region:
    """Everything about the fictional county, before it is written.

    Attributes:
        county: Its area: the union of the townships, vertex by vertex.
        rivers: For each river of `waters.stems` its parts in the county outside the reservoir.
        river_names: Names in the same order.
    """

    seed: int
    outline: Outline
    county: shapely.Polygon
    waters: Waters
    reservoir: Reservoir
    flood: Flood
    rivers: list[list[shapely.LineString]]
    river_names: list[Name]
    settlements: Settlements
    transport: Transport
    buildings: list[Building]
    fields: Fields
    parcels: Parcels


def build_region(parcels: int, seed: int) -> Region:
    """Build the region in memory. The land and the settlements depend on the seed alone, not on the parcels."""
    outline = build_outline(seed)
    rim = outline.polygon()
    waters = build_waters(build_relief(seed), seed)
    reservoir = build_reservoir(waters, rim)
    rivers = river_lines(waters, reservoir, rim)
    names = NameGiver(stream(seed, "names"))
    settlements = build_settlements(outline, waters, reservoir, names, seed)
    transport = build_transport(waters, reservoir, settlements, rivers, rim, seed)
    water = shapely.union_all([Crossings(rivers, waters).water(), reservoir.polygon])
    fields = build_fields(waters, reservoir, settlements, transport.roads, seed)
    return Region(
        seed=seed,
        outline=outline,
        county=polygon_parts(shapely.coverage_union_all([t.polygon for t in settlements.townships]))[0],
        waters=waters,
        reservoir=reservoir,
        flood=build_flood(waters, reservoir, rim),
        rivers=rivers,
        river_names=[names.river() for _ in rivers],
        settlements=settlements,
        transport=transport,
        buildings=build_buildings(settlements.places, transport.plans, transport.roads, water, seed),
        fields=fields,
        parcels=build_parcels(outline, fields, settlements, parcels, seed),
    )
