"""Files that point elsewhere: at other files of the machine, or into the network. Nothing they point at is touched.

Each kind has its control: the same file, opened by the same library without the allow-list, does what it wants.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ingest.sandbox import environment
from tests.support.dock import CELLS, PLANTED, Dock, Listener
from tests.support.rasters import grid, write_tif

RAW_BAND = """<VRTDataset rasterXSize="14" rasterYSize="1"><SRS>EPSG:4490</SRS>
<GeoTransform>100,0.1,0,40,0,-0.1</GeoTransform><VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">
<SourceFilename relativetoVRT="0">{secret}</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset>
<LineOffset>14</LineOffset></VRTRasterBand></VRTDataset>"""
SIMPLE = """<VRTDataset rasterXSize="4" rasterYSize="4"><SRS>EPSG:4490</SRS>
<GeoTransform>100,0.1,0,40,0,-0.1</GeoTransform>
<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{address}</SourceFilename></SimpleSource>
</VRTRasterBand></VRTDataset>"""
PIXEL_FUNCTION = """<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1"
subClass="VRTDerivedRasterBand"><PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python
</PixelFunctionLanguage><PixelFunctionCode><![CDATA[open('{written}', 'w').write('ran')]]></PixelFunctionCode>
</VRTRasterBand></VRTDataset>"""
TABLE = """<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>CSV:{address}</SrcDataSource>
<SrcLayer>secret</SrcLayer><GeometryType>wkbNone</GeometryType></OGRVRTLayer></OGRVRTDataSource>"""
REMOTE = """<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>/vsicurl/http://127.0.0.1:{port}/a.csv</SrcDataSource>
</OGRVRTLayer></OGRVRTDataSource>"""
WMS = """<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:{port}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>
<DataWindow><UpperLeftX>-180</UpperLeftX><UpperLeftY>90</UpperLeftY><LowerRightX>180</LowerRightX><LowerRightY>-90
</LowerRightY><TileLevel>2</TileLevel><TileCountX>1</TileCountX><TileCountY>1</TileCountY></DataWindow><BandsCount>3
</BandsCount><BlockSizeX>256</BlockSizeX><BlockSizeY>256</BlockSizeY></GDAL_WMS>"""
WMTS = """<GDAL_WMTS><GetCapabilitiesUrl>http://127.0.0.1:{port}/wmts</GetCapabilitiesUrl></GDAL_WMTS>"""
TILE_INDEX = """<GDALTileIndexDataset><IndexDataset>/vsicurl/http://127.0.0.1:{port}/i.gpkg</IndexDataset>
</GDALTileIndexDataset>"""
STACTA = {
    "stac_extensions": ["tiled-assets"],
    "type": "Feature",
    "properties": {"tiles:tile_matrix_links": {}, "tiles:tile_matrix_sets": {}},
    "asset_templates": {"data": {"href": "http://127.0.0.1:{port}/a.tif"}},
}


def contents(secret: Path, port: int) -> dict[str, str]:
    """Every file content that points somewhere, by name of the attack."""
    return {
        "raw-band": RAW_BAND.format(secret=secret),
        "simple-source": SIMPLE.format(address=secret),
        "remote-source": SIMPLE.format(address=f"/vsicurl/http://127.0.0.1:{port}/a.tif"),
        "zip-source": SIMPLE.format(address=f"/vsizip//vsicurl/http://127.0.0.1:{port}/a.zip/a.tif"),
        "pixel-function": PIXEL_FUNCTION.format(written=secret.with_name("ran.txt")),
        "table": TABLE.format(address=secret),
        "remote-table": REMOTE.format(port=port),
        "wms": WMS.format(port=port),
        "wmts": WMTS.format(port=port),
        "tile-index": TILE_INDEX.format(port=port),
        "stacta": json.dumps(STACTA).replace("{port}", str(port)),
    }


ROW_ATTACKS = ("raw-band", "table", "remote-table", "stacta")
CELL_ATTACKS = tuple(name for name in contents(Path("x"), 1) if "table" not in name)
CASES = (
    *((attack, "ok.tif") for attack in CELL_ATTACKS),
    *((attack, "ok.geojson") for attack in ROW_ATTACKS),
    ("table", "ok.kml"),
    ("wms", "ok.png"),
    ("raw-band", "ok.zip"),
    ("remote-source", "ok.zip"),
)


@pytest.mark.parametrize(("attack", "name"), CASES)
def test_what_a_file_points_at_is_not_touched(
    house: Dock, secret: Path, listener: Listener, attack: str, name: str
) -> None:
    port, heard = listener
    text = contents(secret, port)[attack]
    file = secret.with_name(name)
    if name == "ok.zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("inner.tif", text)
    else:
        file.write_text(text)
    for world in ("ok.pgw", "ok.tfw"):
        secret.with_name(world).write_text("0.1\n0\n0\n-0.1\n100\n40\n")
    raster = not name.endswith((".geojson", ".kml"))
    verdict = house.receive(file, CELLS if raster else None)
    assert verdict.refused, verdict.report
    assert PLANTED not in verdict.words
    assert str(secret.parent) not in verdict.words
    assert not heard
    assert not secret.with_name("ran.txt").exists()


