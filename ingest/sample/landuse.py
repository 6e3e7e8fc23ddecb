"""What the land is used for: fields over the full grid, classes of GB/T 21010-2017 decided from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from ingest.sample.chance import BoolArray, FloatArray, IntArray, Noise, TextArray, smoothstep
from ingest.sample.grid import blur, nearest_true
from ingest.sample.reservoir import Reservoir
from ingest.sample.roads import SECONDARY, TERTIARY, TRACK, TRUNK, Road
from ingest.sample.rules import INF, Ranges, Rule, decide
from ingest.sample.settlements import TOWNSHIPS, Settlements, distances
from ingest.sample.terrain import GRID, slope_degrees
from ingest.sample.water import Waters, half_width

FARTHEST = 600.0
"""Distances to roads and the dam matter up to so many metres."""
SLOPE_LIMITS = (2.0, 6.0, 15.0, 25.0)
"""Upper bounds in degrees of the slope classes 1 to 4 of the third national land survey."""
LAND_COVER = {
    "01": 82, "02": 82, "0301": 41, "0305": 52, "0307": 43, "04": 71, "05": 24, "06": 24, "0701": 23, "0702": 22,
    "08": 23, "0810": 21, "10": 21, "11": 11, "1106": 31, "1109": 24, "12": 31, "1201": 21, "1202": 82,
}  # fmt: skip
"""Land-cover class (NLCD 2011) of a land-use class; the longest matching beginning counts."""


@dataclass(frozen=True)
class Fields:
    """Everything that decides the use of a cell, each of the full grid's shape.

    Attributes:
        height: Metres.
        slope: Degrees.
        off_river: Distance to the nearest river's water in metres, negative in it.
        drained: Drained coarse cells of that river.
        pool: Cells under the reservoir.
        wall: Distance to the dam's wall in metres.
        place: Number of the settlement that the cell belongs to (nearest of its township).
        off_place: Distance to the nearest settlement's built-up area in metres, negative inside.
        nearest_place: Number of that settlement.
        road: Distance in metres to the nearest trunk or secondary road.
        lane: Distance in metres to the nearest other country road.
        township: Number of the township, -1 outside the county.
        taste: Three smooth noises that group uses.
    """

    height: FloatArray
    slope: FloatArray
    off_river: FloatArray
    drained: FloatArray
    pool: BoolArray
    wall: FloatArray
    place: IntArray
    off_place: FloatArray
    nearest_place: IntArray
    road: FloatArray
    lane: FloatArray
    township: IntArray
    taste: tuple[FloatArray, FloatArray, FloatArray]


def build_fields(
    waters: Waters, reservoir: Reservoir, settlements: Settlements, roads: list[Road], seed: int
) -> Fields:
    """Compute the fields from water, settlements and roads."""
    drained = waters.drained.ravel()[waters.nearest]
    lon, lat = GRID.centres()
    township = _townships(settlements)
    off_place, nearest_place = _built_up(settlements)
    taste = [Noise(seed, f"taste {n}", width=0.035, octaves=4)(lon, lat) for n in ("crops", "woods", "hills")]
    return Fields(
        height=waters.height,
        slope=blur(slope_degrees(waters.height), 1),
        off_river=waters.distance - half_width(drained),
        drained=drained,
        pool=reservoir.cells,
        wall=_away([reservoir.wall]),
        place=_owners(settlements, township),
        off_place=off_place,
        nearest_place=nearest_place,
        road=_away([r.line for r in roads if r.rank in (TRUNK, SECONDARY)]),
        lane=_away([r.line for r in roads if r.rank in (TERTIARY, TRACK)]),
        township=township,
        taste=(taste[0], taste[1], taste[2]),
    )


def _away(lines: list[shapely.LineString]) -> FloatArray:
    mask = np.zeros(GRID.shape, dtype=bool)
    points = shapely.get_coordinates(shapely.segmentize(np.array(lines), GRID.cell / 3))
    mask[GRID.cells(points)] = True
    return nearest_true(GRID, mask, FARTHEST)[1]


def _townships(settlements: Settlements) -> IntArray:
    township = np.full(GRID.shape, -1, dtype=np.int64)
    for number, area in enumerate(settlements.townships):
        township[GRID.mask([area.polygon])] = number
    return township


def _built_up(settlements: Settlements) -> tuple[FloatArray, IntArray]:
    radius = np.array([p.radius for p in settlements.places])
    off, nearest = np.full(GRID.shape, np.inf), np.zeros(GRID.shape, dtype=np.int64)
    lon, lat = GRID.centres()
    for row in range(0, GRID.rows, 8):
        part = slice(row, row + 8)
        points = np.column_stack([lon[part].ravel(), lat[part].ravel()])
        away = distances(points, settlements.points) - radius
        best = np.argmin(away, axis=1)
        nearest[part] = best.reshape(-1, GRID.columns)
        off[part] = away[np.arange(len(best)), best].reshape(-1, GRID.columns)
    return off, nearest


def _owners(settlements: Settlements, township: IntArray) -> IntArray:
    owner = np.full(GRID.shape, -1, dtype=np.int64)
    points = settlements.points
    home = np.array([p.township for p in settlements.places])
    for number in range(TOWNSHIPS):
        rows, columns = np.nonzero(township == number)
        mine = np.flatnonzero(home == number)
        if len(rows):
            away = distances(GRID.positions(rows, columns), points[mine])
            owner[rows, columns] = mine[np.argmin(away, axis=1)]
    return owner


def density(fields: Fields) -> FloatArray:
    """How finely the land is parcelled, relative: finest in villages and along rivers, coarse in the mountains."""
    even = 1.0 - smoothstep(4.0, 14.0, fields.slope)
    near = 1.0 - smoothstep(400.0, 3500.0, fields.off_river)
    weight = 0.5 + 1.6 * even + 2.6 * even * near
    weight = weight + 16.0 * (1.0 - smoothstep(-40.0, 160.0, fields.off_place))
    great = smoothstep(1500.0, 5000.0, fields.drained)
    weight = weight + 9.0 * great * (1.0 - smoothstep(40.0, 160.0, fields.off_river))
    weight = np.where(fields.pool, 1.6, weight)
    return np.asarray(weight * (0.8 + 0.5 * np.clip(fields.taste[0] + 0.4, 0.0, 1.0)))


@dataclass(frozen=True)
class Sites:
    """The fields at the middle of patches, with the patches' mean width in metres and a random number each."""

    fields: Fields
    rows: IntArray
    columns: IntArray
    width: FloatArray
    luck: FloatArray

    def of(self, values: FloatArray) -> FloatArray:
        """A field at the patches."""
        return np.asarray(values[self.rows, self.columns])


