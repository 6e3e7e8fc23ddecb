"""Files that mean harm, or merely surprise: refused with a sentence that names the reason, never a broken reader."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from ingest.staging import stage
from layers.errors import SourceUnreadable
from tests.ingest.reading import read, table, vector

TABLE = table({"name": "text"})
KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>a</name></Document></kml>'
ALERT = (
    '<?xml version="1.0" encoding="{encoding}"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">'
    "<identifier>A1</identifier><sender>s</sender><sent>2026-07-01T08:00:00+08:00</sent><status>Actual</status>"
    "<msgType>Alert</msgType><scope>Public</scope><info><category>Met</category><event>暴雨</event>"
    "<urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty><area><areaDesc>县</areaDesc>"
    "<polygon>38,105 38,106 39,106 38,105</polygon></area></info></alert>"
)


@pytest.mark.parametrize("encoding", ["GB2312", "gbk", "GB18030", "Big5"])
def test_alerts_in_the_encodings_of_china(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "alert.cap"
    text = ALERT.replace("县", "縣") if encoding == "Big5" else ALERT
    file.write_bytes(text.format(encoding=encoding).encode(encoding))
    found = read(file, vector("polygon", {"event": "text"}), fields={"event": "event"})
    assert [row["event"] for row in found.good] == ["暴雨"]


def test_a_document_type_does_not_hide_behind_an_encoding(tmp_path: Path) -> None:
    file = tmp_path / "alert.cap"
    doctype = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><alert'
    file.write_bytes(ALERT.format(encoding="gbk").replace("<alert", doctype, 1).encode("gbk"))
    with pytest.raises(SourceUnreadable, match="document type"):
        read(file, vector("polygon", {"event": "text"}))


@pytest.mark.parametrize("encoding", ["utf-7", "ucs-4", "nonsense", "shift_jis"])
def test_xml_in_an_encoding_that_is_not_read(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "a.kml"
    file.write_text(f'<?xml version="1.0" encoding="{encoding}"?>{KML}')
    with pytest.raises(SourceUnreadable, match="encoding that is not read"):
        read(file, vector())


def test_xml_that_is_not_in_the_encoding_it_declares(tmp_path: Path) -> None:
    file = tmp_path / "alert.cap"
    file.write_bytes(ALERT.format(encoding="gb2312").encode("gbk") + b"\xff\xff")
    with pytest.raises(SourceUnreadable, match="the one it declares"):
        read(file, vector("polygon", {"event": "text"}))


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("a.shp", "a.dbf", "a.dbf"), "cannot be unpacked"),
        (("a" * 300 + ".csv",), "cannot be unpacked"),
        (("a/" * 3000 + "a.csv",), "cannot be unpacked"),
    ],
)
def test_archives_that_no_folder_can_hold(tmp_path: Path, names: tuple[str, ...], reason: str) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        warnings.simplefilter("ignore")
        for name in names:
            archive.writestr(name, "name\nx\n")
    with pytest.raises(SourceUnreadable, match=reason):
        read(tmp_path / "a.zip", TABLE)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_archives_with_a_damaged_stream(tmp_path: Path, method: int) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a.csv", "name\n" + "x\n" * 5000)
    damaged = bytearray(file.read_bytes())
    damaged[48:60] = b"\xa5" * 12
    file.write_bytes(bytes(damaged))
    with pytest.raises(SourceUnreadable, match=r"damaged archive|cannot be unpacked"):
        read(file, TABLE, fields={"name": "name"})


def test_a_circular_arc_spoils_its_row_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('wkt,name\n"CIRCULARSTRING(0 0,1 1,2 0)",arc\n"LINESTRING(0 0,1 1)",line\n')
    found = read(file, vector("line", {"name": "text"}), wkt="wkt", crs="EPSG:4326", fields={"name": "name"})
    assert [row["name"] for row in found.good] == ["line"]
    assert "no readable WKT" in found.bad[0]["_reason"]


def test_a_table_of_very_many_columns_is_read_in_time(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(",".join(["name", *(f"c{i}" for i in range(60_000))]) + "\n" + "x" + "," * 60_000 + "\n")
    assert [row["name"] for row in read(file, TABLE, fields={"name": "name"}).good] == ["x"]


def test_a_link_beside_a_shapefile_brings_nothing_in(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    frame = gpd.GeoDataFrame({"name": ["x"]}, geometry=[shapely.Point(1, 1)], crs="EPSG:4326")
    frame.to_file(here / "a.shp")
    (here / "a.dbf").rename(elsewhere / "secret.dbf")
    (here / "a.dbf").symlink_to(elsewhere / "secret.dbf")
    with pytest.raises(SourceUnreadable, match="link to another folder"):
        read(here / "a.shp", vector("point", {"name": "text"}))


def test_links_to_a_whole_shapefile_are_followed(tmp_path: Path) -> None:
    links, data = tmp_path / "links", tmp_path / "data"
    links.mkdir()
    data.mkdir()
    frame = gpd.GeoDataFrame({"name": ["x"]}, geometry=[shapely.Point(1, 1)], crs="EPSG:4326")
    frame.to_file(data / "a.shp")
    for part in data.iterdir():
        (links / part.name).symlink_to(part)
    found = read(links / "a.shp", vector("point", {"name": "text"}), fields={"name": "name"})
    assert [row["name"] for row in found.good] == ["x"]


def scribble(vertices: int) -> shapely.Polygon:
    """A polygon whose edges run to and fro across its whole extent."""
    places = np.random.default_rng(1).uniform(-10, 10, (vertices, 2))
    return shapely.Polygon(np.vstack([places, places[:1]]))


def test_a_scribble_is_set_aside_before_it_takes_all_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.gpkg"
    shapes = [scribble(3000), scribble(30), shapely.box(0, 0, 1, 1)]
    gpd.GeoDataFrame({"name": ["wild", "tame", "box"]}, geometry=shapes, crs="EPSG:4326").to_file(file)
    began = time.monotonic()
    found = read(file, vector("polygon", {"name": "text"}), fields={"name": "name"})
    assert time.monotonic() - began < 30
    assert [row["name"] for row in found.good] == ["tame", "box"]
    assert found.bad[0]["_reason"] == "The geometry crosses itself too often to be repaired."


def test_what_a_killed_load_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o755)
    dead = subprocess.Popen(["true"])
    dead.wait()
    long_ago = time.time() - 3600
    ours, theirs, young = (
        tmp_path / f"geoservice-read-{pid}-{word}"
        for pid, word in ((dead.pid, "old"), (os.getpid(), "alive"), (dead.pid, "new"))
    )
    for folder in (ours, theirs, young):
        folder.mkdir()
        (folder / "copy.csv").write_text("secret")
        folder.with_name(f"{folder.name}.log").touch()
    for folder in (ours, theirs):
        os.utime(folder, (long_ago, long_ago))
        os.utime(folder.with_name(f"{folder.name}.log"), (long_ago, long_ago))
    source = tmp_path / "a.csv"
    source.write_text("name\nx\n")
    staged = stage(source, None)
    staged.remove()
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"a.csv", theirs.name, f"{theirs.name}.log", young.name, f"{young.name}.log"}
