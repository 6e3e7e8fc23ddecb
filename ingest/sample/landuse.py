"""What the land is used for: fields over the full grid, classes of GB/T 21010-2017 decided from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from ingest.sample.chance import BoolArray, FloatArray, IntArray, Noise, smoothstep
from ingest.sample.grid import blur, nearest_true
from ingest.sample.reservoir import Reservoir
from ingest.sample.roads import Road
from ingest.sample.settlements import TOWNSHIPS, Settlements, distances
from ingest.sample.terrain import GRID, slope_degrees
from ingest.sample.water import Waters, half_width

FARTHEST = 600.0
"""Distances to roads and the dam matter up to so many metres."""
SLOPE_LIMITS = (2.0, 6.0, 15.0, 25.0)
"""Upper bounds in degrees of the slope classes 1 to 4 of the third national land survey."""
LAND_COVER = {
    "01": 82, "02": 82, "0301": 41, "0305": 52, "0307": 43, "04": 71, "05": 24, "06": 24, "0701": 23, "0702": 22, "08": 23,
    "0810": 21, "10": 21, "11": 11, "1106": 31, "1109": 24, "12": 31, "1201": 21, "1202": 82,
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


def build_fields(waters: Waters, reservoir: Reservoir, settlements: Settlements, roads: list[Road], seed: int) -> Fields:
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
        road=_away([r.line for r in roads if r.rank <= 1]),
        lane=_away([r.line for r in roads if r.rank in (2, 4)]),
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


def classify(sites: Sites) -> np.ndarray:  # type: ignore[type-arg]
    """Class codes of GB/T 21010-2017 (text of four digits), one per patch; the first rule that fits decides."""
    rules = [*_water(sites), *_built(sites), *_roads(sites), *_fields(sites), *_wild(sites)]
    return np.select([r[0] for r in rules], [np.array(r[1]) for r in rules], default="0404")


Rule = tuple[BoolArray, str]


def _water(sites: Sites) -> list[Rule]:
    f = sites.fields
    off, drained = sites.of(f.off_river), sites.of(f.drained)
    wide = 2 * half_width(drained) > 0.22 * sites.width
    flat = sites.of(f.slope) < 5.0
    pool = np.asarray(f.pool[sites.rows, sites.columns])
    return [
        (~pool & (sites.of(f.wall) < 60.0 + 0.25 * sites.width) & (sites.width < 400.0), "1109"),
        (pool, "1103"),
        (wide & (off < 0.18 * sites.width), "1101"),
        (wide & flat & (off < 0.18 * sites.width + 45.0) & (sites.luck < 0.35), "1106"),
    ]


def _built(sites: Sites) -> list[Rule]:
    f, luck = sites.fields, sites.luck
    off, place = sites.of(f.off_place), np.asarray(f.nearest_place[sites.rows, sites.columns])
    inside = off < 0.12 * sites.width
    town, seat = inside & (place == 0), inside & (place < TOWNSHIPS)
    core, outer = off < -700.0, off > -350.0
    return [
        (town & outer & (luck < 0.16), "0601"),
        (town & outer & (luck < 0.24), "0604"),
        (town & core & (luck < 0.14), "0501"),
        (town & core & (luck < 0.22), "0505"),
        (town & core & (luck < 0.30), "0801"),
        (town & (luck > 0.94), "0810"),
        (town & (luck > 0.90), "0803"),
        (town & (luck > 0.88), "0805"),
        (town, "0701"),
        (seat & (luck < 0.09), "0801"),
        (seat & (luck < 0.20), "0501"),
        (inside & (luck > 0.95), "0803"),
        (inside & (luck > 0.91), "1201"),
        (inside, "0702"),
    ]


def _roads(sites: Sites) -> list[Rule]:
    f = sites.fields
    small = sites.width < 140.0
    return [
        (small & (sites.of(f.road) < 0.42 * sites.width), "1003"),
        (small & (sites.width < 90.0) & (sites.of(f.lane) < 0.40 * sites.width), "1006"),
    ]


def _fields(sites: Sites) -> list[Rule]:
    f, luck = sites.fields, sites.luck
    slope, off, height = sites.of(f.slope), sites.of(f.off_river), sites.of(f.height)
    great, near, taste = sites.of(f.drained) > 900.0, sites.of(f.off_place), sites.of(f.taste[0])
    tilled = (height < 1950.0) & (slope < 5.5 + 4.0 * taste) & (off < 1500.0 + 2200.0 * taste)
    orchard = (slope > 2.5) & (slope < 13.0) & (near < 1700.0) & (taste > 0.10) & (height < 1900.0)
    return [
        (tilled & (slope < 4.0) & (near < 900.0) & (luck < 0.025), "1202"),
        (tilled & (slope < 3.0) & (off < 700.0) & (luck < 0.035), "1104"),
        (orchard, "0201"),
        (tilled & great & (slope < 2.6) & (off < 750.0 + 600.0 * taste) & (height < 1500.0), "0101"),
        (tilled & (slope < 4.5) & (off < 1500.0 + 900.0 * taste), "0102"),
        (tilled, "0103"),
    ]


def _wild(sites: Sites) -> list[Rule]:
    f = sites.fields
    slope, height = sites.of(f.slope), sites.of(f.height)
    woods, hills = sites.of(f.taste[1]), sites.of(f.taste[2])
    return [
        ((height > 2420.0 + 200.0 * hills) & (slope > 24.0), "1207"),
        (height > 2260.0 + 260.0 * hills, "0401"),
        ((woods > -0.16) & (slope > 3.5 - 9.0 * woods), "0301"),
        (woods > 0.26, "0307"),
        ((hills > 0.05) & (slope > 4.0), "0305"),
        ((hills < -0.42) & (slope < 5.0), "1206"),
        (hills < -0.05, "0401"),
    ]


def slope_class(slope: FloatArray) -> IntArray:
    """Slope class 1 to 5 of a slope in degrees; an exact bound belongs to the gentler class."""
    return np.searchsorted(np.array(SLOPE_LIMITS), slope, side="left").astype(np.int64) + 1


def ownership(classes: np.ndarray, luck: FloatArray) -> np.ndarray:  # type: ignore[type-arg]
    """Ownership codes: water, towns, main roads and most forest belong to the state, the rest to collectives."""
    state = np.isin(classes, ["1101", "1103", "1106", "1109", "1003", "0701", "0501", "0505", "0601", "0604", "0801", "0810"])
    forest = np.isin(classes, ["0301", "1207"]) & (luck < 0.6)
    village = np.where(luck < 0.85, "32", "31")
    return np.where(state | forest, "20", np.where(np.isin(classes, ["0401", "0404"]) & (luck > 0.7), "33", village))


def cover_of(code: str) -> int:
    """Land-cover class of a land-use class."""
    best = max((k for k in LAND_COVER if code.startswith(k)), key=len)
    return LAND_COVER[best]