WATER: tuple[Rule, ...] = (
    ("1109", {"pool": (0, 1), "wall_side": (-INF, 60), "width": (0, 400)}),
    ("1103", {"pool": (1, 2)}),
    ("1101", {"river_share": (0.22, INF), "river_side": (-INF, 0)}),
    ("1106", {"river_share": (0.22, INF), "river_side": (0, 45), "slope": (0, 5), "luck": (0, 0.35)}),
)
BUILT: tuple[Rule, ...] = (
    ("0601", {"town_side": (-350, 0), "place": (0, 1), "luck": (0, 0.16)}),
    ("0604", {"town_side": (-350, 0), "place": (0, 1), "luck": (0.16, 0.24)}),
    ("0501", {"town_side": (-INF, -700), "place": (0, 1), "luck": (0, 0.14)}),
    ("0505", {"town_side": (-INF, -700), "place": (0, 1), "luck": (0.14, 0.22)}),
    ("0801", {"town_side": (-INF, -700), "place": (0, 1), "luck": (0.22, 0.30)}),
    ("0810", {"town_side": (-INF, 0), "place": (0, 1), "luck": (0.94, 1)}),
    ("0803", {"town_side": (-INF, 0), "place": (0, 1), "luck": (0.90, 0.94)}),
    ("0805", {"town_side": (-INF, 0), "place": (0, 1), "luck": (0.88, 0.90)}),
    ("0701", {"town_side": (-INF, 0), "place": (0, 1)}),
    ("0801", {"town_side": (-INF, 0), "place": (0, TOWNSHIPS), "luck": (0, 0.09)}),
    ("0501", {"town_side": (-INF, 0), "place": (0, TOWNSHIPS), "luck": (0.09, 0.20)}),
    ("0803", {"town_side": (-INF, 0), "luck": (0.95, 1)}),
    ("1201", {"town_side": (-INF, 0), "luck": (0.91, 0.95)}),
    ("0702", {"town_side": (-INF, 0)}),
)
LANES: tuple[Rule, ...] = (
    ("1003", {"width": (0, 140), "road_share": (0, 0.42)}),
    ("1006", {"width": (0, 90), "lane_share": (0, 0.40)}),
)
TILLED: Ranges = {"height": (0, 1950), "tilled_slope": (-INF, 5.5), "tilled_off": (-INF, 1500)}
FARMED: tuple[Rule, ...] = (
    ("1202", {**TILLED, "slope": (0, 4), "off_place": (0, 900), "luck": (0, 0.025)}),
    ("1104", {**TILLED, "slope": (0, 3), "off_river": (0, 700), "luck": (0.025, 0.05), "width": (0, 420)}),
    ("0201", {"slope": (2.5, 13), "off_place": (0, 1700), "taste": (0.10, INF), "height": (0, 1900)}),
    ("0101", {**TILLED, "drained": (900, INF), "slope": (0, 2.6), "paddy_off": (-INF, 750), "height": (0, 1500)}),
    ("0102", {**TILLED, "slope": (0, 4.5), "watered_off": (-INF, 1500)}),
    ("0103", TILLED),
)
WILD: tuple[Rule, ...] = (
    ("1207", {"rock_height": (2420, INF), "slope": (24, INF)}),
    ("0401", {"grass_height": (2260, INF)}),
    ("0301", {"woods": (-0.16, INF), "wooded_slope": (3.5, INF)}),
    ("0307", {"woods": (0.26, INF)}),
    ("0305", {"hills": (0.05, INF), "slope": (4, INF)}),
    ("1206", {"hills": (-INF, -0.42), "slope": (0, 5)}),
    ("0401", {"hills": (-INF, -0.05)}),
)


