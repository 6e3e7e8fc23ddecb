"""Files of alerts that are loaded, by whatever way: one desk, one life, and quarantine for what is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg import sql

from geoservice.alerts.delivered import take
from geoservice.alerts.desk import AlertDesk
from geoservice.cli.ingest import target_of
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.writing import Writer
from geoservice.edits.desk import EditDesk
from geoservice.jobs import queue
from geoservice.jobs.model import JobRequest
from geoservice.jobs.perform import Performer
from ingest.delivery import Delivery
from ingest.job import IngestReport, LoadOptions
from ingest.replay import replay
from ingest.sample.alert import SENT, build_alert, dated
from ingest.set_aside import Wanted
from layers.errors import GeoError, SourceMismatch
from layers.system import load_report, quarantine
from tests.support.alerts import CATALOG, WEST, Watch, cap, info, keeping_watch, moment, named

DAY = dt.timedelta(days=1)
ENVELOPE = "<alerts>{}</alerts>"


@dataclass
class Bench:
    """A watch, a folder, and loads into the layer of alerts."""

    watch: Watch
    folder: Path
    desk: AlertDesk | None = None

    @property
    def database(self) -> Database:
        return self.watch.database

    def load(self, *messages: bytes, name: str = "night.cap", **options: Any) -> IngestReport:
        file = self.folder / name
        several = ENVELOPE.format("".join(one.decode().partition("?>")[2] for one in messages)).encode()
        file.write_bytes(messages[0] if len(messages) == 1 else several)
        target = target_of(self.database.settings, self.database)
        desk = self.desk or self.watch.client.app.state.house.alerts  # type: ignore[attr-defined]
        return take(desk, CATALOG, target, Delivery("cap_alert", file, "cap", LoadOptions(**options)))

    def aside(self) -> list[tuple[str, str, str]]:
        with self.database.transaction(Role.OWNER) as connection:
            found = sa.select(quarantine.c.source, quarantine.c.reason, quarantine.c.state)
            return [tuple(row) for row in connection.execute(found.order_by(quarantine.c.id))]


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with keeping_watch(module_database) as kept:
        yield kept


@pytest.fixture
def bench(watch: Watch, tmp_path: Path) -> Bench:
    """A bench on which nothing lies yet."""
    tables = ("alert.message", "geo.cap_alert", "hist.cap_alert", "meta.load_report", "meta.quarantine")
    with watch.database.psycopg(Role.OWNER) as connection:
        for name in tables:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*name.split("."))))
        connection.commit()
    return Bench(watch, tmp_path)


def test_a_loaded_file_has_the_life_of_one_that_was_handed_in(bench: Bench) -> None:
    first = cap("loaded")
    report = bench.load(first)
    assert (report.read, report.inserted, report.quarantined, report.not_selected) == (1, 1, 0, 0)
    assert report.edition is not None
    assert bench.watch.listed() == ["loaded"]
    assert [row["properties"]["identifier"] for row in bench.watch.drawn()] == ["loaded"]
    # By the other way in it is known, and its end by a file ends what is on the map.
    assert bench.watch.taken(first)["outcome"] == "unchanged"
    gone = bench.load(cap("gone", msgType="Cancel", sent=moment(), references=named(first)))
    assert (gone.inserted, gone.deleted, gone.not_selected) == (0, 1, 1)
    assert (bench.watch.listed(), bench.watch.drawn()) == ([], [])


def test_a_second_load_changes_nothing(bench: Bench) -> None:
    messages = cap("one"), cap("two")
    assert bench.load(*messages).inserted == 2
    again = bench.load(*messages)
    assert (again.read, again.unchanged, again.edition) == (2, 2, None)
    assert len(bench.watch.drawn()) == 2


def test_what_is_over_is_kept_and_not_drawn(bench: Bench) -> None:
    report = bench.load(cap("over", info(expires=moment(-2)), sent=moment(-9)))
    assert (report.read, report.inserted, report.not_selected) == (1, 0, 1)
    assert any(one.rule == "alert-not-in-force" for one in report.summary.findings)
    assert bench.watch.listed("?state=all") == ["over"]
    assert bench.watch.drawn() == []


def test_what_is_refused_waits_in_quarantine_and_the_others_stand(bench: Bench) -> None:
    whole, broken = cap("whole"), cap("broken", info(severity="Dreadful"))
    report = bench.load(whole, broken)
    assert (report.read, report.inserted, report.quarantined) == (2, 1, 1)
    assert bench.watch.listed() == ["whole"]
    assert [(source, state) for source, _, state in bench.aside()] == [("night.cap", "open")]
    target = target_of(bench.database.settings, bench.database)
    with pytest.raises(SourceMismatch, match="taken in whole"):
        replay(CATALOG, target, Wanted("cap_alert"), principal="test")
    assert bench.load(whole, broken).quarantined == 1
    assert len(bench.aside()) == 1


def test_a_contradiction_waits_until_the_known_message_comes_again(bench: Bench) -> None:
    known = cap("same")
    bench.load(known)
    assert bench.load(cap("same", info(headline="另一个")), name="other.cap").quarantined == 1
    assert [state for *_, state in bench.aside()] == ["open"]
    assert [row["properties"]["headline"] for row in bench.watch.drawn()] == ["洪水橙色预警"]
    bench.load(known)
    assert [state for *_, state in bench.aside()] == ["mended"]


def test_files_need_the_signature_that_posts_need(bench: Bench) -> None:
    settings = bench.database.settings.model_copy(update={"alert_signed_only": True})
    writer = Writer(bench.database)
    strict = AlertDesk(settings, writer, EditDesk(settings, writer, CATALOG), CATALOG)
    assert replace(bench, desk=strict).load(cap("unsigned")).quarantined == 1
    assert "valid signature" in bench.aside()[0][1]
    assert bench.watch.listed("?state=all") == []
    assert bench.load(cap("unsigned")).inserted == 1


def test_a_dry_run_writes_nothing(bench: Bench) -> None:
    report = bench.load(cap("rehearsed"), dry_run=True)
    assert (report.inserted, report.edition) == (1, None)
    assert (bench.watch.listed(), bench.watch.drawn()) == ([], [])


@pytest.mark.parametrize("content", [b"", b"<x/>", b"no xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_files_without_alerts_are_refused_and_leave_a_report(bench: Bench, content: bytes) -> None:
    with pytest.raises(GeoError):
        bench.load(content)
    with bench.database.transaction(Role.OWNER) as connection:
        assert connection.execute(sa.select(load_report.c.outcome)).scalars().all() == ["refused"]


def test_jobs_take_alerts_in_by_the_same_desk(bench: Bench) -> None:
    file = bench.folder / "job.cap"
    file.write_bytes(cap("by-job"))
    request = JobRequest("cap_alert", "watch", "watch", "job.cap", {"path": str(file)}, "cap")
    with bench.database.transaction(Role.WRITER) as connection:
        queue.submit(connection, request)
    with bench.database.transaction(Role.WRITER) as connection:
        job = queue.claim(connection)
    assert job is not None
    report = Performer(bench.database.settings, bench.database).perform(job)
    assert report is not None
    assert report.inserted == 1
    assert bench.watch.listed() == ["by-job"]


def test_the_sample_alert_of_today_is_in_force_and_is_a_zone(bench: Bench) -> None:
    made = build_alert(WEST, ["990101001"])
    now = dt.datetime.now(dt.UTC)
    bench.load(made, name="sample.cap")
    assert bench.watch.listed("?status=Exercise") == []
    today = dated(made, now)
    assert dated(made, now) == today
    bench.load(today, name="today.cap")
    assert bench.load(today, name="today.cap").edition is None
    # From 08:00 to 06:30 of Beijing it is active, in between it is ahead; ten hours later it is active in any case.
    later = (
        dt.datetime.fromisoformat(SENT) + ((now - dt.datetime.fromisoformat(SENT)) // DAY) * DAY + DAY / 2
    ).isoformat()
    assert len(bench.watch.listed(f"?status=Exercise&at={later.replace('+', '%2B')}")) == 1
    kept = bench.watch.ask("GET", "/alerts?status=Exercise&state=all").json()["alerts"]
    assert len(kept) == 2
    zone = bench.watch.ask("GET", f"/alerts/{kept[0]['id']}/zone").json()
    assert [one["code"] for one in zone["classes"]] == ["Severe"]
    assert bench.watch.listed() == []
