"""The service as a job asks it: every way in knows whose question it is, the short ones included."""

from __future__ import annotations

import asyncio

import pytest

from geoservice import front
from geoservice.app import create_app
from geoservice.db.engine import Database
from geoservice.processes.model import Call
from layers.access import Clearance, Principal
from layers.errors import BadBody
from tests.support.service import fill, service_catalog

SHORT, LONG = "/collections/way/items", "/collections/way/items?limit=5&f=json"


@pytest.fixture(scope="module")
def stocked(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Database:
    fill(module_database, service_catalog(), tmp_path_factory.mktemp("canary"))
    return module_database


@pytest.mark.parametrize("path", [SHORT, LONG, "/collections/way", "/collections"])
def test_a_job_asks_as_whoever_ordered_it(stocked: Database, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(front, "create_app", lambda settings: create_app(settings, service_catalog()))

    def asked(clearance: Clearance) -> object:
        place, _, query = path.partition("?")
        call = Call("GET", place, dict(pair.split("=") for pair in query.split("&") if pair), None)
        return asyncio.run(front.ask(stocked.settings, Principal("key-1", clearance), call))

    assert asked(Clearance.RESTRICTED)
    if path == "/collections":
        assert "way" not in str(asked(Clearance.PUBLIC))
        assert "way" in str(asked(Clearance.RESTRICTED))
    else:
        with pytest.raises(BadBody):
            asked(Clearance.PUBLIC)
