"""Tiles that answer for a time, an instant or a change: exact rows, for every reader, behind both nets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mapbox_vector_tile
import morecantile
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.ladder import renew
from geoservice.settings import Settings
from layers.access import Clearance
from layers.model import VectorLayer
from layers.system import edition
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import mesh
from tests.support.service import Service, plain_bytes, running
from tests.support.zones import prepare

GRID = morecantile.tms.get("WebMercatorQuad")
READERS = [None, Clearance.INTERNAL, Clearance.RESTRICTED]
Rows = list[dict[str, Any]]


def layer() -> VectorLayer:
    made = trial_layer(
        "plot",
        geometry="polygon",
        coverage=True,
        style={"fill": {"by": "kind", "colours": {"0101": "#336699"}}, "label": {"from": 12}},
        label={"zh": "code", "en": "code"},
        attributes={
            "code": {"type": "text", "required": True},
            "kind": {"type": "text"},
            "level": {"type": "code", "list": "clearance@1"},
            "secret": {"type": "text", "clearance": "restricted"},
            "seen": {"type": "date"},
        },
        tiles={"from": 5, "to": 14, "exact": 11, "attributes": ["kind", "seen"]},
        sources={"all": {"match": ["*.gpkg"], "complete": True}},
    )
    assert isinstance(made, VectorLayer)
    return made


def editions() -> list[Rows]:
    """Three editions: made; kinds, borders, clearances, secrets, plots changed; one plot came back."""
    first = [{**row, "secret": f"s{i}", "seen": f"2026-0{1 + i % 9}-15"} for i, row in enumerate(mesh(6, 6, 3))]
    by_code = {row["code"]: dict(row) for row in first}
    for row in by_code.values():
        row["level"] = None if row["code"] not in ("5-5", "5-4") else "restricted"
    first = [dict(row) for row in by_code.values()]
    by_code["0-0"]["kind"] = "9999"
    by_code["1-1"]["geometry"] = by_code["1-1"]["geometry"].buffer(-0.0003)
    by_code["2-2"] |= {"secret": "other"}
    by_code["3-3"]["level"] = "restricted"
    by_code["5-5"]["level"] = None
    by_code["5-4"]["kind"] = "9999"
    by_code["4-4"]["seen"] = "2027-01-01"
    gone = by_code.pop("0-1")
    del by_code["0-2"]
    by_code["new"] = {**gone, "code": "new", "kind": "0301"}
    second = [dict(row) for row in by_code.values()]
    third = [*second, next(row for row in first if row["code"] == "0-2")]
    return [first, second, third]


EDITIONS = editions()


@dataclass
class Past:
    """A service over three editions, with their numbers and instants."""

    service: Service
    numbers: list[int]
    instants: list[dt.datetime]


@pytest.fixture(scope="module")
def past(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    catalog = trial_catalog(layer())
    folder: Path = tmp_path_factory.mktemp("plots")
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        for number, rows in enumerate(EDITIONS):
            load_file(catalog, target, "plot", write_rows(folder / f"plot{number}.gpkg", rows))
        assert renew(database, layer()) is not None
        with database.transaction(Role.OWNER) as connection:
            known = connection.execute(sa.select(edition.c.id, edition.c.committed).order_by(edition.c.id)).all()
        with running(database, catalog) as found:
            yield Past(found, [row.id for row in known], [row.committed for row in known])


def address(tile: morecantile.Tile, query: str) -> str:
    return f"/collections/plot/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?{query}"


def tiles_at(zoom: int) -> list[morecantile.Tile]:
    bounds = shapely.total_bounds([row["geometry"] for row in EDITIONS[0]])
    return list(GRID.tiles(*bounds, zooms=[zoom]))


def shown(service: Service, query: str, reader: Clearance | None, zoom: int = 13) -> dict[str, dict[str, Any]]:
    """Properties of all features that tiles of a zoom level show, by public key."""
    found: dict[str, dict[str, Any]] = {}
    for tile in tiles_at(zoom):
        response = service.get(address(tile, query), reader)
        assert response.status_code in (200, 204), response.text
        if response.status_code == 200:
            for feature in mapbox_vector_tile.decode(plain_bytes(response))["plot"]["features"]:
                assert found.setdefault(feature["properties"]["key"], feature["properties"]) == feature["properties"]
    return found


def visible(rows: Rows, reader: Clearance | None) -> dict[str, dict[str, Any]]:
    most = Clearance.PUBLIC if reader is None else reader
    return {r["code"]: r for r in rows if r["level"] is None or Clearance[r["level"].upper()] <= most}


def content(row: dict[str, Any], reader: Clearance | None) -> tuple[Any, ...]:
    """What a reader may know of a row."""
    names = ("kind", "level", "seen", *(("secret",) if reader is Clearance.RESTRICTED else ()))
    return (row["geometry"].wkb, *(row[name] for name in names))


def changes(first: int, second: int, reader: Clearance | None) -> dict[str, str]:
    """What changed, worked out from the files.

    A row that rises above a reader takes its past with it; so it never was, for this reader.
    """
    before, after = visible(EDITIONS[first], reader), visible(EDITIONS[second], reader)
    closed = {row["code"] for row in EDITIONS[second]} - after.keys()
    found = dict.fromkeys(after.keys() - before.keys(), "inserted")
    found |= dict.fromkeys(before.keys() - after.keys() - closed, "deleted")
    both = before.keys() & after.keys()
    return found | {c: "updated" for c in both if content(before[c], reader) != content(after[c], reader)}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 2), (0, 2), (1, 1)])
def test_what_changed_between_two_editions(past: Past, first: int, second: int, reader: Clearance | None) -> None:
    query = f"between={past.numbers[first]}/{past.numbers[second]}"
    found = shown(past.service, query, reader)
    assert {key: properties["change"] for key, properties in found.items()} == changes(first, second, reader)


def test_the_oracle_of_changes_tells_readers_apart() -> None:
    assert changes(0, 1, None) == {
        "0-0": "updated", "1-1": "updated", "4-4": "updated", "5-5": "inserted", "0-1": "deleted", "0-2": "deleted",
        "new": "inserted",
    }  # fmt: skip
    assert changes(0, 1, Clearance.RESTRICTED).keys() == changes(0, 1, None).keys() | {"2-2", "3-3", "5-4"}
    assert changes(0, 2, None).keys() == changes(0, 1, None).keys() - {"0-2"}


@pytest.mark.parametrize("mode", ["policies", "views"])
@pytest.mark.parametrize("reader", READERS)
def test_features_as_they_were(past: Past, mode: Any, reader: Clearance | None) -> None:
    prepare(past.service.database, past.service.catalog, mode)
    try:
        with running(past.service.database, past.service.catalog) as fresh:
            for number in range(3):
                closed = {r["code"] for r in EDITIONS[-1]} - visible(EDITIONS[-1], reader).keys()
                expected = {c: r["kind"] for c, r in visible(EDITIONS[number], reader).items() if c not in closed}
                for query in (f"edition={past.numbers[number]}", f"as-of={quote(past.instants[number].isoformat())}"):
                    found = shown(fresh, query, reader)
                    assert {key: properties.get("kind") for key, properties in found.items()} == expected
            assert (
                shown(fresh, f"between={past.numbers[0]}/{past.numbers[1]}", reader).keys()
                == changes(0, 1, reader).keys()
            )
    finally:
        with past.service.database.transaction(Role.OWNER) as connection:
            for schema in sa.inspect(connection).get_schema_names():
                if schema.startswith("read_"):
                    connection.execute(sa.schema.DropSchema(schema, cascade=True))
        prepare(past.service.database, past.service.catalog)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2026-03-15", "2026-03-15", "2026-03-15"),
        ("2026-02-01T00:00:00Z/2026-04-15T00:00:00Z", "2026-02-01", "2026-04-15"),
        ("2026-08-01/..", "2026-08-01", "9999"),
        ("../2026-02-28", "0000", "2026-02-28"),
    ],
)
def test_features_of_a_time(past: Past, written: str, first: str, last: str, reader: Clearance | None) -> None:
    def of_the_time(number: int) -> set[str]:
        return {code for code, row in visible(EDITIONS[number], reader).items() if first <= row["seen"] <= last}

    assert shown(past.service, f"datetime={written}", reader).keys() == of_the_time(2)
    closed = {r["code"] for r in EDITIONS[-1]} - visible(EDITIONS[-1], reader).keys()
    both = f"datetime={written}&edition={past.numbers[0]}"
    assert shown(past.service, both, reader, 14).keys() == of_the_time(0) - closed


def test_labels_follow_what_is_asked(past: Past) -> None:
    query = f"between={past.numbers[0]}/{past.numbers[1]}"
    found: set[str] = set()
    for tile in tiles_at(13):
        response = past.service.get(address(tile, query))
        if response.status_code == 200:
            decoded = mapbox_vector_tile.decode(plain_bytes(response))
            found |= {feature["properties"]["key"] for feature in decoded.get("plot_label", {}).get("features", [])}
    assert found == changes(0, 1, None).keys()


def test_below_the_exact_zoom_questions_are_refused(past: Past) -> None:
    for zoom in (5, 10):
        tile = tiles_at(zoom)[0]
        assert past.service.get(address(tile, "")).status_code in (200, 204)
        for query in ("datetime=2026-01-01", "as-of=2026-01-01T00:00:00Z", f"edition={past.numbers[0]}", "between=1/2"):
            response = past.service.get(address(tile, query))
            assert response.status_code == 400
            body = response.json()
            assert (body["parameter"], body["minimum"]) == (query.partition("=")[0], 11)
            assert "zoom level 11" in body["detail"]
    assert shown(past.service, f"edition={past.numbers[0]}", None, 11)


@pytest.mark.parametrize(
    "query",
    [
        "datetime=yesterday", "datetime=", "as-of=2026-01-01", "as-of=2999-01-01T00:00:00Z", "edition=0", "edition=x",
        "edition=99999999999999999999", "between=", "between=1", "between=1/2/3", "between=x/y", "between=-1/2",
        "between=../..", "between=1%2F99999999", "between=%00/1", "between=1/2&edition=1",
        "between=1/2&datetime=2026-01-01", "between=1/2&filter=TRUE", "kind=0101", "edition=1&edition=2",
        "as-of=2026-01-01T00:00:00Z&edition=1",
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(past: Past, query: str) -> None:
    response = past.service.get(address(tiles_at(13)[0], query), Clearance.RESTRICTED)
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_the_earlier_edition_comes_first(past: Past) -> None:
    response = past.service.get(address(tiles_at(13)[0], f"between={past.numbers[1]}/{past.numbers[0]}"))
    assert (response.status_code, response.json()["parameter"]) == (400, "between")


def test_the_settled_past_may_be_kept(past: Past) -> None:
    tile = tiles_at(13)[0]
    settled = past.service.get(address(tile, f"edition={past.numbers[0]}"))
    assert settled.headers["cache-control"] == "max-age=3600"
    assert past.service.get(address(tile, "datetime=2026-01-15/..")).headers["cache-control"] == "no-cache"
    later = quote((past.instants[-1] + dt.timedelta(microseconds=1)).isoformat())
    assert past.service.get(address(tile, f"as-of={later}")).headers["cache-control"] == "no-cache"
