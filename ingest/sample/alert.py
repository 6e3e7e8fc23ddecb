"""One flood warning as an exercise, in CAP 1.2 (OASIS), with a Chinese and an English block."""

from __future__ import annotations

import datetime as dt

import shapely
from lxml import etree
from shapely.geometry.base import BaseGeometry

from ingest.sample.grid import METRES_Y
from ingest.sample.lines import polygon_parts
from ingest.sample.settlements import ADCODE

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
IDENTIFIER = f"{ADCODE}11600000_20260618063000_1"
"""31 characters as in the national warning system: area 6, sector 3, unit 3, extension 2, _, time, _, serial."""
SENT = "2026-06-18T06:30:00+08:00"
ONSET = "2026-06-18T08:00:00+08:00"
EXPIRES = "2026-06-19T08:00:00+08:00"
MARGIN = 160.0
DECIMALS = 5

TEXTS = {
    "zh-CN": {
        "event": "洪水",
        "senderName": "样例县防汛抗旱指挥部（虚构）",
        "headline": "【演练】样例县发布洪水橙色预警",
        "description": "【演练，虚构数据】水库下泄，预计未来24小时坝下河段水位超过保证水位，沿岸低洼地带将被淹没。",
        "instruction": "【演练】请低洼地带人员按预案转移，远离河道，听从当地指挥。",
        "areaDesc": "样例县大坝下游河谷（虚构）",
    },
    "en-US": {
        "event": "Flood",
        "senderName": "Sample County Flood Control Headquarters (fictional)",
        "headline": "[Exercise] Orange flood warning for Sample County",
        "description": "[Exercise, fictional data] The reservoir is releasing water. Within 24 hours the river below "
        "the dam is expected above its guaranteed level; low ground along it will be flooded.",
        "instruction": "[Exercise] People on low ground move as planned, keep away from the river and follow orders.",
        "areaDesc": "Valley below the dam, Sample County (fictional)",
    },
}


def warned_area(flooded: BaseGeometry) -> shapely.Polygon:
    """A simple polygon around all flooded land, with few vertices, coordinates in degrees of five decimals."""
    grown = shapely.simplify(shapely.buffer(flooded, MARGIN / METRES_Y), MARGIN / 3 / METRES_Y)
    area = shapely.Polygon(max(polygon_parts(grown), key=lambda p: p.area).exterior)
    return shapely.Polygon([(round(x, DECIMALS), round(y, DECIMALS)) for x, y in area.exterior.coords])


def build_alert(flooded: BaseGeometry, townships: list[str]) -> bytes:
    """The alert as XML. `townships` are the nine-digit codes of the townships that it concerns."""
    alert = etree.Element("alert", nsmap={None: NAMESPACE})
    for name, text in (
        ("identifier", IDENTIFIER),
        ("sender", "exercise@sample-county.invalid"),
        ("sent", SENT),
        ("status", "Exercise"),
        ("msgType", "Alert"),
        ("scope", "Public"),
        ("note", "演练与测试用的虚构预警。Fictional alert for exercise and test."),
    ):
        _add(alert, name, text)
    polygon = warned_area(flooded)
    for language in TEXTS:
        _info(alert, language, polygon, townships)
    tree = etree.ElementTree(alert)
    etree.indent(tree, space="  ")
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8")


def _add(parent: etree._Element, name: str, text: str) -> None:
    child = etree.SubElement(parent, name)
    child.text = text


def _info(alert: etree._Element, language: str, polygon: shapely.Polygon, townships: list[str]) -> None:
    texts = TEXTS[language]
    info = etree.SubElement(alert, "info")
    for name, text in (
        ("language", language),
        ("category", "Met"),
        ("event", texts["event"]),
        ("responseType", "Evacuate"),
        ("urgency", "Expected"),
        ("severity", "Severe"),
        ("certainty", "Likely"),
    ):
        _add(info, name, text)
    _pair(info, "eventCode", "GB/T 35561", "11A01")
    for name in ("effective", "onset", "expires"):
        _add(info, name, {"effective": SENT, "onset": ONSET, "expires": EXPIRES}[name])
    for name in ("senderName", "headline", "description", "instruction"):
        _add(info, name, texts[name])
    _pair(info, "parameter", "ColorCode", "ORANGE")
    area = etree.SubElement(info, "area")
    _add(area, "areaDesc", texts["areaDesc"])
    _add(area, "polygon", " ".join(f"{y:.{DECIMALS}f},{x:.{DECIMALS}f}" for x, y in polygon.exterior.coords))
    for code in townships:
        _pair(area, "geocode", "GB/T 10114", code)


def _pair(parent: etree._Element, name: str, key: str, value: str) -> None:
    pair = etree.SubElement(parent, name)
    _add(pair, "valueName", key)
    _add(pair, "value", value)


def dated(content: bytes, now: dt.datetime) -> bytes:
    """The alert as if it had been sent at the latest 06:30 of Beijing that is over, so that one is in force.

    The hours between sending, onset and end stay; the identifier bears the new day, so that each day has one.
    """
    root = etree.fromstring(content)
    sent = dt.datetime.fromisoformat(SENT)
    days = (now - sent) // dt.timedelta(days=1)
    for name in ("sent", "effective", "onset", "expires"):
        for element in root.iter(f"{{{NAMESPACE}}}{name}"):
            element.text = (dt.datetime.fromisoformat(str(element.text)) + dt.timedelta(days=days)).isoformat()
    identifier = root.find(f"{{{NAMESPACE}}}identifier")
    if identifier is not None:
        moved = sent + dt.timedelta(days=days)
        identifier.text = IDENTIFIER.replace(f"_{sent:%Y%m%d}", f"_{moved:%Y%m%d}")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
