"""Buildings along the streets of every settlement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ingest.sample.chance import BoolArray, FloatArray, IntArray, ShapeArray, TextArray, stream
from ingest.sample.grid import METRES_Y
from ingest.sample.names import Name
from ingest.sample.roads import Road, StreetPlan
from ingest.sample.rules import INF, Rule, decide
from ingest.sample.settlements import ADCODE, Place

ROWS = (-40.0, -13.0, 13.0, 40.0)
"""Where rows of buildings stand between two streets, metres across from the middle of the block."""
LOT = 27.0
CLEARANCE = 7.0
FLOOR_HEIGHT = 3.1
PEOPLE_PER_HOUSE = 9.0
MOST_BUILDINGS = 1500
USES: tuple[Rule, ...] = (
    ("industrial", {"town": (1, 2), "away": (0.7, INF), "luck": (0, 0.22)}),
    ("commercial", {"away": (0, 0.3), "luck": (0, 0.28)}),
    ("public", {"luck": (0.95, 1)}),
    ("agricultural", {"town": (0, 1), "away": (0.6, INF), "luck": (0.83, 0.95)}),
    ("other", {"luck": (0.93, 0.95)}),
)
SECRECY: tuple[Rule, ...] = (
    ("restricted", {"public": (1, 2), "luck": (0, 0.10)}),
    ("internal", {"public": (1, 2), "luck": (0.10, 0.28)}),
    ("internal", {"industrial": (1, 2), "luck": (0, 0.28)}),
)
"""A few buildings of public administration and industry are not for everyone."""
LOW_USES = ("agricultural", "industrial", "other")


@dataclass(frozen=True)
class Building:
    """A building: outline, use, floors, height in metres, sensitivity, a name for the few that have one."""

    polygon: shapely.Polygon
    use: str
    floors: int
    height: float
    sensitivity: str
    name: Name | None


def build_buildings(
    places: list[Place], plans: list[StreetPlan], roads: list[Road], water: BaseGeometry, seed: int
) -> list[Building]:
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


def _outlines(plan: StreetPlan, lots: FloatArray, chance: np.random.Generator) -> ShapeArray:
    count = len(lots)
    middle = lots + (chance.random((count, 2)) - 0.5) * [3.0, 3.0]
    half = np.column_stack([4.5 + 5.5 * chance.random(count), 3.5 + 4.0 * chance.random(count)])
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
    corners = middle[:, None, :] + half[:, None, :] * signs[None]
    placed = plan.place(corners.reshape(-1, 2)).reshape(count, 4, 2)
    return np.asarray(shapely.polygons(placed)) if count else np.array([], dtype=object)


def _clear(outlines: ShapeArray, lines: shapely.STRtree, water: BaseGeometry) -> BoolArray:
    clear = ~shapely.intersects(water, outlines)
    grown = shapely.buffer(outlines, CLEARANCE / METRES_Y, quad_segs=1)
    clear[lines.query(grown, predicate="intersects")[0]] = False
    return np.asarray(clear)


def _describe(
    outlines: ShapeArray, lots: FloatArray, plan: StreetPlan, place: int, chance: np.random.Generator
) -> list[Building]:
    away = np.linalg.norm(lots, axis=1) / max(plan.radius, 1.0)
    luck = chance.random((len(outlines), 3))
    town = np.full(len(outlines), float(place == 0))
    uses = decide(USES, {"town": town, "away": away, "luck": luck[:, 0]}, "residential")
    kinds = {kind: (uses == kind).astype(np.float64) for kind in ("public", "industrial")}
    secrecy = decide(SECRECY, {**kinds, "luck": luck[:, 2]}, "public")
    floors = _floors(uses, away, luck[:, 1], place)
    return [
        Building(
            outline,
            str(uses[n]),
            int(floors[n]),
            round(float(floors[n]) * FLOOR_HEIGHT + 0.8 + float(luck[n, 2]), 1),
            str(secrecy[n]),
            _name(str(secrecy[n]), place, n),
        )
        for n, outline in enumerate(outlines)
    ]


def _floors(uses: TextArray, away: FloatArray, luck: FloatArray, place: int) -> IntArray:
    town = 2 + (1.0 - np.minimum(away, 1.0)) * 12 * luck**2 + 4 * luck
    homes = town if place == 0 else 1 + luck * 2.4
    return np.where(np.isin(uses, LOW_USES), 1 + luck * 2, homes).astype(np.int64)


def _name(sensitivity: str, place: int, number: int) -> Name | None:
    if sensitivity == "public":
        return None
    zh, en = ("受限设施", "Restricted facility") if sensitivity == "restricted" else ("内部设施", "Internal facility")
    return Name(f"{zh}{place:03d}-{number + 1}号", f"{en} {place:03d}-{number + 1}")


def building_id(number: int) -> str:
    """Identifier of a building by its position in the list."""
    return f"B{ADCODE}{number + 1:08d}"
