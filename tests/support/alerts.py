"""Alerts for tests: messages written by hand, and a service that takes them, with two counties that they warn."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import shapely
from fastapi.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.engine import Database
from layers.access import Clearance
from layers.catalog import Catalog, read_catalog
from tests.support.editing import give_key
from tests.support.zones import plant, prepare

ALL = read_catalog()
CATALOG = Catalog({name: ALL.layer(name) for name in ("cap_alert", "division")}, ALL.codelists)
EAST, WEST = shapely.box(80.1, 40.0, 80.2, 40.1), shapely.box(80.0, 40.0, 80.1, 40.1)
COUNTIES = {"990101": WEST, "990102": EAST}
"""Where latitude and longitude could be swapped without leaving the globe."""
POLYGON = "40.02,80.02 40.02,80.08 40.08,80.08 40.08,80.02 40.02,80.02"
WHO: dict[str, tuple[Clearance, list[str]]] = {
    "bearer": (Clearance.RESTRICTED, ["alert"]),
    "author": (Clearance.INTERNAL, ["alert", "release"]),
    "officer": (Clearance.PUBLIC, ["release"]),
    "reader": (Clearance.RESTRICTED, []),
    "insider": (Clearance.INTERNAL, []),
}
Json = dict[str, Any]


def moment(hours: float = 0.0) -> str:
    """A time so many hours from now, in Beijing, as CAP writes it."""
    zone = dt.timezone(dt.timedelta(hours=8))
    return (dt.datetime.now(zone) + dt.timedelta(hours=hours)).isoformat(timespec="seconds")


def area(polygon: str | None = POLYGON, **codes: str) -> str:
    """An area element."""
    drawn = f"<polygon>{polygon}</polygon>" if polygon else ""
    named = "".join(
        f"<geocode><valueName>{name}</valueName><value>{value}</value></geocode>" for name, value in codes.items()
    )
    return f"<area><areaDesc>谷地 valley</areaDesc>{drawn}{named}</area>"


def info(areas: str | None = None, **more: str) -> str:
    """An info element; keywords replace single elements."""
    values = {
        "language": "zh-CN",
        "event": "洪水",
        "severity": "Severe",
        "expires": moment(6),
        "headline": "洪水橙色预警",
    }
    values |= more
    parts = [
        f"<language>{values['language']}</language><category>Met</category><event>{values['event']}</event>",
        f"<urgency>Immediate</urgency><severity>{values['severity']}</severity><certainty>Likely</certainty>",
        f"<expires>{values['expires']}</expires><headline>{values['headline']}</headline>",
        area() if areas is None else areas,
    ]
    return f"<info>{''.join(parts)}</info>"


def cap(identifier: str, infos: str | None = None, **more: str) -> bytes:
    """A message; keywords replace or add elements of `alert`."""
    values = {
        "identifier": identifier, "sender": "eoc@test.example", "sent": moment(-1), "status": "Actual",
        "msgType": "Alert", "scope": "Public",
    } | more  # fmt: skip
    order = ("identifier", "sender", "sent", "status", "msgType", "scope", "restriction", "addresses", "references")
    parts = "".join(f"<{name}>{escape(values[name])}</{name}>" for name in order if name in values)
    body = info() if infos is None else infos
    text = f'<?xml version="1.0" encoding="UTF-8"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">{parts}{body}'
    return f"{text}</alert>".encode()


def named(message: bytes) -> str:
    """How another message refers to one."""
    text = message.decode()
    parts = (text.split(f"<{tag}>")[1].split("<")[0] for tag in ("sender", "identifier", "sent"))
    return ",".join(parts)


@dataclass
class Watch:
    """A running service that takes alerts, and its keys."""

    client: TestClient
    database: Database
    keys: dict[str, str]

    def ask(self, method: str, path: str, who: str | None = None, **more: Any) -> Any:
        """A request as somebody."""
        headers = {**({} if who is None else {"X-API-Key": self.keys[who]}), **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def hand_in(self, message: bytes, who: str | None = "bearer", media: str = "application/cap+xml") -> Any:
        """Hand a document in."""
        return self.ask("POST", "/alerts", who, content=message, headers={"Content-Type": media})

    def taken(self, message: bytes) -> Json:
        """Hand a message in that is taken, and tell what became of it."""
        answer = self.hand_in(message)
        assert answer.status_code in (200, 201), answer.text
        found: Json = answer.json()["alerts"][0]
        return found

    def listed(self, query: str = "", who: str | None = None) -> list[str]:
        """Identifiers of a list of alerts."""
        answer = self.ask("GET", f"/alerts{query}", who)
        assert answer.status_code == 200, answer.text
        return [one["identifier"] for one in answer.json()["alerts"]]

    def drawn(self, who: str | None = None) -> list[Json]:
        """Features of the layer of alerts."""
        found: list[Json] = self.ask("GET", "/collections/cap_alert/items?limit=1000&f=json", who).json()["features"]
        return found


@contextmanager
def keeping_watch(database: Database, **settings: Any) -> Iterator[Watch]:
    """The service over the layers of alerts and divisions."""
    prepare(database, CATALOG)
    division: Any = CATALOG.layer("division")
    rows = [
        {"adcode": code, "level": "county", "name_zh": code, "population": 1000, "geom": shape}
        for code, shape in COUNTIES.items()
    ]
    plant(database, division, rows)
    keys = {who: give_key(database, *held) for who, held in WHO.items()}
    app = create_app(database.settings.model_copy(update=settings), CATALOG)
    with TestClient(app, base_url="http://testserver", raise_server_exceptions=False) as client:
        yield Watch(client, database, keys)
