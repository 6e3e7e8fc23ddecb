"""The real application over a real database, with canaries: rows whose text tells the clearance they belong to."""

from __future__ import annotations

import gzip
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
from geoservice.gazetteer import index
from geoservice.ladder import lagging, renew
from geoservice.security.keys import make_key
from layers.access import Clearance
from layers.catalog import Catalog
from layers.system import api_key
from tests.support.loading import BASE, load_file, prepared, trial_catalog, trial_layer, write_rows

SQUARE = shapely.box(105.0, 38.0, 105.2, 38.2)


def canary(clearance: Clearance, layer: str, number: int) -> str:
    """Text that must never reach anybody below a clearance."""
    return f"CNRY-{int(clearance)}-{layer}-{number}"


def service_catalog() -> Catalog:
    """One layer per clearance and kind: points (public, with rows and an attribute above), areas, lines, a series."""
    attributes: dict[str, Any] = {**BASE["attributes"], "station": {"type": "text"}, "moment": {"type": "datetime"}}
    series_attributes = {k: attributes[k] for k in ("station", "moment", "amount", "secret")}
    return trial_catalog(
        trial_layer(
            "spot",
            exposure={"role": "facility", "measure": "count", "listed": True},
            label={"zh": "name", "en": "name"},
            names={"class": "spot", "aliases": ["code", "secret"]},
        ),
        trial_layer(
            "area",
            geometry="polygon",
            clearance="internal",
            style={"fill": "#aabbcc"},
            tiles={"mosaic": {"by": "name", "below": 8}},
            exposure={"role": "land", "measure": "area", "by": "name"},
            compliance=[{"role": "land", "by": "name"}],
        ),
        trial_layer("way", geometry="line", clearance="restricted", style={"line": {"colour": "#aa3333"}}),
        trial_layer(
            "reading",
            kind="table",
            storage="series",
            geometry=None,
            style=None,
            key=["station", "moment"],
            time="moment",
            row_clearance=None,
            attributes=series_attributes,
            sources={"csv": {"match": ["*.csv"]}},
        ),
    )


@dataclass
class Service:
    """A running application and a key per clearance."""

    client: TestClient
    database: Database
    catalog: Catalog
    keys: dict[Clearance, str]

    def get(self, path: str, clearance: Clearance | None = None, **headers: str) -> Any:
        """GET as the anonymous public, or with the key of a clearance."""
        if clearance is not None:
            headers["X-API-Key"] = self.keys[clearance]
        return self.client.get(path, headers=headers)


def make_keys(database: Database) -> dict[Clearance, str]:
    """One fresh API key per clearance."""
    keys = {}
    with database.transaction(Role.WRITER) as connection:
        for clearance in Clearance:
            made = make_key()
            values = {"id": made.id, "name": clearance.label, "digest": made.digest, "clearance": int(clearance)}
            connection.execute(sa.insert(api_key).values(**values))
            keys[clearance] = made.text
    return keys


def spot_rows(number: int = 30) -> list[dict[str, Any]]:
    """Points inside the square; rows take turns in being public, internal and restricted."""
    rows = []
    for i in range(number):
        level = Clearance(i % 3)
        rows.append(
            {
                "code": canary(level, "spot", i),
                "name": f"点 {i}",
                "amount": float(i),
                "level": level.label,
                "secret": canary(Clearance.RESTRICTED, "attribute", i),
                "seen": f"2026-{1 + i % 12:02}-15",
                "geometry": shapely.Point(105.001 + i / 200, 38.001 + i / 200),
            }
        )
    return rows


def bad_spot() -> dict[str, Any]:
    """A row that goes to quarantine, full of canaries."""
    told = canary(Clearance.RESTRICTED, "quarantine", 0)
    return {**spot_rows(1)[0], "code": told, "name": told, "level": told, "secret": told}


def make_loader(database: Database, clearance: Clearance) -> str:
    """A fresh API key that may load."""
    made = make_key()
    values = {"id": made.id, "name": "loader", "digest": made.digest, "clearance": int(clearance), "rights": ["load"]}
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values))
    return made.text


def fill(database: Database, catalog: Catalog, folder: Path) -> None:
    """Load the canary rows of every layer."""
    target = prepared(database, catalog)
    load_file(catalog, target, "spot", write_rows(folder / "spot.gpkg", [*spot_rows(), bad_spot()]))
    areas = [
        {
            "code": canary(Clearance.INTERNAL, "area", i),
            "name": f"class {i % 2}",
            "level": None,
            "secret": canary(Clearance.RESTRICTED, "attribute", i),
            "geometry": shapely.box(105 + i / 20, 38, 105 + (i + 1) / 20, 38.2),
        }
        for i in range(4)
    ]
    load_file(catalog, target, "area", write_rows(folder / "area.gpkg", areas))
    line = {"code": canary(Clearance.RESTRICTED, "way", 0), "geometry": shapely.LineString([(105, 38), (105.2, 38.2)])}
    load_file(catalog, target, "way", write_rows(folder / "way.gpkg", [line]))
    readings = folder / "reading.csv"
    secret = canary(Clearance.RESTRICTED, "attribute", 0)
    lines = [f"s{i % 2},2026-0{1 + i // 20}-01T0{i % 10}:00:00Z,{i}.5,{secret}" for i in range(40)]
    readings.write_text("station,moment,amount,secret\n" + "\n".join(lines) + "\n", encoding="utf-8")
    load_file(catalog, target, "reading", readings)
    for layer in lagging(database, catalog):
        renew(database, layer)
    for named in index.behind(database, catalog):
        index.renew(database, named)


@contextmanager
def running(database: Database, catalog: Catalog, **settings: object) -> Iterator[Service]:
    """The application, started, with some settings of its own; keys are made anew."""
    app = create_app(database.settings.model_copy(update=settings), catalog)
    with TestClient(app, base_url="http://testserver", raise_server_exceptions=False) as client:
        yield Service(client, database, catalog, make_keys(database))


def plain_bytes(response: Any) -> bytes:
    """Body of a response; httpx has undone its encoding, a doubly packed body is unpacked too."""
    body: bytes = response.content
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
