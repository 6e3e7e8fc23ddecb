"""The service finds out which access net its server has, also when the server is away at the start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from tests.support.service import Service, fill, running, service_catalog
from tests.support.zones import prepare

CATALOG = service_catalog()
ZONE = {"bbox": [105.0, 38.0, 105.2, 38.2]}
PATHS = (
    "/collections/spot",
    "/collections/spot/items?limit=5",
    "/collections/reading/items?limit=5",
    "/collections/spot/tiles/WebMercatorQuad/0/0/0",
)


def rename(database: Database, old: str, new: str) -> None:
    """Take a database away, as while it is being restored, or bring it back."""
    with database.psycopg(Role.ADMIN, autocommit=True, dbname="postgres") as admin:
        statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        admin.execute(statement.format(sql.Identifier(old), sql.Identifier(new)))


def answers(service: Service) -> list[bytes]:
    """What the public is told along all ways that read rows."""
    responses = [service.get(path) for path in PATHS]
    responses.append(service.client.post("/analysis/zone", json=ZONE))
    assert [r.status_code for r in responses] == [200] * len(responses), [r.text[:200] for r in responses]
    return [r.content for r in responses]


@contextmanager
def service_started_blind(database: Database) -> Iterator[Service]:
    """The application, started without keys: those are made in the database, which may be away."""
    app = create_app(database.settings, CATALOG)
    with TestClient(app, base_url="http://testserver", raise_server_exceptions=False) as client:
        yield Service(client, database, CATALOG, {})


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> Database:
    """A database with the canary rows."""
    fill(database, CATALOG, tmp_path)
    return database


def test_views_serve_what_policies_serve(filled: Database) -> None:
    with running(filled, CATALOG) as service:
        with_policies = answers(service)
    prepare(filled, CATALOG, "views")
    with running(filled, CATALOG) as service:
        assert service.client.app.state.house.reading.mode == "views"  # type: ignore[attr-defined]
        assert answers(service)[1:4] == with_policies[1:4]


def test_a_server_that_is_away_at_the_start_is_asked_again(filled: Database) -> None:
    prepare(filled, CATALOG, "views")
    with running(filled, CATALOG) as service:
        expected = answers(service)
    away = f"{filled.name}_away"
    rename(filled, filled.name, away)
    with service_started_blind(filled) as service:
        house = service.client.app.state.house  # type: ignore[attr-defined]
        assert not house.settled
        assert service.get("/health/ready").status_code == 503
        rename(filled, away, filled.name)
        assert answers(service)[1:4] == expected[1:4]
        assert (house.settled, house.reading.mode) == (True, "views")
