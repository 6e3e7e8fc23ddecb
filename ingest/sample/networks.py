"""What the county is supplied by: bridges of its roads, power lines, and a gas pipeline."""

from __future__ import annotations

import numpy as np
import shapely

from ingest.sample.facilities import Feature, build_dam
from ingest.sample.lines import along
from ingest.sample.names import Name
from ingest.sample.region import Region
from ingest.sample.roads import CLASSES
from ingest.sample.settlements import ADCODE, TOWNS, TOWNSHIPS

TRANSMISSION, DISTRIBUTION = 110.0, 35.0
"""Voltages in kV: from the power plant to the county seat, and on to the other seats."""
DIAMETERS = (406, 219)
"""Diameters in mm: of the pipe to the second seat, and of those to the others."""
OFFSET = 0.0045
"""Degrees by which the pipes keep away from the power lines, which run straight between the same places."""


def bridges(region: Region) -> list[Feature]:
    """One point in the middle of each piece of road that is a bridge; its length is that of the piece."""
    pieces = [(number, road) for number, road in enumerate(region.transport.roads) if road.bridge]
    found = []
    for serial, (number, road) in enumerate(pieces, 1):
        name = Name(f"{road.name.zh}{serial}号桥", f"{road.name.en} Bridge {serial}") if road.name else None
        values: dict[str, object] = {
            "bridge_id": f"{ADCODE}B{serial:04d}",
            "name_zh": name.zh if name else None,
            "name_en": name.en if name else None,
            "class": CLASSES[road.rank],
            "length": round(float(along(shapely.get_coordinates(road.line))[-1]), 1),
            "road_id": f"{ADCODE}T{number + 1:06d}",
        }
        middle = shapely.line_interpolate_point(road.line, 0.5, normalized=True)
        found.append(Feature(_rounded(middle), values))
    return found


def power_lines(region: Region) -> list[Feature]:
    """Straight lines from the power plant to the county seat, and from there to each of the other seats."""
    plant = build_dam(region.reservoir, region.river_names[region.reservoir.stem])[1].geometry
    places = region.settlements.places[:TOWNSHIPS]
    ends = [(shapely.get_coordinates(plant)[0].tolist(), places[0], "transmission", TRANSMISSION)]
    ends += [(list(places[0].point), place, "distribution", DISTRIBUTION) for place in places[1:]]
    return [
        Feature(
            shapely.LineString([start, place.point]),
            {
                "line_id": f"{ADCODE}N{number:03d}",
                "name_zh": f"{place.name.zh}{voltage:.0f}千伏线",
                "name_en": f"{place.name.en} {voltage:.0f} kV line",
                "voltage": voltage,
                "kind": kind,
            },
        )
        for number, (start, place, kind, voltage) in enumerate(ends, 1)
    ]


def pipelines(region: Region) -> list[Feature]:
    """Gas from the county seat to the towns, beside the power lines."""
    places = region.settlements.places[:TOWNS]
    shift = np.array([OFFSET, -OFFSET])
    start = np.round(np.array(places[0].point) + shift, 9).tolist()
    found = []
    for number, place in enumerate(places[1:], 1):
        end = np.round(np.array(place.point) + shift, 9).tolist()
        values: dict[str, object] = {
            "pipeline_id": f"{ADCODE}Q{number:03d}",
            "name_zh": f"{place.name.zh}天然气管道",
            "name_en": f"{place.name.en} gas pipeline",
            "medium": "gas",
            "diameter": DIAMETERS[0 if number == 1 else 1],
        }
        found.append(Feature(shapely.LineString([start, end]), values))
    return found


def _rounded(point: shapely.Point) -> shapely.Point:
    return shapely.Point(np.round(shapely.get_coordinates(point)[0], 9))
