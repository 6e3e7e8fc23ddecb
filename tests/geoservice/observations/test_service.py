"""Readings over HTTP: who may send them, what the answer says, who sees what came of it."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.security.keys import make_key
from layers.access import OBSERVE, Clearance
from layers.system import api_key
from tests.support.loading import trial_catalog
from tests.support.observing import HOUR, NOON, level, station
from tests.support.service import Service, running

GOOD = "station,property,time,result,unit\ng,water_level,2026-05-01T08:00:00+08:00,310,cm\n"
CSV = "text/csv"


@pytest.fixture(scope="module")
def service(observing: Database) -> Iterator[Service]:
    with running(observing, trial_catalog()) as service:
        yield service


@pytest.fixture
def gauges(obs: Database, service: Service) -> Service:
    """A public and a restricted gauge, both with a datastream of water level."""
    station(obs, "g", level("g:level", "g"))
    station(obs, "secret", level("secret:level", "secret"), clearance=Clearance.RESTRICTED)
    return service


def observer(database: Database, clearance: Clearance) -> str:
    made = make_key()
    values = {"id": made.id, "name": "gauge", "digest": made.digest, "clearance": int(clearance), "rights": [OBSERVE]}
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values))
    return made.text


def send(service: Service, key: str | None, body: str | bytes, media: str = CSV, **headers: str) -> Any:
    named = {"Content-Type": media, **headers} | ({"X-API-Key": key} if key else {})
    return service.client.post("/observations", content=body, headers=named)


def test_readings_are_sent_and_seen(gauges: Service) -> None:
    key = observer(gauges.database, Clearance.PUBLIC)
    answer = send(gauges, key, gzip.compress(GOOD.encode()), **{"Content-Encoding": "gzip"})
    assert answer.status_code == 200, answer.text
    assert {k: answer.json()[k] for k in ("readings", "inserted", "quarantined")} == {
        "readings": 1,
        "inserted": 1,
        "quarantined": 0,
    }
    assert send(gauges, key, GOOD).json()["unchanged"] == 1
    (feature,) = gauges.get("/observations/latest").json()["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [116.0, 40.0]}
    said = feature["properties"]
    assert (said["result"], said["unit"], said["time"]) == (3.1, "m", "2026-05-01T00:00:00Z")
    assert gauges.get("/observations/latest?bbox=0,0,1,1").json()["features"] == []
    assert gauges.get("/observations/latest?datetime=2027-01-01/..").json()["features"] == []
    for query in ("bbox=1", "datetime=yesterday", "limit=0", "after=-1"):
        assert gauges.get(f"/observations/latest?{query}").status_code == 400, query


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_columns_are_read_like_rows(gauges: Service, form: str) -> None:
    moments = pa.array([NOON, NOON + HOUR], pa.timestamp("ns", "Asia/Shanghai"))
    table = pa.table({"datastream": ["g:level", "none"], "time": moments, "value": [310, 1], "unit": ["cm", None]})
    sink = io.BytesIO()
    if form == "parquet":
        pq.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    media = f"application/vnd.apache.{form}" + (".stream" if form == "arrow" else "")
    answer = send(gauges, observer(gauges.database, Clearance.PUBLIC), sink.getvalue(), media).json()
    assert (answer["inserted"], answer["quarantined"]) == (1, 1)
    (feature,) = gauges.get("/observations/latest").json()["features"]
    assert (feature["properties"]["result"], feature["properties"]["time"]) == (3.1, "2026-03-01T12:00:00Z")


def test_sending_takes_a_right(gauges: Service) -> None:
    assert send(gauges, None, GOOD).status_code == 401
    assert send(gauges, gauges.keys[Clearance.RESTRICTED], GOOD).status_code == 403
    assert gauges.get("/observations/latest").json()["features"] == []


def test_what_is_above_the_key_is_unknown_to_it(gauges: Service) -> None:
    body = GOOD.replace("g,", "secret,")
    low, high = (observer(gauges.database, c) for c in (Clearance.INTERNAL, Clearance.RESTRICTED))
    refused, absent = send(gauges, low, body).json(), send(gauges, low, GOOD.replace("g,", "nobody,")).json()
    assert refused["flaws"][0]["reason"].replace("secret", "nobody") == absent["flaws"][0]["reason"]
    assert send(gauges, high, body).json()["inserted"] == 1
    seen = {c: len(gauges.get("/observations/latest", c).json()["features"]) for c in Clearance}
    assert seen == {Clearance.PUBLIC: 0, Clearance.INTERNAL: 0, Clearance.RESTRICTED: 1}


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"", CSV, 400),
        (b"\xff\xfe", CSV, 400),
        (b"a,b\n", CSV, 400),
        (b"{}", "application/json", 415),
        (b"PAR1", "application/vnd.apache.parquet", 400),
        (b"PAR1" * 9, "application/vnd.apache.arrow.stream", 400),
    ],
)
def test_bodies_that_are_no_readings_are_refused(gauges: Service, body: bytes, media: str, status: int) -> None:
    answer = send(gauges, observer(gauges.database, Clearance.PUBLIC), body, media)
    assert answer.status_code == status, answer.text


def test_hostile_readings_are_set_aside(gauges: Service) -> None:
    lines = (
        '{"station": "g", "property": "water_level", "time": "2026-05-01T00:00:00Z", "result": NaN}',
        '{"station": "g", "property": "water_level", "time": "9999-12-31T23:59:59-18:00", "result": 1}',
        '{"station": "g\\u0000", "property": "water_level", "time": "2026-05-01T00:00:00Z", "result": 1}',
        '{"station": "\'; DROP TABLE obs.thing; --", "property": "x", "time": "2026-05-01T00:00:00Z", "result": 1}',
        "[" * 100_000,
        '{"station": "g", "property": "water_level", "time": "2026-05-01T00:00:00Z", "result": "\\ud800"}',
    )
    answer = send(gauges, observer(gauges.database, Clearance.PUBLIC), "\n".join(lines), "application/x-ndjson")
    assert answer.status_code == 200, answer.text
    assert answer.json()["quarantined"] == len(lines)
