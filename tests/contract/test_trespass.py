"""Quarantine, jobs, loads and editions, asked for by everybody who may not, on both access nets of the database.

What each may do is worked out here by hand from the layer files, not by the decision that the service asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from geoservice.db.credentials import Role
from geoservice.db.sync import NetMode
from geoservice.jobs import queue
from geoservice.jobs.model import JobRequest
from geoservice.settings import Settings
from layers.access import Clearance
from layers.system import edition, load_report
from layers.system import quarantine as quarantine_table
from tests.contract.test_canary import FOUND
from tests.contract.test_uploads import TUS, begin_headers, make_loader
from tests.support.database import copied_database
from tests.support.service import Service, canary, fill, plain_bytes, running, service_catalog
from tests.support.zones import prepare

CATALOG = service_catalog()
LEVEL = {"spot": 0, "area": 1, "way": 2, "reading": 0}
TOP = 2
"""All of these layers may hold something restricted: rows by their level, or the attribute `secret`."""
TOLD = canary(Clearance.RESTRICTED, "error", 1)
GRADED = {"spot", "area", "way"}
"""Layers whose rows have levels of their own, so that numbers of rows tell of hidden ones."""
ABSENT = "yaw"


@dataclass(frozen=True)
class Who:
    """Somebody who asks: their clearance and what they may load; `key` is none for the anonymous public."""

    name: str
    clearance: int = 0
    rights: tuple[str, ...] = ()

    @property
    def anonymous(self) -> bool:
        return self.name == "anonymous"

    def sees(self, layer: str) -> bool:
        return self.clearance >= LEVEL[layer]

    def loads(self, layer: str) -> bool:
        return self.sees(layer) and bool({"load", f"load:{layer}"} & set(self.rights))

    def refusal(self, layer: str, *, keeper: bool = False) -> int | None:
        """Status of the refusal of something that takes a right to load; None when there is none."""
        if not self.sees(layer):
            return 404
        if self.anonymous:
            return 401
        if not self.loads(layer) or (keeper and self.clearance < TOP):
            return 403
        return None


PEOPLE = (
    Who("anonymous"),
    *(Who(f"reader {level}", level) for level in range(3)),
    *(Who(f"loader {level}", level, ("load",)) for level in range(3)),
    Who("loader of ways without clearance", 0, ("load:way",)),
    Who("loader of spots, cleared", 2, ("load:spot",)),
    Who("holder of a word that is no right", 2, ("loads", "load:", "LOAD", "load:*")),
)


@dataclass
class Ground:
    """The service on one of the nets, with keys for everybody, and what lies about there."""

    service: Service
    keys: dict[str, str]
    editions: dict[str, int]
    loads: dict[str, int]
    jobs: dict[str, list[int]]
    upload: str
    rows: dict[str, int]

    def ask(self, who: Who, method: str, path: str, body: Any = None, **headers: str) -> Any:
        own = {} if who.anonymous else {"X-API-Key": self.keys[who.name]}
        content = None if body is None else json.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        return self.service.client.request(method, path, content=content, headers={**own, **kind, **headers})


@pytest.fixture(scope="module", params=["policies", "views"])
def ground(
    request: pytest.FixtureRequest, cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    mode: NetMode = request.param
    with copied_database(cluster_settings) as database:
        fill(database, CATALOG, tmp_path_factory.mktemp("trespass"))
        prepare(database, CATALOG, mode)
        keys = {w.name: make_loader(database, *w.rights, clearance=w.clearance) for w in PEOPLE if not w.anonymous}
        with running(database, CATALOG) as service:
            assert service.client.app.state.house.reading.mode == mode  # type: ignore[attr-defined]
            yield _furnished(service, keys)


def _furnished(service: Service, keys: dict[str, str]) -> Ground:
    with service.database.transaction(Role.WRITER) as connection:
        editions = dict(
            connection.execute(sa.select(edition.c.layer, sa.func.max(edition.c.id)).group_by("layer")).all()
        )
        kept = sa.select(load_report.c.layer, sa.func.max(load_report.c.id)).group_by("layer")
        loads = dict(connection.execute(kept).all())
        connection.execute(sa.delete(quarantine_table).where(quarantine_table.c.layer != "spot"))
        rows = _latest(connection, quarantine_table)
        rows |= {layer: _copied_row(connection, layer) for layer in ("area", "way", "reading")}
        jobs = {layer: [_job(connection, layer, state) for state in ("failed", "done", "queued")] for layer in LEVEL}
    headers = {**TUS, **begin_headers(5, "a.gpkg"), "X-API-Key": make_loader(service.database, "load", clearance=2)}
    upload = service.client.post("/uploads", headers=headers).headers["location"].rpartition("/")[2]
    return Ground(service, keys, editions, loads, jobs, upload, rows)


def _latest(connection: sa.Connection, table: sa.Table) -> dict[str, int]:
    statement = sa.select(table.c.layer, sa.func.max(table.c.id)).group_by(table.c.layer)
    return {str(layer): int(number) for layer, number in connection.execute(statement)}


def _copied_row(connection: sa.Connection, layer: str) -> int:
    """A row of quarantine for a layer whose loads had none."""
    names = [c.name for c in quarantine_table.c if c.name not in ("id", "layer")]
    source = sa.select(sa.literal(layer), *(quarantine_table.c[n] for n in names)).where(
        quarantine_table.c.layer == "spot"
    )
    made = sa.insert(quarantine_table).from_select(["layer", *names], source).returning(quarantine_table.c.id)
    return int(connection.execute(made).scalars().one())


def _job(connection: sa.Connection, layer: str, state: str) -> int:
    """A job of somebody else's, with numbers and words that only those who are cleared for all may hear."""
    number = queue.submit(connection, JobRequest(layer, "somebody", "api", f"{layer}.gpkg", {"path": "/x"})).id
    values = {"state": state, "rows": 424242, "error": {"title": "Refused", "detail": f"{TOLD} is bad"}}
    ended = {} if state == "queued" else {"finished": sa.func.now()}
    connection.execute(sa.update(queue.table).where(queue.table.c.id == number).values(**values, **ended))
    return number


