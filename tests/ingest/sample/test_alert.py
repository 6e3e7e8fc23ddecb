"""The warning follows CAP 1.2 and covers the flood."""

from __future__ import annotations

import datetime as dt
import re
from xml.etree import ElementTree as ET

import pytest
import shapely

from tests.ingest.sample.conftest import Written

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d"
ALERT_ORDER = (
    "identifier sender sent status msgType source scope restriction addresses code note references incidents info"
)
INFO_ORDER = (
    "language category event responseType urgency severity certainty audience eventCode effective onset expires "
    "senderName headline description instruction web contact parameter resource area"
)


@pytest.fixture(scope="module")
def alert(sample: Written) -> ET.Element:
    return ET.parse(sample.folder / "sample_cap_alert.xml").getroot()  # noqa: S314 - our own file, just written


def texts(element: ET.Element, name: str) -> list[str]:
    return [e.text or "" for e in element.iter(CAP + name)]


def in_order(element: ET.Element, order: str) -> bool:
    places = [order.split().index(child.tag.removeprefix(CAP)) for child in element]
    return places == sorted(places)


def test_elements_come_in_the_order_of_the_schema(alert: ET.Element) -> None:
    assert alert.tag == CAP + "alert"
    assert in_order(alert, ALERT_ORDER)
    assert all(in_order(info, INFO_ORDER) for info in alert.iter(CAP + "info"))


def test_it_is_an_exercise_with_a_chinese_identifier(alert: ET.Element, sample: Written) -> None:
    assert texts(alert, "status") == ["Exercise"]
    (identifier,) = texts(alert, "identifier")
    assert identifier == sample.manifest.alert_identifier
    assert len(identifier) == 31
    assert re.fullmatch(r"990101\d{3}\d{3}\d{2}_\d{14}_\d", identifier)
    (sent,) = texts(alert, "sent")
    assert dt.datetime.strptime(identifier[15:29], "%Y%m%d%H%M%S") == dt.datetime.fromisoformat(sent).replace(
        tzinfo=None
    )


def test_both_languages_say_the_same_times(alert: ET.Element) -> None:
    assert texts(alert, "language") == ["zh-CN", "en-US"]
    for name in ("effective", "onset", "expires"):
        first, second = texts(alert, name)
        assert first == second
        assert re.fullmatch(TIME, first)
    assert "演练" in texts(alert, "headline")[0]
    assert "Exercise" in texts(alert, "headline")[1]


def test_the_area_closes_is_lat_lon_and_covers_the_flood(alert: ET.Element, sample: Written) -> None:
    (flood,) = sample.shapes("flood_extent")
    for text in texts(alert, "polygon"):
        pairs = [tuple(float(n) for n in pair.split(",")) for pair in text.split()]
        assert len(pairs) >= 4
        assert pairs[0] == pairs[-1]
        assert all(38 < lat < 39 and 104 < lon < 106 for lat, lon in pairs)
        area = shapely.Polygon([(lon, lat) for lat, lon in pairs])
        assert area.is_valid
        assert shapely.covers(area, flood)


def test_geocodes_are_the_flooded_townships(alert: ET.Element, sample: Written) -> None:
    (flood,) = sample.shapes("flood_extent")
    codes, levels = sample.column("division", "adcode"), sample.column("division", "level")
    touched = {
        c
        for c, level, s in zip(codes, levels, sample.shapes("division"), strict=True)
        if level == "township" and shapely.intersects(s, flood)
    }
    (info, _) = alert.iter(CAP + "info")
    assert {g.findtext(CAP + "value") for g in info.iter(CAP + "geocode")} == touched
