"""An alert as a hazard zone: one class per severity of its blocks, each place with its worst one."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import shapely

from geoservice.alerts.read import Kept
from layers.alerting import WARNING
from layers.cap import SEVERITIES, Severity
from layers.errors import BadGeometry
from layers.hazard import HazardZone, Meant, Method, ZoneClass, ZoneInput
from layers.model import Text

METHOD = Method(
    id="cap-areas",
    version="1",
    source="OASIS Common Alerting Protocol 1.2, 3.2.4; circles as geodesic polygons of 180 corners on WGS 84",
    title=Text(zh="预警消息的影响区域", en="Areas of an alert"),
)
CODES = "cap-severity@1.2"
_TITLES: dict[Severity, Text] = {
    "Extreme": Text(zh="特别严重", en="Extreme"),
    "Severe": Text(zh="严重", en="Severe"),
    "Moderate": Text(zh="较重", en="Moderate"),
    "Minor": Text(zh="一般", en="Minor"),
    "Unknown": Text(zh="未知", en="Unknown"),
}
_FLAT = 2
_MEANT: dict[str, Meant] = {"Actual": "actual", "Exercise": "exercise"}
_ENDED = {"cancelled": Text(zh="取消", en="cancelled"), "updated": Text(zh="更新", en="updated")}


def zone_of(kept: Kept, at: dt.datetime | None = None) -> HazardZone:
    """The hazard zone of a message.

    Args:
        kept: The message with its areas.
        at: An instant: blocks that are over by then are left out; None takes all.

    Raises:
        BadGeometry: When nothing says where it warns.
    """
    classes = _classes(kept, at)
    if not classes:
        raise BadGeometry("The alert has no area whose place is known, so that there is no zone of it.")
    return HazardZone(
        kind="alert",
        label=label_of(kept),
        method=METHOD,
        parameters={"alert": kept.id, "identifier": kept.alert.identifier, "sender": kept.alert.sender},
        classes=classes,
        codes=CODES,
        start=kept.begins,
        end=kept.ends if kept.ending is None else min(kept.ends, kept.ending[0]),
        status=meant(kept.alert.status),
        inputs=(ZoneInput(name=f"alert:{kept.id}", digest=_digest(kept)),),
    )


def meant(status: str | None) -> Meant:
    """Whether a message is meant in earnest, by its status (CAP 1.2, 3.2.1); what does not say so is a test."""
    return _MEANT.get(status or "", "test")


def standing_of(kept: Kept) -> Text:
    """Until when an alert holds, or what ended it before; it depends on the messages that came, not on the clock."""
    kind = kept.alert.msg_type
    if kind not in WARNING:
        said = f"The message is of the type {kind} and warns of nothing itself."
        return Text(zh=f"该消息的类型为 {kind}，本身不发布预警。", en=said)
    if kept.ending is not None and kept.ending[0] < kept.ends:
        moment, how = _minute(kept.ending[0]), _ENDED[kept.ending[1]]
        return Text(zh=f"该预警已于 {moment} 被{how.zh}。", en=f"The alert was {how.en} at {moment}.")
    until = _minute(kept.ends)
    return Text(zh=f"该预警有效至 {until}，此后即失效。", en=f"The alert holds until {until}; from then on it is over.")


def _minute(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def label_of(kept: Kept) -> Text:
    """What an alert is called: headline or event, in Chinese and English where it has both."""
    texts = [(info.language.lower(), info.headline or info.event) for info in kept.alert.info]
    first = texts[0][1] if texts else kept.alert.identifier
    chinese = next((said for language, said in texts if language.startswith("zh")), first)
    english = next((said for language, said in texts if language.startswith("en")), first)
    return Text(zh=chinese, en=english)


def _classes(kept: Kept, at: dt.datetime | None) -> tuple[ZoneClass, ...]:
    shapes: dict[Severity, list[shapely.Geometry]] = {}
    for area in kept.areas:
        info = kept.alert.info[area.info - 1]
        over = at is not None and kept.alert.span_of(info, kept.ends - kept.begins)[1] <= at
        if area.geometry is not None and not over:
            shapes.setdefault(info.severity, []).append(area.geometry)
    taken: shapely.Geometry = shapely.Polygon()
    found: list[ZoneClass] = []
    for severity in SEVERITIES:
        own = _areas(shapely.difference(shapely.union_all(shapes.get(severity, [])), taken))
        if own is None:
            continue
        taken = shapely.union(taken, own)
        made = ZoneClass(code=severity, label=_TITLES[severity], rank=len(found) + 1, geometry=geojson(own))
        found.append(made)
    return tuple(found)


def _areas(geometry: shapely.Geometry) -> shapely.Geometry | None:
    parts = shapely.get_parts(geometry)
    flat = [p for p in parts if shapely.get_dimensions(p) == _FLAT and p.area > 0]
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else shapely.MultiPolygon(flat)


def geojson(geometry: shapely.Geometry) -> dict[str, Any]:
    """A geometry as a GeoJSON mapping."""
    found: dict[str, Any] = json.loads(shapely.to_geojson(geometry))
    return found


def _digest(kept: Kept) -> str:
    text = kept.alert.model_dump_json(by_alias=True, exclude_none=True)
    return hashlib.sha256(text.encode()).hexdigest()
