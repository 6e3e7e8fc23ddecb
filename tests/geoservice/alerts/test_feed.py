"""Feeds: conditional requests, entries followed once, growing pauses, and only hosts that are allowed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from geoservice.alerts.desk import AlertDesk
from geoservice.alerts.feed import FeedReader
from geoservice.cli import run
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.writing import Writer
from geoservice.edits.desk import EditDesk
from layers.catalog import Catalog
from tests.ingest.remote.servers import Reply, Scripted, serving
from tests.support.alerts import CATALOG, cap
from tests.support.zones import prepare

NOW = dt.datetime.now(dt.UTC)
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom">{}</feed>'
ENTRY = '<entry><id>{0}</id><updated>{1}</updated><link href="/{0}.cap" type="application/cap+xml"/></entry>'


class Source:
    """A server with a feed that a test writes."""

    def __init__(self) -> None:
        self.feed = b""
        self.messages: dict[str, bytes] = {}
        self.status = 200
        self.server: Scripted | None = None

    def answer(self, path: str) -> Reply:
        if path != "/feed":
            found = self.messages.get(path)
            return (404, {}, b"") if found is None else (200, {}, found)
        asked = self.server.headers[-1] if self.server else {}
        if self.status == 200 and asked.get("If-None-Match") == '"1"':
            return 304, {}, b""
        return self.status, {"ETag": '"1"'}, self.feed if self.status == 200 else b""


@contextmanager
def reading(database: Database, source: Source, catalog: Catalog = CATALOG, **more: Any) -> Iterator[FeedReader]:
    prepare(database, catalog)
    with serving(source.answer) as server:
        source.server = server
        hosts = more.pop("hosts", (f"127.0.0.1:{server.port}",))
        settings = database.settings.model_copy(
            update={"remote_hosts": hosts, "alert_feeds": (server.url("/feed"),), "alert_feed_seconds": 60.0, **more}
        )
        writer = Writer(database)
        edits = EditDesk(settings, writer, catalog)
        try:
            desk = AlertDesk(settings, writer, edits, catalog)
            yield FeedReader(settings, writer, desk, chance=lambda: 0.5)
        finally:
            edits.close()
            writer.close()


def state(database: Database) -> tuple[Any, ...]:
    with database.psycopg(Role.WRITER) as connection:
        found = connection.execute("SELECT failures, error, due FROM alert.feed").fetchone()
    assert found is not None
    return tuple(found)


def test_entries_are_followed_once_and_what_is_unchanged_is_not_sent_again(database: Database) -> None:
    source = Source()
    source.messages = {"/a.cap": cap("a"), "/b.cap": cap("b")}
    source.feed = ATOM.format(ENTRY.format("a", "1") + ENTRY.format("b", "1")).encode()
    with reading(database, source) as reader:
        assert [t.outcome for t in reader.poll(NOW)] == ["new", "new"]
        # Not due yet: nobody is asked.
        assert reader.poll(NOW + dt.timedelta(seconds=30)) == []
        assert reader.poll(NOW + dt.timedelta(seconds=61)) == []
        assert source.server is not None
        assert source.server.asked == ["/feed", "/a.cap", "/b.cap", "/feed"]
        assert source.server.headers[-1]["If-None-Match"] == '"1"'


def test_alerts_inside_the_feed_are_taken_as_they_are(database: Database) -> None:
    source = Source()
    inside = cap("inside").decode().split("?>")[1]
    source.feed = ATOM.format(f"<entry><content>{inside}</content></entry>").encode()
    with reading(database, source) as reader:
        assert [t.identifier for t in reader.poll(NOW)] == ["inside"]


def test_a_feed_that_fails_is_asked_less_and_less_often_and_recovers(database: Database) -> None:
    source = Source()
    source.status, source.feed = 500, cap("x")
    with reading(database, source) as reader:
        at, pauses = NOW, []
        for _ in range(8):
            assert reader.poll(at) == []
            pauses.append((state(database)[2] - at).total_seconds())
            at = state(database)[2]
        assert pauses == [120, 240, 480, 960, 1920, 3600, 3600, 3600]
        assert state(database)[0] == 8
        source.status = 200
        assert [t.outcome for t in reader.poll(at)] == ["new"]
        assert state(database)[:2] == (0, None)


def test_an_entry_that_cannot_be_had_is_tried_again_and_a_bad_one_is_not(database: Database) -> None:
    source = Source()
    source.messages = {"/bad.cap": b"no alert"}
    source.feed = ATOM.format(ENTRY.format("gone", "1") + ENTRY.format("bad", "1")).encode()
    with reading(database, source) as reader:
        assert reader.poll(NOW) == []
        assert "404" in state(database)[1]
        source.messages["/gone.cap"] = cap("gone")
        assert [t.identifier for t in reader.poll(NOW + dt.timedelta(minutes=2))] == ["gone"]
        assert source.server is not None
        assert source.server.asked.count("/bad.cap") == 1


def test_hosts_that_are_not_listed_are_never_asked(database: Database) -> None:
    source = Source()
    with serving(lambda _: (200, {}, cap("elsewhere"))) as other:
        link = f'<entry><updated>1</updated><link href="{other.url("/x.cap")}"/></entry>'
        source.feed = ATOM.format(link).encode()
        with reading(database, source) as reader:
            assert reader.poll(NOW) == []
        assert other.asked == []
    assert state(database)[1]


def test_what_is_over_leaves_the_layer(database: Database) -> None:
    source = Source()
    source.feed = cap("brief")
    with reading(database, source) as reader:
        assert [t.phase for t in reader.poll(NOW)] == ["active"]
        assert reader._desk.sweep() == 0
        with database.psycopg(Role.WRITER) as connection:
            connection.execute("UPDATE alert.message SET ends = now()")
            connection.commit()
        assert reader._desk.sweep() == 1
        assert reader._desk.sweep() == 0
    with database.psycopg(Role.OWNER) as connection:
        kept = connection.execute(
            "SELECT count(*), (SELECT count(*) FROM hist.cap_alert) FROM geo.cap_alert"
        ).fetchone()
    assert kept == (0, 1)


def test_the_command_line_takes_files_and_trusts_certificates(
    database: Database, monkeypatch: Any, tmp_path: Any, capsys: Any
) -> None:
    monkeypatch.setenv("GEOSERVICE_HOME", str(database.settings.home))
    monkeypatch.setenv("GEOSERVICE_DATABASE_NAME", database.settings.database_name)
    file = tmp_path / "alert.cap"
    file.write_bytes(cap("from a file".replace(" ", "-")))
    assert run(["alert", "take", str(file)]) == 0
    assert "from-a-file: new (active, unsigned)" in capsys.readouterr().out
    file.write_bytes(b"<x/>")
    assert run(["alert", "take", str(file)]) == 2
    assert run(["alert", "take", str(tmp_path / "none.cap")]) == 2
    assert run(["alert", "trust", str(file), "--sender", "a@x", "--name", "A"]) == 2
