"""Reports of zones that are too large to be answered while somebody waits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import sqlalchemy as sa

from geoservice import front
from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.house import House
from geoservice.jobs.execute import principal_of
from geoservice.processes.model import Call
from layers.access import Clearance
from tests.geoservice.reports.conftest import Office, question

# Less than the zone has, 0.2 by 0.2 degrees at 38 degrees north.
LIMIT = {"impact_max_km2": 300.0}


@pytest.fixture
def strict(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    app: Any = office.service.client.app
    house: House = app.state.house
    monkeypatch.setattr(house, "settings", house.settings.model_copy(update=LIMIT))
    return office


def test_a_report_of_a_large_zone_is_a_job(strict: Office) -> None:
    key = {"X-API-Key": strict.service.keys[Clearance.RESTRICTED]}
    wanted: tuple[tuple[str, dict[str, Any]], ...] = (
        ("/reports", {"impact": question(), "lang": "en"}),
        ("/impact?f=pdf&lang=en", question()),
    )
    for path, body in wanted:
        accepted = strict.post(path, body)
        assert accepted.status_code == 202, accepted.text
        assert accepted.headers["location"].endswith(f"/jobs/{accepted.json()['id']}")
        job = strict.service.get(f"/jobs/{accepted.json()['id']}", Clearance.RESTRICTED).json()
        assert job["inputs"] == json.loads(json.dumps({"impact": question(), "lang": "en"}))
        assert strict.service.client.delete(f"/jobs/{accepted.json()['id']}", headers=key).is_success
    refused = strict.post("/impact?f=pdf", question(), None)
    assert refused.status_code == 413
    assert "300 km2" in refused.json()["detail"]


def test_the_job_makes_the_report(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    # The runner reads the catalog of the installation; here it is that of the sample.
    monkeypatch.setattr(front, "create_app", lambda settings: create_app(settings, office.service.catalog))
    with office.database.transaction(Role.WRITER) as connection:
        owner = connection.execute(sa.text("SELECT owner FROM report.report LIMIT 1")).scalar_one()
        principal = principal_of(connection, owner)
    settings = office.database.settings.model_copy(update={**LIMIT, "report_timeout": 1800.0, "map_timeout": 300.0})
    call = Call("POST", "/reports", {}, {"impact": question(), "lang": "en"})
    made = asyncio.run(front.ask(settings, principal, call))
    place = f"/reports/{made['id']}"
    kept = office.service.get(f"{place}?f=pdf", Clearance.RESTRICTED)
    assert kept.content.startswith(b"%PDF-")
    key = {"X-API-Key": office.service.keys[Clearance.RESTRICTED]}
    assert office.service.client.delete(place, headers=key).status_code == 204
