"""Buildings along the streets of every settlement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from ingest.sample.chance import BoolArray, FloatArray, stream
from ingest.sample.grid import METRES_Y
from ingest.sample.names import Name
from ingest.sample.roads import Road, StreetPlan
from ingest.sample.settlements import ADCODE, Place

ROWS = (-40.0, -13.0, 13.0, 40.0)
"""Where rows of buildings stand between two streets, metres across from the middle of the block."""
LOT = 27.0
CLEARANCE = 7.0
FLOOR_HEIGHT = 3.1
PEOPLE_PER_HOUSE = 9.0
MOST_BUILDINGS = 1500


@dataclass(frozen=True)
class Building:
    """A building: outline, use, floors, height in metres, sensitivity, a name for the few that have one."""

    polygon: shapely.Polygon
    use: str
    floors: int
    height: float
    sensitivity: str
    name: Name | None


def build_buildings(places: list[Place], plans: list[StreetPlan], roads: list[Road], water: shapely.Geometry, seed: int) -> list[Building]:
    """Put buildings on the lots of each settlement, clear of roads, water and one another."""
    lines = shapely.STRtree([r.line for r in roads])
    shapely.prepare(water)
    found: list[Building] = []
    for number, (place, plan) in enumerate(zip(places, plans, strict=True)):
        chance = stream(seed, f"buildings {place.code}")
        lots = _lots(plan, place, chance)
        outlines = _outlines(plan, lots, chance)
        clear = _clear(outlines, lines, water)
        found += _describe(outlines[clear], lots[clear], plan, number, chance)
    return found


def _lots(plan: StreetPlan, place: Place, chance: np.random.Generator) -> FloatArray:
    """Middles of the lots in metres of the plan, the nearest to the centre first."""
    reach = int(plan.radius // plan.spacing) + 1
    blocks = (np.arange(-reach, reach) + 0.5) * plan.spacing
    x = np.add.outer(blocks, (np.arange(3) - 1) * (LOT + 6.0)).ravel()
    y = np.add.outer(blocks, ROWS).ravel()
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    away = np.linalg.norm(grid, axis=1)
    wanted = int(min(place.people / PEOPLE_PER_HOUSE, MOST_BUILDINGS))
    rank = away * (0.75 + 0.5 * chance.random(len(grid)))
    order = np.argsort(rank, kind="stable")
    kept = order[away[order] < plan.radius][:wanted]
    return np.asarray(grid[kept])


def _outlines(plan: StreetPlan, lots: FloatArray, chance: np.random.Generator) -> np.ndarray:  # type: ignore[type-arg]
    count = len(lots)
    middle = lots + (chance.random((count, 2)) - 0.5) * [3.0, 3.0]
    half = np.column_stack([4.5 + 5.5 * chance.random(count), 3.5 + 4.0 * chance.random(count)])
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
    corners = middle[:, None, :] + half[:, None, :] * signs[None]
    placed = plan.place(corners.reshape(-1, 2)).reshape(count, 4, 2)
    return np.asarray(shapely.polygons(placed)) if count else np.array([], dtype=object)


def _clear(outlines: np.ndarray, lines: shapely.STRtree, water: shapely.Geometry) -> BoolArray:  # type: ignore[type-arg]
    clear = ~shapely.intersects(water, outlines)
    grown = shapely.buffer(outlines, CLEARANCE / METRES_Y, quad_segs=1)
    clear[lines.query(grown, predicate="intersects")[0]] = False
    return np.asarray(clear)


def _describe(
    outlines: np.ndarray, lots: FloatArray, plan: StreetPlan, place: int, chance: np.random.Generator  # type: ignore[type-arg]
) -> list[Building]:
    away = np.linalg.norm(lots, axis=1) / max(plan.radius, 1.0)
    luck = chance.random((len(outlines), 3))
    found = []
    for number, outline in enumerate(outlines):
        use = _use(float(away[number]), float(luck[number, 0]), place)
        floors = _floors(use, float(away[number]), float(luck[number, 1]), place)
        sensitivity = _sensitivity(use, float(luck[number, 2]))
        height = round(floors * FLOOR_HEIGHT + 0.8 + float(luck[number, 2]), 1)
        found.append(Building(outline, use, floors, height, sensitivity, _name(sensitivity, place, number)))
    return found


def _use(away: float, luck: float, place: int) -> str:
    if place == 0 and away > 0.7 and luck < 0.22:
        return "industrial"
    if away < 0.3 and luck < 0.28:
        return "commercial"
    if luck > 0.95:
        return "public"
    if place > 0 and away > 0.6 and luck > 0.83:
        return "agricultural"
    return "other" if luck > 0.93 else "residential"


def _floors(use: str, away: float, luck: float, place: int) -> int:
    if use in ("agricultural", "industrial", "other"):
        return 1 + int(luck * 2)
    if place == 0:
        return 2 + int((1.0 - away) * 12 * luck**2 + 4 * luck)
    return 1 + int(luck * 2.4)


def _sensitivity(use: str, luck: float) -> str:
    """A few buildings of public administration and industry are not for everyone."""
    if use == "public" and luck < 0.10:
        return "restricted"
    if use in ("public", "industrial") and luck < 0.28:
        return "internal"
    return "public"


def _name(sensitivity: str, place: int, number: int) -> Name | None:
    if sensitivity == "public":
        return None
    zh, en = ("受限设施", "Restricted facility") if sensitivity == "restricted" else ("内部设施", "Internal facility")
    return Name(f"{zh}{place:03d}-{number + 1}号", f"{en} {place:03d}-{number + 1}")


def building_id(number: int) -> str:
    """Identifier of a building by its position in the list."""
    return f"B{ADCODE}{number + 1:08d}"

