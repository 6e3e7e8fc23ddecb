"""Feeds against a local mirror: what is new is taken once, whatever the mirror and the machine do meanwhile."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from psycopg import sql

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.writing import Writer
from geoservice.feeds import reader as reading
from geoservice.feeds import state
from geoservice.feeds.reader import Look, Reader
from geoservice.jobs import queue
from geoservice.jobs.execute import INCOMING
from geoservice.jobs.intake import Feed
from geoservice.jobs.perform import Performer
from layers.catalog import Catalog, read_catalog
from layers.errors import GeoError
from layers.system import feed as table
from layers.table import current_table
from tests.ingest.remote.servers import Reply, Scripted, serving
from tests.support.jobs import until
from tests.support.observing import level, station, stored
from tests.support.zones import prepare

ALL = read_catalog()
CATALOG = Catalog({"earthquake": ALL.layer("earthquake")}, ALL.codelists)
NOW = dt.datetime(2026, 6, 18, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
GENERATED = 1_781_000_000_000


def quakes(*named: tuple[str, float], generated: int = GENERATED) -> bytes:
    """A document as the earthquake service of the USGS writes it."""
    features = [
        {
            "type": "Feature",
            "id": name,
            "properties": {"mag": mag, "place": "valley", "time": GENERATED - 60_000, "type": "earthquake"},
            "geometry": {"type": "Point", "coordinates": [80.1, 40.1, 10.0]},
        }
        for name, mag in named
    ]
    head = {"generated": generated, "url": "http://mirror.test", "title": "quakes", "status": 200}
    return json.dumps({"type": "FeatureCollection", "metadata": head, "features": features}).encode()


@dataclass
class Mirror:
    """A local mirror that a test writes: body, status and validators of its one address."""

    body: bytes = b""
    status: int = 200
    etag: str | None = None
    modified: str | None = None
    server: Scripted = field(default_factory=lambda: Scripted(lambda _: (200, {}, b"")))

    def answer(self, _: str) -> Reply:
        asked = self.server.headers[-1]
        if self.status == 200 and self.etag is not None and asked.get("If-None-Match") == self.etag:
            return 304, {}, b""
        given = {"ETag": self.etag, "Last-Modified": self.modified}
        headers = {name: value for name, value in given.items() if value is not None}
        return self.status, headers, self.body if self.status == 200 else b"<html>out of order</html>"


@dataclass
class Post:
    """A reader of one mirror, over an own database."""

    database: Database
    mirror: Mirror
    writer: Writer
    reader: Reader

    def feed(self, **more: Any) -> Feed:
        into = {"into": [{"layer": "hazard/earthquake", "mapping": "usgs_feed"}]} if "readings" not in more else {}
        address = self.mirror.server.url("/all_hour.geojson")
        return Feed.model_validate({"name": "quakes", "address": address, "every": 60, **into, **more})

    def poll(self, at: dt.datetime = NOW, **more: Any) -> Look | None:
        found = self.reader.poll([self.feed(**more)], at)
        return found[0] if found else None

    def state(self) -> Any:
        with self.database.transaction(Role.OWNER) as connection:
            return connection.execute(sa.select(table)).one()

    def jobs(self) -> list[Any]:
        with self.database.transaction(Role.WRITER) as connection:
            return list(queue.listing(connection, limit=100))

    def work(self) -> list[str]:
        """Do the waiting jobs as a runner does; returns what became of each."""
        ends = []
        while True:
            with self.database.transaction(Role.WRITER) as connection:
                job = queue.claim(connection)
            if job is None:
                return ends
            try:
                Performer(self.database.settings, self.database).perform(job)
            except GeoError as error:
                with self.database.transaction(Role.WRITER) as connection:
                    queue.finish(connection, job, "refused", {"detail": error.detail})
            with self.database.transaction(Role.WRITER) as connection:
                ends.append(queue.get(connection, job.id).state)

    def end_jobs(self) -> None:
        """Have the jobs end as if they had been done."""
        with self.database.psycopg(Role.OWNER) as connection:
            connection.execute("UPDATE meta.job SET state = 'done', finished = now()")
            connection.commit()

    def stands(self) -> dict[str, float]:
        rows: Any = current_table(CATALOG.layer("earthquake")).c  # type: ignore[arg-type]
        with self.database.transaction(Role.OWNER) as connection:
            return {row.event_id: row.magnitude for row in connection.execute(sa.select(rows.event_id, rows.magnitude))}


@pytest.fixture(scope="module")
def prepared(module_database: Database) -> Database:
    prepare(module_database, CATALOG)
    return module_database


@pytest.fixture
def post(prepared: Database) -> Iterator[Post]:
    """A post at which no feed was asked yet."""
    with prepared.psycopg(Role.OWNER) as connection:
        for name in ("meta.feed", "meta.job", "geo.earthquake"):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*name.split("."))))
        connection.commit()
    mirror = Mirror()
    with serving(mirror.answer) as server:
        mirror.server = server
        settings = prepared.settings.model_copy(update={"remote_hosts": (f"127.0.0.1:{server.port}",)})
        writer = Writer(prepared)
        yield Post(prepared, mirror, writer, Reader(settings, writer, CATALOG, chance=lambda: 0.5))
        writer.close()


def test_what_is_new_becomes_a_job_that_loads_it(post: Post) -> None:
    post.mirror.body = quakes(("a", 4.5), ("b", 5.5))
    look = post.poll()
    assert look is not None
    assert look.outcome == "new"
    assert post.work() == ["done"]
    assert post.stands() == {"a": 4.5, "b": 5.5}
    post.mirror.body = quakes(("a", 4.7), generated=GENERATED + 1)
    assert post.poll(NOW + MINUTE * 2) is not None
    assert post.work() == ["done"]
    assert post.stands() == {"a": 4.7, "b": 5.5}
    assert post.state().stamp == dt.datetime.fromtimestamp((GENERATED + 1) / 1000, dt.UTC)


def test_it_is_asked_at_its_pace_and_what_is_unchanged_is_not_sent_again(post: Post) -> None:
    post.mirror.body, post.mirror.etag = quakes(("a", 4.5)), '"1"'
    assert post.poll() is not None
    post.end_jobs()
    assert post.poll(NOW + MINUTE / 2) is None
    assert post.poll(NOW + MINUTE * 2) == Look("quakes", "unchanged")
    assert post.mirror.server.headers[-1]["If-None-Match"] == '"1"'
    assert len(post.mirror.server.asked) == 2
    assert len(post.jobs()) == 1


def test_the_same_bytes_without_validators_are_not_loaded_again(post: Post) -> None:
    post.mirror.body = quakes(("a", 4.5))
    post.poll()
    post.end_jobs()
    assert post.poll(NOW + MINUTE * 2) == Look("quakes", "unchanged")
    post.mirror.body = quakes(("a", 4.7), generated=GENERATED + 1)
    assert post.poll(NOW + MINUTE * 4) is not None
    assert len(post.jobs()) == 2


def test_no_further_job_while_the_last_answer_is_being_loaded(post: Post) -> None:
    post.mirror.body = quakes(("a", 4.5))
    post.poll()
    post.mirror.body = quakes(("a", 4.6), generated=GENERATED + 1)
    assert post.poll(NOW + MINUTE * 2) == Look("quakes", "busy")
    assert len(post.mirror.server.asked) == 1
    post.end_jobs()
    assert post.poll(NOW + MINUTE * 3) is not None


def test_a_feed_that_fails_is_asked_less_and_less_often_and_recovers(post: Post) -> None:
    post.mirror.status, at, pauses = 500, NOW, []
    for _ in range(8):
        look = post.poll(at)
        assert look is not None
        assert look.outcome == "failed"
        pauses.append((post.state().due - at).total_seconds())
        at = post.state().due
    assert pauses == [120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert "500" in post.state().error
    post.mirror.status, post.mirror.body = 200, quakes(("a", 4.5))
    look = post.poll(at)
    assert look is not None
    assert look.outcome == "new"
    assert (post.state().failures, post.state().error) == (0, None)


def test_a_mirror_that_goes_back_in_time_changes_nothing(post: Post) -> None:
    post.mirror.body = quakes(("a", 4.9), generated=GENERATED + 5000)
    post.poll()
    post.end_jobs()
    post.mirror.body = quakes(("a", 4.5), generated=GENERATED)
    look = post.poll(NOW + MINUTE * 2)
    assert look is not None
    assert look.outcome == "failed"
    assert "what was taken before" in look.detail
    assert len(post.jobs()) == 1


def test_headers_tell_the_time_where_the_answer_does_not(post: Post) -> None:
    post.mirror.body, post.mirror.modified = b"station,property,time,result\n", "Thu, 18 Jun 2026 08:00:00 GMT"
    post.poll(readings="csv")
    post.mirror.body, post.mirror.modified = b"station,property,result,time\n", "Thu, 18 Jun 2026 07:00:00 GMT"
    look = post.poll(NOW + MINUTE * 2, readings="csv")
    assert look is not None
    assert look.outcome == "failed"


def test_garbage_for_a_layer_ends_as_a_refused_job_that_the_state_tells(post: Post) -> None:
    post.mirror.body = b"\x00\xff<html>login please</html>"
    post.poll()
    assert post.work() == ["refused"]
    with post.database.transaction(Role.WRITER) as connection:
        assert [row["states"] for row in state.listed(connection)] == [["refused"]]
    assert post.stands() == {}


@pytest.mark.parametrize("form", ["csv", "openaq"])
def test_garbage_for_readings_is_a_failure(post: Post, form: str) -> None:
    post.mirror.body = b"<html>login please</html>"
    look = post.poll(readings=form)
    assert look is not None
    assert look.outcome == "failed"
    assert (post.state().digest, post.state().failures) == (None, 1)


def test_an_answer_is_taken_up_to_its_limit(post: Post) -> None:
    post.mirror.body = quakes(("a", 4.5))
    look = post.poll(most_bytes=len(post.mirror.body) - 1)
    assert look is not None
    assert "more than" in look.detail
    assert post.jobs() == []
    assert (
        post.poll(NOW + MINUTE * 5, most_bytes=len(post.mirror.body)) == Look("quakes", "new", "jobs 1") or post.jobs()
    )


def test_an_answer_that_never_ends_is_given_up(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.0)
    look = post.poll()
    assert look is not None
    assert look.outcome == "failed"


def test_hosts_that_are_not_listed_are_never_asked(post: Post) -> None:
    with serving(lambda _: (200, {}, quakes(("x", 9.0)))) as other:
        look = post.poll(address=other.url("/all_hour.geojson"))
        assert look is not None
        assert "not among the remote hosts" in look.detail
        assert other.asked == []


def test_another_address_is_another_feed(post: Post) -> None:
    post.mirror.body, post.mirror.etag = quakes(("a", 4.5)), '"1"'
    post.poll()
    post.end_jobs()
    assert post.poll(NOW, address=post.mirror.server.url("/elsewhere.geojson"), file="all_hour.geojson") is not None
    assert "If-None-Match" not in post.mirror.server.headers[-1]


def test_two_workers_take_an_answer_once(post: Post) -> None:
    post.mirror.body = quakes(("a", 4.5))
    together = threading.Barrier(2, timeout=60)

    def held(path: str) -> Reply:
        together.wait()
        return Mirror.answer(post.mirror, path)

    post.mirror.server.answer = held
    with ThreadPoolExecutor(2) as pool:
        looks = [one for one in pool.map(lambda _: post.poll(), range(2)) if one is not None]
    assert sorted(one.outcome for one in looks) == ["new", "unchanged"]
    assert len(post.jobs()) == 1
    assert len(list((post.database.settings.home / INCOMING).glob("*.owner"))) >= 1


def test_a_reader_that_fails_before_the_end_leaves_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = post.database.settings.home / INCOMING
    before = set(folder.iterdir())
    post.mirror.body = quakes(("a", 4.5))
    with monkeypatch.context() as patch:
        patch.setattr(reading.state, "note", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            post.poll()
    assert (post.jobs(), set(folder.iterdir())) == ([], before)
    look = post.poll()
    assert look is not None
    assert look.outcome == "new"


def test_a_command_that_is_killed_while_it_reads_has_changed_nothing(post: Post, tmp_path: Path) -> None:
    post.mirror.body, stuck = quakes(("a", 4.5)), threading.Event()
    post.mirror.server.answer = lambda path: (stuck.wait(60), Mirror.answer(post.mirror, path))[1]
    watch = tmp_path / "watch.yaml"
    watch.write_text(
        yaml.safe_dump({"format": 1, "feeds": [post.feed().model_dump(exclude_defaults=True, mode="json")]})
    )
    settings = post.database.settings
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GEOSERVICE_")}
    given = {
        "GEOSERVICE_HOME": str(settings.home),
        "GEOSERVICE_DATABASE_NAME": settings.database_name,
        "GEOSERVICE_WATCH": str(watch),
        "GEOSERVICE_REMOTE_HOSTS": json.dumps([f"127.0.0.1:{post.mirror.server.port}"]),
    }
    command = [sys.executable, "-m", "geoservice", "feeds", "poll", "quakes"]
    with subprocess.Popen(command, env={**kept, **given}) as process:
        until(lambda: post.mirror.server.asked)
        process.send_signal(signal.SIGKILL)
    stuck.set()
    assert post.jobs() == []
    assert post.state().checked is None
    ended = subprocess.run([*command[:-2], "poll"], env={**kept, **given}, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.startswith("quakes: new: jobs")) == (0, True)
    assert len(post.jobs()) == 1


CSV = (
    "station,property,time,result\nS,water_level,2026-06-18T00:00:00Z,1.5\nunknown,water_level,2026-06-18T00:00:00Z,1\n"
)
OPENAQ = {
    "results": [
        {
            "value": 2.5,
            "parameter": {"name": "water_level", "units": "m"},
            "period": {"datetimeFrom": {"utc": "2026-06-18T01:00:00Z"}, "datetimeTo": {"utc": "2026-06-18T02:00:00Z"}},
            "locationsId": 7,
        },
        {
            "value": 3.5,
            "parameter": "water_level",
            "unit": "m",
            "locationId": 7,
            "date": {"utc": "2026-06-18T03:00:00Z"},
        },
        {"value": 1, "parameter": None},
    ]
}


def test_readings_are_written_once_and_strangers_wait_in_quarantine(post: Post) -> None:
    station(post.database, "river:S", level("river:S/level", "river:S"))
    post.mirror.body = CSV.encode()
    look = post.poll(readings="csv", prefix="river:")
    assert look is not None
    assert look.detail == "read 2 = inserted 1 + revised 0 + unchanged 0 + quarantined 1"
    post.mirror.body = CSV.encode() + b"\n"
    look = post.poll(NOW + MINUTE * 2, readings="csv", prefix="river:")
    assert look is not None
    assert look.detail == "read 2 = inserted 0 + revised 0 + unchanged 1 + quarantined 1"
    assert (dt.datetime(2026, 6, 18, tzinfo=dt.UTC), 1.5) in stored(post.database, "phenomenon_time", "number")


def test_both_versions_of_openaq_are_read(post: Post) -> None:
    station(post.database, "air:7", level("air:7/level", "air:7"))
    post.mirror.body = json.dumps(OPENAQ).encode()
    look = post.poll(readings="openaq", prefix="air:")
    assert look is not None
    assert look.detail == "read 3 = inserted 2 + revised 0 + unchanged 0 + quarantined 1"
