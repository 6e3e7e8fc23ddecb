"""Rungs drawn the short way give the tiles that PostGIS draws with clipping and repair; nothing comes too early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from geoservice import ladder
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.access import ANONYMOUS, decide
from layers.ladder import rung_at
from layers.model import VectorLayer
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import ORIGIN, SIDE, mesh, patches
from tiles.ladder.tables import rung_table
from tiles.vector import rung_statement

QUAD = morecantile.tms.get("WebMercatorQuad")
COLUMNS = 14


def standing(database: Database, layer: VectorLayer, file: Path) -> None:
    catalog = trial_catalog(layer)
    load_file(catalog, prepared(database, catalog), layer.name, file)
    assert ladder.renew(database, layer) is not None


def drawn(database: Database, layer: VectorLayer, tile: morecantile.Tile) -> dict[int, dict[str, Any]]:
    """Features of a tile by number, as an independent decoder finds them."""
    rung = rung_at(layer, tile.z)
    assert rung is not None
    statement = rung_statement(layer, rung, decide(ANONYMOUS, "read", layer))
    with database.transaction(Role.OWNER) as connection:
        body = connection.execute(statement, {"z": tile.z, "x": tile.x, "y": tile.y}).scalar_one()
    decoded = mapbox_vector_tile.decode(bytes(body), default_options={"y_coord_down": True})
    return {f["id"]: f for f in decoded.get(layer.name, {"features": []})["features"]}


def clipped(database: Database, layer: VectorLayer, tile: morecantile.Tile) -> dict[int, shapely.Geometry]:
    """What `ST_AsMVTGeom` makes of everything that meets the tile with its buffer."""
    rung = rung_at(layer, tile.z)
    assert rung is not None
    table = rung_table(layer, rung)
    envelope = sa.func.ST_TileEnvelope(tile.z, tile.x, tile.y)
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    text = sa.func.ST_AsText(sa.func.ST_AsMVTGeom(geom, envelope, 4096, 64, True))
    with database.transaction(Role.OWNER) as connection:
        rows = connection.execute(sa.select(table.c.fid, text).where(table.c["_clearance"] == 0)).all()
    return {row[0]: shapely.from_wkt(row[1]) for row in rows if row[1] is not None}


def tiles_of_the_mesh(zoom: int) -> list[morecantile.Tile]:
    west, south = ORIGIN
    return list(QUAD.tiles(west, south, west + COLUMNS * SIDE, south + COLUMNS * SIDE, [zoom]))


@pytest.mark.parametrize("zoom", [12, 13])
def test_the_short_way_draws_what_clipping_and_repair_draw(database: Database, tmp_path: Path, zoom: int) -> None:
    layer = patches()
    standing(database, layer, write_rows(tmp_path / "patch.gpkg", mesh(COLUMNS, COLUMNS, 5)))
    short = 0
    for tile in tiles_of_the_mesh(zoom):
        found, expected = drawn(database, layer, tile), clipped(database, layer, tile)
        assert found.keys() == expected.keys()
        for number, feature in found.items():
            shape = shapely.geometry.shape(feature["geometry"])
            assert shape.is_valid
            assert shape.symmetric_difference(expected[number]).area == 0
            west, south, east, north = shape.bounds
            short += west > -64 and south > -64 and east < 4160 and north < 4160
    assert short > 50


def test_nothing_is_drawn_before_its_zoom(database: Database, tmp_path: Path) -> None:
    appear = {"by": "kind", "zooms": {"first": 5, "second": 6, "third": 7}, "default": 7}
    layer = trial_layer(
        "way",
        geometry="line",
        style={"line": {"colour": "#336699"}, "appear": appear},
        attributes={
            "code": {"type": "text", "required": True},
            "kind": {"type": "text"},
            "level": {"type": "code", "list": "clearance@1"},
        },
        time=None,
        tiles={"from": 5, "to": 14},
        sources={"all": {"match": ["*.gpkg"], "complete": True}},
    )
    assert isinstance(layer, VectorLayer)
    kinds = ("first", "second", "third", None)
    ways = [shapely.LineString(ORIGIN + np.array([[0, i / 99], [3, i / 99]])) for i in range(40)]
    rows = [{"code": f"{i}", "kind": kinds[i % 4], "level": None, "geometry": way} for i, way in enumerate(ways)]
    standing(database, layer, write_rows(tmp_path / "way.gpkg", rows))
    for zoom, shown in ((5, 1), (6, 2), (7, 4)):
        tile = QUAD.tile(ORIGIN[0] + 1, ORIGIN[1] + 0.2, zoom)
        found = {feature["properties"].get("kind") for feature in drawn(database, layer, tile).values()}
        assert found == set(kinds[:shown])
