"""Features as of an instant over HTTP: parameters, pages, caching, access, behind both nets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.access import Clearance
from layers.system import edition
from tests.support.loading import load_file, prepared, write_rows
from tests.support.service import Service, running, service_catalog, spot_rows
from tests.support.zones import prepare

CATALOG = service_catalog()
PATH = "/collections/spot/items"


@pytest.fixture(scope="module")
def service(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A layer of points of all clearances, loaded three times: made, renamed, half of it moved."""
    folder = tmp_path_factory.mktemp("past")
    target = prepared(module_database, CATALOG)
    for number in range(3):
        rows = [{**row, "name": f"{row['name']} v{number}"} for row in spot_rows(12 + number)]
        load_file(CATALOG, target, "spot", write_rows(folder / f"spot{number}.gpkg", rows))
    with running(module_database, CATALOG) as made:
        yield made


def times(service: Service) -> list[dt.datetime]:
    """Instants of the editions of the layer, in order."""
    statement = sa.select(edition.c.committed).where(edition.c.layer == "spot").order_by(edition.c.id)
    with service.database.transaction(Role.OWNER) as connection:
        return list(connection.execute(statement).scalars())


def written(instant: dt.datetime) -> str:
    """An instant as it stands in an address."""
    return quote(instant.isoformat())


def names(service: Service, query: str, clearance: Clearance | None = Clearance.RESTRICTED) -> list[str]:
    """Names of all features that a query finds, over pages of five."""
    found: list[str] = []
    path: str | None = f"{PATH}?limit=5&{query}"
    while path is not None:
        page = service.get(path, clearance).json()
        found += [feature["properties"]["name"] for feature in page["features"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        parts = urlsplit(following[0]) if following else None
        path = f"{parts.path}?{parts.query}" if parts else None
    return found


@pytest.mark.parametrize("mode", ["policies", "views"])
def test_pages_show_what_held_then(service: Service, mode: Any) -> None:
    prepare(service.database, CATALOG, mode)
    instants = times(service)
    with running(service.database, CATALOG) as fresh:
        assert fresh.client.app.state.house.reading.mode == mode  # type: ignore[attr-defined]
        for number, instant in enumerate(instants):
            expected = [f"点 {i} v{number}" for i in range(12 + number)]
            assert names(fresh, f"as-of={written(instant)}") == expected
            public = [name for i, name in enumerate(expected) if i % 3 == 0]
            assert names(fresh, f"as-of={written(instant)}", None) == public
            earlier = f"as-of={written(instant - dt.timedelta(microseconds=1))}"
            assert len(names(fresh, earlier)) == (12 + number - 1 if number else 0)
    with service.database.transaction(Role.OWNER) as connection:
        schemas = [s for s in sa.inspect(connection).get_schema_names() if s.startswith("read_")]
        for schema in schemas:
            connection.execute(sa.schema.DropSchema(schema, cascade=True))
    prepare(service.database, CATALOG)


def test_an_edition_names_its_instant(service: Service) -> None:
    with service.database.transaction(Role.OWNER) as connection:
        numbers = list(
            connection.execute(sa.select(edition.c.id).where(edition.c.layer == "spot").order_by("id")).scalars()
        )
    assert names(service, f"edition={numbers[0]}") == [f"点 {i} v0" for i in range(12)]
    page = service.get(f"{PATH}?edition={numbers[1]}&limit=2").json()
    assert page["edition"] == numbers[1]
    assert "numberMatched" not in page
    for wrong in ("0", "-1", "x", "1e3", "9" * 30, str(max(numbers) + 1)):
        response = service.get(f"{PATH}?edition={wrong}")
        assert (response.status_code, response.json()["parameter"]) == (400, "edition"), wrong


def test_one_feature_as_it_was(service: Service) -> None:
    instants = times(service)
    key = service.get(f"{PATH}?limit=1").json()["features"][0]["id"]
    for number, instant in enumerate(instants):
        feature = service.get(f"{PATH}/{key}?as-of={written(instant)}").json()
        assert feature["properties"]["name"] == f"点 0 v{number}"
        assert "secret" not in feature["properties"]
    before = written(instants[0] - dt.timedelta(seconds=1))
    assert service.get(f"{PATH}/{key}?as-of={before}").status_code == 404
    hidden = service.get(f"{PATH}?limit=5", Clearance.RESTRICTED).json()["features"][2]["id"]
    assert service.get(f"{PATH}/{hidden}?as-of={written(instants[0])}").status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "2026-01-01T00:00:00Z/..",
        "2999-01-01T00:00:00Z",
        "0001-01-01T00:00:00%2B14:00",
        "infinity",
        "2026-01-01T00:00:00.1234567Z",
    ],
)
def test_what_is_no_past_instant_is_refused(service: Service, text: str) -> None:
    for path in (PATH, f"{PATH}/x"):
        response = service.get(f"{path}?as-of={text}")
        assert response.status_code == 400, response.text
        assert response.json()["parameter"] == "as-of"


def test_instant_and_edition_together_are_refused(service: Service) -> None:
    assert service.get(f"{PATH}?as-of=2026-01-01T00:00:00Z&edition=1").status_code == 400


def test_the_settled_past_may_be_kept(service: Service) -> None:
    instants = times(service)
    settled = service.get(f"{PATH}?as-of={written(instants[-1])}")
    assert settled.headers["cache-control"] == "max-age=3600"
    again = service.get(f"{PATH}?as-of={written(instants[-1])}", **{"If-None-Match": settled.headers["etag"]})
    assert again.status_code == 304
    later = instants[-1] + dt.timedelta(microseconds=1)
    assert service.get(f"{PATH}?as-of={written(later)}").headers["cache-control"] == "no-cache"
    mine = service.get(f"{PATH}?as-of={written(instants[-1])}", Clearance.INTERNAL)
    assert mine.headers["cache-control"] == "private, max-age=3600"


def test_history_is_behind_the_second_net(service: Service) -> None:
    """What a reader's role finds in history, without the service's own row rule and column choice."""
    with service.database.psycopg(Role.READER_PUBLIC) as connection:
        assert connection.execute("SELECT max(_clearance), count(*) > 0 FROM hist.spot").fetchone() == (0, True)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("SELECT secret FROM hist.spot")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("SELECT 1 FROM hist.way")


def test_a_column_that_came_later_was_empty_before(service: Service, tmp_path: Path) -> None:
    layer = CATALOG.layer("spot")
    more = {**layer.attributes, "colour": layer.attributes["name"]}
    wider = CATALOG.with_([layer.model_copy(update={"attributes": more})], [])
    prepare(service.database, wider)
    with running(service.database, wider) as fresh:
        page = fresh.get(f"{PATH}?limit=1&as-of={written(times(service)[0])}").json()
        assert page["features"][0]["properties"]["colour"] is None