def harmless(response: Any, who: Who, allowed: int | None = None) -> None:
    """No fault, no word above the asker's clearance, and of refusals problem details only."""
    assert response.status_code < 500, response.text
    content = plain_bytes(response)
    for match in FOUND.finditer(content):
        assert int(match.group(1)) <= who.clearance, match.group()
    if allowed is not None:
        assert response.status_code == allowed, (response.request.url, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        assert b"424242" not in content


READERS = [Role.reader(clearance) for clearance in Clearance]
NO_REPORT = (
    "SELECT report FROM meta.load_report",
    "SELECT * FROM meta.load_report",
    "SELECT report FROM meta.edition",
    "SELECT * FROM meta.edition",
    "SELECT count(*) FROM meta.edition WHERE report::text LIKE '%CNRY%'",
    "SELECT to_jsonb(l) FROM meta.load_report AS l",
)


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize("statement", NO_REPORT)
def test_the_database_gives_no_reader_a_report(ground: Ground, role: Role, statement: str) -> None:
    """Also when an older version had granted the whole tables."""
    database = ground.service.database
    for table in ("load_report", "edition"):
        name = sql.Identifier(role.name_in(database.settings.role_prefix))
        with database.psycopg(Role.OWNER) as connection:
            connection.execute(sql.SQL("GRANT SELECT ON meta.{} TO {}").format(sql.Identifier(table), name))
    with database.psycopg(role) as connection:
        assert connection.execute(statement.encode()).fetchall(), "what nobody could read proves nothing"
    prepare(database, CATALOG, ground.service.client.app.state.house.reading.mode)  # type: ignore[attr-defined]
    with database.psycopg(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize("clearance", Clearance)
def test_readers_keep_every_other_column(ground: Ground, clearance: Clearance) -> None:
    """And policies go on to say which rows."""
    for table in (load_report, edition):
        wanted = sa.select(*(column for column in table.c if column.name != "report"))
        with ground.service.database.transaction(Role.reader(clearance)) as connection:
            found = {row.clearance for row in connection.execute(wanted)}
        assert found == set(range(clearance + 1))


@pytest.mark.parametrize("who", PEOPLE, ids=lambda who: who.name)
@pytest.mark.parametrize("layer", LEVEL)
def test_quarantine_is_for_keepers(ground: Ground, who: Who, layer: str) -> None:
    path, row = f"/collections/{layer}/quarantine", ground.rows[layer]
    elsewhere = ground.rows["way" if layer != "way" else "spot"]
    refusal = who.refusal(layer, keeper=True)
    reads = (
        "",
        "?f=csv",
        "?f=geojson",
        "?f=xlsx",
        "?f=gpkg",
        "?state=all&limit=1",
        "?reason=CNRY",
        "?source=spot.gpkg",
        f"/{row}",
    )
    for tail in reads:
        response = ground.ask(who, "GET", path + tail)
        harmless(response, who, refusal)
        if refusal is None:
            assert response.status_code == 200
            assert response.headers["cache-control"] == "private, no-store"
    for number, expected in ((row, None), (elsewhere, 404), (10**9, 404)):
        if refusal is None and expected is None:
            continue
        changes: tuple[tuple[str, str, Any], ...] = (
            ("GET", f"/{number}", None),
            ("PATCH", f"/{number}", {"fields": {"code": "x"}}),
            ("POST", f"/{number}/dismiss", {"reason": "x"}),
            ("POST", "/replay", {"ids": [number]}),
        )
        for method, tail, body in changes:
            harmless(ground.ask(who, method, path + tail, body), who, refusal or expected)


@pytest.mark.parametrize("who", PEOPLE, ids=lambda who: who.name)
@pytest.mark.parametrize("layer", LEVEL)
def test_jobs_are_for_loaders(ground: Ground, who: Who, layer: str) -> None:
    shown = who.loads(layer)
    for number in ground.jobs[layer]:
        state = ground.ask(who, "GET", f"/jobs/{number}")
        harmless(state, who, None if shown else 404)
        if not shown:
            for method, tail in (("DELETE", ""), ("GET", "/events"), ("GET", "?f=json")):
                harmless(ground.ask(who, method, f"/jobs/{number}{tail}"), who, 404)
            continue
        assert state.status_code == 200
        told = (who.clearance == TOP or layer not in GRADED, who.clearance == TOP)
        assert ("424242" in state.text, TOLD in state.text) == told
        if number != ground.jobs[layer][-1]:
            events = ground.ask(who, "GET", f"/jobs/{number}/events")
            harmless(events, who)
            assert ("424242" in events.text, TOLD in events.text) == told
    listed = {j["jobID"] for j in ground.ask(who, "GET", "/jobs?limit=1000").json()["jobs"]}
    assert listed & {str(n) for n in ground.jobs[layer]} == ({str(n) for n in ground.jobs[layer]} if shown else set())
    body = {"layer": layer, "source": "/etc/passwd"}
    harmless(ground.ask(who, "POST", "/jobs", body), who, who.refusal(layer) or 422)


@pytest.mark.parametrize("who", PEOPLE, ids=lambda who: who.name)
@pytest.mark.parametrize("layer", LEVEL)
def test_editions_and_loads_follow_the_layer(ground: Ground, who: Who, layer: str) -> None:
    refusal = who.refusal(layer)
    response = ground.ask(who, "POST", f"/editions/{ground.editions[layer]}/withdraw", {"reason": ""})
    assert response.status_code == 400, "a wish without a reason is refused to everybody alike"
    if refusal is not None:
        harmless(ground.ask(who, "POST", f"/editions/{ground.editions[layer]}/withdraw", {"reason": "x"}), who, refusal)
    visible = None if who.sees(layer) else 404
    for tail in ("loads", "editions"):
        for form in ("json", "html"):
            found = ground.ask(who, "GET", f"/collections/{layer}/{tail}?f={form}")
            assert found.status_code == (visible or 200)
            harmless(found, who)
    report = ground.ask(who, "GET", f"/loads/{ground.loads[layer]}")
    harmless(report, who, visible)
    if visible is None:
        full = who.loads(layer) and who.clearance == TOP
        assert (report.json()["samples"] is not None) == full
        assert (report.json()["loaded_by"] is not None) == full


@pytest.mark.parametrize("who", PEOPLE, ids=lambda who: who.name)
def test_uploads_of_others_are_none(ground: Ground, who: Who) -> None:
    loads = not who.anonymous and any(right.partition(":")[0] == "load" for right in who.rights)
    expected = 401 if who.anonymous else 404 if loads else 403
    for method in ("GET", "DELETE", "PATCH"):
        more = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"} if method == "PATCH" else {}
        harmless(ground.ask(who, method, f"/uploads/{ground.upload}", **TUS, **more), who, expected)
    body = {"layer": "spot", "uploads": [ground.upload]}
    harmless(ground.ask(who, "POST", "/jobs", body), who, who.refusal("spot") or 404)


def test_nothing_has_changed(ground: Ground) -> None:
    """After all those attempts: rows as they were, jobs as they were, no new ones."""
    with ground.service.database.transaction(Role.OWNER) as connection:
        states = connection.execute(sa.select(quarantine_table.c.state, quarantine_table.c.mended)).all()
        jobs = connection.execute(sa.select(queue.table.c.state, queue.table.c.cancel)).all()
    assert [tuple(one) for one in states] == [("open", None)] * len(LEVEL)
    assert sorted(one.state for one in jobs) == sorted(["failed", "done", "queued"] * len(LEVEL))
    assert not any(one.cancel for one in jobs)


def test_the_negative_control_sees_everything(ground: Ground) -> None:
    """Somebody who may do all finds the canaries, so that a walk that finds none proves something."""
    who = next(one for one in PEOPLE if one.name == "loader 2")
    told = canary(Clearance.RESTRICTED, "quarantine", 0)
    for layer in LEVEL:
        assert told in ground.ask(who, "GET", f"/collections/{layer}/quarantine?f=csv").text
        assert TOLD in ground.ask(who, "GET", f"/jobs/{ground.jobs[layer][0]}").text


STRANGERS = ("anonymous", "reader 1", "loader 1", "loader of ways without clearance")
PAIRS: tuple[tuple[str, str, str, Any], ...] = (
    ("GET", "/collections/{layer}/quarantine", "", None),
    ("GET", "/collections/{layer}/quarantine?f=csv", "", None),
    ("GET", "/collections/{layer}/quarantine/1", "", None),
    ("PATCH", "/collections/{layer}/quarantine/1", "", {"fields": {"code": "x"}}),
    ("POST", "/collections/{layer}/quarantine/1/dismiss", "", {"reason": "x"}),
    ("POST", "/collections/{layer}/quarantine/replay", "", {"ids": [1]}),
    ("GET", "/collections/{layer}/loads", "", None),
    ("GET", "/collections/{layer}/editions", "", None),
    ("POST", "/jobs", "", {"layer": "{layer}", "source": "/x"}),
    ("POST", "/editions/{number}/withdraw", "edition", {"reason": "x"}),
    ("GET", "/loads/{number}", "load", None),
    ("GET", "/jobs/{number}", "job", None),
    ("GET", "/jobs/{number}/events", "job", None),
    ("DELETE", "/jobs/{number}", "job", None),
)


@pytest.mark.parametrize("who", [w for w in PEOPLE if w.name in STRANGERS], ids=lambda who: who.name)
@pytest.mark.parametrize(("method", "path", "kind", "body"), PAIRS)
def test_hidden_is_as_missing(ground: Ground, who: Who, method: str, path: str, kind: str, body: Any) -> None:
    """Same status, same words, same headers, and the same work for the database, so that no clock tells them apart."""
    numbers = {"edition": ground.editions["way"], "load": ground.loads["way"], "job": ground.jobs["way"][0], "": 0}
    answers, work = [], []
    for layer, number in (("way", numbers[kind]), (ABSENT, 987654)):
        address = path.replace("{layer}", layer).replace("{number}", str(number))
        filled = None if body is None else json.loads(json.dumps(body).replace("{layer}", layer))
        ground.ask(who, method, address, filled)
        with metered() as statements:
            response = ground.ask(who, method, address, filled)
        assert response.status_code == 404
        answers.append(_neutral(response, layer, number))
        work.append(statements)
    assert answers[0] == answers[1]
    assert work[0] == work[1]


def _neutral(response: Any, layer: str, number: int) -> tuple[str, Mapping[str, str]]:
    """The answer without what it was asked for."""
    text = re.sub(rf"\b{number}\b", "N", response.text).replace(layer, "L")
    headers = {k: v for k, v in response.headers.items() if k not in ("date", "content-length")}
    return text, headers


@contextmanager
def metered() -> Iterator[list[str]]:
    """Statements that the service sends meanwhile, on connections of both kinds.

    Looking keys up is not counted, nor the question for changes that it asks by itself several times per second.
    """
    sent: list[str] = []

    def hear(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    real = asyncpg.Connection._execute

    async def told(self: Any, query: str, *arguments: Any, **more: Any) -> Any:
        if not any(name in query for name in ("meta.holder", "layer_state.charted")):
            sent.append(query)
        return await real(self, query, *arguments, **more)

    sa.event.listen(sa.Engine, "before_cursor_execute", hear)
    asyncpg.Connection._execute = told
    try:
        yield sent
    finally:
        asyncpg.Connection._execute = real
        sa.event.remove(sa.Engine, "before_cursor_execute", hear)


def test_the_meter_hears_both_kinds_of_connections(ground: Ground) -> None:
    who = next(one for one in PEOPLE if one.name == "loader 2")
    for path in (f"/jobs/{ground.jobs['spot'][0]}", f"/loads/{ground.loads['way']}"):
        with metered() as statements:
            assert ground.ask(who, "GET", path).status_code == 200
        assert statements, path