def classify(sites: Sites) -> TextArray:
    """Class codes of GB/T 21010-2017 (text of four digits), one per patch; the first rule that fits decides."""
    return decide((*WATER, *BUILT, *LANES, *FARMED, *WILD), _measures(sites), "0404")


def _measures(sites: Sites) -> dict[str, FloatArray]:
    """What the rules ask: fields at the patches, and shares and sides that depend on how wide a patch is."""
    f, width = sites.fields, sites.width
    taste, woods, hills = (sites.of(t) for t in f.taste)
    slope, height, off = sites.of(f.slope), sites.of(f.height), sites.of(f.off_river)
    off_place = sites.of(f.off_place)
    return {
        "luck": sites.luck,
        "width": width,
        "slope": slope,
        "height": height,
        "drained": sites.of(f.drained),
        "off_river": off,
        "river_side": off - 0.18 * width,
        "river_share": 2 * half_width(sites.of(f.drained)) / width,
        "pool": sites.of(f.pool.astype(np.float64)),
        "wall_side": sites.of(f.wall) - 0.25 * width,
        "place": sites.of(f.nearest_place.astype(np.float64)),
        "off_place": off_place,
        "town_side": off_place - 0.12 * width,
        "road_share": sites.of(f.road) / width,
        "lane_share": sites.of(f.lane) / width,
        "taste": taste,
        "woods": woods,
        "hills": hills,
        "tilled_slope": slope - 4.0 * taste,
        "tilled_off": off - 2200.0 * taste,
        "paddy_off": off - 600.0 * taste,
        "watered_off": off - 900.0 * taste,
        "rock_height": height - 200.0 * hills,
        "grass_height": height - 260.0 * hills,
        "wooded_slope": slope + 9.0 * woods,
    }


def slope_class(slope: FloatArray) -> IntArray:
    """Slope class 1 to 5 of a slope in degrees; an exact bound belongs to the gentler class."""
    return np.searchsorted(np.array(SLOPE_LIMITS), slope, side="left").astype(np.int64) + 1


STATE_CLASSES = ("1101", "1103", "1106", "1109", "1003", "0701", "0501", "0505", "0601", "0604", "0801", "0810")
STATE_FOREST = 0.6
VILLAGER_GROUPS = 0.15
TOWNSHIP_GRASS = 0.3


def ownership(classes: TextArray, luck: FloatArray) -> TextArray:
    """Ownership codes: water, towns, main roads and most forest belong to the state, the rest to collectives."""
    forest = np.isin(classes, ["0301", "1207"]) & (luck < STATE_FOREST)
    state = np.isin(classes, STATE_CLASSES) | forest
    grass = np.isin(classes, ["0401", "0404"]) & (luck < TOWNSHIP_GRASS)
    village = np.where(luck < VILLAGER_GROUPS, "31", "32")
    return np.asarray(np.where(state, "20", np.where(grass, "33", village)), dtype=np.str_)


def cover_of(code: str) -> int:
    """Land-cover class of a land-use class."""
    best = max((k for k in LAND_COVER if code.startswith(k)), key=len)
    return LAND_COVER[best]
