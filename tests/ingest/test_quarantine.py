"""The life of quarantined rows: nothing lost, mended, replayed by the ordinary way, superseded, dismissed."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest import replay as replaying
from ingest.editions import withdraw
from ingest.exporting import export, mend_from
from ingest.job import IngestReport, LoadOptions, Replay, plan
from ingest.load import LoadTarget
from ingest.parts import number_of_parts
from ingest.set_aside import SetAside, Wanted, dismiss, mend, row, rows
from layers.errors import BadParameter, SourceMismatch, SourceUnreadable, UnknownRow
from layers.system import edition
from tests.support.loading import count, load_file, prepared, trial_catalog, trial_layer, write_rows

LAYER = trial_layer(
    sources={
        "gpkg": {"match": ["*.gpkg"]},
        "all": {"match": ["none"], "complete": True},
        "csv": {"match": ["*.csv"], "point": {"x": "x", "y": "y"}, "crs": "EPSG:4490"},
        "joined": {"match": ["none"], "repeats": "collect"},
    }
)
CATALOG = trial_catalog(LAYER)
HEAD = "code,name,amount,level,secret,seen,x,y"


@pytest.fixture
def target(database: Database) -> LoadTarget:
    return prepared(database, CATALOG)


def replay(*arguments: Any, **more: Any) -> list[IngestReport]:
    """The reports of a replay that leaves nothing behind."""
    done = replaying.replay(*arguments, **more)
    assert not done.left
    return list(done.reports)


def kept(database: Database, **wanted: Any) -> list[SetAside]:
    """Rows of quarantine, in order."""
    with database.transaction(Role.WRITER) as connection:
        return list(rows(connection, Wanted(**wanted)))


def states(database: Database) -> list[str]:
    """States of all rows of quarantine."""
    return [one.facts["state"] for one in kept(database)]


def names(database: Database) -> dict[str, str]:
    """Names of the current rows by key."""
    table = sa.table("trial", sa.column("key"), sa.column("name"), schema="geo")
    with database.transaction(Role.OWNER) as connection:
        return {r.key: r.name for r in connection.execute(sa.select(table))}


def change(database: Database, number: int, geometry: str | None = None, **fields: str | None) -> bool:
    """Mend one row."""
    shape = None if geometry is None else shapely.from_wkt(geometry)
    with database.transaction(Role.WRITER) as connection:
        return mend(connection, number, fields, shape)


def table(folder: Path, *lines: str, name: str = "rows.csv") -> Path:
    """A text table of the trial layer."""
    file = folder / name
    file.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return file


def test_a_mended_row_is_loaded_as_an_edition_of_its_source(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    file = table(tmp_path, "a,first,1,,,2026-01-05,100,30", "b,second,many,,,2026-01-06,101,30", "c,third,3,,,,x,30")
    first = load_file(CATALOG, target, "trial", file)
    assert (first.inserted, first.quarantined) == (1, 2)
    bad, place = kept(database, state="open")
    assert "amount" in bad.facts["reason"]
    assert (bad.was.fields["amount"], bad.facts["key"], bad.facts["row"]) == ("many", "b", 2)
    assert place.was.unread == "x"
    assert change(database, bad.id, amount="2")
    assert not change(database, bad.id, amount="2")
    assert change(database, place.id, x="102")
    (report,) = replay(CATALOG, target, Wanted(layer="trial"), principal="officer")
    assert (report.read, report.inserted, report.quarantined, report.balanced) == (2, 2, 0, True)
    assert names(database) == {"a": "first", "b": "second", "c": "third"}
    assert states(database) == ["mended", "mended"]
    with database.transaction(Role.WRITER) as connection:
        made = connection.execute(sa.select(edition).where(edition.c.id == report.edition)).one()
        point = connection.scalar(sa.text("SELECT ST_AsText(geom) FROM geo.trial WHERE key = 'c'"))
    assert (made.kind, made.principal, made.source) == ("replay", "officer", "rows.csv")
    assert (made.sha256, made.size) == (first.sha256, file.stat().st_size)
    assert point == "POINT(102 30)"
    assert kept(database)[0].was.fields["amount"] == "many"
    assert replay(CATALOG, target, Wanted(layer="trial"), principal="officer") == []
    assert load_file(CATALOG, target, "trial", file).edition is None
    assert states(database) == ["mended", "mended"]


def test_rows_that_fail_again_stay_open_with_the_new_reason(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    load_file(CATALOG, target, "trial", table(tmp_path, "a,first,many,,,,100,30", "b,second,x,,,,100,30"))
    one, other = kept(database)
    change(database, one.id, amount="1", level="cosmic")
    change(database, other.id, amount="7")
    (report,) = replay(CATALOG, target, Wanted(), principal="officer")
    assert (report.inserted, report.quarantined) == (1, 1)
    assert states(database) == ["open", "mended"]
    again = kept(database)[0]
    assert "cosmic" in again.facts["reason"]
    assert "many" not in again.facts["reason"]
    assert again.was.fields["amount"] == "many"
    assert again.now.fields["level"] == "cosmic"
    assert "many" in again.facts["first_reason"], "what was wrong to begin with is not forgotten"
    assert [(j["way"], j["by"]) for j in again.facts["history"]] == [("load", None), ("replay", "officer")]
    assert again.facts["history"][-1]["reason"] == again.facts["reason"]
    assert again.facts["history"][0]["reason"] == again.facts["first_reason"]
    assert kept(database)[1].facts["history"] == []
    assert [one.id for one in kept(database, reason="MANY")] == [one.id], "the first reason is found too"


def test_a_history_keeps_the_first_reason_and_the_latest_ones(
    database: Database, target: LoadTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.reasons.MOST", 4)
    load_file(CATALOG, target, "trial", table(tmp_path, "a,first,many,,,,100,30"))
    (one,) = kept(database)
    for number in range(6):
        change(database, one.id, amount=f"no{number}")
        replay(CATALOG, target, Wanted(), principal=f"officer{number}")
    (again,) = kept(database)
    assert [j["by"] for j in again.facts["history"]] == [None, "officer3", "officer4", "officer5"]
    assert ("many" in again.facts["first_reason"], "no5" in again.facts["reason"]) == (True, True)


def test_the_same_source_read_by_another_rule_keeps_both_reasons(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    file = table(tmp_path, "a,first,many,cosmic,,,100,30")
    load_file(CATALOG, target, "trial", file)
    first = kept(database)[0].facts["reason"]
    load_file(CATALOG, target, "trial", file)
    assert kept(database)[0].facts["history"] == [], "the same reason again is nothing new"
    lenient = {**LAYER.sources["csv"].model_dump(), "tolerate": ["amount"]}
    catalog = trial_catalog(trial_layer(sources={"csv": lenient}))
    load_file(catalog, target, "trial", file)
    (one,) = kept(database)
    assert (one.facts["first_reason"], "cosmic" in one.facts["reason"]) == (first, True)
    assert "amount" not in one.facts["reason"]
    assert [j["way"] for j in one.facts["history"]] == ["load", "load"]


def test_rows_bear_the_number_that_a_person_sees(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    lines = ("a,x,1,,,,100,30", "b,x,many,,,,100,30", "c,x,1,,,,100,30", "c,y,1,,,,100,30")
    report = load_file(CATALOG, target, "trial", table(tmp_path, *lines))
    assert [one.facts["row"] for one in kept(database)] == [2, 4]
    assert "stands already in row 3 of" in kept(database)[1].facts["reason"]
    found = {f.rule: f.rows for f in report.summary.findings if f.rows}
    assert found == {"type": (2,), "duplicate-key": (4,)}
    export(kept(database), tmp_path / "bad.csv")
    cells = list(csv.DictReader((tmp_path / "bad.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [cell["$row"] for cell in cells] == ["2", "4"]
    change(database, kept(database)[0].id, amount="2")
    change(database, kept(database)[1].id, code="d")
    replay(CATALOG, target, Wanted(), principal="officer")
    assert set(names(database)) == set("abcd")
    assert states(database) == ["mended", "mended"]


def test_typed_fields_and_geometries_come_back_as_they_were(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    geometry = shapely.LineString([(100.1, 30.1, 5.25), (101 / 3, 31.7, 7)])
    written = {
        "code": "a",
        "name": "n",
        "amount": 0.1,
        "level": None,
        "seen": dt.date(2026, 3, 4),
        "geometry": geometry,
    }
    good = {**written, "code": "b", "geometry": shapely.Point(100, 30)}
    load_file(CATALOG, target, "trial", write_rows(tmp_path / "a.gpkg", [written, good]))
    (one,) = kept(database)
    assert one.was.fields["seen"] == "2026-03-04"
    assert one.was.fields["amount"] == 0.1
    assert one.was.geometry is not None
    assert shapely.equals_identical(one.was.geometry, geometry)
    change(database, one.id, geometry="POINT (100.5 30.5)")
    (report,) = replay(CATALOG, target, Wanted(), principal="officer")
    assert report.inserted == 1
    with database.transaction(Role.OWNER) as connection:
        seen = connection.execute(sa.text("SELECT seen, amount, ST_AsText(geom) FROM geo.trial WHERE key = 'a'")).one()
    assert tuple(seen) == (dt.date(2026, 3, 4), 0.1, "POINT(100.5 30.5)")


def test_nothing_of_a_big_or_crooked_row_is_cut(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    text = "字" * 700_000
    ring = shapely.Point(100, 30).buffer(0.1, quad_segs=6000)
    load_file(
        CATALOG,
        target,
        "trial",
        write_rows(
            tmp_path / "a.gpkg",
            [
                {"code": "a", "name": text, "geometry": ring},
                {"code": "b", "name": "n", "geometry": shapely.Point(100, 30)},
            ],
        ),
    )
    (one,) = kept(database)
    assert one.was.fields["name"] == text
    assert one.was.geometry is not None
    assert shapely.equals_identical(one.was.geometry, ring)
    load_file(CATALOG, target, "trial", table(tmp_path, "c,too,1,,,,100,30,many,cells", "d,few"))
    long, short = kept(database, source="rows.csv")
    assert long.was.original == ("c", "too", "1", "", "", "", "100", "30", "many", "cells")
    assert short.was.original == ("d", "few")


def test_a_row_never_replaces_what_its_own_load_wrote(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    point = shapely.Point(100, 30)
    again = [{"code": "a", "name": n, "geometry": point} for n in ("first", "second")]
    load_file(CATALOG, target, "trial", write_rows(tmp_path / "a.gpkg", again))
    (one,) = kept(database)
    assert one.facts["rule"] == "repeated"
    (report,) = replay(CATALOG, target, Wanted(), principal="officer")
    assert (report.edition, report.quarantined, report.read) == (None, 1, 1)
    assert names(database) == {"a": "first"}
    assert "is taken" in kept(database)[0].facts["reason"]
    change(database, one.id, code="b")
    (report,) = replay(CATALOG, target, Wanted(), principal="officer")
    assert report.inserted == 1
    assert names(database) == {"a": "first", "b": "second"}


def test_a_row_gives_way_to_what_came_later(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    load_file(CATALOG, target, "trial", table(tmp_path, "a,old,many,,,,100,30"))
    load_file(CATALOG, target, "trial", table(tmp_path, "a,newer,1,,,,100,30", name="other.csv"))
    (one,) = kept(database)
    change(database, one.id, amount="2")
    (report,) = replay(CATALOG, target, Wanted(), principal="officer")
    assert report.quarantined == 1
    assert (names(database), states(database)) == ({"a": "newer"}, ["open"])


def test_a_row_updates_what_stood_before_its_load(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    load_file(CATALOG, target, "trial", table(tmp_path, "a,before,1,,,,100,30", name="before.csv"))
    load_file(CATALOG, target, "trial", table(tmp_path, "a,after,many,,,,100,30"))
    (one,) = kept(database)
    change(database, one.id, amount="2")
    (report,) = replay(CATALOG, target, Wanted(), principal="officer")
    assert (report.updated, names(database)) == (1, {"a": "after"})


def test_a_corrected_source_supersedes_the_rows_of_the_former(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    load_file(CATALOG, target, "trial", table(tmp_path, "a,x,many,,,,100,30", "b,x,many,,,,100,30"))
    report = load_file(CATALOG, target, "trial", table(tmp_path, "a,x,1,,,,100,30"))
    assert states(database) == ["superseded", "open"]
    assert kept(database)[0].facts["edition"] == report.edition
    load_file(CATALOG, target, "trial", table(tmp_path, "a,x,many,,,,100,30", "b,x,many,,,,100,30"))
    assert states(database) == ["open", "open"]


def test_a_complete_source_deletes_no_row_whose_update_was_refused(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    point = shapely.Point(100, 30)
    before = [{"code": code, "name": "old", "level": None, "geometry": point} for code in "abc"]
    load_file(CATALOG, target, "trial", write_rows(tmp_path / "a.gpkg", before), "all")
    after = [{**before[0], "name": "new"}, {**before[1], "name": "new", "level": "cosmic"}]
    report = load_file(CATALOG, target, "trial", write_rows(tmp_path / "b.gpkg", after), "all")
    assert (report.deleted, names(database)) == (1, {"a": "new", "b": "old"})
    (one,) = kept(database)
    change(database, one.id, level=None)
    replay(CATALOG, target, Wanted(), principal="officer")
    assert names(database) == {"a": "new", "b": "new"}
    again = load_file(CATALOG, target, "trial", tmp_path / "b.gpkg", "all")
    assert (again.edition, names(database)) == (None, {"a": "new", "b": "new"})


def test_withdrawing_a_replay_lets_its_rows_wait_again(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    load_file(CATALOG, target, "trial", table(tmp_path, "a,x,many,,,,100,30", "b,x,1,,,,100,30"))
    change(database, kept(database)[0].id, amount="1")
    (report,) = replay(CATALOG, target, Wanted(), principal="officer")
    taken = withdraw(LAYER, target, int(report.edition or 0), principal="officer", reason="wrong")
    assert (names(database), states(database)) == ({"b": "x"}, ["open"])
    withdraw(LAYER, target, int(taken.edition or 0), principal="officer", reason="right")
    assert (names(database), states(database)) == ({"a": "x", "b": "x"}, ["mended"])


def test_a_dry_replay_changes_nothing(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    load_file(CATALOG, target, "trial", table(tmp_path, "a,x,many,,,,100,30"))
    change(database, kept(database)[0].id, amount="1")
    (report,) = replay(CATALOG, target, Wanted(), principal="officer", options=LoadOptions(dry_run=True))
    assert (report.inserted, report.edition) == (1, None)
    assert (states(database), names(database)) == (["open"], {})


def test_dismissed_rows_stay_dismissed(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    file = table(tmp_path, "a,x,many,,,,100,30")
    load_file(CATALOG, target, "trial", file)
    with database.transaction(Role.WRITER) as connection:
        wanted = Wanted(reason="AMOUNT")
        assert dismiss(connection, Wanted(reason="%"), principal="officer", reason="x") == 0
        assert dismiss(connection, wanted, principal="officer", reason="no parcel") == 1
        assert dismiss(connection, wanted, principal="officer", reason="again") == 0
    load_file(CATALOG, target, "trial", file)
    (one,) = kept(database)
    assert (one.facts["state"], one.facts["remark"], one.facts["settled_by"]) == ("dismissed", "no parcel", "officer")
    assert replay(CATALOG, target, Wanted(), principal="officer") == []
    with pytest.raises(BadParameter, match="only open rows"):
        change(database, one.id, amount="1")


def test_rows_of_which_several_make_a_feature_are_not_replayed(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    bad = {"code": "a", "name": "n", "level": "cosmic", "geometry": shapely.Point(100, 30)}
    load_file(CATALOG, target, "trial", write_rows(tmp_path / "a.gpkg", [bad]), "joined")
    with pytest.raises(SourceMismatch, match="several rows"):
        replay(CATALOG, target, Wanted(), principal="officer")
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.text("UPDATE meta.quarantine SET reader = NULL"))
    with pytest.raises(SourceMismatch, match="older version"):
        replay(CATALOG, target, Wanted(), principal="officer")


def test_quarantined_rows_are_never_read_in_parts(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "a.gpkg", [{"code": "a", "geometry": shapely.Point(100, 30)}])
    made = plan(LAYER, file, dict(CATALOG.codelists), options=LoadOptions(parts=4))
    assert number_of_parts(made) == 4
    assert number_of_parts(dataclasses.replace(made, replay=Replay("a.gpkg", 1, "0"))) == 1


@pytest.mark.parametrize("suffix", [".csv", ".geojson"])
def test_an_exported_file_is_mended_and_read_back(
    database: Database, target: LoadTarget, tmp_path: Path, suffix: str
) -> None:
    evil = '=HYPERLINK("http://x")'
    rows_ = [
        {"code": f"r{i}", "name": evil, "amount": -1.5, "level": "cosmic", "seen": dt.date(2026, 1, 2),
         "geometry": shapely.Point(100 + i / 3, 30)}
        for i in range(3)
    ]  # fmt: skip
    load_file(CATALOG, target, "trial", write_rows(tmp_path / "a.gpkg", rows_))
    file = tmp_path / f"bad{suffix}"
    export(kept(database), file)
    with database.transaction(Role.WRITER) as connection:
        assert mend_from(connection, file) == 0
    text = file.read_text(encoding="utf-8-sig")
    if suffix == ".csv":
        cells = list(csv.reader(text.splitlines()))
        assert not [c for line in cells for c in line if c.startswith(("=", "+", "@"))]
        assert "-1.5" in cells[1]
        edited = text.replace(",cosmic,", ",,", 1).replace("POINT (100.33", "POINT (120.33", 1)
    else:
        body = json.loads(text)
        assert body["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::4490"
        body["features"][0]["properties"]["level"] = None
        body["features"][1]["geometry"]["coordinates"][0] += 20
        edited = json.dumps(body)
    file.write_text(edited, encoding="utf-8")
    with database.transaction(Role.WRITER) as connection:
        assert mend_from(connection, file) == 2
    (report,) = replay(CATALOG, target, Wanted(), principal="officer")
    assert (report.inserted, report.quarantined) == (1, 2)
    assert names(database) == {"r0": evil}
    moved = kept(database)[1].now.geometry
    assert moved is not None
    assert round(shapely.get_x(moved), 6) == round(120 + 1 / 3, 6)


def test_what_is_no_mended_file_is_refused_as_a_whole(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    load_file(CATALOG, target, "trial", table(tmp_path, "a,x,many,,,,100,30"))
    number = kept(database)[0].id
    hostile = {
        "no.csv": "code,name\na,b\n",
        "unknown.csv": f"$quarantine,amount\n{number},1\n{10**9},1\n",
        "field.csv": f"$quarantine,amount,planet\n{number},1,mars\n",
        "wkt.csv": f"$quarantine,$geometry\n{number},POINT (1\n",
        "bytes.csv": b"$quarantine,amount\n\xff\xfe\xfd,1\n",
        "broken.geojson": "{",
        "deep.geojson": "[" * 200_000,
        "shape.geojson": json.dumps({"features": [{"id": number, "properties": {}, "geometry": {"type": "Cube"}}]}),
        "no.xlsx": "x",
    }
    for name, content in hostile.items():
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        with (
            pytest.raises((SourceUnreadable, SourceMismatch, BadParameter, UnknownRow)),
            database.transaction(Role.WRITER) as connection,
        ):
            mend_from(connection, file)
        assert kept(database)[0].mended is None, name
    with database.transaction(Role.WRITER) as connection, pytest.raises(UnknownRow):
        row(connection, 10**9)
    assert count(database, "geo.trial") == 0


def test_one_row_that_cannot_be_replayed_does_not_stop_the_others(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    bad = {"code": "j", "name": "n", "level": "cosmic", "geometry": shapely.Point(100, 30)}
    load_file(CATALOG, target, "trial", write_rows(tmp_path / "a.gpkg", [bad]), "joined")
    load_file(CATALOG, target, "trial", table(tmp_path, "a,x,many,,,,100,30", "b,x,many,,,,100,30"))
    stuck, one, _ = kept(database)
    change(database, one.id, amount="1")
    done = replaying.replay(CATALOG, target, Wanted(), principal="officer")
    assert [(r.inserted, r.quarantined) for r in done.reports] == [(1, 1)]
    assert [(left.source, left.count, left.first) for left in done.left] == [("a.gpkg", 1, (stuck.id,))]
    assert "several rows" in str(done.left[0])
    assert states(database) == ["open", "mended", "open"]
    gone = trial_catalog(trial_layer(sources={"csv": LAYER.sources["csv"]}))
    left = replaying.replay(gone, target, Wanted(), principal="officer").left
    assert [(x.source, "no source mapping" in x.error.detail) for x in left] == [("a.gpkg", True)]
