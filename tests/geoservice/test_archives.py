"""Archives of tiles: what independent readers find in them is what the service answers to the same reader."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pyogrio
import pytest
import shapely
from pmtiles.reader import MmapSource, Reader, all_tiles

from geoservice.archives.build import Built, Hands, build
from geoservice.archives.request import ArchiveRequest
from geoservice.archives.snapshot import box
from geoservice.settings import Settings
from layers.access import Clearance
from layers.errors import BadParameter, LayerBusy, UnknownLayer
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import mesh, patches
from tests.support.service import Service, canary, plain_bytes, running, spot_rows
from tiles.archive.shelf import shelf

GRID = morecantile.tms.get("WebMercatorQuad")
ROWS = mesh(12, 12, 7)
LOW, HIGH = 5, 14
Tiles = dict[tuple[int, int, int], bytes]


@pytest.fixture(scope="module")
def served(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    catalog = trial_catalog(
        patches(), trial_layer("spot"), trial_layer("way", geometry="line", style={"line": {"colour": "#aa3333"}})
    )
    folder: Path = tmp_path_factory.mktemp("archives")
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        load_file(catalog, target, "patch", write_rows(folder / "patch.gpkg", ROWS))
        load_file(catalog, target, "spot", write_rows(folder / "spot.gpkg", spot_rows()))
        slant = {"code": "slant", "geometry": shapely.LineString([(100, 30), (101.5, 31.5)])}
        load_file(catalog, target, "way", write_rows(folder / "way.gpkg", [slant]))
        with running(database, catalog) as found:
            yield found


def built(served: Service, file: Path, *layers: str, **more: Any) -> Built:
    return build(served.database, served.catalog, ArchiveRequest(layers, **more), file)


def contents(file: Path) -> Tiles:
    """Tiles by zoom, column, row, unpacked, as the reader of the PMTiles project finds them."""
    with file.open("rb") as handle:
        return {address: gzip.decompress(body) for address, body in all_tiles(MmapSource(handle))}


def answered(served: Service, layer: str, reader: Clearance | None, addresses: Any) -> Tiles:
    """Tiles that the service answers with; those without content are left out."""
    found = {}
    for z, x, y in addresses:
        response = served.get(f"/collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}?f=mvt", reader)
        assert response.status_code in (200, 204, 404)
        if response.status_code == 200:
            found[z, x, y] = plain_bytes(response)
    return found


def features(tile: bytes) -> dict[str, list[Any]]:
    """What a tile holds, by layer, in the order of the feature numbers."""
    decoded = mapbox_vector_tile.decode(tile)
    return {name: sorted(layer["features"], key=lambda f: f["id"]) for name, layer in decoded.items()}


def around(bounds: tuple[float, float, float, float], zooms: range) -> list[tuple[int, int, int]]:
    """Every tile that meets a box, and two more on each side."""
    found = []
    for z in zooms:
        first, last = GRID.tile(bounds[0], bounds[3], z), GRID.tile(bounds[2], bounds[1], z)
        sides = [range(max(0, a - 2), min(2**z, b + 3)) for a, b in ((first.x, last.x), (first.y, last.y))]
        found += [(z, x, y) for x in sides[0] for y in sides[1]]
    return found


@pytest.mark.parametrize("clearance", list(Clearance))
def test_an_archive_holds_the_tiles_of_the_service_and_no_empty_one(
    served: Service, tmp_path: Path, clearance: Clearance
) -> None:
    made = built(served, tmp_path / "patch.pmtiles", "patch", clearance=clearance)
    bounds = tuple(shapely.total_bounds([row["geometry"] for row in ROWS]))
    expected = answered(served, "patch", clearance, around(bounds, range(LOW, HIGH + 1)))
    found = contents(made.file)
    assert found.keys() == expected.keys()
    for address, body in found.items():
        # From the ladder to the byte; rows of a coverage come in any order from the service.
        drawn = body == expected[address] if address[0] < HIGH else features(body) == features(expected[address])
        assert drawn, address
    assert made.written.tiles == len(expected)
    assert {z for z, _, _ in expected} == set(range(LOW, HIGH + 1))


def test_readers_of_another_clearance_get_other_bytes(served: Service, tmp_path: Path) -> None:
    """Negative control of the comparison above."""
    low = contents(built(served, tmp_path / "low.pmtiles", "patch").file)
    high = contents(built(served, tmp_path / "high.pmtiles", "patch", clearance=Clearance.RESTRICTED).file)
    assert low.keys() == high.keys()
    assert low != high


def test_several_layers_share_the_tiles(served: Service, tmp_path: Path) -> None:
    made = built(served, tmp_path / "both.pmtiles", "patch", "spot", low=12)
    found = contents(made.file)
    for layer in ("patch", "spot"):
        names: set[str] = set()
        for body in found.values():
            decoded = mapbox_vector_tile.decode(body)
            names |= {f["properties"]["key"] for f in decoded.get(layer, {"features": []})["features"]}
        rows = ROWS if layer == "patch" else spot_rows()
        assert names == {row["code"] for row in rows if row["level"] in (None, "public")}
    with made.file.open("rb") as handle:
        about = Reader(MmapSource(handle)).metadata()
    assert [one["id"] for one in about["vector_layers"]] == ["patch", "spot"]
    assert about["vector_layers"][1]["fields"]["amount"] == "Number"
    assert "secret" not in about["vector_layers"][1]["fields"]
    assert [one["edition"] for one in about["geoservice"]["layers"]] == [1, 2]


def test_a_slanting_line_is_looked_for_along_itself(served: Service, tmp_path: Path) -> None:
    made = built(served, tmp_path / "way.pmtiles", "way")
    found = contents(made.file)
    expected = answered(served, "way", None, around((100, 30, 101.5, 31.5), range(8, 13)))
    assert {a: b for a, b in found.items() if 8 <= a[0] <= 12} == expected
    assert sum(a[0] == 14 for a in found) > 100


def test_mbtiles_hold_the_same(served: Service, tmp_path: Path) -> None:
    packed = contents(built(served, tmp_path / "a.pmtiles", "patch", low=9).file)
    file = built(served, tmp_path / "a.mbtiles", "patch", low=9).file
    with closing(sqlite3.connect(file)) as made:
        rows = made.execute("SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles").fetchall()
        about = dict(made.execute("SELECT name, value FROM metadata").fetchall())
    assert {(z, x, 2**z - 1 - y): gzip.decompress(body) for z, x, y, body in rows} == packed
    assert (about["format"], about["minzoom"], about["maxzoom"]) == ("pbf", "9", "14")
    assert json.loads(about["json"])["vector_layers"][0]["id"] == "patch"


@pytest.mark.parametrize("ending", ["pmtiles", "mbtiles"])
def test_gdal_reads_what_the_file_held(served: Service, tmp_path: Path, ending: str) -> None:
    file = built(served, tmp_path / f"g.{ending}", "spot").file
    frame = pyogrio.read_dataframe(file, layer="spot").to_crs(4326)
    public = {row["code"]: row["geometry"] for row in spot_rows() if row["level"] == "public"}
    assert set(frame["key"]) == set(public)
    # A tile of zoom 14 has 4096 steps of 0.6 m.
    for key, point in zip(frame["key"], frame.geometry, strict=True):
        assert shapely.get_parts(point)[0].distance(public[key]) < 1e-5


def test_an_area_takes_the_tiles_that_it_meets(served: Service, tmp_path: Path) -> None:
    whole = contents(built(served, tmp_path / "whole.pmtiles", "patch").file)
    bounds = (105.011, 38.011, 105.021, 38.019)
    part = contents(built(served, tmp_path / "part.pmtiles", "patch", area=box(bounds)).file)
    meeting = {(t.z, t.x, t.y) for t in GRID.tiles(*bounds, zooms=range(LOW, HIGH + 1))}
    assert part == {address: body for address, body in whole.items() if address in meeting}
    assert 0 < len(part) < len(whole)


def test_a_public_archive_holds_nothing_above(served: Service, tmp_path: Path) -> None:
    def told(clearance: Clearance) -> bytes:
        file = built(served, tmp_path / f"{clearance.label}.pmtiles", "spot", "patch", clearance=clearance).file
        with file.open("rb") as handle:
            about = json.dumps(Reader(MmapSource(handle)).metadata()).encode()
        return about + b"".join(contents(file).values()) + file.read_bytes()

    above = [canary(Clearance.INTERNAL, "spot", 1).encode(), canary(Clearance.RESTRICTED, "spot", 2).encode()]
    secret = canary(Clearance.RESTRICTED, "attribute", 0).encode()
    public, all_of_it = told(Clearance.PUBLIC), told(Clearance.RESTRICTED)
    assert canary(Clearance.PUBLIC, "spot", 0).encode() in public
    for text in (*above, secret, b"CNRY-1", b"CNRY-2"):
        assert text not in public
    for text in (*above, secret):
        assert text in all_of_it


def test_equal_tiles_are_kept_once(served: Service, tmp_path: Path) -> None:
    made = built(served, tmp_path / "way.pmtiles", "way", high=12)
    found = contents(made.file)
    assert made.written.contents == len(set(found.values()))
    with made.file.open("rb") as handle:
        header = Reader(MmapSource(handle)).header()
    assert header["tile_contents_count"] == made.written.contents
    assert header["addressed_tiles_count"] == len(found)
    assert header["clustered"]
    assert (header["min_zoom"], header["max_zoom"]) == (0, 12)


def test_threads_and_their_number_change_no_byte(served: Service, tmp_path: Path) -> None:
    request = ArchiveRequest(("patch", "spot"))
    files = []
    for workers in (1, 3):
        file = tmp_path / f"{workers}" / "same.pmtiles"
        files.append(build(served.database, served.catalog, request, file, Hands(workers)).file.read_bytes())
    assert files[0] == files[1]


def test_what_cannot_be_built_is_refused_in_a_sentence(served: Service, tmp_path: Path) -> None:
    for request, kind in (
        (ArchiveRequest(("nowhere",)), UnknownLayer),
        (ArchiveRequest(()), BadParameter),
        (ArchiveRequest(("patch",), low=20), BadParameter),
        (ArchiveRequest(("patch",), area=box((10, 10, 11, 11))), BadParameter),
    ):
        with pytest.raises(kind):
            build(served.database, served.catalog, request, tmp_path / "no.pmtiles")
        assert not (tmp_path / "no.pmtiles").exists()
    with pytest.raises(BadParameter, match="neither"):
        built(served, tmp_path / "no.zip", "patch")
    with shelf(tmp_path / "busy.pmtiles"), pytest.raises(LayerBusy):
        built(served, tmp_path / "busy.pmtiles", "patch")


def test_values_of_the_metadata_are_json(served: Service, tmp_path: Path) -> None:
    file = built(served, tmp_path / "about.pmtiles", "spot").file
    with file.open("rb") as handle:
        reader = Reader(MmapSource(handle))
        about, header = reader.metadata(), reader.header()
    ours = about["geoservice"]["layers"][0]
    assert ours["title"] == {"zh": "试验", "en": "Trial"}
    assert about["geoservice"]["clearance"] == "public"
    points = np.array([shapely.get_coordinates(r["geometry"])[0] for r in spot_rows() if r["level"] == "public"])
    sides = [header[name] / 1e7 for name in ("min_lon_e7", "min_lat_e7", "max_lon_e7", "max_lat_e7")]
    assert sides == pytest.approx([*points.min(axis=0), *points.max(axis=0)], abs=1e-6)
