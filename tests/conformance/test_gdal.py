"""GDAL as a client: its own drivers read what this service says and serves, and find things where they are."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import morecantile
import pyogrio
import pyproj
import pytest
import shapely

from tests.support.site import SIDE, SOUTH, WEST, fields, spots

WEB_MERCATOR = morecantile.tms.get("WebMercatorQuad")
TO_DEGREES = pyproj.Transformer.from_crs(3857, 4326, always_xy=True)
ZOOM = 12


def tiles() -> list[morecantile.Tile]:
    """The tiles that the data meet at one zoom."""
    return list(WEB_MERCATOR.tiles(WEST, SOUTH, WEST + SIDE, SOUTH + SIDE, zooms=[ZOOM]))


def path(layer: str, tile: morecantile.Tile) -> str:
    return f"/collections/{layer}/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?f=mvt"


def in_degrees(shape: shapely.Geometry) -> shapely.Geometry:
    return shapely.transform(shape, TO_DEGREES.transform, interleaved=False)


def test_the_mvt_driver_reads_a_tile_from_its_address(address: str) -> None:
    tile = WEB_MERCATOR.tile(WEST + 0.05, SOUTH + 0.15, ZOOM)
    options = {"X": str(tile.x), "Y": str(tile.y), "Z": str(tile.z)}
    frame = pyogrio.read_dataframe(f"MVT:{address}{path('field', tile)}", layer="field", **options)
    assert frame.crs.to_epsg() == 3857
    assert frame["code"].tolist() == ["north"]
    (north,) = [row["geometry"] for row in fields() if row["code"] == "north"]
    seen = shapely.intersection(north, shapely.box(*WEB_MERCATOR.bounds(tile)))
    drawn = in_degrees(frame.geometry.iloc[0])
    # A unit of the tile is 1/4096 of its side; the tile reaches over its edge by 64 of them.
    unit = 360 / 2**ZOOM / 4096
    assert shapely.buffer(drawn, 2 * unit).covers(seen)
    assert shapely.buffer(seen, 67 * unit, join_style="mitre").covers(drawn)


@pytest.mark.parametrize("layer", ["field", "spot", "way"])
def test_the_mvt_driver_reads_a_folder_of_tiles(address: str, tmp_path: Path, layer: str) -> None:
    for tile in tiles():
        answer = httpx.get(address + path(layer, tile))
        if answer.status_code == 200:
            file = tmp_path / str(tile.z) / str(tile.x) / f"{tile.y}.pbf"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(answer.content)
    described = httpx.get(f"{address}/collections/{layer}/tiles/WebMercatorQuad?f=tilejson").json()
    about = {key: described[key] for key in ("name", "minzoom", "maxzoom", "bounds")}
    layers = {"vector_layers": described["vector_layers"]}
    (tmp_path / "metadata.json").write_text(json.dumps({**about, "json": json.dumps(layers)}))
    frame = pyogrio.read_dataframe(f"MVT:{tmp_path / str(ZOOM)}", layer=layer)
    assert {"key", "code", "name"} <= set(frame.columns)
    everything = in_degrees(shapely.union_all(frame.geometry.make_valid().values))
    unit = 360 / 2**ZOOM / 4096
    if layer == "field":
        truth = shapely.union_all([row["geometry"] for row in fields()])
        assert everything.symmetric_difference(truth).area <= 4 * SIDE * unit * 2
    if layer == "spot":
        found = sorted(in_degrees(shape).coords[0] for shape in frame.drop_duplicates("code").geometry)
        wanted = sorted(row["geometry"].coords[0] for row in spots())
        assert len(found) == len(wanted)
        assert all(
            shapely.Point(one).distance(shapely.Point(two)) <= unit for one, two in zip(found, wanted, strict=True)
        )
    if layer == "way":
        assert shapely.hausdorff_distance(
            everything, shapely.LineString([(WEST, SOUTH), (WEST + SIDE, SOUTH + SIDE)])
        ) < (200 * unit)
