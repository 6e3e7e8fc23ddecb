"""XML and JSON that mean harm: entities, inclusions, depth, numbers beyond all measure, and sheer mass."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import shapely

import ingest.raster
from ingest.job import ReadLimits
from ingest.sandbox import RasterReader, open_raster
from tests.support.dock import CELLS, PATIENCE, PLANTED, Dock, Listener
from tests.support.loading import write_rows
from tests.support.rasters import ramp_of_numbers, write_tif

DOCUMENTS = {
    "kml": (
        '<kml xmlns="http://www.opengis.net/kml/2.2"{attr}><Document><Placemark><name>{text}</name><Point><coordinates>'
        "105,38</coordinates></Point></Placemark></Document></kml>"
    ),
    "gml": (
        '<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml"{attr}>'
        '<gml:featureMember><ogr:a fid="1"><ogr:name>{text}</ogr:name><ogr:geometryProperty><gml:Point srsName='
        '"EPSG:4490"><gml:pos>105 38</gml:pos></gml:Point></ogr:geometryProperty></ogr:a></gml:featureMember>'
        "</ogr:FeatureCollection>"
    ),
    "gpx": (
        '<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"{attr}><wpt lat="38" lon="105"><name>'
        "{text}</name></wpt></gpx>"
    ),
    "cap": (
        '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"{attr}><identifier>A1</identifier><sender>s</sender>'
        "<sent>2026-07-01T08:00:00+08:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
        "<info><category>Met</category><event>{text}</event><urgency>Immediate</urgency><severity>Severe</severity>"
        "<certainty>Likely</certainty><area><areaDesc>a</areaDesc><polygon>38,105 38,106 39,106 38,105</polygon></area>"
        "</info></alert>"
    ),
}
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha" * 10}">' for i in range(10))
DOCTYPES = {
    "laughs": ("<!DOCTYPE a [" + LAUGHS + "]>", "&l9;"),
    "entity": ('<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}">]>', "&e;"),
    "dtd": ('<!DOCTYPE a SYSTEM "http://127.0.0.1:{port}/a.dtd">', "x"),
    "parameter": ('<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:{port}/p">%p;]>', "x"),
}


@pytest.mark.parametrize("attack", DOCTYPES)
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_document_types_are_refused(house: Dock, secret: Path, listener: Listener, kind: str, attack: str) -> None:
    head, text = DOCTYPES[attack]
    head = head.replace("{secret}", str(secret)).replace("{port}", str(listener[0]))
    file = secret.with_name(f"a.{kind}")
    file.write_text(head + DOCUMENTS[kind].format(attr="", text=text))
    verdict = house.receive(file)
    assert verdict.refused, verdict.report
    assert verdict.error is not None
    assert "document type" in verdict.error.detail
    assert PLANTED not in verdict.words
    assert not listener[1]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_inclusions_and_schema_places_are_not_followed(
    house: Dock, secret: Path, listener: Listener, kind: str
) -> None:
    """Without a document type the same document is read: the row arrives, what it points at does not."""
    attr = (
        ' xmlns:xi="http://www.w3.org/2001/XInclude" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="http://a http://127.0.0.1:{listener[0]}/a.xsd"'
    )
    text = f'n<xi:include href="file://{secret}" parse="text"/>'
    file = secret.with_name(f"a.{kind}")
    file.write_text(DOCUMENTS[kind].format(attr=attr, text=text))
    verdict = house.receive(file)
    assert verdict.refused or verdict.report is not None
    assert PLANTED not in verdict.words
    assert not listener[1]
    file.write_text(DOCUMENTS[kind].format(attr="", text="n"))
    control = house.receive(file)
    assert control.report is not None, control.error
    assert control.report.read == 1


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"])
def test_workbooks_with_entities_are_refused(house: Dock, secret: Path, listener: Listener, part: str) -> None:
    book = openpyxl.Workbook()
    book.active.append(["name"])
    book.active.append(["n"])
    clean = io.BytesIO()
    book.save(clean)
    file = secret.with_name("a.xlsx")
    doctype = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}"><!ENTITY f SYSTEM "http://127.0.0.1:{listener[0]}/">]>'
    with zipfile.ZipFile(clean) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            text = source.read(name).decode()
            if name == part:
                start = text.index("<", text.index("?>")) if text.startswith("<?xml") else 0
                text = text[:start] + doctype + text[start:]
            target.writestr(name, text)
    verdict = house.receive(file)
    assert verdict.refused, verdict.report
    assert PLANTED not in verdict.words
    assert not listener[1]


def collection(*features: str) -> str:
    return '{"type":"FeatureCollection","features":[' + ",".join(features) + "]}"


def feature(geometry: str, properties: str = '{"name":"n"}') -> str:
    return f'{{"type":"Feature","properties":{properties},"geometry":{geometry}}}'


def deep() -> str:
    depth = 100_000
    opened, closed = '{"type":"GeometryCollection","geometries":[' * depth, "]}" * depth
    return collection(feature(f"{opened}{closed}"))


def deep_arrays() -> str:
    return collection(feature('{"type":"Polygon","coordinates":' + "[" * 100_000 + "]" * 100_000 + "}"))


def beyond(number: str) -> Callable[[], str]:
    return lambda: collection(feature(f'{{"type":"Point","coordinates":[{number},38]}}'))


def doubled() -> str:
    point = '{"type":"Point","coordinates":[105,38],"coordinates":[1,2]}'
    return collection(feature(point, '{"name":"a","name":"b"}'))


def unfinished() -> str:
    return collection(*(feature('{"type":"Point","coordinates":[105,38]}') for _ in range(50)))[:-40]


@pytest.mark.parametrize(
    "make",
    [deep, deep_arrays, beyond("NaN"), beyond("1e400"), beyond("1e308"), beyond("-1e308"), doubled, unfinished],
    ids=["deep", "deep-arrays", "nan", "1e400", "1e308", "-1e308", "doubled", "unfinished"],
)
def test_strange_geojson_is_refused_or_told_row_by_row(house: Dock, tmp_path: Path, make: Callable[[], str]) -> None:
    file = tmp_path / "a.geojson"
    file.write_text(make())
    verdict = house.receive(file)
    assert verdict.seconds < PATIENCE
    if verdict.report is None:
        assert verdict.refused
        return
    arrived = verdict.report.inserted + verdict.report.updated
    # Two names or two places for one point: whichever is taken, it is one row, and it lies in the world.
    assert arrived == 0 or make is doubled
    assert verdict.report.read >= 1


def test_a_geometry_of_too_many_vertices_is_set_aside(house: Dock, tmp_path: Path) -> None:
    circle = shapely.Point(105, 38).buffer(1, quad_segs=3000)
    rows = [{"name": "big", "geometry": circle}, {"name": "small", "geometry": shapely.box(100, 30, 101, 31)}]
    file = write_rows(tmp_path / "a.gpkg", rows)
    verdict = house.receive(file, limits=ReadLimits(seconds=PATIENCE, vertices=10_000))
    assert verdict.report is not None, verdict.error
    assert verdict.report.quarantined == 1
    # The control: the same file under the common limit.
    assert house.receive(file).report.quarantined == 0  # type: ignore[union-attr]


@pytest.mark.slow
def test_ten_million_vertices(house: Dock, tmp_path: Path) -> None:
    angle = np.linspace(0, 2 * np.pi, 10_000_001)
    angle[-1] = 0
    circle = shapely.Polygon(np.column_stack([105 + np.cos(angle), 38 + np.sin(angle)]))
    file = write_rows(tmp_path / "a.gpkg", [{"name": "big", "geometry": circle}])
    verdict = house.receive(file, limits=ReadLimits(seconds=300))
    assert verdict.refused or (verdict.report is not None and verdict.report.quarantined == 1)


@pytest.mark.slow
def test_a_million_rows_of_the_same_content(house: Dock, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("name\n" + "same\n" * 1_000_000)
    verdict = house.receive(file, limits=ReadLimits(seconds=300))
    assert verdict.report is not None or verdict.refused


def test_a_raster_that_changes_while_it_is_read(house: Dock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_tif(tmp_path / "changing.tif", ramp_of_numbers(8, 8))
    real = RasterReader.finish

    def disturbed(reader: RasterReader) -> Path:
        done = real(reader)
        with file.open("ab") as handle:
            handle.write(b"more")
        return done

    assert ingest.raster.open_raster is open_raster
    monkeypatch.setattr(RasterReader, "finish", disturbed)
    verdict = house.receive(file, CELLS)
    assert verdict.refused
    assert verdict.error is not None
    assert "changed while it was read" in verdict.error.detail
    monkeypatch.undo()
    assert house.receive(file, CELLS).report is not None, "control: left alone, it is loaded"


def test_words_of_an_attacker_stay_words(house: Dock, tmp_path: Path) -> None:
    """Text that other systems would run is kept as it is, and nothing else happens."""
    words = ["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "'; DROP TABLE x;--", "${7*7}", "\u202eevil", "a\\b"]
    rows = ",".join(feature("null", json.dumps({"name": word})) for word in words)
    (tmp_path / "a.geojson").write_text('{"type":"FeatureCollection","features":[' + rows + "]}")
    verdict = house.receive(tmp_path / "a.geojson")
    assert verdict.report is not None or verdict.refused
    assert verdict.report is None or verdict.report.read == len(words)