def run_free(code: str, folder: Path, env: dict[str, str]) -> str:
    """Run code of a control in a process of its own; what it printed, and its complaints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


READ_CELLS = "import rasterio; print(bytes(rasterio.open('ok.tif').read(1).tobytes()))"
READ_ROWS = "import pyogrio.raw; print(pyogrio.raw.read('ok.geojson', read_geometry=False))"


class TestAllowListOfEachLibrary:
    """Each wheel brings a GDAL of its own: each is shown to do harm by itself, and not under the allow-list."""

    @pytest.mark.parametrize("held", [False, True])
    def test_rasterio_and_a_raw_band(self, secret: Path, held: bool) -> None:
        secret.with_name("ok.tif").write_text(RAW_BAND.format(secret=secret))
        env = (
            environment(secret.parent, "raster")
            if held
            else {**os.environ, "GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE": "ALL"}
        )
        assert (PLANTED in run_free(READ_CELLS, secret.parent, env)) is not held

    @pytest.mark.parametrize("held", [False, True])
    def test_rasterio_and_a_tile_service(self, secret: Path, listener: Listener, held: bool) -> None:
        secret.with_name("ok.tif").write_text(WMS.format(port=listener[0]))
        env = environment(secret.parent, "raster") if held else dict(os.environ)
        run_free(READ_CELLS, secret.parent, env)
        assert bool(listener[1]) is not held

    @pytest.mark.parametrize("held", [False, True])
    def test_pyogrio_and_a_table(self, secret: Path, held: bool) -> None:
        secret.with_name("ok.geojson").write_text(TABLE.format(address=secret))
        env = environment(secret.parent) if held else dict(os.environ)
        assert (PLANTED in run_free(READ_ROWS, secret.parent, env)) is not held

    @pytest.mark.parametrize("held", [False, True])
    def test_pyogrio_and_an_address(self, secret: Path, listener: Listener, held: bool) -> None:
        secret.with_name("ok.geojson").write_text(REMOTE.format(port=listener[0]))
        env = environment(secret.parent) if held else dict(os.environ)
        run_free(READ_ROWS, secret.parent, env)
        assert bool(listener[1]) is not held

    def test_no_third_library_brings_another_gdal(self) -> None:
        code = (
            "import ingest.pipeline, ingest.readers.raster, sys; print('fiona' in sys.modules, 'osgeo' in sys.modules)"
        )
        assert run_free(code, Path.cwd(), dict(os.environ)).split() == ["False", "False"]


def test_the_second_file_of_an_erdas_raster_stays_in_its_folder(
    house: Dock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of the file with the cells stands in the .img: here it climbs out of the private directory."""
    tmp_path.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = write_tif(tmp_path / "in.tif", np.full((64, 64), 77, dtype="uint8"), grid(100, 40, 0.1))
    (tmp_path / "here").mkdir()
    file = tmp_path / "here" / "abcdefghi.img"
    subprocess.run(["gdal_translate", "-q", "-of", "HFA", "-co", "USE_SPILL=YES", str(source), str(file)], check=True)
    spilled = file.with_suffix(".ige")
    assert spilled.name.encode() in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(b"abcdefghi.ige", b"../secret.ige"))
    spilled.rename(tmp_path / "secret.ige")
    code = "import rasterio; print(rasterio.open('abcdefghi.img').read(1).max())"
    assert run_free(code, file.parent, dict(os.environ)).split() == ["77"], "control: the library follows the name"
    verdict = house.receive(file, CELLS)
    assert verdict.refused, verdict.report


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:{port}/crs", "/vsicurl/http://127.0.0.1:{port}/crs", "+init={secret}:4326"]
)
def test_a_projection_file_is_no_address(house: Dock, secret: Path, listener: Listener, text: str) -> None:
    file = write_tif(secret.with_name("a.tif"), np.ones((4, 4), dtype="float32"), crs=None)
    file.with_suffix(".prj").write_text(text.format(port=listener[0], secret=secret))
    verdict = house.receive(file, CELLS)
    assert verdict.refused
    assert PLANTED not in verdict.words
    assert not listener[1]


def test_links_in_documents_are_not_followed(house: Dock, secret: Path, listener: Listener) -> None:
    port, heard = listener
    address = f"http://127.0.0.1:{port}/a.kml"
    kml = (
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Style id="s"><IconStyle><Icon><href>{a}</href></Icon>'
        "</IconStyle></Style><NetworkLink><Link><href>{a}</href></Link></NetworkLink><Placemark><name>n</name>"
        "<styleUrl>{a}#s</styleUrl><Point><coordinates>105,38</coordinates></Point></Placemark></Document></kml>"
    )
    file = secret.with_name("a.kml")
    file.write_text(kml.format(a=address))
    verdict = house.receive(file)
    assert verdict.report is not None
    assert verdict.report.inserted + verdict.report.unchanged + verdict.report.quarantined >= 1
    gml = (
        '<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://ogr.maptools.org/ {a}.xsd"><gml:featureMember><ogr:a fid="1"><ogr:name>n</ogr:name>'
        '<ogr:geometryProperty xlink:href="{a}#p"/></ogr:a></gml:featureMember></ogr:FeatureCollection>'
    )
    file = secret.with_name("a.gml")
    file.write_text(gml.format(a=address))
    house.receive(file)
    assert not heard
