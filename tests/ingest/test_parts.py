"""Sources read by several readers: the same edition as by one, bit for bit; and what happens when a part fails."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import distributed
import geopandas as gpd
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.settings import Settings
from ingest import parts
from ingest.job import Finding, IngestReport, LoadOptions, Part, ReadSummary, plan
from ingest.load import load
from ingest.readers.window import window_of
from layers.errors import ConfigurationError, SourceMismatch, SourceUnreadable
from layers.system import quarantine
from layers.table import current_table
from tests.support.database import copied_database
from tests.support.loading import prepared, trial_catalog, trial_layer, write_rows

ROWS = 403
LAYER: Any = trial_layer(
    geometry="polygon",
    style={"fill": "#aabbcc"},
    checks=[
        {"rule": "coverage-overlap", "severity": "error", "tolerance": "0.1 m2"},
        {"rule": "duplicate-geometry", "severity": "warning"},
    ],
    sources={"any": {"match": ["*.gpkg", "*.fgb"]}},
)


def squares() -> list[dict[str, Any]]:
    """A row of squares; some overlap their neighbour (also across the middle), some are bad, some are bow ties."""
    chance = random.Random(7)  # noqa: S311 - the same rows each time
    rows = []
    for i in range(ROWS):
        west = 100 + i / 100
        wide = 0.015 if i in (5, 200, 201) else 0.01
        shape = shapely.box(west, 30, west + wide, 30.01)
        if i % 50 == 9:
            shape = shapely.Polygon([(west, 31), (west + 0.01, 31.01), (west + 0.01, 31), (west, 31.01)])
        rows.append(
            {
                "code": f"c{chance.random()}" if i % 40 else f"x{i}",
                "name": f"地块 {i}",
                "amount": float(i) if i % 90 else float("nan"),
                "level": "nonsense" if i % 77 == 3 else chance.choice(["public", "internal", None]),
                "seen": f"2026-01-{1 + i % 28:02}",
                "geometry": shape,
            }
        )
    return rows


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("parts") / "squares.gpkg", squares())


def loaded(database: Database, source: Path, **options: Any) -> IngestReport:
    catalog = trial_catalog(LAYER)
    job = plan(LAYER, source, dict(catalog.codelists), options=LoadOptions(**options))
    return load(job, prepared(database, catalog))


def state(database: Database) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Current rows without their instant, and quarantined rows, as the database holds them."""
    table = current_table(LAYER)
    columns = [sa.func.ST_AsEWKB(sa.type_coerce(c, sa.types.NullType())) if c.name == "geom" else c for c in table.c]
    kept = [c for c in columns if c.name != "_valid_from"]
    bad = quarantine.c
    with database.transaction(Role.OWNER) as connection:
        rows = [tuple(r) for r in connection.execute(sa.select(*kept).order_by(table.c.fid))]
        refused = sa.select(bad.position, bad.reason, bad.sha256).order_by(bad.position)
        return rows, [tuple(r) for r in connection.execute(refused)]


def findings(report: IngestReport) -> dict[tuple[str, str], Finding]:
    return {(f.rule, f.message): f for f in report.summary.findings}


@pytest.fixture(scope="module")
def as_one(cluster_settings: Settings, source: Path) -> tuple[Any, IngestReport]:
    with copied_database(cluster_settings) as database:
        report = loaded(database, source, parts=1)
        return state(database), report


@pytest.mark.parametrize("number", [2, 3, 7])
def test_parts_give_the_same_edition_as_one_reader(
    database: Database, source: Path, as_one: tuple[Any, IngestReport], number: int
) -> None:
    report = loaded(database, source, parts=number)
    assert state(database) == as_one[0]
    assert report.read == ROWS
    assert report.balanced
    one = as_one[1]
    assert findings(report) == findings(one)
    different = {"summary"}
    assert report.model_dump(exclude=different | {"seconds", "load"}) == one.model_dump(
        exclude=different | {"seconds", "load"}
    )
    assert report.summary.model_dump(exclude={"findings"}) == one.summary.model_dump(exclude={"findings"})


def test_two_worker_processes_give_the_same_edition_as_one_reader(cluster_settings: Settings, tmp_path: Path) -> None:
    """On a real Dask cluster of two processes; the rules about rows together are left to a single reader there."""
    plain: Any = trial_layer(geometry="polygon", style={"fill": "#aabbcc"})
    file = write_rows(tmp_path / "squares.gpkg", squares())
    catalog = trial_catalog(plain)
    found = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        for options in ({"parts": 1}, {"parts": 2, "scheduler": cluster.scheduler_address}):
            with copied_database(cluster_settings) as database:
                job = plan(plain, file, dict(catalog.codelists), options=LoadOptions(**options))
                seen: list[int] = []
                report = load(job, prepared(database, catalog), progress=seen.append)
                found.append((state(database), findings(report), report.summary.repaired))
                assert sum(seen) == ROWS
    assert found[0] == found[1]
    assert found[0][2] > 0


