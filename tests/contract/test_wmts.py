"""The tile service: positions as GDAL finds them, names of Tianditu, what lies at a pixel, hostile requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from lxml import etree
from rasterio.windows import Window

from geoservice.app import create_app
from geoservice.settings import Settings
from ingest.raster import load_raster
from layers.access import Clearance
from layers.catalog import Catalog
from tests.conformance.pictures import pixels
from tests.support.database import copied_database
from tests.support.loading import LEVELS, load_file, prepared, trial_layer, write_rows
from tests.support.rasters import COVER, grid, raster_layer, raster_plan, write_tif
from tests.support.service import Service, plain_bytes, running
from tests.support.serving import serving

WEST, NORTH, CELL = 116.0, 40.0, 0.01
QUARTERS = raster_layer("quarters", style={"ramp": "grey", "stretch": [0, 255]}, tiles={"from": 0, "to": 12})
# Values of the quarters of a square of 40 cells: north-west, north-east, south-west, south-east.
VALUES = ((40, 90), (150, 210))
NAMES = {"w": "http://www.opengis.net/wmts/1.0", "o": "http://www.opengis.net/ows/1.1"}
SETS = {
    "WebMercatorQuad": (3857, 11),
    "WorldCRS84Quad": (4326, 10),
    "CGCS2000Quad": (4490, 10),
    "CGCS2000GK3Zone39": (4527, 11),
    "CGCS2000GK6Zone20": (4498, 11),
    "c": (4490, 11),
    "w": (3857, 11),
}
BASE = {"SERVICE": "WMTS", "REQUEST": "GetTile", "VERSION": "1.0.0", "STYLE": "default"}


@pytest.fixture(scope="module")
def served(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    spot = trial_layer("spot", label={"zh": "name", "en": "name"})
    secret = trial_layer("secret_way", geometry="line", clearance="restricted", style={"line": {"colour": "#aa3333"}})
    catalog = Catalog().with_([spot, secret, QUARTERS], [LEVELS, COVER])
    folder: Path = tmp_path_factory.mktemp("wmts")
    cells = np.kron(np.array(VALUES), np.ones((20, 20))).astype("float32")
    rows = [
        {"code": "open", "level": "public", "secret": "s0", "geometry": shapely.Point(116.1234, 39.8765)},
        {"code": "shut", "level": "restricted", "secret": "s2", "geometry": shapely.Point(116.1234, 39.8766)},
    ]
    line = [{"code": "w", "geometry": shapely.LineString([(116, 39.7), (116.2, 39.8)])}]
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        load_file(catalog, target, "spot", write_rows(folder / "spot.gpkg", rows))
        load_file(catalog, target, "secret_way", write_rows(folder / "way.gpkg", line))
        load_raster(raster_plan(QUARTERS, write_tif(folder / "q.tif", cells, grid(WEST, NORTH, CELL))), target)
        with running(database, catalog) as found:
            yield found


@pytest.fixture(scope="module")
def address(served: Service) -> Iterator[str]:
    """The same service behind a socket, for clients that are programs."""
    with serving(create_app(served.database.settings, served.catalog)) as found:
        yield found


def place(name: str, level: int, lon: float, lat: float, served: Service) -> tuple[int, int, int, int]:
    """Row, column, and row and column of the pixel, from the numbers of the capabilities alone."""
    srid, _ = SETS[name]
    root = etree.fromstring(served.get("/wmts/1.0.0/WMTSCapabilities.xml").content)
    (grid_,) = [s for s in root.iterfind("w:Contents/w:TileMatrixSet", NAMES) if text(s, "o:Identifier") == name]
    (matrix,) = [m for m in grid_.iterfind("w:TileMatrix", NAMES) if text(m, "o:Identifier") == str(level)]
    corner = [float(v) for v in text(matrix, "w:TopLeftCorner").split()]
    crs = pyproj.CRS.from_user_input(text(grid_, "o:SupportedCRS"))
    unit = 111319.49079327358 if crs.is_geographic else 1.0
    cell = float(text(matrix, "w:ScaleDenominator")) * 0.00028 / unit
    # As the CRS orders them: no `always_xy` here.
    first, second = pyproj.Transformer.from_crs(4326, crs).transform(lat, lon)
    north_first = crs.axis_info[0].direction == "north"
    north, west = corner if north_first else reversed(corner)
    y, x = (first, second) if north_first else (second, first)
    assert crs.to_epsg() in (srid, None)
    down, across = int((north - y) / cell), int((x - west) / cell)
    return down // 256, across // 256, down % 256, across % 256


def text(element: etree._Element, path: str) -> str:
    found = element.findtext(path, namespaces=NAMES)
    assert found is not None
    return found


def quarter(lon: float, lat: float) -> int:
    return VALUES[int(lat < NORTH - 20 * CELL)][int(lon >= WEST + 20 * CELL)]


# In the middle of the quarters, and three pixels from where cells begin to be mixed with those of the next.
POINTS = [(116.05, 39.95), (116.35, 39.95), (116.05, 39.65), (116.35, 39.65), (116.193, 39.807), (116.207, 39.793)]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("point", POINTS)
def test_a_place_is_where_the_capabilities_put_it(served: Service, name: str, point: tuple[float, float]) -> None:
    row, col, j, i = place(name, SETS[name][1], *point, served)
    asked = {**BASE, "LAYER": "quarters", "TILEMATRIXSET": name, "TILEMATRIX": SETS[name][1], "TILEROW": row}
    answer = served.client.get("/wmts", params={**asked, "TILECOL": col, "FORMAT": "image/png"})
    assert answer.status_code == 200, answer.text
    assert pixels(answer.content)[0, j, i] == quarter(*point)


@pytest.mark.parametrize("name", [name for name in SETS if len(name) > 1])
def test_gdal_reads_the_service_and_finds_every_quarter(address: str, name: str, tmp_path: Path) -> None:
    source = f"WMTS:{address}/wmts/1.0.0/WMTSCapabilities.xml,layer=quarters,tilematrixset={name}"
    with rasterio.Env(GDAL_DEFAULT_WMS_CACHE_PATH=str(tmp_path)), rasterio.open(source) as dataset:
        srid = SETS[name][0]
        assert dataset.crs.to_epsg() == srid or (srid == 4326 and dataset.crs.is_geographic)
        forward = pyproj.Transformer.from_crs(4326, srid, always_xy=True)
        for lon, lat in POINTS:
            column, row = ~dataset.transform * forward.transform(lon, lat)
            value = dataset.read(1, window=Window(int(column), int(row), 1, 1))
            assert value[0, 0] == quarter(lon, lat)


def test_tianditu_numbers_its_levels_from_one(served: Service) -> None:
    """As its clients ask: `c` and `w`, FORMAT=tiles, a key that nobody checks."""
    for name, like, shift in (("c", "CGCS2000Quad", 1), ("w", "WebMercatorQuad", 0)):
        row, col, _, _ = place(name, 11, *POINTS[0], served)
        asked = f"SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=quarters&STYLE=default&TILEMATRIXSET={name}"
        tile = served.get(f"/wmts?{asked}&FORMAT=tiles&TILEMATRIX=11&TILEROW={row}&TILECOL={col}&tk=abc")
        assert tile.status_code == 200
        assert tile.headers["content-type"] == "image/png"
        same = served.get(f"/collections/quarters/map/tiles/{like}/{11 - shift}/{row}/{col}?f=png")
        assert tile.content == same.content
        refused = served.get(f"/wmts?{asked}&FORMAT=tiles&TILEMATRIX=0&TILEROW=0&TILECOL=0")
        assert refused.status_code == 400


def test_levels_of_tianditu_have_the_scales_that_it_prints(served: Service) -> None:
    """Its denominators are for 96 dpi (1.6 of the reference); the sets of levels have as many columns and rows."""
    root = etree.fromstring(served.get("/wmts/1.0.0/WMTSCapabilities.xml").content)
    for grid_ in root.iterfind("w:Contents/w:TileMatrixSet", NAMES):
        if text(grid_, "o:Identifier") not in ("c", "w"):
            continue
        wide = text(grid_, "o:Identifier") == "c"
        matrices = {int(text(m, "o:Identifier")): m for m in grid_.iterfind("w:TileMatrix", NAMES)}
        assert min(matrices) == 1
        for level, scale in ((1, 2.958293554545656e8), (18, 2256.998866688275)):
            found = float(text(matrices[level], "w:ScaleDenominator")) * 0.00028 / (0.0254 / 96)
            assert found == pytest.approx(scale, rel=1e-6)
            assert int(text(matrices[level], "w:MatrixWidth")) == 2**level
            assert int(text(matrices[level], "w:MatrixHeight")) == 2 ** (level - wide)


@pytest.mark.parametrize(("reader", "keys"), [(None, {"open"}), (Clearance.RESTRICTED, {"open", "shut"})])
@pytest.mark.parametrize("name", SETS)
def test_what_lies_at_a_pixel(served: Service, name: str, reader: Clearance | None, keys: set[str]) -> None:
    row, col, j, i = place(name, SETS[name][1], 116.1234, 39.8765, served)
    tile = {"LAYER": "spot", "TILEMATRIXSET": name, "TILEMATRIX": SETS[name][1], "TILEROW": row, "TILECOL": col}
    asked = {**BASE, **tile, "REQUEST": "GetFeatureInfo", "FORMAT": "tiles", "INFOFORMAT": "application/json"}
    query = "&".join(f"{key}={value}" for key, value in {**asked, "I": i, "J": j}.items())
    answer = served.get(f"/wmts?{query}", reader)
    assert answer.status_code == 200, answer.text
    found = answer.json()["features"]
    assert {one["id"] for one in found} == keys
    assert all(("secret" in one["properties"]) == (reader is not None) for one in found)
    away = served.get(f"/wmts?{query}".replace(f"&I={i}&", f"&I={(i + 128) % 256}&"), reader)
    assert away.json()["features"] == []
    path = f"/wmts/1.0.0/spot/default/{name}/{SETS[name][1]}/{row}/{col}/{j}/{i}.geojson"
    assert json.loads(served.get(path, reader).content)["features"] == found


def test_the_cell_at_a_pixel(served: Service) -> None:
    for name, (_, level) in SETS.items():
        row, col, j, i = place(name, level, *POINTS[3], served)
        path = f"/wmts/1.0.0/quarters/default/{name}/{level}/{row}/{col}/{j}/{i}.json"
        (found,) = served.get(path).json()["features"]
        assert list(found["properties"].values()) == [quarter(*POINTS[3])]
        lon, lat = found["geometry"]["coordinates"]
        assert (lon, lat) == pytest.approx(POINTS[3], abs=0.002)


@pytest.mark.parametrize(("reader", "keys"), [(None, {"open"}), (Clearance.RESTRICTED, {"open", "shut"})])
def test_vector_tiles_come_as_they_are(served: Service, reader: Clearance | None, keys: set[str]) -> None:
    row, col, _, _ = place("CGCS2000GK3Zone39", 11, 116.1234, 39.8765, served)
    answer = served.get(f"/wmts/1.0.0/spot/default/CGCS2000GK3Zone39/11/{row}/{col}.mvt", reader)
    features = mapbox_vector_tile.decode(plain_bytes(answer))["spot"]["features"]
    assert {f["properties"]["key"] for f in features} == keys
    assert answer.headers["cache-control"].startswith("private" if reader is not None else "no-cache")


@pytest.mark.parametrize("name", SETS)
def test_vector_layers_are_drawn_where_they_lie(served: Service, name: str) -> None:
    row, col, j, i = place(name, SETS[name][1], 116.1234, 39.8765, served)
    asked = {**BASE, "LAYER": "spot", "TILEMATRIXSET": name, "TILEMATRIX": SETS[name][1], "TILEROW": row}
    answer = served.client.get("/wmts", params={**asked, "TILECOL": col, "FORMAT": "tiles"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
    alpha = pixels(answer.content)[3]
    assert alpha.shape == (256, 256)
    assert alpha[j, i] > 200
    rows, columns = np.nonzero(alpha > 200)
    assert abs(rows.mean() - j) < 12, "the point with its label lies around its place"
    assert columns.min() >= i - 12


def test_rows_above_are_not_drawn(served: Service) -> None:
    row, col, _, _ = place("w", 18, 116.1234, 39.8766, served)
    path = f"/wmts/1.0.0/spot/default/w/18/{row}/{col}.png"
    assert not np.array_equal(pixels(served.get(path).content), pixels(served.get(path, Clearance.RESTRICTED).content))
    assert served.get(path).headers["cache-control"] == "no-cache"


def test_lines_go_on_in_the_next_tile(served: Service) -> None:
    row, col, _, i = place("w", 13, 116.1, 39.75, served)
    seen = []
    for column in (col, col + 1):
        answer = served.get(f"/wmts/1.0.0/secret_way/default/w/13/{row}/{column}.png", Clearance.RESTRICTED)
        seen.append(pixels(answer.content)[3])
    left, right = (np.nonzero(side > 100)[0] for side in (seen[0][:, -1], seen[1][:, 0]))
    assert left.size > 0
    assert abs(left.mean() - right.mean()) < 1.5
    assert 0 <= i < 256


def test_an_empty_image_is_transparent(served: Service) -> None:
    # Beside the line, in its box.
    row, col, _, _ = place("w", 15, 116.18, 39.71, served)
    answer = served.get(f"/wmts/1.0.0/secret_way/default/w/15/{row}/{col}.png", Clearance.RESTRICTED)
    assert answer.status_code == 200, answer.text
    assert not pixels(answer.content)[3].any()
    # Far from it.
    outside = served.get(f"/wmts/1.0.0/secret_way/default/w/15/{row + 90}/{col}.png", Clearance.RESTRICTED)
    assert outside.status_code == 404


def test_a_layer_above_is_as_unknown_as_any(served: Service) -> None:
    listed = served.get("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities")
    assert "secret_way" not in listed.text
    assert "secret_way" in served.get("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities", Clearance.RESTRICTED).text
    for path in ("/wmts/1.0.0/{}/default/w/11/775/1686.mvt", "/wmts/1.0.0/{}/default/w/11/775/1686/1/1.json"):
        hidden, missing = served.get(path.format("secret_way")), served.get(path.format("secret_yaw"))
        assert hidden.status_code == missing.status_code == 404
        assert hidden.text.replace("way", "yaw") == missing.text


HOSTILE = [
    "'; DROP TABLE geo.spot; --",
    "spot' OR '1'='1",
    "<script>alert(1)</script>",
    "]]><x/>",
    "&xxe;",
    "\x00",
    "%00",
    "../../etc/passwd",
    "{}",
    "9" * 5000,
    "-1",
    "1e3",
    "٣",
    "NaN",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("parameter", ["LAYER", "STYLE", "FORMAT", "TILEMATRIXSET", "TILEMATRIX", "TILEROW", "I"])
def test_hostile_values_are_refused_in_clean_xml(served: Service, parameter: str, value: str) -> None:
    good: dict[str, Any] = {"LAYER": "spot", "TILEMATRIXSET": "w", "TILEMATRIX": 11, "TILEROW": 775, "TILECOL": 1686}
    asked = {**BASE, **good, "REQUEST": "GetFeatureInfo", "FORMAT": "tiles", "INFOFORMAT": "application/json"}
    answer = served.client.get("/wmts", params={**asked, "I": 1, "J": 1, parameter: value})
    assert answer.status_code == 400
    root = etree.fromstring(answer.content)
    assert root.tag == "{http://www.opengis.net/ows/1.1}ExceptionReport"
    assert len(answer.content) < 1500
    assert answer.headers["cache-control"] == "no-store"


def test_twice_with_different_values_is_refused_and_twice_the_same_is_not(served: Service) -> None:
    tile = "SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&STYLE=default&FORMAT=tiles&TILEMATRIXSET=w&TILEMATRIX=11"
    row, col, _, _ = place("w", 11, *POINTS[0], served)
    good = f"/wmts?{tile}&TILEROW={row}&TILECOL={col}&LAYER=quarters"
    assert served.get(f"{good}&layer=quarters").status_code == 200
    refused = served.get(f"{good}&layer=spot")
    assert refused.status_code == 400
    assert b'locator="Layer"' in refused.content


def test_versions(served: Service) -> None:
    base = "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"
    assert served.get(f"{base}&AcceptVersions=2.0.0,1.0.0").status_code == 200
    assert b"VersionNegotiationFailed" in served.get(f"{base}&AcceptVersions=2.0.0").content
    tile = "/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.1.0"
    assert b'locator="Version"' in served.get(tile).content


def test_beyond_the_limits_there_is_no_tile(served: Service) -> None:
    for path in (
        "quarters/default/w/11/0/0.png",
        "spot/default/c/11/0/0.mvt",
        "spot/default/CGCS2000GK3Zone25/12/0/0.mvt",
    ):
        answer = served.get(f"/wmts/1.0.0/{path}")
        assert answer.status_code == 404
        assert b"TileOutOfRange" in answer.content
    assert served.get("/wmts/1.0.0/quarters/default/w/11/0/0.bmp").status_code == 404
    assert served.get("/wmts/1.0.0/quarters/other/w/11/0/0.png").status_code == 404
