"""A night in the sample county, as its makers tell it: a river that rises, warnings, and the hours at which they come.

Everything here is fictional, and nothing looks at a clock: the same begin gives the same night, so that what a service
makes of it can be compared with what is known of the county.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import shapely
from lxml import etree
from shapely.geometry.base import BaseGeometry

from ingest.sample.alert import DECIMALS, NAMESPACE, warned_area

SENDER = "night@sample-county.invalid"
WARNING_LEVEL, GUARANTEED_LEVEL = 3.5, 4.5
"""Levels in metres above which the gauge is watched, and above which low ground is flooded."""
LEVELS = (2.1, 2.2, 2.6, 3.1, 3.4, 3.9, 4.3, 4.8, 5.2, 5.1, 4.4, 3.6, 3.3)
"""Hourly levels in metres, the first one at the begin of the night."""
STEP = dt.timedelta(hours=1)
FIRST_WARNING, SECOND_WARNING, ALL_CLEAR = 4, 7, 12
"""Hours after which the warning, its update and its cancellation are sent."""
_GROWN = 0.004
"""Degrees by which the update warns beyond the first area."""
_LASTS = dt.timedelta(hours=12)
_SAID = {
    "Alert": ("样例县发布洪水橙色预警（虚构）", "Orange flood warning for Sample County (fictional)", "Severe"),
    "Update": ("样例县发布洪水红色预警（虚构）", "Red flood warning for Sample County (fictional)", "Extreme"),
    "Cancel": ("样例县解除洪水预警（虚构）", "Flood warning for Sample County lifted (fictional)", "Minor"),
}


@dataclass(frozen=True)
class Night:
    """What happens.

    Attributes:
        begin: When it begins.
        gauge: Longitude and latitude of the gauge below the dam.
        levels: Time and level in metres of each reading.
        area: Where the first warning warns; the update warns of `wider`.
        alert, update, cancel: The messages (CAP 1.2); each but the first refers to the one before.
    """

    begin: dt.datetime
    gauge: tuple[float, float]
    levels: tuple[tuple[dt.datetime, float], ...]
    area: shapely.Polygon
    wider: shapely.Polygon
    alert: bytes
    update: bytes
    cancel: bytes

    @property
    def beyond(self) -> tuple[tuple[dt.datetime, float], ...]:
        """Readings above the warning level; they follow one another."""
        return tuple(one for one in self.levels if one[1] > WARNING_LEVEL)


def tell(gauge: tuple[float, float], flooded: BaseGeometry, begin: dt.datetime, status: str = "Exercise") -> Night:
    """The night that begins at an instant.

    Args:
        gauge: Longitude and latitude of the dam.
        flooded: The land that the county's flood covers, in degrees.
        begin: When it begins, with a time zone.
        status: Of the messages: `Exercise`, `Test`, or `Actual` where nobody can take it for real.
    """
    first = begin.replace(microsecond=0)
    area = warned_area(flooded)
    wider = warned_area(shapely.buffer(flooded, _GROWN))
    alert = _message(first + FIRST_WARNING * STEP, "Alert", status, area, None)
    update = _message(first + SECOND_WARNING * STEP, "Update", status, wider, alert)
    return Night(
        begin=first,
        gauge=gauge,
        levels=tuple((first + n * STEP, level) for n, level in enumerate(LEVELS)),
        area=area,
        wider=wider,
        alert=alert,
        update=update,
        cancel=_message(first + ALL_CLEAR * STEP, "Cancel", status, wider, update),
    )


def _message(sent: dt.datetime, kind: str, status: str, area: shapely.Polygon, about: bytes | None) -> bytes:
    alert = etree.Element("alert", nsmap={None: NAMESPACE})
    heads = [
        ("identifier", f"night-{sent:%Y%m%dT%H%M%S}-{kind.lower()}"),
        ("sender", SENDER),
        ("sent", _text(sent)),
        ("status", status),
        ("msgType", kind),
        ("scope", "Public"),
        ("note", "虚构的一夜。A fictional night."),
    ]
    if about is not None:
        heads.append(("references", _named(about)))
    _add(alert, heads)
    for language, headline in zip(("zh-CN", "en-US"), _SAID[kind][:2], strict=True):
        _info(alert, language, headline, _SAID[kind][2], sent + _LASTS, area)
    return etree.tostring(alert, xml_declaration=True, encoding="UTF-8")


def _info(
    alert: etree._Element, language: str, headline: str, severity: str, expires: dt.datetime, area: shapely.Polygon
) -> None:
    info = etree.SubElement(alert, "info")
    chinese = language == "zh-CN"
    _add(
        info,
        [
            ("language", language),
            ("category", "Met"),
            ("event", "洪水" if chinese else "Flood"),
            ("urgency", "Immediate"),
            ("severity", severity),
            ("certainty", "Likely"),
            ("expires", _text(expires)),
            ("headline", headline),
        ],
    )
    place = etree.SubElement(info, "area")
    ring = " ".join(f"{y:.{DECIMALS}f},{x:.{DECIMALS}f}" for x, y in area.exterior.coords)
    _add(
        place,
        [("areaDesc", "大坝下游河谷（虚构）" if chinese else "Valley below the dam (fictional)"), ("polygon", ring)],
    )


def _add(parent: etree._Element, texts: list[tuple[str, str]]) -> None:
    for name, text in texts:
        etree.SubElement(parent, name).text = text


def _named(message: bytes) -> str:
    root = etree.fromstring(message)
    return ",".join(str(root.findtext(f"{{{NAMESPACE}}}{name}")) for name in ("sender", "identifier", "sent"))


def _text(moment: dt.datetime) -> str:
    """A time as CAP writes it: with an offset, never with Z."""
    return moment.isoformat().replace("Z", "+00:00")