def test_rules_about_rows_together_are_not_cut_on_a_cluster(source: Path) -> None:
    job = plan(LAYER, source, dict(trial_catalog(LAYER).codelists), options=LoadOptions(parts=4, scheduler="tcp://x"))
    assert parts.number_of_parts(job) == 1


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_scheduler_that_is_not_there_is_said(address: str) -> None:
    with ExitStack() as readers, pytest.raises(ConfigurationError, match="no Dask scheduler"):
        parts._on_cluster(address, [], lambda _: None, readers)


def test_a_task_does_not_print_the_password() -> None:
    task = parts.PartTask({}, (), "password=secret", ("good",))
    assert task.dsn == "password=secret"
    assert "secret" not in repr(task)


def test_an_overlap_across_the_cut_is_found(database: Database, source: Path, as_one: tuple[Any, IngestReport]) -> None:
    """Rows 200, 201 overlap their neighbours; with two parts the cut lies at 201. Without the judge it is not seen."""
    assert any("overlap" in reason for _, reason, _ in as_one[0][1])
    loaded(database, source, parts=2)
    assert [p for p, _, _ in state(database)[1]] == [p for p, _, _ in as_one[0][1]]


def test_without_the_judge_the_overlap_across_the_cut_is_missed(
    database: Database, source: Path, as_one: tuple[Any, IngestReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "needs_evidence", lambda _: False)
    loaded(database, source, parts=2)
    assert len(state(database)[1]) < len(as_one[0][1])


@pytest.mark.parametrize("fault", [SourceUnreadable("The second part cannot be read."), ZeroDivisionError("a bug")])
def test_a_part_that_fails_ends_the_load(
    database: Database, source: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    real = parts.open_rows

    def failing(share: Any) -> Any:
        if share.part is not None and share.part.number == 1:
            raise fault from KeyError("why")
        return real(share)

    monkeypatch.setattr(parts, "open_rows", failing)
    with pytest.raises(type(fault)) as raised:
        loaded(database, source, parts=3)
    assert (raised.value, str(raised.value.__cause__)) == (fault, "'why'"), "the error goes on as it came"
    with database.transaction(Role.OWNER) as connection:
        assert sa.inspect(connection).get_table_names(schema="staging") == []
    assert state(database) == ([], [])


def test_parts_that_disagree_are_read_again_as_one(
    database: Database, source: Path, as_one: tuple[Any, IngestReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = parts.joined

    def disagree(*_: Any) -> Any:
        raise parts.PartsDisagree

    monkeypatch.setattr(parts, "joined", disagree)
    loaded(database, source, parts=2)
    monkeypatch.setattr(parts, "joined", real)
    assert state(database) == as_one[0]


def summary(**values: Any) -> ReadSummary:
    whole = {"driver": "GPKG", "read": 1, "good": 1, "bad": 0, "not_selected": 0, "facts": {"source_rows": 1}}
    return ReadSummary.model_validate({**whole, **values})


def test_parts_must_agree_on_how_they_read(source: Path) -> None:
    job = plan(LAYER, source, dict(trial_catalog(LAYER).codelists))
    with pytest.raises(parts.PartsDisagree):
        parts.joined(job, [summary(crs="EPSG:4490"), summary(crs="EPSG:4326")])
    with pytest.raises(SourceUnreadable, match="no rows"):
        parts.joined(job, [summary(read=0, good=0, facts={"source_rows": 0})] * 2)
    wrong = summary(good=0, bad=1, facts={"source_rows": 1, "wrong_types": ["Point"]})
    with pytest.raises(SourceMismatch, match="Point"):
        parts.joined(job, [wrong, wrong])


@pytest.mark.parametrize(("rows", "of"), [(10, 3), (403, 7), (2, 5), (1, 1)])
def test_windows_cover_every_row_once(source: Path, rows: int, of: int) -> None:
    windows = [window_of(source, "fgb", ("squares", "fid"), rows, Part(i, of)) for i in range(of)]
    covered = [n for w in windows for n in range(w.start, rows if w.rows is None else w.start + w.rows)]
    assert covered == list(range(rows))


@pytest.mark.parametrize(
    ("options", "mapping", "expected"),
    [
        ({"parts": 5}, {}, 5),
        ({}, {}, 1),
        ({"parts": 5}, {"repeats": "first"}, 1),
        ({"parts": 5}, {"repeats": "collect"}, 1),
    ],
)
def test_only_plain_large_sources_are_cut(
    source: Path, options: dict[str, Any], mapping: dict[str, Any], expected: int
) -> None:
    layer = trial_layer(sources={"any": {"match": ["*.gpkg"], **mapping}})
    job = plan(layer, source, dict(trial_catalog(layer).codelists), options=LoadOptions(**options))
    assert parts.number_of_parts(job) == expected


@pytest.mark.parametrize("suffix", ["gpkg", "fgb"])
def test_gaps_in_feature_numbers_do_not_move_the_cut(database: Database, tmp_path: Path, suffix: str) -> None:
    frame = gpd.GeoDataFrame(squares()[:60], geometry="geometry", crs="EPSG:4490")
    file = tmp_path / f"gaps.{suffix}"
    frame.to_file(file, engine="pyogrio")
    report = loaded(database, file, parts=4)
    assert report.read == 60
    assert [row[0] for row in state(database)[0]] == sorted({row[0] for row in state(database)[0]})
