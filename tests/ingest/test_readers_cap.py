"""CAP alerts written here by the letter of OASIS CAP 1.2, and ones that break it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyproj
import pytest
import shapely

from ingest.readers.cap_area import AreaFault, area_geometry
from layers.errors import SourceMismatch, SourceUnreadable
from tests.ingest.reading import Result, read, read_here, vector

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
HEAD = (
    "<identifier>A1</identifier><sender>s@x.org</sender><sent>2026-07-01T08:00:00+08:00</sent>"
    "<status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
)
INFO = (
    "<category>Met</category><category>Geo</category><event>暴雨</event><urgency>Immediate</urgency>"
    "<severity>{severity}</severity><certainty>Likely</certainty>{more}"
)
AREA = "<area><areaDesc>{desc}</areaDesc>{shapes}</area>"
SQUARE = "<polygon>30,100 30,101 31,101 31,100 30,100</polygon>"
ATTRIBUTES: dict[str, Any] = {
    **dict.fromkeys(("identifier", "sender", "status", "msg_type", "category", "event", "severity", "colour"), "text"),
    **dict.fromkeys(("language", "area_desc", "geocodes", "headline"), "text"),
    **dict.fromkeys(("info_number", "area_number"), "integer"),
    **dict.fromkeys(("sent", "onset"), "datetime"),
}
LAYER = vector("polygon", ATTRIBUTES, geometry_required=False)


def alert(*infos: str, head: str = HEAD) -> str:
    return f'<alert xmlns="{NAMESPACE}">{head}{"".join(f"<info>{i}</info>" for i in infos)}</alert>'


def info(*areas: str, severity: str = "Severe", more: str = "") -> str:
    return INFO.format(severity=severity, more=more) + "".join(areas)


def area(shapes: str, desc: str = "here") -> str:
    return AREA.format(desc=desc, shapes=shapes)


def parse(tmp_path: Path, text: str, name: str = "a.cap") -> Result:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_here(tmp_path / name, LAYER)


def test_one_row_per_area_with_axes_turned(tmp_path: Path) -> None:
    codes = "<geocode><valueName>ADCODE</valueName><value>110000</value></geocode>"
    text = alert(info(area(SQUARE), area(codes, "there"), more="<onset>2026-07-01T00:00:00-00:00</onset>"), info())
    (tmp_path / "a.cap").write_text(text, encoding="utf-8")
    first, second, third = read(tmp_path / "a.cap", LAYER).good
    assert first["geom"].equals(shapely.box(100, 30, 101, 31))
    assert (first["info_number"], first["area_number"], first["area_desc"]) == (1, 1, "here")
    assert first["sent"] == dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    assert first["onset"] == dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    assert (first["category"], first["event"], first["language"]) == ("Met, Geo", "暴雨", "en-US")
    assert (second["geom"], second["geocodes"], second["area_number"]) == (None, "ADCODE=110000", 2)
    assert (third["geom"], third["info_number"], third["area_number"]) == (None, 2, 0)


def test_polygons_and_circles_become_one_geometry(tmp_path: Path) -> None:
    (row,) = parse(tmp_path, alert(info(area(SQUARE + "<circle>10,20 5</circle>")))).good
    square, circle = sorted(row["geom"].geoms, key=lambda g: -g.bounds[0])
    assert square.equals(shapely.box(100, 30, 101, 31))
    geod = pyproj.Geod(ellps="WGS84")
    metres, _ = geod.geometry_area_perimeter(circle)
    assert metres == pytest.approx(3.14159265 * 5000**2, rel=1e-3)
    assert metres > 0, "the outer ring runs counter-clockwise"
    for x, y in circle.exterior.coords:
        assert geod.inv(20, 10, x, y)[2] == pytest.approx(5000, abs=0.01)


def test_circle_across_180_is_cut(tmp_path: Path) -> None:
    for longitude in ("179.99", "-179.99"):
        (row,) = parse(tmp_path, alert(info(area(f"<circle>0,{longitude} 10</circle>")))).good
        west, _, east, _ = row["geom"].bounds
        assert (west, east) == (-180, 180)
        assert len(row["geom"].geoms) == 2
        metres, _ = pyproj.Geod(ellps="WGS84").geometry_area_perimeter(row["geom"])
        assert abs(metres) == pytest.approx(3.14159265 * 10_000**2, rel=1e-3)


@pytest.mark.parametrize(
    ("severity", "parameter", "expected"),
    [
        ("Extreme", "", ("Extreme", "red")),
        ("Moderate", "", ("Moderate", "yellow")),
        ("Unknown", "", ("Unknown", None)),
        ("ORANGE", "", ("Severe", "orange")),
        ("Minor", "<valueName>预警颜色</valueName><value>红色</value>", ("Minor", "red")),
        ("Minor", "<valueName>awareness_level</valueName><value>3; orange; Severe</value>", ("Minor", "orange")),
        ("Minor", "<valueName>wind</valueName><value>red-hot</value>", ("Minor", "blue")),
    ],
)
def test_severity_and_colour(tmp_path: Path, severity: str, parameter: str, expected: tuple[str, str | None]) -> None:
    more = f"<parameter>{parameter}</parameter>" if parameter else ""
    (row,) = parse(tmp_path, alert(info(area(SQUARE), severity=severity, more=more))).good
    assert (row["severity"], row["colour"]) == expected


def test_alert_without_info(tmp_path: Path) -> None:
    (row,) = parse(tmp_path, alert()).good
    assert (row["info_number"], row["area_number"], row["geom"]) == (0, 0, None)


def test_older_version_feed_and_envelope(tmp_path: Path) -> None:
    old = alert(info(area(SQUARE))).replace("cap:1.2", "cap:1.1")
    assert parse(tmp_path, old).summary.good == 1
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><content>{old}</content></entry></feed>'
    assert parse(tmp_path, feed, "a.atom").summary.good == 1
    two = alert(info(area(SQUARE))) + alert(info(area(SQUARE)), head=HEAD.replace("A1", "A2"))
    envelope = f'<EDXLDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:1.0"><x>{two}</x></EDXLDistribution>'
    assert [r["identifier"] for r in parse(tmp_path, envelope, "a.edxlde").good] == ["A1", "A2"]


def test_missing_elements_are_named(tmp_path: Path) -> None:
    head = HEAD.replace("<sender>s@x.org</sender>", "")
    text = alert(info(AREA.format(desc="", shapes=SQUARE)).replace("<urgency>Immediate</urgency>", ""), head=head)
    (bad,) = parse(tmp_path, text).bad
    assert bad["_reason"] == "CAP requires sender, urgency, areaDesc, which the alert does not have."


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("<polygon>30,100 30,101 30,100</polygon>", "3 corners"),
        ("<polygon>30,100 x,101 31,101 30,100</polygon>", '"latitude,longitude" was expected'),
        ("<polygon>100,30 101,30 101,31 100,30</polygon>", "no latitude and longitude"),
        ("<circle>30,100 far</circle>", "kilometres were expected"),
        ("<circle>30,100 -5</circle>", "no distance on the Earth"),
        ("<circle>89.99,100 50</circle>", "encloses a pole"),
    ],
)
def test_bad_areas_are_bad_rows(tmp_path: Path, shape: str, reason: str) -> None:
    found = parse(tmp_path, alert(info(area(shape), area(SQUARE))))
    assert (found.summary.good, found.summary.bad) == (1, 1)
    assert reason in found.bad[0]["_reason"]


def test_lenient_cases_are_noted(tmp_path: Path) -> None:
    found = parse(
        tmp_path, alert(info(area("<polygon>30,100 30,101 31,101 31,100</polygon>"), area("<circle>3,4 0</circle>")))
    )
    assert found.good[0]["geom"].equals(shapely.box(100, 30, 101, 31))
    assert found.good[1]["geom"] is None
    assert sum(f.count for f in found.summary.findings if f.rule == "cap-area") == 2


@pytest.mark.parametrize(
    "text",
    [
        "<alert xmlns='urn:x'/>",
        f'<alert xmlns="{NAMESPACE}"><identifier>',
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry/></feed>',
        "<a/>",
        "hello",
    ],
)
def test_what_is_no_alert(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceUnreadable):
        parse(tmp_path, text)


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE alert [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;&b;">]>',
        '<!DOCTYPE alert SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE alert [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>',
    ],
)
def test_document_types_are_refused(tmp_path: Path, declaration: str) -> None:
    with pytest.raises(SourceUnreadable, match="document type"):
        parse(tmp_path, declaration + alert(info(area(SQUARE, "&x;"))))


def test_wrong_family(tmp_path: Path) -> None:
    (tmp_path / "a.cap").write_text(alert())
    with pytest.raises(SourceMismatch, match=r"family 'table', but a\.cap is a CAP alert"):
        read_here(tmp_path / "a.cap", LAYER, format="table")


def test_polygon_across_180() -> None:
    shape, remarks = area_geometry(["0,179 0,-179 1,-179 1,179 0,179"], [])
    assert shape is not None
    assert tuple(shapely.bounds(shape)) == (179, 0, 181, 1)
    assert remarks == ["A polygon across 180 degrees has been cut there."]
    with pytest.raises(AreaFault):
        area_geometry(["nonsense"], [])
