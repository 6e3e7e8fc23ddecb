"""A running SensorThings for tests, keys that may write observations, and entities as the standard has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.security.keys import make_key
from geoservice.sensorthings.render import MOUNT
from geoservice.settings import Settings
from layers.access import OBSERVE, Clearance
from layers.catalog import Catalog
from layers.system import api_key
from tests.support.database import copied_database
from tests.support.loading import prepared
from tests.support.service import Service, running

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
ANYTHING = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation"
ROOT = f"http://testserver{MOUNT}"


@dataclass
class Sta:
    """SensorThings of a running service, asked with the keys of observers."""

    service: Service
    observers: dict[Clearance, str]

    def get(self, path: str, key: str | None = None, **options: str) -> Any:
        """GET below the service root (or a whole address), as the public or with a key; options by name without $."""
        address = path if path.startswith("http") else f"{MOUNT}/{path}"
        query = {f"${name}": value for name, value in options.items()} or None
        return self.service.client.get(address, params=query, headers={"X-API-Key": key} if key else {})

    def values(self, path: str, key: str | None = None, **options: str) -> list[Any]:
        """The entities of a set."""
        answer = self.get(path, key, **options)
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json()["value"]
        return found

    def send(self, method: str, path: str, body: Any = None, level: Clearance = Clearance.RESTRICTED) -> Any:
        """POST, PATCH or DELETE as an observer of a clearance."""
        headers = {"X-API-Key": self.observers[level]}
        return self.service.client.request(method, f"{MOUNT}/{path}", json=body, headers=headers)

    def make(self, path: str, body: Any, level: Clearance = Clearance.RESTRICTED) -> int:
        """POST an entity that is well, and tell its number."""
        answer = self.send("POST", path, body, level)
        assert answer.status_code == 201, answer.text
        number: int = answer.json()["@iot.id"]
        return number


def make_observer(database: Database, clearance: Clearance) -> str:
    """A fresh API key that may write observations."""
    made = make_key()
    values = {"id": made.id, "name": "observer", "digest": made.digest, "clearance": int(clearance)}
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values, rights=[OBSERVE]))
    return made.text


@contextmanager
def running_sta(settings: Settings) -> Iterator[Sta]:
    """SensorThings over a database of its own that holds nothing."""
    with copied_database(settings) as database:
        prepared(database, Catalog())
        with running(database, Catalog()) as service:
            yield Sta(service, {level: make_observer(database, level) for level in Clearance})


def named(name: str, **more: Any) -> dict[str, Any]:
    """What every entity has."""
    return {"name": name, "description": f"about {name}", **more}


def location(name: str, x: float, y: float) -> dict[str, Any]:
    """A place in degrees."""
    point = {"type": "Point", "coordinates": [x, y]}
    return named(name, encodingType="application/geo+json", location=point)


def sensor(name: str = "DHT22") -> dict[str, Any]:
    """An instrument."""
    return named(name, encodingType="application/pdf", metadata="https://example.org/DHT22.pdf")


def observed(name: str) -> dict[str, Any]:
    """An observed property."""
    return named(name, definition=f"http://example.org/{name}")


def stream(name: str, kind: str = MEASUREMENT, **more: Any) -> dict[str, Any]:
    """A datastream with a sensor and a property of its own, in degrees Celsius."""
    unit = {"name": "degree Celsius", "symbol": "Cel", "definition": "http://unitsofmeasure.org/ucum.html#para-30"}
    new = {"Sensor": sensor(), "ObservedProperty": observed(f"{name} property")}
    return named(name, observationType=kind, unitOfMeasurement=unit, **{**new, **more})


def reading(hour: int, result: Any, **more: Any) -> dict[str, Any]:
    """An observation of 1 July 2026."""
    return {"phenomenonTime": f"2026-07-01T{hour:02}:00:00Z", "result": result, **more}


def oven() -> dict[str, Any]:
    """The example of deep insertion of the standard (18-088, 10.2.2): a thing with all that hangs on it."""
    return named(
        "Temperature Monitoring System",
        properties={"Deployment Condition": "Deployed in a third floor balcony", "Case Used": "Radiation shield"},
        Locations=[location("CCIT", -114.133, 51.08)],
        Datastreams=[stream("oven temperature", Observations=[reading(8, 20.5), reading(9, 21.0), reading(10, 22.25)])],
    )
