"""Metrics: for the holder of the token alone, with bounded labels, and of all worker processes together."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import morecantile
import pytest
import shapely
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import SecretStr
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.ladder import renew
from geoservice.metrics.figures import families
from geoservice.metrics.meter import SHARED, PrometheusMeter, forget_dead, share
from geoservice.settings import Settings
from layers.catalog import Catalog
from layers.errors import DatabaseUnavailable
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, write_rows
from tests.support.patches import mesh, patches
from tests.support.service import Service, make_keys, running

TOKEN = "t0" * 16
GRID = morecantile.tms.get("WebMercatorQuad")
LAYER = patches()
ROWS = mesh(4, 4, 3)


@pytest.fixture(scope="module")
def served(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    catalog = trial_catalog(LAYER)
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        load_file(catalog, target, "patch", write_rows(tmp_path_factory.mktemp("m") / "patch.gpkg", ROWS))
        settings = database.settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})
        app = create_app(settings, catalog)
        with TestClient(app, base_url="http://testserver", raise_server_exceptions=False) as client:
            yield Service(client, database, catalog, make_keys(database))


def samples(served: Service) -> list[Sample]:
    page = served.get("/metrics", Authorization=f"Bearer {TOKEN}")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert page.headers["cache-control"] == "no-store"
    return [sample for family in text_string_to_metric_families(page.text) for sample in family.samples]


def value(found: list[Sample], name: str, **labels: str) -> float:
    return sum(s.value for s in found if s.name == name and labels.items() <= s.labels.items())


def test_without_a_token_there_is_nothing(served: Service) -> None:
    with running(served.database, served.catalog) as plain:
        answer = plain.get("/metrics")
        assert answer.status_code == 404
        assert plain.get("/metrics", Authorization=f"Bearer {TOKEN}").status_code in (401, 404)


@pytest.mark.parametrize("shown", [None, "Bearer wrong", f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", "Bearer \xe9"])
def test_only_the_token_opens_them(served: Service, shown: str | None) -> None:
    headers = {} if shown is None else {b"authorization": shown.encode("latin-1")}
    answer = served.client.get("/metrics", headers=headers)
    assert answer.status_code == 401
    assert "geoservice_requests" not in answer.text


def test_a_key_of_the_service_does_not_open_them(served: Service) -> None:
    assert served.client.get("/metrics", headers={"X-API-Key": next(iter(served.keys.values()))}).status_code == 401


def test_requests_and_tiles_are_counted_by_names_of_ours(served: Service) -> None:
    tile = "/collections/patch/tiles/WebMercatorQuad/14/{}/{}"
    place = GRID.tile(*shapely.get_coordinates(ROWS[0]["geometry"].centroid)[0], 14)
    row, column = place.y, place.x
    before = samples(served)
    for _ in range(3):
        assert served.get(tile.format(row, column)).status_code in (200, 204)
    assert served.get(tile.format(row, 10**9)).status_code == 404
    assert served.client.head("/collections").status_code == 200
    for number in range(40):
        served.get(f"/secret-{number}?key=gs_secret")
    found = samples(served)
    template = "/collections/{collection_id}/tiles/{tile_matrix_set}/{tile_matrix}/{tile_row}/{tile_col}"

    def more(name: str, **labels: str) -> float:
        return value(found, name, **labels) - value(before, name, **labels)

    assert more("geoservice_requests_total", route=template) == 4
    assert more("geoservice_requests_total", route=template, status="404") == 1
    assert more("geoservice_requests_total", route="/collections", method="HEAD") == 1
    assert more("geoservice_requests_total", route="unmatched", status="404") == 40
    assert more("geoservice_tile_seconds_count", layer="patch", zoom="14") == 3
    assert value(found, "geoservice_tile_seconds_bucket", layer="patch", zoom="14", le="+Inf") >= 3
    assert 0 < value(found, "geoservice_request_seconds_sum", route=template) < 600
    assert value(found, "geoservice_database_up") == 1
    assert all("secret" not in text for sample in found for text in sample.labels.values())
    routes = {sample.labels["route"] for sample in found if sample.name == "geoservice_requests_total"}
    assert all(route.startswith("/") or route == "unmatched" for route in routes)


def test_the_ladder_says_how_far_it_lags(served: Service) -> None:
    found = samples(served)
    assert value(found, "geoservice_ladder_lag_editions", layer="patch") == 1
    assert 0 < value(found, "geoservice_ladder_lag_seconds", layer="patch") < 3600
    assert renew(served.database, LAYER) is not None
    found = samples(served)
    assert value(found, "geoservice_ladder_lag_editions", layer="patch") == 0
    assert value(found, "geoservice_ladder_lag_seconds", layer="patch") == 0


def test_pools_are_seen(served: Service) -> None:
    found = samples(served)
    states = {s.labels["state"] for s in found if s.name == "geoservice_pool_connections"}
    assert states == {"busy", "idle"}


def test_while_the_database_is_away_the_page_says_so() -> None:
    class Away:
        @contextmanager
        def transaction(self) -> Iterator[None]:
            raise DatabaseUnavailable("It is away.")
            yield

    (up,) = families(Away(), Catalog())  # type: ignore[arg-type]
    assert [sample.value for sample in up.samples] == [0]


WORK = (
    "from geoservice.metrics.meter import PrometheusMeter as M; m = M(); m.cache('memory', 'hit'); m.tile('a', 7, 0.1)"
)
READ = "from geoservice.metrics.meter import PrometheusMeter as M; print(M().page().decode())"


def test_the_figures_of_all_worker_processes_are_added(tmp_path: Path) -> None:
    environment = {**os.environ, SHARED: str(tmp_path)}
    for _ in range(3):
        subprocess.run([sys.executable, "-c", WORK], env=environment, check=True)
    page = subprocess.run([sys.executable, "-c", READ], env=environment, check=True, capture_output=True, text=True)
    found = [sample for family in text_string_to_metric_families(page.stdout) for sample in family.samples]
    assert value(found, "geoservice_cache_total", tier="memory", outcome="hit") == 3
    assert value(found, "geoservice_tile_seconds_count", layer="a", zoom="7") == 3


def test_gauges_of_processes_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for number in (gone.pid, os.getpid()):
        (tmp_path / f"gauge_livesum_{number}.db").touch()
        (tmp_path / f"counter_{number}.db").touch()
    forget_dead(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        f"gauge_livesum_{os.getpid()}.db",
        f"counter_{os.getpid()}.db",
        f"counter_{gone.pid}.db",
    }


def test_a_service_that_starts_begins_with_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SHARED, "elsewhere")
    (tmp_path / "counter_1.db").touch()
    share(tmp_path)
    assert not list(tmp_path.iterdir())
    assert os.environ[SHARED] == str(tmp_path)


def test_each_application_counts_for_itself() -> None:
    one, other = PrometheusMeter(), PrometheusMeter()
    one.cache("disk", "miss")
    assert b'geoservice_cache_total{outcome="miss",tier="disk"} 1.0' in one.page()
    assert b"miss" not in other.page()
