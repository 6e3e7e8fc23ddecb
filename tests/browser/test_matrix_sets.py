"""OpenLayers as a client: it reads the documents of this service and draws things where PROJ puts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyproj
import pytest
from playwright.sync_api import Browser, Page, Route

from geoservice.app import create_app
from geoservice.settings import Settings
from tests.architecture.checkout import ROOT
from tests.support.serving import serving
from tests.support.site import SIDE, SOUTH, WEST, running_site

SCRIPTS = {"ol.js": "ol/dist/ol.js", "proj4.js": "proj4/dist/proj4.js"}
PAGE = """<!doctype html><meta charset="utf-8"><title>OpenLayers</title>
<div id="map" style="width:800px;height:600px"></div><script src="proj4.js"></script><script src="ol.js"></script>"""
SETS = {"CGCS2000Quad": 4490, "CGCS2000GK3Zone35": 4523}
# OpenLayers knows neither of them. It has the sphere of another radius for degrees unless it is told.
PREPARE = """([code, meridian, easting]) => {
    const names = [`EPSG:${code}`, `http://www.opengis.net/def/crs/EPSG/0/${code}`, `urn:ogc:def:crs:EPSG::${code}`];
    if (code === 4490) {
        const metersPerUnit = Math.PI * 6378137 / 180;
        const made = names.map((name) => new ol.proj.Projection(
            {code: name, units: "degrees", axisOrientation: "neu", extent: [-180, -90, 180, 90], metersPerUnit}));
        ol.proj.addEquivalentProjections([...made, ol.proj.get("EPSG:4326")]);
        made.forEach(ol.proj.addProjection);
        return;
    }
    const definition = `+proj=tmerc +lat_0=0 +lon_0=${meridian} +k=1 +x_0=${easting} +ellps=GRS80 +units=m +axis=neu`;
    names.forEach((name) => proj4.defs(name, definition));
    ol.proj.proj4.register(proj4);
}"""
SHOW = """async ([kind, url, name, layer, code, centre, resolution]) => {
    const projection = ol.proj.get(`EPSG:${code}`);
    let shown;
    if (kind === "vector") {
        const source = new ol.source.OGCVectorTile({url, projection, format: new ol.format.MVT()});
        const style = new ol.style.Style({fill: new ol.style.Fill({color: "#2e8b57"})});
        shown = new ol.layer.VectorTile({source, style});
    } else {
        const told = new ol.format.WMTSCapabilities().read(await (await fetch(url)).text());
        const options = ol.source.WMTS.optionsFromCapabilities(told, {layer, matrixSet: name, format: "image/png"});
        shown = new ol.layer.Tile({source: new ol.source.WMTS({...options, interpolate: false})});
    }
    const view = new ol.View({projection, center: centre, resolution});
    const ready = () => shown.getSource().getState() === "ready";
    while (!ready()) await new Promise((done) => setTimeout(done, 50));
    window.map = new ol.Map({target: "map", layers: [shown], view, controls: []});
    await new Promise((done) => map.once("rendercomplete", done));
}"""
NAMES_AT = """(place) => {
    const found = new Set();
    map.forEachFeatureAtPixel(map.getPixelFromCoordinate(place), (one) => { found.add(one.get("key")); });
    return [...found].sort();
}"""
COLOUR_AT = """(place) => {
    const [x, y] = map.getPixelFromCoordinate(place).map(Math.floor);
    const canvas = document.querySelector("#map canvas");
    return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];
}"""


@pytest.fixture(scope="module")
def address(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small public site on loopback."""
    folder = tmp_path_factory.mktemp("sets")
    with (
        running_site(cluster_settings, folder) as site,
        serving(create_app(site.database.settings, site.catalog)) as at,
    ):
        yield at


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A window with OpenLayers and proj4 from the front-end packages; nothing else may be asked of any other host."""
    context = browser.new_context(viewport={"width": 800, "height": 600})
    window, outside, complaints = context.new_page(), list[str](), list[str]()

    def script(route: Route) -> None:
        file = ROOT / "node_modules" / SCRIPTS[route.request.url.rpartition("/")[2]]
        assert file.is_file(), "OpenLayers is missing: scripts/install installs it"
        route.fulfill(body=file.read_bytes(), content_type="text/javascript")

    window.on(
        "request", lambda one: None if one.url.startswith((address, "blob:", "data:")) else outside.append(one.url)
    )
    window.on("pageerror", lambda error: complaints.append(str(error)))
    window.route(f"{address}/page/*.js", script)
    window.route(f"{address}/page/", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    window.goto(f"{address}/page/")
    yield window
    context.close()
    assert outside == []
    assert complaints == []


def projected(lon: float, lat: float, code: int) -> list[float]:
    return list(pyproj.Transformer.from_crs(4326, code, always_xy=True).transform(lon, lat))


def shown(page: Page, address: str, kind: str, name: str, layer: str) -> Any:
    """Draw a layer in a set; how many units of the CRS a pixel of the screen has, and a way from degrees."""
    code = SETS[name]
    page.evaluate(PREPARE, [code, 105, 35_500_000])
    degrees = SIDE / 500
    resolution = degrees if code == 4490 else degrees * 111_000
    vector = f"{address}/collections/{layer}/tiles/{name}"
    url = vector if kind == "vector" else f"{address}/wmts/1.0.0/WMTSCapabilities.xml"
    centre = projected(WEST + SIDE / 2, SOUTH + SIDE / 2, code)
    page.evaluate(SHOW, [kind, url, name, layer, code, centre, resolution])
    return resolution, lambda lon, lat: projected(lon, lat, code)


@pytest.mark.browser
@pytest.mark.parametrize("name", SETS)
def test_openlayers_draws_vector_tiles_where_they_are(page: Page, address: str, name: str, shots: Path) -> None:
    resolution, place = shown(page, address, "vector", name, "field")
    page.screenshot(path=shots / f"openlayers-{name}.png")
    half, near = SIDE / 2, 2.5
    inside = {
        (half / 2, half / 2): ["south"],
        (SIDE - 0.01, half / 2): ["south"],
        (half / 2, half * 1.5): ["north"],
        (half * 1.5, half * 1.5): [],
        (-0.01, half / 2): [],
        (half, -0.01): [],
    }
    for (east, north), names in inside.items():
        assert page.evaluate(NAMES_AT, place(WEST + east, SOUTH + north)) == names, (east, north)
    # Two and a half pixels from an edge, on both sides of it.
    (x, y), (u, v) = place(WEST + half, SOUTH + half * 1.5), place(WEST + half * 1.5, SOUTH + half)
    for at, names in (
        ([x - near * resolution, y], ["north"]),
        ([x + near * resolution, y], []),
        ([u, v - near * resolution], ["south"]),
        ([u, v + near * resolution], []),
    ):
        assert page.evaluate(NAMES_AT, at) == names


@pytest.mark.browser
@pytest.mark.parametrize("name", SETS)
def test_openlayers_draws_the_tile_service_where_it_is(page: Page, address: str, name: str, shots: Path) -> None:
    resolution, place = shown(page, address, "wmts", name, "relief")
    page.screenshot(path=shots / f"openlayers-wmts-{name}.png")
    grey, nothing = [80, 80, 80, 255], [0, 0, 0, 0]
    for east, north in ((0.5, 0.5), (0.05, 0.9), (0.95, 0.1)):
        assert page.evaluate(COLOUR_AT, place(WEST + SIDE * east, SOUTH + SIDE * north)) == grey
    for east, north, across, up in ((0.0, 0.5, -3, 0), (1.0, 0.5, 3, 0), (0.5, 0.0, 0, -3), (0.5, 1.0, 0, 3)):
        x, y = place(WEST + SIDE * east, SOUTH + SIDE * north)
        assert page.evaluate(COLOUR_AT, [x + across * resolution, y + up * resolution]) == nothing
        assert page.evaluate(COLOUR_AT, [x - across * resolution, y - up * resolution]) == grey


@pytest.mark.browser
def test_the_projection_of_the_browser_is_the_one_of_the_reference(page: Page) -> None:
    """A point known to the millimetre, so that the maps above are not right by two equal mistakes."""
    page.evaluate(PREPARE, [4527, 117, 39_500_000])
    found = page.evaluate("() => ol.proj.fromLonLat([116.3913, 39.9075], 'EPSG:4527')")
    assert found == pytest.approx([39447950.515, 4419435.790], abs=0.001)
