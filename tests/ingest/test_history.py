"""History against a model in plain Python: any sequence of loads and withdrawals, read as of any instant."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.features.query import FeatureQuery, Position
from geoservice.features.read import page_statement
from ingest.editions import edition_of, editions_statement, withdraw
from ingest.load import LoadTarget
from layers.access import Clearance, Principal, decide
from layers.errors import NotWithdrawable, UnknownEdition
from layers.system import edition, layer_figures, layer_state, outbox
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows

Rows = dict[str, str]
LAYER = trial_layer(
    sources={"part": {"match": ["part*.gpkg"]}, "all": {"match": ["all*.gpkg"], "complete": True}},
)
CATALOG = trial_catalog(LAYER)
TICK = dt.timedelta(microseconds=1)


def source(folder: Path, name: str, rows: Rows, level: str | None = None) -> Path:
    """A file of rows `code -> name`; a file without rows is none, so one row of another key is never wanted."""
    written = [
        {"code": code, "name": name_, "level": level, "geometry": shapely.Point(100, 30)}
        for code, name_ in rows.items()
    ]
    return write_rows(folder / f"{name}.gpkg", written)


def load_rows(target: LoadTarget, rows: Rows, *, complete: bool = False, level: str | None = None) -> int | None:
    """Load rows as the command line would; the number of the edition."""
    with tempfile.TemporaryDirectory() as folder:
        file = source(Path(folder), "all" if complete else "part", rows, level)
        return load_file(CATALOG, target, "trial", file).edition


def held(database: Database, instant: dt.datetime | None, clearance: Clearance = Clearance.RESTRICTED) -> Rows:
    """What a reader is told of the layer as of an instant, over pages of two features."""
    found: Rows = {}
    decision = decide(Principal("somebody", clearance), "read", LAYER)
    start: Position | None = None
    with database.transaction(Role.OWNER) as connection:
        while True:
            query = FeatureQuery(limit=2, start=start, as_of=instant)
            statement = page_statement(LAYER, decision, query)  # type: ignore[arg-type]
            row = connection.execute(statement, query.values(LAYER)).one()  # type: ignore[arg-type]
            for feature in json.loads(f"[{row.features}]"):
                assert feature["id"] not in found
                found[feature["id"]] = feature["properties"]["name"]
            if row.found <= 2:
                return found
            start = Position(row.last)


def instants(database: Database) -> dict[int, dt.datetime]:
    """Instant of each edition."""
    with database.transaction(Role.OWNER) as connection:
        return {r.id: r.committed for r in connection.execute(sa.select(edition.c.id, edition.c.committed))}


def wipe(database: Database) -> None:
    """Empty the layer and forget its editions."""
    with database.transaction(Role.OWNER) as connection:
        connection.execute(sa.update(layer_state).values(edition=None))
        for table in ("geo.trial", "hist.trial", "meta.outbox", "meta.load_report", "meta.quarantine", "meta.edition"):
            schema, name = table.split(".")
            connection.execute(sa.delete(sa.table(name, schema=schema)))


class Model:
    """What must be in the base: the state after each edition, and which editions a withdrawal may take back."""

    def __init__(self) -> None:
        self.states: dict[int, Rows] = {}
        self.changes: dict[int, dict[str, tuple[str | None, str | None]]] = {}
        self.undone: set[int] = set()
        self.undoes: dict[int, int] = {}
        self.now: Rows = {}

    def record(self, number: int, after: Rows) -> None:
        keys = {k for k in {*self.now, *after} if self.now.get(k) != after.get(k)}
        self.changes[number] = {k: (self.now.get(k), after.get(k)) for k in keys}
        self.states[number] = self.now = dict(after)

    def loaded(self, rows: Rows, *, complete: bool) -> Rows:
        return dict(rows) if complete else {**self.now, **rows}

    def blocked(self, number: int) -> bool:
        """Whether an edition is withdrawn, or one that stands upon it keeps it from being so."""
        if number in self.undone:
            return True
        later = [n for n in self.changes if n > number and self.changes[n].keys() & self.changes[number].keys()]
        return any(n not in self.undone and self.undoes.get(n, 0) <= number for n in later)

    def withdrawn(self, number: int) -> Rows:
        after = dict(self.now)
        for key, (before, _) in self.changes[number].items():
            after.pop(key, None)
            if before is not None:
                after[key] = before
        return after

    def mark(self, number: int, withdrawal: int) -> None:
        self.undone.add(number)
        self.undoes[withdrawal] = number
        self.undone.discard(self.undoes.get(number, 0))


ROWS = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["x", "y", "z"]), min_size=1, max_size=5)
STEPS = st.lists(
    st.one_of(st.tuples(st.just("load"), ROWS, st.booleans()), st.tuples(st.just("withdraw"), st.integers(0, 9))),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def target(module_database: Database) -> LoadTarget:
    return prepared(module_database, CATALOG)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_instant_reads_as_the_model_says(
    module_database: Database, target: LoadTarget, steps: list[tuple[Any, ...]]
) -> None:
    wipe(module_database)
    model = Model()
    for step in steps:
        take_step(model, target, step)
    times = instants(module_database)
    assert set(times) == set(model.states)
    assert sorted(times.values()) == [times[n] for n in sorted(times)]
    assert len(set(times.values())) == len(times)
    before: Rows = {}
    for number in sorted(times):
        assert held(module_database, times[number] - TICK) == before
        assert held(module_database, times[number]) == model.states[number]
        before = model.states[number]
    assert held(module_database, None) == model.now == before


def take_step(model: Model, target: LoadTarget, step: tuple[Any, ...]) -> None:
    """Do one step to the base and to the model, and see that they agree on what it changes."""
    if step[0] == "load":
        _, rows, complete = step
        after = model.loaded(rows, complete=complete)
        number = load_rows(target, rows, complete=complete)
        assert (number is None) == (after == model.now)
        if number is not None:
            model.record(number, after)
    elif model.states:
        number = sorted(model.states)[step[1] % len(model.states)]
        if model.blocked(number):
            with pytest.raises(NotWithdrawable):
                withdraw(LAYER, target, number, principal="test", reason="trial")
            return
        report = withdraw(LAYER, target, number, principal="test", reason="trial")
        assert report.edition is not None
        model.record(report.edition, model.withdrawn(number))
        model.mark(number, report.edition)


def everything(database: Database) -> list[Any]:
    """Feature number, key, content, hash and clearance of all current rows."""
    columns = ("fid", "key", "geom", "code", "name", "amount", "level", "secret", "seen", "_clearance", "_hash")
    rows = sa.select(*(sa.column(c) for c in columns)).select_from(sa.table("trial", schema="geo"))
    with database.transaction(Role.OWNER) as connection:
        return [tuple(r) for r in connection.execute(rows.order_by(sa.column("fid")))]


def test_a_withdrawal_brings_rows_back_exactly(module_database: Database, target: LoadTarget) -> None:
    wipe(module_database)
    load_rows(target, {"a": "x", "b": "x", "c": "x"})
    before = everything(module_database)
    second = load_rows(target, {"a": "y", "b": "x", "d": "x"}, complete=True)
    assert second is not None
    between = everything(module_database)
    report = withdraw(LAYER, target, second, principal="officer", reason="wrong county")
    assert (report.inserted, report.updated, report.deleted, report.balanced) == (1, 1, 1, True)
    assert everything(module_database) == before
    again = withdraw(LAYER, target, int(report.edition or 0), principal="officer", reason="right after all")
    assert everything(module_database) == between
    with module_database.transaction(Role.WRITER) as connection:
        first = edition_of(connection, second)
        made = connection.execute(editions_statement("trial")).mappings().all()
        state = connection.execute(sa.select(layer_state.c.edition).where(layer_state.c.layer == "trial")).scalar_one()
        rows = connection.execute(sa.select(layer_figures.c.rows).where(layer_figures.c.clearance == 2)).scalar_one()
        events = connection.execute(sa.select(outbox.c.edition).order_by(outbox.c.id)).scalars().all()
    assert (first["undone_by"], made[0]["id"], made[0]["kind"]) == (None, again.edition, "withdrawal")
    assert (made[1]["undone_by"], made[1]["undoes"], made[1]["reason"]) == (again.edition, second, "wrong county")
    assert (state, rows) == (again.edition, 3)
    assert events[-2:] == [report.edition, again.edition]
    assert {"geoservice", "gdal", "proj", "geos", "postgis"} <= made[0]["tools"].keys()


def test_what_cannot_be_withdrawn_is_named(module_database: Database, target: LoadTarget) -> None:
    wipe(module_database)
    first = load_rows(target, {"a": "x", "b": "x"})
    other = load_rows(target, {"c": "x"})
    third = load_rows(target, {"a": "y"})
    assert first
    assert other
    with pytest.raises(NotWithdrawable, match=f"Edition {third} .* withdraw edition {third} first"):
        withdraw(LAYER, target, first, principal="officer", reason="x")
    withdraw(LAYER, target, other, principal="officer", reason="it stands alone")
    assert held(module_database, None) == {"a": "y", "b": "x"}
    with pytest.raises(NotWithdrawable, match="withdrawn already"):
        withdraw(LAYER, target, other, principal="officer", reason="x")
    with pytest.raises(UnknownEdition):
        withdraw(LAYER, target, 10**9, principal="officer", reason="x")


def test_a_clearance_that_was_raised_reaches_back(module_database: Database, target: LoadTarget) -> None:
    wipe(module_database)
    load_rows(target, {"a": "x", "b": "x"})
    load_rows(target, {"b": "secret by mistake"})
    load_rows(target, {"b": "closed"}, level="restricted")
    for instant in (*instants(module_database).values(), None):
        assert "b" in held(module_database, instant)
        assert "b" not in held(module_database, instant, Clearance.PUBLIC)


def test_instants_grow_when_the_clock_goes_back(module_database: Database, target: LoadTarget) -> None:
    wipe(module_database)
    first = load_rows(target, {"a": "x"})
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    with module_database.transaction(Role.OWNER) as connection:
        connection.execute(sa.update(edition).where(edition.c.id == first).values(committed=ahead))
    second = load_rows(target, {"a": "y"})
    assert second
    assert instants(module_database)[second] == ahead + TICK
    assert held(module_database, ahead) != held(module_database, ahead + TICK)
