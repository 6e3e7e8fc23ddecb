"""Remote sources page by page: complete, changing, broken, circular; and tables of another PostGIS."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pyogrio
import pytest
import shapely

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.job import Fetched, Origin
from ingest.remote.client import RemoteLimits
from ingest.remote.fetch import RemoteAccess, fetch, is_remote
from ingest.remote.guard import Guard, parse_hosts
from ingest.remote.wfs import page_address
from layers.errors import (
    GeoError,
    RemoteRefused,
    RemoteUnavailable,
    SourceMismatch,
    SourceUnreadable,
)
from tests.ingest.reading import read
from tests.ingest.reading import vector as vector_layer
from tests.ingest.remote.servers import Reply, Scripted, serving

TOTAL = 25
SIZE = 10


def access(*servers: Scripted, **limits: Any) -> RemoteAccess:
    gate = Guard(parse_hosts([f"127.0.0.1:{s.port}" for s in servers]))
    return RemoteAccess(guard=gate, limits=RemoteLimits(page_size=SIZE, attempts=1, **limits))


def feature(number: int) -> dict[str, Any]:
    place = {"type": "Point", "coordinates": [100 + number / 10, 30]}
    return {"type": "Feature", "id": f"f{number}", "properties": {"name": f"点{number}"}, "geometry": place}


def pages(change: Callable[[int, dict[str, Any]], None] | None = None) -> Callable[[str], Reply]:
    """A collection of 25 points in pages of the size asked for; `change` may spoil a page, known by its start."""

    def answer(path: str) -> Reply:
        query = parse_qs(urlsplit(path).query)
        start, limit = int(query.get("from", ["0"])[0]), int(query["limit"][0])
        end = min(start + limit, TOTAL)
        links = [{"rel": "next", "href": f"/collections/spots/items?limit={limit}&from={end}"}] if end < TOTAL else []
        page = {
            "type": "FeatureCollection",
            "features": [feature(n) for n in range(start, end)],
            "numberMatched": TOTAL,
            "links": links,
        }
        if change is not None:
            change(start, page)
        return 200, {"Content-Type": "application/geo+json"}, json.dumps(page).encode()

    return answer


def fetch_pages(tmp_path: Path, answer: Callable[[str], Reply], **limits: Any) -> tuple[Path, Origin, Scripted]:
    with serving(answer) as server:
        file, origin = fetch(server.url("/collections/spots?token=s3cret"), tmp_path, access(server, **limits))
    return file, origin, server


def test_all_pages_become_one_file_that_reads(tmp_path: Path) -> None:
    file, origin, server = fetch_pages(tmp_path, pages())
    assert file.name == "spots.geojsonl"
    assert (origin.kind, origin.pages, origin.features, origin.findings) == ("ogc-features", 3, TOTAL, ())
    assert origin.address == f"http://127.0.0.1:{server.port}/collections/spots?token=***"
    assert server.asked[0] == "/collections/spots/items?limit=10&token=s3cret"
    found = read(file, vector_layer("point", {"code": "text", "name": "text"}), fields={"id": "code"})
    assert [(r["code"], r["name"], r["geom"].x) for r in found.good] == [
        (f"f{n}", f"点{n}", pytest.approx(100 + n / 10)) for n in range(TOTAL)
    ]


def growing(start: int, page: dict[str, Any]) -> None:
    page["numberMatched"] = TOTAL + start


def overlapping(start: int, page: dict[str, Any]) -> None:
    if start:
        page["features"][0] = feature(0)


def short(start: int, page: dict[str, Any]) -> None:
    if start:
        del page["features"][0]


@pytest.mark.parametrize(
    ("change", "rules"),
    [(growing, {"remote-changed"}), (overlapping, {"remote-repeated"}), (short, {"remote-count"})],
)
def test_a_source_that_changes_meanwhile_is_noticed(
    tmp_path: Path, change: Callable[[int, dict[str, Any]], None], rules: set[str]
) -> None:
    _, origin, _ = fetch_pages(tmp_path, pages(change))
    assert {f.rule for f in origin.findings} == rules
    assert all(f.severity == "warning" for f in origin.findings)


def circular(start: int, page: dict[str, Any]) -> None:
    page["links"] = [{"rel": "next", "href": f"/collections/spots/items?limit=10&from={0 if start else 10}"}]


def nonsense(start: int, page: dict[str, Any]) -> None:
    page["features"] = {"a": 1} if start else page["features"]


def elsewhere(start: int, page: dict[str, Any]) -> None:
    page["links"] = [{"rel": "next", "href": "http://169.254.169.254/latest"}]


def local_file(start: int, page: dict[str, Any]) -> None:
    page["links"] = [{"rel": "next", "href": "file:///etc/hostname"}]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (circular, RemoteUnavailable, "run in a circle"),
        (nonsense, RemoteUnavailable, "no list of features"),
        (elsewhere, RemoteRefused, "not among the remote hosts"),
        (local_file, RemoteRefused, "'file' is not fetched"),
    ],
)
def test_a_page_that_is_wrong_leaves_nothing(
    tmp_path: Path, change: Callable[[int, dict[str, Any]], None], error: type[GeoError], message: str
) -> None:
    with pytest.raises(error, match=message):
        fetch_pages(tmp_path, pages(change))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"type":"Feature"}', b"\xff", b"[" * 100_000, b'{"type":"FeatureCollection","features":[NaN]}'],
)
def test_answers_that_are_no_features(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(RemoteUnavailable):
        fetch_pages(tmp_path, lambda _: (200, {}, body))
    assert list(tmp_path.iterdir()) == []


def test_failing_midway_leaves_nothing(tmp_path: Path) -> None:
    good = pages()
    with pytest.raises(RemoteUnavailable, match="answered 500"):
        fetch_pages(tmp_path, lambda path: (500, {}, b"") if "from=20" in path else good(path))
    assert list(tmp_path.iterdir()) == []


def test_pages_are_limited_and_an_empty_source_is_said(tmp_path: Path) -> None:
    with pytest.raises(RemoteUnavailable, match="more than the 2 pages"):
        fetch_pages(tmp_path, pages(), pages=2)
    empty = b'{"type":"FeatureCollection","features":[]}'
    with pytest.raises(SourceUnreadable, match="no features"):
        fetch_pages(tmp_path, lambda _: (200, {}, empty))


# ---------------------------------------------------------------- WFS 2.0

NAMESPACES = 'xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:t="http://example.org/t"'


def member(number: int) -> str:
    # EPSG:4490 by its URN: latitude comes first.
    return (
        f'<wfs:member><t:spot gml:id="spot.{number}"><t:name>点{number}</t:name><t:geom>'
        f'<gml:Point gml:id="p{number}" srsName="urn:ogc:def:crs:EPSG::4490">'
        f"<gml:pos>30 {100 + number / 10}</gml:pos></gml:Point></t:geom></t:spot></wfs:member>"
    )


def wfs(matched: str = str(TOTAL), step: int = 0) -> Callable[[str], Reply]:
    """A WFS double by the standard; `step` shifts every later page back, as a deletion between pages would."""

    def answer(path: str) -> Reply:
        query = {k.lower(): v[0] for k, v in parse_qs(urlsplit(path).query).items()}
        assert (query["service"], query["version"], query["request"]) == ("WFS", "2.0.0", "GetFeature")
        start, count = int(query["startindex"]), int(query["count"])
        first = max(0, start - (step if start else 0))
        numbers = range(first, min(first + count, TOTAL))
        body = "".join(member(n) for n in numbers)
        head = f'<wfs:FeatureCollection {NAMESPACES} numberMatched="{matched}" numberReturned="{len(numbers)}">'
        text = f'<?xml version="1.0" encoding="UTF-8"?>{head}{body}</wfs:FeatureCollection>'
        return 200, {"Content-Type": "text/xml"}, text.encode()

    return answer


def fetch_wfs(tmp_path: Path, answer: Callable[[str], Reply]) -> tuple[Path, Origin]:
    with serving(answer) as server:
        return fetch("wfs:" + server.url("/ows?map=a&typeNames=t:spot"), tmp_path, access(server))


@pytest.mark.parametrize("matched", [str(TOTAL), "unknown"])
def test_wfs_pages_become_one_file_that_reads(tmp_path: Path, matched: str) -> None:
    file, origin = fetch_wfs(tmp_path, wfs(matched))
    assert (origin.kind, origin.pages, origin.features, origin.findings) == ("wfs", 3, TOTAL, ())
    found = read(file, vector_layer("point", {"code": "text", "name": "text"}), fields={"gml_id": "code"})
    places = {(r["code"], r["name"], round(r["geom"].x, 6), r["geom"].y) for r in found.good}
    assert places == {(f"spot.{n}", f"点{n}", round(100 + n / 10, 6), 30) for n in range(TOTAL)}


def test_wfs_pages_that_overlap_are_noticed(tmp_path: Path) -> None:
    _, origin = fetch_wfs(tmp_path, wfs(step=1))
    assert "remote-repeated" in {f.rule for f in origin.findings}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<a/>", "no WFS 2.0 feature collection"),
        (b"<a", "no well-formed XML"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>', "document type"),
        (
            b'<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1"><ows:Exception><ows:ExceptionText>'
            b"no such type</ows:ExceptionText></ows:Exception></ows:ExceptionReport>",
            "exception: no such type",
        ),
    ],
)
def test_wfs_answers_that_are_no_features(tmp_path: Path, body: bytes, message: str) -> None:
    with pytest.raises(RemoteUnavailable, match=message):
        fetch_wfs(tmp_path, lambda _: (200, {}, body))


def test_wfs_addresses() -> None:
    found = page_address("https://h/ows?map=a&TypeName=t:b&request=GetCapabilities", 20, 10)
    assert found == (
        "https://h/ows?MAP=a&REQUEST=GetFeature&SERVICE=WFS&VERSION=2.0.0&TYPENAMES=t%3Ab&COUNT=10&STARTINDEX=20"
    )
    with pytest.raises(RemoteRefused, match="names its feature type"):
        page_address("https://h/ows", 0, 10)


# ---------------------------------------------------------------- PostGIS


@pytest.fixture
def other(database: Database) -> RemoteAccess:
    """Another schema, with a table, a view and what does not work, behind a connection named `cadastre`."""
    statements = [
        "CREATE SCHEMA other",
        """CREATE TABLE other."Parcels 1" (number int PRIMARY KEY, name text, area numeric(10, 2), whole bool, day date,
           at timestamptz, tags jsonb, geom geometry(Polygon, 4527))""",
        """INSERT INTO other."Parcels 1" VALUES
           (1, '甲', 12.50, true, '2026-05-01', '2026-05-01T08:00:00+08', '{"a": 1}',
            ST_SetSRID(ST_MakeEnvelope(39447000, 4419000, 39447100, 4419100), 4527)),
           (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""",
        'CREATE VIEW other.named AS SELECT number, name, geom FROM other."Parcels 1" WHERE name IS NOT NULL',
        "CREATE TABLE other.empty (number int)",
        "CREATE TABLE other.mixed (geom geometry)",
        "INSERT INTO other.mixed VALUES ('SRID=4490;POINT(1 1)'), ('SRID=4326;POINT(1 1)')",
        "CREATE FUNCTION other.slip() RETURNS int LANGUAGE sql AS 'INSERT INTO other.empty VALUES (1) RETURNING 1'",
        "CREATE VIEW other.trap AS SELECT other.slip() AS number",
    ]
    with database.psycopg(Role.ADMIN, autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement.encode())
    return RemoteAccess(databases={"cadastre": database.dsn(Role.ADMIN)})


def test_a_table_becomes_a_geopackage(other: RemoteAccess, tmp_path: Path) -> None:
    file, origin = fetch("postgresql:cadastre/other.Parcels 1", tmp_path, other)
    assert (origin.kind, origin.features, origin.address) == ("postgis", 2, "postgresql:cadastre/other.Parcels 1")
    with sqlite3.connect(file) as book:
        rows = book.execute('SELECT number, name, area, whole, day, at, tags FROM "Parcels 1"').fetchall()
    book.close()
    assert rows[0] == (1, "甲", "12.50", 1, "2026-05-01", rows[0][5], '{"a": 1}')
    assert rows[1] == (2, None, None, None, None, None, None)
    assert pyogrio.read_info(file)["crs"] == "EPSG:4527"
    layer = vector_layer("polygon", {"number": "integer", "name": "text"}, geometry_required=False)
    found = read(file, layer)
    assert [r["number"] for r in found.good] == [1, 2]
    # Zone 39, 117 degrees east: 447 km is 53 km west of it.
    assert float(shapely.bounds(found.good[0]["geom"])[0]) == pytest.approx(116.38, abs=0.01)


def test_a_view_and_rows_without_geometry(other: RemoteAccess, tmp_path: Path) -> None:
    _, origin = fetch("postgresql:cadastre/other.named", tmp_path, other)
    assert origin.features == 1


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("postgresql:cadastre/other.nothing", SourceMismatch, "no table or view other.nothing"),
        ("postgresql:cadastre/other.empty", SourceUnreadable, "holds no rows"),
        ("postgresql:cadastre/other.mixed", SourceMismatch, "mixes coordinate reference systems"),
        ("postgresql:cadastre/other.trap", RemoteUnavailable, "25006"),
        ("postgresql:cadastre/other.a;DROP TABLE x", SourceMismatch, "no table or view"),
        ("postgresql:unknown/other.named", RemoteRefused, "name no remote database 'unknown'; known: cadastre"),
        ("postgresql://u:secret@127.0.0.1/db", RemoteRefused, "do not belong into a command"),
        ("postgresql:host=127.0.0.1 dbname=x", RemoteRefused, "do not belong into a command"),
    ],
)
def test_what_is_no_remote_table(
    other: RemoteAccess, tmp_path: Path, address: str, error: type[GeoError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        fetch(address, tmp_path, other)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_away_keeps_its_password(tmp_path: Path) -> None:
    dsn = "host=127.0.0.1 port=1 user=u password=s3cret dbname=d connect_timeout=2"
    with pytest.raises(RemoteUnavailable) as caught:
        fetch("postgresql:away/a.b", tmp_path, RemoteAccess(databases={"away": dsn}))
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn).close()


# ---------------------------------------------------------------- what is remote at all


@pytest.mark.parametrize("address", ["https://h/c", "wfs:https://h", "postgresql:a/b.c", "file:///etc/x", "gopher://x"])
def test_addresses_are_told_from_files(tmp_path: Path, address: str) -> None:
    assert is_remote(address)
    with pytest.raises(RemoteRefused):
        fetch(address, tmp_path, RemoteAccess())


def test_files_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ab:c.csv").write_text("x")
    assert not is_remote("ab:c.csv")
    assert not is_remote("a.gpkg")
    assert not is_remote("./data/a.gpkg")


def test_a_snapshot_travels_with_its_origin(tmp_path: Path) -> None:
    file, origin, _ = fetch_pages(tmp_path, pages())
    assert Fetched(file, origin).origin.sha256 == origin.sha256
    assert len(origin.sha256) == 64
