"""Vector tiles in every kind of tile matrix set: decoded elsewhere, they lie where PROJ puts their sources."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pyproj
import pytest
import shapely

from geoservice.ladder import renew
from geoservice.settings import Settings
from layers.access import Clearance
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import mesh, patches
from tests.support.service import Service, plain_bytes, running

ROWS = mesh(8, 8, 5)
EXTENT, BUFFER = 4096, 64
SETS = {"CGCS2000Quad": 4490, "WorldCRS84Quad": 4326, "CGCS2000GK3Zone35": 4523, "CGCS2000GK6Zone18": 4496}
READERS = [None, Clearance.RESTRICTED]
# A long way along a parallel, bent in every projection but one; corners in all four quarters; both ends of the world.
FAR = [
    ("parallel", shapely.LineString([(104.2, 38.0), (106.4, 38.0)])),
    ("world", shapely.box(-180, -90, 180, 90)),
    ("south pole", shapely.box(-180, -90, 180, -80)),
    ("fiji", shapely.MultiPolygon([shapely.box(179, -19, 180, -16), shapely.box(-180, -19, -179, -16)])),
    ("america", shapely.box(-110, 30, -100, 40)),
]


@pytest.fixture(scope="module")
def served(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    far = trial_layer("far", geometry="any", row_clearance=None, style={"fill": "#aabbcc"}, tiles={"to": 0})
    layer = patches()
    catalog = trial_catalog(layer, far)
    folder: Path = tmp_path_factory.mktemp("sets")
    rows = [{"code": name, "geometry": shape} for name, shape in FAR]
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        load_file(catalog, target, "patch", write_rows(folder / "patch.gpkg", ROWS))
        load_file(catalog, target, "far", write_rows(folder / "far.gpkg", rows))
        assert renew(database, layer) is not None
        with running(database, catalog) as found:
            yield found


def grid_of(served: Service, name: str) -> morecantile.TileMatrixSet:
    """The set as morecantile reads it from the service."""
    return morecantile.TileMatrixSet.model_validate(served.get(f"/tileMatrixSets/{name}").json())


def projected(shape: shapely.Geometry, srid: int) -> shapely.Geometry:
    """A shape with straight edges in degrees, in another CRS: by many points on each edge."""
    fine = shapely.segmentize(shape, 0.005)
    return shapely.transform(fine, lambda c: np.column_stack(way_to(srid).transform(c[:, 0], c[:, 1])))


@cache
def way_to(srid: int) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(4326, srid, always_xy=True)


def decoded(served: Service, path: str, reader: Clearance | None) -> dict[str, Any]:
    response = served.get(path, reader)
    if response.status_code in (204, 404):
        return {}
    assert response.status_code == 200, response.text
    return dict(mapbox_vector_tile.decode(plain_bytes(response), default_options={"y_coord_down": True}))


def drawn(
    served: Service, grid: morecantile.TileMatrixSet, tile: morecantile.Tile, layer: str, reader: Clearance | None
) -> list[tuple[dict[str, Any], shapely.Geometry]]:
    """Features of a tile with their shapes in the CRS of the set."""
    path = f"/collections/{layer}/tiles/{grid.id}/{tile.z}/{tile.y}/{tile.x}"
    box = grid.xy_bounds(tile)
    unit = (box.right - box.left) / EXTENT

    def placed(coordinates: Any) -> Any:
        return np.column_stack([box.left + coordinates[:, 0] * unit, box.top - coordinates[:, 1] * unit])

    features = decoded(served, path, reader).get(layer, {"features": []})["features"]
    return [(f["properties"], shapely.transform(shapely.geometry.shape(f["geometry"]), placed)) for f in features]


def window(grid: morecantile.TileMatrixSet, tile: morecantile.Tile, share: float) -> shapely.Geometry:
    box = grid.xy_bounds(tile)
    margin = (box.right - box.left) * share
    return shapely.box(box.left - margin, box.bottom - margin, box.right + margin, box.top + margin)


def tiles_at(grid: morecantile.TileMatrixSet, srid: int, level: int) -> list[morecantile.Tile]:
    """Tiles that the rows meet."""
    shape = projected(shapely.union_all([row["geometry"] for row in ROWS]), srid)
    west, south, east, north = shape.bounds
    matrix = grid.matrix(level)
    origin = grid._matrix_origin(matrix)
    span = matrix.cellSize * 256
    columns = range(int((west - origin.x) // span), int((east - origin.x) // span) + 1)
    rows = range(int((origin.y - north) // span), int((origin.y - south) // span) + 1)
    return [morecantile.Tile(x=x, y=y, z=level) for x in columns for y in rows]


def visible(reader: Clearance | None) -> dict[str, dict[str, Any]]:
    most = Clearance.PUBLIC if reader is None else reader
    return {r["code"]: r for r in ROWS if r["level"] is None or Clearance[r["level"].upper()] <= most}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("name", "srid"), SETS.items())
@pytest.mark.parametrize(("zoom", "tolerance"), [(14, 1.0), (12, 24.0)])
def test_features_lie_where_their_sources_are(
    served: Service, name: str, srid: int, zoom: int, tolerance: float, reader: Clearance | None
) -> None:
    """At the highest zoom from the rows themselves (to a unit of the tile), below from a rung (to some pixels)."""
    grid, rows = grid_of(served, name), visible(reader)
    level = zoom - (srid in (4490, 4326))
    found = set()
    for tile in tiles_at(grid, srid, level):
        box = grid.xy_bounds(tile)
        unit = (box.right - box.left) / EXTENT
        for properties, shape in drawn(served, grid, tile, "patch", reader):
            # Compared within the tile: its buffer ends at whole units.
            inside = window(grid, tile, 0)
            expected = projected(rows[properties["key"]]["geometry"], srid).intersection(inside)
            got = shape.buffer(0).intersection(inside)
            if expected.is_empty or got.is_empty:
                assert max(expected.area, got.area) < (2 * tolerance * unit) ** 2
                continue
            assert got.symmetric_difference(expected).area <= tolerance * unit * (expected.length + got.length)
            found.add(properties["key"])
            assert properties.get("kind") == rows[properties["key"]]["kind"]
    assert found == set(rows)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("name", "srid"), SETS.items())
def test_a_mosaic_lies_on_its_features(served: Service, name: str, srid: int, reader: Clearance | None) -> None:
    grid = grid_of(served, name)
    level = 10 - (srid in (4490, 4326))
    cell = grid.matrix(level).cellSize * 256 / 64
    rows = visible(reader).values()
    shapes = {
        kind: shapely.union_all([projected(r["geometry"], srid) for r in rows if r["kind"] == kind])
        for kind in {r["kind"] for r in rows}
    }
    whole, total = shapely.union_all(list(shapes.values())), 0.0
    for tile in tiles_at(grid, srid, level):
        inside = window(grid, tile, 0)
        for properties, shape in drawn(served, grid, tile, "patch", reader):
            assert set(properties) <= {"kind", "count", "share"}
            got = shape.buffer(0).intersection(inside)
            total += got.area
            # What a cell shows prevails in it; the part of a cell in this tile may be the other part of it.
            assert got.is_empty or got.distance(shapes[properties.get("kind")]) <= cell
    # A cell is shown whole where something lies in it: as much area, give or take the cells at the rim.
    assert abs(total - whole.area) <= whole.length * cell * 1.5


@pytest.mark.parametrize(("name", "srid"), [("CGCS2000GK3Zone35", 4523), ("CGCS2000GK6Zone18", 4496)])
@pytest.mark.parametrize("level", [6, 10])
def test_a_parallel_is_bent_as_the_projection_bends_it(served: Service, name: str, srid: int, level: int) -> None:
    grid = grid_of(served, name)
    line = projected(dict(FAR)["parallel"], srid)
    row = grid.matrix(level)
    unit = row.cellSize / 16
    # The edge leaves a straight line by far more than what the tile can show, at low levels.
    seen = 0.0
    for x in range(row.matrixWidth):
        lines = {int((row.pointOfOrigin[0] - v) // (row.cellSize * 256)) for v in (line.bounds[1], line.bounds[3])}
        for y in range(min(lines), max(lines) + 1):
            tile = morecantile.Tile(x=x, y=y, z=level)
            inside = window(grid, tile, BUFFER / EXTENT)
            for properties, shape in drawn(served, grid, tile, "far", None):
                if properties["key"] != "parallel":
                    continue
                assert shape.hausdorff_distance(line.intersection(inside)) < 3 * unit
                seen += shape.intersection(window(grid, tile, 0)).length
    assert seen == pytest.approx(line.length, rel=1e-3)


def test_poles_and_both_sides_of_180_degrees_in_degrees(served: Service) -> None:
    grid = grid_of(served, "CGCS2000Quad")
    shapes = dict(FAR)
    keys: dict[str, float] = {}
    for z, y, x in ((1, 1, 0), (1, 1, 3), (1, 0, 0), (3, 7, 0), (3, 7, 15), (3, 4, 0), (3, 4, 15)):
        tile = morecantile.Tile(x=x, y=y, z=z)
        inside = window(grid, tile, 0)
        unit = (inside.bounds[2] - inside.bounds[0]) / EXTENT
        for properties, shape in drawn(served, grid, tile, "far", None):
            expected = shapes[properties["key"]].intersection(inside)
            assert shape.intersection(inside).symmetric_difference(expected).area <= 2 * unit * (expected.length + unit)
            keys[properties["key"]] = keys.get(properties["key"], 0.0) + expected.area
    assert keys["south pole"] > 1000
    assert keys["fiji"] > 1
    assert keys["america"] > 10


@pytest.mark.parametrize("level", [5, 12])
def test_what_reaches_far_out_of_a_zone_covers_the_tile(served: Service, level: int) -> None:
    """The whole world drawn into a zone is the whole tile, and nothing of America comes with it."""
    grid = grid_of(served, "CGCS2000GK3Zone39")
    row = grid.matrix(level)
    for x, y in ((0, 0), (row.matrixWidth - 1, row.matrixHeight - 1), (row.matrixWidth // 2, row.matrixHeight // 2)):
        tile = morecantile.Tile(x=x, y=y, z=level)
        found = {p["key"]: shape for p, shape in drawn(served, grid, tile, "far", None)}
        assert set(found) == {"world"}
        assert found["world"].buffer(row.cellSize / 8).contains(window(grid, tile, BUFFER / EXTENT * 0.99))


def test_the_sets_in_degrees_agree_to_the_byte(served: Service) -> None:
    names = ("CGCS2000Quad", "WorldCRS84Quad")
    quads = [served.get(f"/collections/patch/tiles/{name}/12/1182/6485") for name in names]
    assert quads[0].status_code == 200
    assert quads[0].content == quads[1].content
    assert quads[0].status_code == quads[1].status_code


@pytest.mark.parametrize(
    "path",
    [
        "CGCS2000Quad/0/0/2",
        "CGCS2000Quad/24/0/0",
        "CGCS2000Quad/-1/0/0",
        "CGCS2000Quad/3/9999999999999999999999/0",
        "CGCS2000GK3Zone35/4/0/0",
        "CGCS2000GK3Zone35/5/5/0",
        "CGCS2000GK3Zone35/5/a/0",
        "CGCS2000GK3Zone46/5/0/0",
        "CGCS2000GK3CM105E/5/0/0",
        "cgcs2000quad/0/0/0",
        "CGCS2000GK3Zone25/8/0/0",
    ],
)
def test_tiles_that_do_not_exist(served: Service, path: str) -> None:
    response = served.get(f"/collections/patch/tiles/{path}")
    assert response.status_code == 404
    assert response.json()["detail"]
