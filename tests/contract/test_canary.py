"""Nobody finds a row, an attribute or a name above their clearance, on any route, in any format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from urllib.parse import quote

import mapbox_vector_tile
import pytest
from fastapi.routing import APIRoute
from psycopg import errors, sql

from geoservice.db.credentials import Role
from geoservice.features.query import FeatureQuery
from geoservice.features.read import page_statement
from layers.access import ANONYMOUS, Clearance, decide
from tests.support.service import SQUARE, Service, canary, plain_bytes
from tests.support.streams import STREAMS

FOUND = re.compile(rb"CNRY-(\d)-[a-z]+-\d+")
COLLECTIONS = ("spot", "area", "way", "reading")
ASKERS: tuple[Clearance | None, ...] = (None, *Clearance)
ZOOM, ROW, COLUMN = 8, 98, 202


def level_of(asker: Clearance | None) -> Clearance:
    """What an asker may see."""
    return asker if asker is not None else Clearance.PUBLIC


def addresses(route: APIRoute) -> Iterator[str]:
    """Every filling of a route's path that could show rows."""
    keys = [quote(canary(level, "spot", n), safe="") for n, level in enumerate(Clearance)]
    keys += [quote(canary(Clearance.INTERNAL, "area", 0)), quote(canary(Clearance.RESTRICTED, "way", 0))]
    choices = {
        "collection_id": COLLECTIONS,
        "feature_id": tuple(keys),
        "tile_matrix_set": ("WebMercatorQuad",),
        "tile_matrix": (str(ZOOM),),
        "tile_row": (str(ROW),),
        "tile_col": (str(COLUMN),),
        "pixel_row": ("128",),
        "pixel_col": ("128",),
        "process_id": ("echo",),
        "result_name": ("text",),
        "sheet_number": ("J50E001010",),
        "ending": ("mvt", "json"),
        "load_number": ("1", "2", "3", "4"),
        "job_id": ("1", "2"),
        "export_id": ("1", "2"),
        "row_number": ("1", "2"),
        "upload_id": ("x" * 32,),
        "archive_name": ("open",),
        "subscription_id": ("none",),
        "alert_id": ("none",),
        "draft_id": ("none",),
        "style_id": (*COLLECTIONS, "map"),
        "resource": ("sprite.json",),
        "stack": ("Noto Sans Regular",),
        "file": ("0-255.pbf",),
        "division_code": ("990101",),
        "postcode": ("990100",),
        "entity_path": ("Things", "Observations(1)"),
        "zone_id": ("0" * 32,),
        "report_id": ("0" * 32,),
        "share_id": ("none",),
        "token": ("none",),
        "index_name": ("aqi",),
        "location_id": ("none",),
        "unit_id": ("none",),
        "mark_id": ("none",),
        "exercise_id": ("none",),
        "station_id": ("none",),
    }
    names = re.findall(r"{(\w+)(?::\w+)?}", route.path)
    for values in product(*(choices[n] for n in names)):
        path = route.path
        for name, value in zip(names, values, strict=True):
            path = re.sub(rf"{{{name}(?::\w+)?}}", value.replace("\\", ""), path)
        yield path


def all_routes(service: Service) -> list[APIRoute]:
    """All GET routes of the application, wherever they are nested."""
    found: list[APIRoute] = []
    for block in service.client.app.state.blocks:  # type: ignore[attr-defined]
        # A stream has no end; test_change_events and situation/test_stream ask them who hears what.
        routes = (r for r in block.router.routes if isinstance(r, APIRoute) and r.path not in STREAMS)
        found += [r for r in routes if "GET" in r.methods]
    return found


@pytest.mark.parametrize("asker", ASKERS)
def test_no_route_shows_a_row_above(service: Service, asker: Clearance | None) -> None:
    allowed, seen, visited = level_of(asker), set(), 0
    for route in all_routes(service):
        for path in addresses(route):
            for suffix in ("", "?f=html", "?f=json", "?f=mvt", "?f=tilejson"):
                response = service.get(path + suffix, asker)
                assert response.status_code < 500, (path, response.text)
                visited += 1
                for match in FOUND.finditer(plain_bytes(response)):
                    seen.add(int(match.group(1)))
                    # A refusal may repeat the id it was asked for, and nothing else.
                    echoed = response.status_code == 404 and quote(match.group().decode()) in path
                    assert int(match.group(1)) <= allowed or echoed, (path + suffix, match.group())
                if allowed < Clearance.RESTRICTED and response.status_code == 200:
                    assert b"secret" not in plain_bytes(response), path + suffix
    assert visited > 100
    assert int(allowed) in seen, "a walk that finds nothing proves nothing"


@pytest.mark.parametrize("asker", ASKERS)
def test_numbers_do_not_tell_of_hidden_rows(service: Service, asker: Clearance | None) -> None:
    page = service.get("/collections/spot/items?limit=100", asker).json()
    expected = 10 * (int(level_of(asker)) + 1)
    assert (page["numberReturned"], page["numberMatched"]) == (expected, expected)
    assert service.get("/collections/spot", asker).json()["itemCount"] == expected
    tile = service.get(f"/collections/spot/tiles/WebMercatorQuad/{ZOOM}/{ROW}/{COLUMN}", asker)
    assert len(mapbox_vector_tile.decode(tile.content)["spot"]["features"]) == expected


