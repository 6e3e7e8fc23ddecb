"""Land-use patches: shapes from the mesh, classes from the land, numbers from the villages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from ingest.sample.chance import FloatArray, IntArray, ShapeArray, TextArray, stream
from ingest.sample.grid import METRES_X, METRES_Y
from ingest.sample.landuse import Fields, Sites, classify, cover_of, density, ownership, slope_class
from ingest.sample.mesh import Density, Mesh, build_mesh
from ingest.sample.names import surveyors
from ingest.sample.outline import Outline
from ingest.sample.settlements import Settlements
from ingest.sample.terrain import GRID
from layers.area import ellipsoidal_area

BATCH = 50_000
DENSITY_CELLS = 900
FIRST_DAY = dt.date(2025, 3, 1)
SURVEY_DAYS = 200
SURVEYORS = 40
DAY_ZERO = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Parcels:
    """All patches of the county.

    Attributes:
        mesh: Their shapes.
        classes: Class codes (GB/T 21010-2017).
        ids: Patch numbers: 12 digits of the village, 7 zeros, 8 of the serial number.
        owners: Ownership codes.
        slopes: Slope classes.
        surveyor: Names of the (fictional) surveyors.
        surveyed: Days since 1970-01-01.
        townships: Number of the township in which the middle of the patch lies.
    """

    mesh: Mesh
    classes: TextArray
    ids: TextArray
    owners: TextArray
    slopes: IntArray
    surveyor: TextArray
    surveyed: IntArray
    townships: IntArray

    @property
    def count(self) -> int:
        """Number of patches."""
        return len(self.classes)

    def batches(self) -> Iterator[Batch]:
        """The patches in order, so many at a time that memory stays small."""
        for first in range(0, self.count, BATCH):
            last = min(first + BATCH, self.count)
            polygons = self.mesh.polygons(first, last)
            yield Batch(self, slice(first, last), polygons, np.round(ellipsoidal_area(polygons), 2))


@dataclass(frozen=True)
class Batch:
    """Some consecutive patches with their shapes and ellipsoidal areas in m2."""

    parcels: Parcels
    part: slice
    polygons: ShapeArray
    areas: FloatArray

    @property
    def classes(self) -> TextArray:
        """Class codes."""
        return np.asarray(self.parcels.classes[self.part])

    def arrow(self) -> pa.RecordBatch:
        """The rows of the layer, geometry as WKB."""
        p, part = self.parcels, self.part
        columns = {
            "patch_id": pa.array(p.ids[part].tolist()),
            "class_code": pa.array(self.classes.tolist()),
            "ownership": pa.array(p.owners[part].tolist()),
            "area": pa.array(self.areas),
            "slope_class": pa.array(p.slopes[part].astype(np.int32)),
            "surveyor": pa.array(p.surveyor[part].tolist()),
            "surveyed": pa.array(p.surveyed[part].astype(np.int32)).cast(pa.date32()),
            "geom": pa.array(shapely.to_wkb(self.polygons), type=pa.binary()),
        }
        return pa.RecordBatch.from_pydict(columns)


def build_parcels(outline: Outline, fields: Fields, settlements: Settlements, count: int, seed: int) -> Parcels:
    """Divide the county into `count` patches and decide everything about them but their area."""
    chance = stream(seed, "parcels")
    mesh = build_mesh(outline, Density(_weights(outline, fields)), count, chance)
    luck = chance.random(count)
    rows, columns = GRID.cells(mesh.centres)
    sites = Sites(fields, rows, columns, _widths(mesh), luck)
    classes = classify(sites)
    owner = _inside(fields.place, fields, mesh.centres)
    home = np.array([p.township for p in settlements.places])[owner]
    return Parcels(
        mesh,
        classes,
        _ids(np.array([p.code for p in settlements.places])[owner], owner),
        ownership(classes, chance.random(count)),
        slope_class(sites.of(fields.slope)),
        _surveyors(home, chance),
        (FIRST_DAY - DAY_ZERO).days + (owner * 7) % SURVEY_DAYS + chance.integers(0, 6, count),
        home,
    )


def _weights(outline: Outline, fields: Fields) -> FloatArray:
    ticks = (np.arange(DENSITY_CELLS) + 0.5) / DENSITY_CELLS * 2 - 1
    u, v = np.meshgrid(ticks, ticks)
    points = outline.place(np.column_stack([u.ravel(), v.ravel()]))
    return GRID.bilinear(density(fields), points).reshape(DENSITY_CELLS, DENSITY_CELLS)


def _widths(mesh: Mesh) -> FloatArray:
    """Square root of the flat area of each patch, in metres (shoelace formula)."""
    counts = np.diff(mesh.starts)
    middle = np.repeat(mesh.centres, counts, axis=0)
    here = (mesh.vertices[mesh.rings] - middle) * np.array([METRES_X, METRES_Y])
    following = np.roll(np.arange(len(mesh.rings)), -1)
    following[mesh.starts[1:] - 1] = mesh.starts[:-1]
    there = here[following]
    cross = here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0]
    return np.sqrt(np.abs(np.add.reduceat(cross, mesh.starts[:-1])) / 2)


def _inside(values: IntArray, fields: Fields, centres: FloatArray) -> IntArray:
    """Values at patches; a patch on the border whose middle cell lies outside takes the nearest settlement."""
    found = np.asarray(GRID.nearest(values, centres), dtype=np.int64)
    return np.where(found >= 0, found, np.asarray(GRID.nearest(fields.nearest_place, centres), dtype=np.int64))


def _ids(codes: TextArray, owner: IntArray) -> TextArray:
    order = np.argsort(owner, kind="stable")
    ranked = owner[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    serial = np.empty(len(owner), dtype=np.int64)
    serial[order] = np.arange(len(owner)) - np.repeat(starts, np.diff(np.append(starts, len(owner)))) + 1
    return np.char.add(np.char.add(codes, "0000000"), np.char.zfill(serial.astype("U8"), 8))


def _surveyors(townships: IntArray, chance: np.random.Generator) -> TextArray:
    people = np.array(surveyors(chance, SURVEYORS))
    return np.asarray(people[(townships * 4 + chance.integers(0, 4, len(townships))) % SURVEYORS])


def cover_codes(classes: TextArray) -> IntArray:
    """Land-cover class of each patch."""
    known, inverse = np.unique(classes, return_inverse=True)
    return np.array([cover_of(str(c)) for c in known], dtype=np.int64)[inverse]
