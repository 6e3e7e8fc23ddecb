"""The same source by the same rules is not read a second time; with anything else it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest import again, parts
from ingest.editions import withdraw
from ingest.job import IngestReport, LoadOptions, plan
from ingest.load import LoadTarget, load
from layers.model import Layer
from tests.support.loading import count, prepared, trial_catalog, trial_layer, write_rows

ROWS = [
    {"code": f"c{i}", "name": "x", "level": "nonsense" if i == 3 else None, "geometry": shapely.Point(105 + i / 10, 38)}
    for i in range(8)
]


class Read(Exception):
    """The source is being read."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.gpkg", ROWS)


@pytest.fixture
def layer() -> Layer:
    return trial_layer()


@pytest.fixture
def target(database: Database, layer: Layer) -> LoadTarget:
    return prepared(database, trial_catalog(layer))


def loaded(layer: Layer, target: LoadTarget, source: Path, **options: Any) -> IngestReport:
    codelists = dict(trial_catalog(layer).codelists)
    return load(plan(layer, source, codelists, options=LoadOptions(**options)), target)


@pytest.fixture
def first(layer: Layer, target: LoadTarget, source: Path, monkeypatch: pytest.MonkeyPatch) -> IngestReport:
    """The first load; from then on nothing can be read without being noticed."""
    report = loaded(layer, target, source)

    def refuse(*_: Any, **__: Any) -> None:
        raise Read

    monkeypatch.setattr(parts, "read", refuse)
    return report


def test_the_same_source_is_not_read_again(
    layer: Layer, target: LoadTarget, source: Path, first: IngestReport, database: Database
) -> None:
    report = loaded(layer, target, source)
    assert report.edition is None
    assert report.balanced
    assert (report.read, report.unchanged, report.quarantined) == (8, 7, 1)
    assert (report.inserted, report.updated, report.deleted) == (0, 0, 0)
    assert [f.rule for f in report.summary.findings][-1] == "same-source"
    assert report.load is not None
    assert first.load is not None
    assert report.load > first.load
    assert count(database, "meta.edition") == 1
    assert count(database, "geo.trial") == 7


def test_its_report_is_that_of_a_second_reading(
    layer: Layer, target: LoadTarget, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts, findings and profile are those that a real second reading gives."""
    loaded(layer, target, source)
    short = loaded(layer, target, source)
    monkeypatch.setattr(again, "standing", lambda *_: None)
    long = loaded(layer, target, source)
    exclude = {"seconds", "load", "summary"}
    assert short.model_dump(exclude=exclude) == long.model_dump(exclude=exclude)
    assert short.summary.findings[:-1] == long.summary.findings
    assert short.summary.profile == long.summary.profile


def test_a_changed_byte_is_read(layer: Layer, target: LoadTarget, source: Path, first: IngestReport) -> None:
    del first
    write_rows(source, [*ROWS, {**ROWS[0], "code": "new"}])
    with pytest.raises(Read):
        loaded(layer, target, source)


@pytest.mark.parametrize(
    "change",
    [
        {"sources": {"gpkg": {"match": ["*.gpkg"], "constants": {"name": "y"}}}},
        {"sources": {"gpkg": {"match": ["*.gpkg"], "complete": True}}},
        {
            "attributes": {"code": {"type": "text", "required": True, "pattern": "^c"}},
            "time": None,
            "row_clearance": None,
        },
        {"clearance": "internal"},
    ],
)
def test_other_rules_are_read(target: LoadTarget, source: Path, first: IngestReport, change: dict[str, Any]) -> None:
    del first
    with pytest.raises(Read):
        loaded(trial_layer(**change), target, source)


def test_other_options_are_read(layer: Layer, target: LoadTarget, source: Path, first: IngestReport) -> None:
    del first
    with pytest.raises(Read):
        loaded(layer, target, source, repair=False)


def test_other_tools_are_read(
    layer: Layer, target: LoadTarget, source: Path, first: IngestReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    del first
    monkeypatch.setattr(again, "tool_versions", lambda: {"geos": "0"})
    with pytest.raises(Read):
        loaded(layer, target, source)


def test_a_withdrawn_edition_does_not_stand(
    layer: Layer, target: LoadTarget, source: Path, first: IngestReport
) -> None:
    assert first.edition is not None
    withdraw(layer, target, first.edition, principal="test", reason="wrong file")
    with pytest.raises(Read):
        loaded(layer, target, source)


def test_a_later_edition_means_reading(
    layer: Layer, target: LoadTarget, source: Path, tmp_path: Path, first: IngestReport, database: Database
) -> None:
    """Whatever wrote it: a row of another edition may have changed what the source says."""
    del first
    with database.transaction(Role.OWNER) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO meta.edition (layer, clearance, committed, principal, source, sha256, size, mapping, "
                "inserted, updated, deleted, report) SELECT layer, clearance, now(), 'x', 'y', 'z', 1, mapping, 0, 1, "
                "0, report FROM meta.edition"
            )
        )
        connection.execute(sa.text("UPDATE meta.layer_state SET edition = (SELECT max(id) FROM meta.edition)"))
    with pytest.raises(Read):
        loaded(layer, target, source)


def test_a_table_that_lost_rows_is_filled_again(
    layer: Layer, target: LoadTarget, source: Path, first: IngestReport, database: Database
) -> None:
    del first
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.text("DELETE FROM geo.trial WHERE fid = 1"))
    with pytest.raises(Read):
        loaded(layer, target, source)
