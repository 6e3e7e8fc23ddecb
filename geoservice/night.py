"""Plays the night of the sample county against a running service, through nothing but its public interfaces.

A client like any other: what it is told it shows, and what the service makes of the night can be watched in the portal.
Blocking.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import shapely

from ingest.sample.night import FIRST_WARNING, GUARANTEED_LEVEL, SECOND_WARNING, WARNING_LEVEL, Night, tell
from layers.cap import MEDIA
from layers.errors import RemoteUnavailable, UnknownResource

STA = "/sensorthings/v1.1"
GAUGE = "样例县坝下水文站 Gauge below the dam (fictional)"
PLAYED_GAUGE = "【演练】样例县坝下水文站 [Exercise] Gauge below the dam (fictional)"
"""Name of the gauge of a night that is not meant in earnest: its readings are played, and told to nobody unasked."""
_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_CREATED, _MISSING = 201, (404, 405)
_EARNEST = "Actual"
_BEFORE = dt.timedelta(hours=12, minutes=5)
Send = Callable[[int, Sequence[tuple[dt.datetime, float]]], None]
"""Sends readings (time, metres) of a datastream, by its number."""


@dataclass(frozen=True)
class Step:
    """Something that happened: what, in one line, what the service answered, and where it can be looked at."""

    name: str
    said: str
    answer: Any
    look: str = "/portal"


@dataclass
class Player:
    """Plays the night.

    Attributes:
        client: Asks the service; its base address and the key (rights to observe and to hand alerts in) are set.
        send: How readings are sent; as data arrays of SensorThings when absent.
        status: Status of the messages.
        kept: Answers by name of the step; of several with one name the last.
    """

    client: httpx.Client
    send: Send | None = None
    status: str = "Exercise"
    kept: dict[str, Any] = field(default_factory=dict)

    def play(self, now: dt.datetime) -> Iterator[Step]:
        """The steps, each done when it is asked for; the night ends now.

        Raises:
            UnknownResource: When the service does not have the sample county.
            RemoteUnavailable: When it refuses something.
        """
        dam, flood = self._feature("dam"), self._feature("flood_extent")
        place = tuple(dam["geometry"]["coordinates"][:2])
        night = tell((place[0], place[1]), shapely.geometry.shape(flood["geometry"]), now - _BEFORE, self.status)
        yield self._step("gauge", f"station {self._name}", self._gauge(night))
        yield from self._river_rises(night)
        yield from self._warning(night)
        yield from self._update(night)
        yield from self._dam(str(dam["id"]))
        yield from self._report()
        yield from self._all_clear(night)

    def _river_rises(self, night: Night) -> Iterator[Step]:
        for first, last in ((0, FIRST_WARNING), (FIRST_WARNING, SECOND_WARNING), (SECOND_WARNING, len(night.levels))):
            some = night.levels[first:last]
            (self.send or self._send)(self.kept["gauge"], some)
            yield self._step("level", f"{some[-1][0]:%H:%M}Z: the gauge shows {some[-1][1]} m", some)
        end = night.levels[-1][0] + dt.timedelta(minutes=1)
        query = {"datetime": f"{_text(night.begin)}/{_text(end)}", "standard": "declared"}
        asked = {"exercise": "true"} if self._played else {}
        found = self._get("/exceedances", **query, **asked)
        yield self._step("exceedances", f"{len(found['exceedances'])} times beyond a level", found)

    def _warning(self, night: Night) -> Iterator[Step]:
        taken = self._hand_in(night.alert)
        yield self._step("alert", f"warning: {taken['state']}", taken, "/alerts?f=html")
        zone = self._get(f"/alerts/{taken['id']}/zone")
        yield self._step("alert-impact", _told(found := self._impact(zone)), found, f"/alerts/{taken['id']}?f=html")

    def _update(self, night: Night) -> Iterator[Step]:
        taken = self._hand_in(night.update)
        yield self._step("update", f"update: {taken['state']}", taken, f"/alerts/{taken['id']}?f=html")
        zone = self._get(f"/alerts/{taken['id']}/zone")
        yield self._step("update-impact", _told(found := self._impact(zone)), found)

    def _dam(self, dam: str) -> Iterator[Step]:
        body = {"id": dam, "status": self.status.lower()}
        response = self.client.post("/hazards/zones/dam-break?keep=true", json=body)
        zone = self._answered(response)
        where = httpx.URL(response.headers["Location"]).path
        yield self._step("zone", f"zone of a broken dam {zone['id'][:12]}", zone, where)
        yield self._step("zone-impact", _told(found := self._impact(zone)), found)

    def _report(self) -> Iterator[Step]:
        """The report of the last impact, and the board; services that have neither are asked for neither."""
        body = {"impact": {"hazard": self.kept["zone"], "ways": False}, "title": "虚构的一夜 A fictional night"}
        response = self.client.post("/reports", json=body)
        if response.status_code not in _MISSING:
            made = self._answered(response)
            yield self._step("report", f"report {made['id']}", made, f"/reports/{made['id']}?f=html")
        response = self.client.get("/situation")
        if response.status_code not in _MISSING:
            yield self._step("board", "the board of the night", self._answered(response))

    def _all_clear(self, night: Night) -> Iterator[Step]:
        taken = self._hand_in(night.cancel)
        yield self._step("cancel", f"all clear: {taken['state']}", taken, "/alerts?f=html")

    @property
    def _played(self) -> bool:
        return self.status != _EARNEST

    @property
    def _name(self) -> str:
        return PLAYED_GAUGE if self._played else GAUGE

    def _gauge(self, night: Night) -> int:
        """Number of the datastream of the gauge, which is made if it is not there."""
        named = f"name eq '{self._name}'"
        known = self._get(f"{STA}/Things", **{"$filter": named, "$expand": "Datastreams"})["value"]
        # A thing of that name that somebody made, and that is not played, is not the gauge of an exercise.
        own = next((one for one in known if _is_played(one) == self._played), None)
        if own is not None:
            return int(own["Datastreams"][0]["@iot.id"])
        made = self.client.post(f"{STA}/Things", json=_thing(night, self._name, played=self._played))
        self._answered(made)
        number = made.headers["Location"].rpartition("(")[2].rstrip(")")
        return int(self._get(f"{STA}/Things({number})/Datastreams")["value"][0]["@iot.id"])

    def _send(self, stream: int, levels: Sequence[tuple[dt.datetime, float]]) -> None:
        rows = [[_text(moment), level] for moment, level in levels]
        body = [
            {
                "Datastream": {"@iot.id": stream},
                "components": ["phenomenonTime", "result"],
                "dataArray@iot.count": len(rows),
                "dataArray": rows,
            }
        ]
        self._answered(self.client.post(f"{STA}/CreateObservations", json=body))

    def _hand_in(self, message: bytes) -> Any:
        response = self.client.post("/alerts", content=message, headers={"Content-Type": MEDIA})
        return self._answered(response)["alerts"][0]

    def _impact(self, zone: Any) -> Any:
        return self._answered(self.client.post("/impact", json={"hazard": zone}))

    def _feature(self, collection: str) -> Any:
        response = self.client.get(f"/collections/{collection}/items", params={"limit": "1", "f": "json"})
        found = response.json().get("features") if response.status_code not in _MISSING else None
        if not found:
            raise UnknownResource(f"The service has no {collection} of the sample county; `geoservice demo` loads it.")
        return found[0]

    def _get(self, path: str, **query: str) -> Any:
        return self._answered(self.client.get(path, params=query))

    def _answered(self, response: httpx.Response) -> Any:
        if response.is_success:
            return response.json() if response.content else None
        told = response.text[:300]
        asked = f"{response.request.method} {response.request.url.path}"
        raise RemoteUnavailable(
            f"{asked} was answered with {response.status_code}: {told}", status=response.status_code
        )

    def _step(self, name: str, said: str, answer: Any, look: str = "/portal") -> Step:
        self.kept[name] = answer
        return Step(name, said, answer, look)


def _is_played(thing: Any) -> bool:
    return (thing.get("properties") or {}).get("exercise") is True


def _thing(night: Night, name: str, *, played: bool) -> dict[str, Any]:
    """The gauge with its place and its datastream, as SensorThings takes them."""
    point = {"type": "Point", "coordinates": list(night.gauge)}
    thresholds = [
        {"name": "warning", "above": WARNING_LEVEL, "basis": "reading"},
        {"name": "guaranteed", "above": GUARANTEED_LEVEL, "basis": "reading"},
    ]
    stream = {
        "name": "water level below the dam",
        "description": "fictional",
        "observationType": _MEASUREMENT,
        "unitOfMeasurement": {"name": "metre", "symbol": "m", "definition": "ucum:m"},
        "properties": {"thresholds": thresholds},
        "ObservedProperty": {"name": "water level", "description": "water level", "definition": "water_level"},
        "Sensor": {
            "name": "gauge",
            "description": "fictional",
            "encodingType": "text/plain",
            "metadata": "fictional",
        },
    }
    place = {"name": "dam", "description": "dam", "encodingType": "application/geo+json", "location": point}
    mark = {"properties": {"exercise": True}} if played else {}
    return {"name": name, "description": "fictional", **mark, "Locations": [place], "Datastreams": [stream]}


def _told(found: Any) -> str:
    """An impact in one line."""
    people, ways = found.get("people"), found.get("ways")
    said = [] if people is None else [f"{people['value']:,.0f} people"]
    said += [_figure(one) for one in found["sections"] if one.get("total")]
    if ways is not None and ways["status"] == "ok":
        said.append(f"{ways['closed_edges']} roads closed, {ways['isolated']} settlements cut off")
    return "; ".join(said)


def _figure(section: Any) -> str:
    """What a layer has in the zone: a name, a number, and its unit unless things are counted."""
    unit = "" if section["unit"] == "1" else f" {section['unit']}"
    return f"{section['title']['en']} {section['total']['value']:,.0f}{unit}"


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
