"""A running service whose layers may be edited, with keys that may do so and keys that may not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
import sqlalchemy as sa
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.security.keys import make_key
from layers.access import Clearance
from layers.catalog import Catalog
from layers.system import api_key
from tests.support.loading import BASE, load_file, prepared, trial_catalog, trial_layer, write_rows

WHO = {
    "editor": (Clearance.RESTRICTED, ["edit"]),
    "clerk": (Clearance.INTERNAL, ["edit:spot", "edit:field"]),
    "themed": (Clearance.RESTRICTED, ["edit:trial/"]),
    "loader": (Clearance.RESTRICTED, ["load"]),
    "reader": (Clearance.RESTRICTED, []),
}
"""Clearance and rights of each key."""
EDITS_OF_OTHERS = ["edit:other", "edit:other/", "edits", "edit:", "edit:spo"]


def editing_catalog() -> Catalog:
    """Points with hidden rows and a hidden attribute, polygons with rules, keyless lines, a table, a series."""
    amount = {**BASE["attributes"]["amount"], "range": [0, 100]}
    plain = {"code": BASE["attributes"]["code"], "name": {"type": "text"}, "amount": amount}
    table = {"kind": "table", "geometry": None, "style": None, "row_clearance": None, "time": None}
    return trial_catalog(
        trial_layer("spot"),
        trial_layer(
            "field",
            geometry="polygon",
            style={"fill": "#2e8b57"},
            row_clearance=None,
            time=None,
            attributes={**plain, "spot": {"type": "text"}},
            checks=[
                {"rule": "minimum-size", "area": "5000 m2"},
                {"rule": "referential", "attribute": "spot", "layer": "trial/spot", "by": "code"},
            ],
        ),
        trial_layer(
            "way",
            geometry="line",
            key=None,
            row_clearance=None,
            time=None,
            attributes={"name": {"type": "text"}},
            style={"line": {"colour": "#aa3333"}},
        ),
        trial_layer("register", **table, attributes=plain, sources={"csv": {"match": ["*.csv"]}}),
        trial_layer("vault", clearance="restricted"),
        trial_layer(
            "reading",
            **{**table, "time": "moment"},
            storage="series",
            key=["code", "moment"],
            attributes={"code": {"type": "text"}, "moment": {"type": "datetime"}, "amount": {"type": "number"}},
            sources={"csv": {"match": ["*.csv"]}},
        ),
    )


def first_spots() -> list[dict[str, Any]]:
    """Nine points that take turns in being public, internal and restricted."""
    levels = [level.label for level in Clearance]
    return [
        {
            "code": f"p{i}",
            "name": f"点 {i}",
            "amount": float(i),
            "level": levels[i % 3],
            "secret": f"hidden {i}",
            "seen": f"2026-0{1 + i}-15",
            "geometry": shapely.Point(105 + i / 100, 38 + i / 100),
        }
        for i in range(9)
    ]


@dataclass
class Office:
    """A running service and its keys."""

    client: TestClient
    database: Database
    catalog: Catalog
    keys: dict[str, str]

    def ask(self, method: str, path: str, who: str | None = "editor", **more: Any) -> Any:
        """A request as somebody; a `json` body goes as GeoJSON unless a Content-Type is given."""
        headers = {**({} if who is None else {"X-API-Key": self.keys[who]}), **more.pop("headers", {})}
        if "json" in more and "Content-Type" not in headers:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/geo+json"
        return self.client.request(method, path, headers=headers, **more)

    def create(self, layer: str, properties: dict[str, Any], geometry: Any = None, **more: Any) -> Any:
        """Create a feature."""
        body = {"type": "Feature", "geometry": geometry, "properties": properties}
        return self.ask("POST", f"/collections/{layer}/items", json=body, **more)

    def get(self, layer: str, key: str, who: str | None = "editor") -> Any:
        """A feature as GeoJSON."""
        return self.ask("GET", f"/collections/{layer}/items/{key}", who)

    def editions(self, layer: str) -> int:
        """How many editions a layer has."""
        with self.database.psycopg(Role.WRITER) as connection:
            found = connection.execute("SELECT count(*) FROM meta.edition WHERE layer = %s", (layer,)).fetchone()
        assert found is not None
        return int(found[0])


def give_key(database: Database, clearance: Clearance, rights: list[str]) -> str:
    """A fresh API key."""
    made = make_key()
    values = {"id": made.id, "name": "test", "digest": made.digest, "clearance": int(clearance), "rights": rights}
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values))
    return made.text


@contextmanager
def open_office(database: Database, folder: Path, **settings: Any) -> Iterator[Office]:
    """The service over the layers of `editing_catalog`, with some points in it."""
    catalog = editing_catalog()
    target = prepared(database, catalog)
    load_file(catalog, target, "spot", write_rows(folder / "spot.gpkg", first_spots()))
    keys = {who: give_key(database, *held) for who, held in WHO.items()}
    keys["stranger"] = give_key(database, Clearance.RESTRICTED, EDITS_OF_OTHERS)
    app = create_app(database.settings.model_copy(update=settings), catalog)
    with TestClient(app, base_url="http://testserver", raise_server_exceptions=False) as client:
        yield Office(client, database, catalog, keys)


def point(lon: float, lat: float) -> dict[str, Any]:
    """A GeoJSON point."""
    return {"type": "Point", "coordinates": [lon, lat]}


def square(west: float, south: float, side: float = 0.01) -> dict[str, Any]:
    """A GeoJSON square."""
    shape: dict[str, Any] = shapely.geometry.mapping(shapely.box(west, south, west + side, south + side))
    return shape
