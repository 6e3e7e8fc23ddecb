"""A service with a small sample of layers, and one report of it in all its forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.settings import Settings
from layers.access import Clearance
from tests.support.database import copied_database
from tests.support.service import SQUARE, Service, fill, running, service_catalog

FORMATS = ("json", "html", "pdf", "gpkg", "xlsx")
TITLE = "=1+1 震区 <script>x</script>"


@dataclass
class Office:
    """The service, and what was made with it."""

    service: Service
    database: Database
    made: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def post(self, path: str, body: dict[str, Any], clearance: Clearance | None = Clearance.RESTRICTED) -> Any:
        headers = {"Content-Type": "application/json"}
        if clearance is not None:
            headers["X-API-Key"] = self.service.keys[clearance]
        return self.service.client.post(path, content=json.dumps(body), headers=headers)

    def end_links(self) -> None:
        """Revoke all links to the report."""
        place = f"/reports/{self.made['id']}/shares"
        headers = {"X-API-Key": self.service.keys[Clearance.RESTRICTED]}
        for one in self.service.client.get(place, headers=headers).json()["shares"]:
            assert self.service.client.delete(f"{place}/{one['id']}", headers=headers).status_code == 204


def question() -> dict[str, Any]:
    """Two classes of a flood over the square."""
    west = shapely.box(105.0, 38.0, 105.1, 38.2)
    east = shapely.box(105.1, 38.0, 105.2, 38.2)
    classes = [
        {"rank": n, "code": code, "label": {"zh": f"{code}级", "en": code}, "geometry": shapely.geometry.mapping(shape)}
        for n, (code, shape) in enumerate((("deep", west), ("shallow", east)), 1)
    ]
    method = {"id": "drawn", "version": "1", "source": "test", "title": {"zh": "手绘", "en": "Drawn"}}
    label = {"zh": "清水河洪水", "en": "Flood of the Qingshui"}
    return {"hazard": {"kind": "flood", "label": label, "method": method, "classes": classes, "status": "exercise"}}


@pytest.fixture
def links(office: Office) -> Iterator[Office]:
    """The office, whose links end with the test."""
    yield office
    office.end_links()


@pytest.fixture(scope="session")
def office(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    catalog = service_catalog()
    assert SQUARE.bounds == (105.0, 38.0, 105.2, 38.2)
    with copied_database(cluster_settings) as database:
        fill(database, catalog, tmp_path_factory.mktemp("canaries"))
        with running(database, catalog, report_timeout=1800.0, map_timeout=300.0) as service:
            found = Office(service, database)
            response = found.post("/reports", {"impact": question(), "title": TITLE, "lang": "zh"})
            assert response.status_code == 201, response.text
            found.made = response.json()
            for name in FORMATS:
                answer = service.get(f"/reports/{found.made['id']}?f={name}", Clearance.RESTRICTED)
                assert answer.status_code == 200, answer.text
                found.files[name] = answer.content
            yield found
