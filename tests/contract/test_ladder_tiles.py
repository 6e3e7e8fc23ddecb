"""Tiles from the ladder: what an independent decoder finds is what is there, and only what the reader may see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pyproj
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.ladder import renew
from geoservice.settings import Settings
from layers.access import Clearance
from layers.ladder import CELLS
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, write_rows
from tests.support.patches import mesh, patches
from tests.support.service import Service, plain_bytes, running

GRID = morecantile.tms.get("WebMercatorQuad")
SIZE = 12
ROWS = mesh(SIZE, SIZE, 5)
MERCATOR = pyproj.Transformer.from_crs(4326, 3857, always_xy=True)
READERS = [None, Clearance.INTERNAL, Clearance.RESTRICTED]
EXTENT = 4096


@pytest.fixture(scope="module")
def served(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    layer = patches()
    catalog = trial_catalog(layer)
    folder: Path = tmp_path_factory.mktemp("patches")
    with copied_database(cluster_settings) as database:
        load_file(catalog, prepared(database, catalog), "patch", write_rows(folder / "patch.gpkg", ROWS))
        assert renew(database, layer) is not None
        with running(database, catalog) as found:
            yield found


def tiles_at(zoom: int) -> list[morecantile.Tile]:
    bounds = shapely.total_bounds([row["geometry"] for row in ROWS])
    return list(GRID.tiles(*bounds, zooms=[zoom]))


def fetched(served: Service, tile: morecantile.Tile, reader: Clearance | None) -> list[dict[str, Any]]:
    path = f"/collections/patch/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?f=mvt"
    response = served.get(path, reader)
    if response.status_code == 204:
        return []
    assert response.status_code == 200
    decoded = mapbox_vector_tile.decode(plain_bytes(response), default_options={"y_coord_down": True})
    return list(decoded["patch"]["features"])


def visible(reader: Clearance | None) -> list[dict[str, Any]]:
    most = Clearance.PUBLIC if reader is None else reader
    return [row for row in ROWS if row["level"] is None or Clearance[row["level"].upper()] <= most]


def flat(row: dict[str, Any]) -> shapely.Geometry:
    return shapely.transform(row["geometry"], lambda c: np.column_stack(MERCATOR.transform(c[:, 0], c[:, 1])))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("zoom", [7, 9, 11])
def test_a_mosaic_shows_what_prevails_among_the_rows_that_the_reader_may_see(
    served: Service, zoom: int, reader: Clearance | None
) -> None:
    rows = [(flat(row), row["kind"]) for row in visible(reader)]
    total = 0
    for tile in tiles_at(zoom):
        features = fetched(served, tile, reader)
        box = GRID.xy_bounds(tile)
        side = (box.right - box.left) / CELLS
        shown = [(shapely.geometry.shape(f["geometry"]), f["properties"]) for f in features]
        for x in range(CELLS):
            for y in range(CELLS):
                cell = shapely.box(
                    box.left + x * side, box.top - (y + 1) * side, box.left + (x + 1) * side, box.top - y * side
                )
                areas: dict[str | None, float] = {}
                for shape, kind in rows:
                    if shape.intersects(cell):
                        areas[kind] = areas.get(kind, 0.0) + shape.intersection(cell).area
                middle = shapely.Point((x + 0.5) * EXTENT / CELLS, (y + 0.5) * EXTENT / CELLS)
                here = [properties for shape, properties in shown if shape.contains(middle)]
                most = max(areas.values(), default=0.0)
                if most < 1.0:
                    continue
                total += 1
                assert len(here) == 1
                assert areas[here[0].get("kind")] >= most * (1 - 1e-6)
                assert set(here[0]) <= {"kind", "count", "share"}
    assert total > (20 if zoom > 7 else 1)


@pytest.mark.parametrize("reader", READERS)
def test_the_features_of_a_mosaic_are_counted_once(served: Service, reader: Clearance | None) -> None:
    # At the zoom of one cell for everything, the count is that of the prevailing kind.
    (tile,) = tiles_at(5)[:1]
    kinds = [row["kind"] for row in visible(reader)]
    for feature in fetched(served, tile, reader):
        properties = feature["properties"]
        assert 0 < properties["count"] <= kinds.count(properties.get("kind"))
        assert 0 < properties["share"] <= 1


@pytest.mark.parametrize("reader", READERS)
def test_a_rung_shows_every_feature_that_the_reader_may_see_and_no_other(
    served: Service, reader: Clearance | None
) -> None:
    found: dict[str, str | None] = {}
    for tile in tiles_at(12):
        for feature in fetched(served, tile, reader):
            found[feature["properties"]["key"]] = feature["properties"].get("kind")
    assert found == {row["code"]: row["kind"] for row in visible(reader)}


def test_neighbouring_tiles_show_one_border(served: Service) -> None:
    """Where a feature lies in two tiles, both draw it alike in the strip that they share."""
    shapes: dict[str, list[tuple[morecantile.Tile, shapely.Geometry]]] = {}
    for tile in tiles_at(13):
        for feature in fetched(served, tile, Clearance.RESTRICTED):
            shape = shapely.geometry.shape(feature["geometry"])
            place = shapely.transform(shape, lambda c, t=tile: c + np.array([t.x, t.y]) * EXTENT)
            shapes.setdefault(feature["properties"]["key"], []).append((tile, place))
    shared = 0
    for drawn in shapes.values():
        for (one, first), (other, second) in pairwise(drawn):
            if abs(one.x - other.x) + abs(one.y - other.y) != 1:
                continue
            strip = overlap(one).intersection(overlap(other))
            left, right = first.intersection(strip), second.intersection(strip)
            # Corners are whole units of the tile; a vertex may round to either side of a clipped edge.
            assert left.symmetric_difference(right).area <= 2 * math.sqrt(strip.area) + 130
            shared += 1
    assert shared > 5


def overlap(tile: morecantile.Tile) -> shapely.Geometry:
    """A tile with its buffer, in units that count through all tiles."""
    west, north = tile.x * EXTENT, tile.y * EXTENT
    return shapely.box(west - 64, north - 64, west + EXTENT + 64, north + EXTENT + 64)


def test_without_a_ladder_the_rows_themselves_are_drawn(served: Service) -> None:
    (tile, *_) = tiles_at(14)
    features = fetched(served, tile, Clearance.RESTRICTED)
    assert features
    assert all("key" in feature["properties"] for feature in features)


def test_a_ladder_that_is_dropped_meanwhile_harms_no_tile(cluster_settings: Settings, tmp_path: Path) -> None:
    layer = patches()
    catalog = trial_catalog(layer)
    (tile, *_) = tiles_at(9)
    with copied_database(cluster_settings) as database:
        load_file(catalog, prepared(database, catalog), "patch", write_rows(tmp_path / "patch.gpkg", ROWS))
        assert renew(database, layer) is not None
        with running(database, catalog) as found:
            assert "share" in fetched(found, tile, None)[0]["properties"]
            with database.transaction(Role.OWNER) as connection:
                connection.execute(sa.text("DROP TABLE ladder.patch_mosaic CASCADE"))
            # For readers for whom no tile is kept yet.
            assert "key" in fetched(found, tile, Clearance.INTERNAL)[0]["properties"]