@pytest.mark.parametrize("asker", ASKERS)
def test_lists_show_what_may_be_opened(service: Service, asker: Clearance | None) -> None:
    listed = {c["id"] for c in service.get("/collections", asker).json()["collections"]}
    opened = {c for c in COLLECTIONS if service.get(f"/collections/{c}", asker).status_code == 200}
    expected = {None: 2, 0: 2, 1: 3, 2: 4}[asker]
    assert listed == opened
    assert len(listed) == expected


def test_hidden_looks_like_missing(service: Service) -> None:
    for path in ("", "/items", "/schema", "/loads", "/editions", "/tiles", "/items/x", "/tiles/WebMercatorQuad/0/0/0"):
        hidden = service.get(f"/collections/way{path}")
        missing = service.get(f"/collections/yaw{path}")
        assert hidden.status_code == missing.status_code == 404
        assert hidden.text.replace("way", "yaw") == missing.text
        assert set(hidden.headers) == set(missing.headers)
    row = service.get(f"/collections/spot/items/{canary(Clearance.RESTRICTED, 'spot', 2)}")
    none = service.get(f"/collections/spot/items/{canary(Clearance.RESTRICTED, 'spot', 9)}")
    assert row.status_code == none.status_code == 404
    assert row.text.replace("-2'", "-9'") == none.text


@pytest.mark.parametrize("asker", ASKERS)
def test_analysis_counts_what_may_be_seen(service: Service, asker: Clearance | None) -> None:
    zone = {"type": "Polygon", "coordinates": [list(map(list, SQUARE.exterior.coords))]}
    headers = {} if asker is None else {"X-API-Key": service.keys[asker]}
    answer = service.client.post("/analysis/zone", json={"zone": zone}, headers=headers)
    assert answer.status_code == 200, answer.text
    sections = {s["layer"].rpartition("/")[2]: s for s in answer.json()["sections"]}
    assert sections["spot"]["total"] == 10 * (int(level_of(asker)) + 1)
    assert ("area" in sections) == (level_of(asker) >= Clearance.INTERNAL)
    for match in FOUND.finditer(answer.content):
        assert int(match.group(1)) <= level_of(asker)


@pytest.mark.parametrize("asker", ASKERS)
def test_impacts_count_what_may_be_seen(service: Service, asker: Clearance | None) -> None:
    zone = {"type": "Polygon", "coordinates": [list(map(list, SQUARE.exterior.coords))]}
    headers = {} if asker is None else {"X-API-Key": service.keys[asker]}
    answer = service.client.post("/impact", json={"zone": zone, "explain": True}, headers=headers)
    assert answer.status_code == 200, answer.text
    sections = {s["layer"]: s for s in answer.json()["sections"]}
    assert sections["spot"]["total"]["value"] == 10 * (int(level_of(asker)) + 1)
    assert ("area" in sections) == (level_of(asker) >= Clearance.INTERNAL)
    for match in FOUND.finditer(answer.content):
        assert int(match.group(1)) <= level_of(asker)
    judged = service.client.post("/compliance", json={"zone": zone}, headers=headers)
    seen = {s["layer"] for s in judged.json()["sections"]}
    assert seen == ({"area"} if level_of(asker) >= Clearance.INTERNAL else set())


def test_wrong_credentials_are_refused_not_ignored(service: Service) -> None:
    good = service.keys[Clearance.RESTRICTED]
    flipped = good[:-1] + ("A" if good[-1] != "A" else "B")
    for headers in (
        {"X-API-Key": "nonsense"},
        {"X-API-Key": flipped},
        {"Authorization": f"Bearer {flipped}"},
        {"Authorization": "Basic abc"},
        {"Cookie": "geoservice_session=zzz"},
    ):
        response = service.client.get("/collections", headers=headers)
        assert response.status_code == 401, headers
        assert response.headers["www-authenticate"].startswith("Bearer")
    assert service.client.get("/collections", headers={"Authorization": f"Bearer {good}"}).status_code == 200


def test_the_second_net_holds_without_the_first(service: Service) -> None:
    """Negative control of the row predicate: without it, the database itself still hides the rows."""
    with service.database.psycopg(Role.READER_PUBLIC) as connection:
        assert connection.execute("SELECT max(_clearance) FROM geo.spot").fetchone() == (0,)
        for schema, table in (("geo", "area"), ("geo", "way"), ("meta", "api_key"), ("meta", "quarantine")):
            query = sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(schema, table))
            with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
                connection.execute(query)


def test_kept_reports_hold_nothing_above_their_layer(service: Service) -> None:
    """Whoever gets at the reports themselves finds no value of a hidden row or attribute, refused ones included."""
    seen = set()
    with service.database.psycopg(Role.OWNER) as connection:
        for table in ("load_report", "edition"):
            query = sql.SQL("SELECT clearance, report::text FROM meta.{}").format(sql.Identifier(table))
            for clearance, text in connection.execute(query).fetchall():
                levels = {int(level) for level in FOUND.findall(text.encode())}
                assert max(levels, default=0) <= clearance, table
                seen |= levels
    assert seen == {0, 1, 2}, "reports without canaries prove nothing"


def test_the_first_net_holds_without_the_second(service: Service) -> None:
    """Negative control of the policies: the statement of a reader, run by the owner who sees all, still hides rows."""
    layer = service.catalog.layer("spot")
    statement = page_statement(layer, decide(ANONYMOUS, "read", layer), FeatureQuery(limit=100))  # type: ignore[arg-type]
    with service.database.transaction(Role.OWNER) as connection:
        row = connection.execute(statement, {"limit": 100}).one()
    assert row.found == 10
    assert "CNRY-1" not in row.features
