"""Rows that are put in order before they are looked at: the same ones in the same order, by the spatial index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoservice.db.compiled import compile_statement
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.db.sync import NetMode
from geoservice.features import read, rows
from geoservice.features.query import FeatureQuery, Look, Position, SortKey
from geoservice.features.sample import Sample
from layers.access import Clearance, Principal, decide
from layers.crs import STORAGE_SRID
from layers.extent import Extent
from layers.filter import parse_filter, queryables_of
from tests.geoservice import test_filter_answers as mixed
from tests.geoservice import test_filter_plans as plans
from tests.support.cql2 import FILTERS, written
from tests.support.loading import trial_catalog
from tests.support.zones import plant, prepare

LAYER, DOTS = mixed.LAYER, plans.LAYER
DECISION = decide(mixed.INTERNAL, "read", LAYER)
TRIANGLE = shapely.Polygon([(0.5, 0.5), (3.5, 0.5), (2, 3.5)])
RELATIONS = tuple(
    f"{name}(geometry, {TRIANGLE.wkt})" for name in ("S_INTERSECTS", "S_WITHIN", "S_CROSSES", "S_OVERLAPS")
)
dots = plans.dots


@pytest.fixture(scope="module")
def filled(module_database: Database) -> Database:
    prepare(module_database, trial_catalog(LAYER))
    columns = ("name", "number", "amount", "flag", "seen", "moment")
    some = [{**{c: row[c] for c in columns}, "geom": row["geometry"], "secret": "s"} for row in mixed.ROWS]
    plant(module_database, LAYER, some)
    return module_database


@pytest.fixture
def reader(filled: Database) -> Iterator[sa.Connection]:
    with filled.transaction(Role.READER_INTERNAL) as connection:
        yield connection


def found(reader: sa.Connection, query: FeatureQuery) -> list[tuple[Any, ...]]:
    statement = rows.rows_statement(LAYER, DECISION, query, extra=1)
    return [tuple(row) for row in reader.execute(statement, query.values(LAYER))]


def asked(text: str, **more: Any) -> FeatureQuery:
    return FeatureQuery(filter=parse_filter(text, "cql2-text", None, queryables_of(LAYER, DECISION)), **more)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    node=FILTERS,
    relation=st.sampled_from(RELATIONS),
    box=st.none() | st.just(Extent(0.2, 0.2, 2.5, 3.0)),
    region=st.none() | st.just(shapely.to_wkb(shapely.set_srid(TRIANGLE.buffer(0.2), STORAGE_SRID), include_srid=True)),
    start=st.none() | st.builds(Position, st.integers(1, 220), st.just(()), st.booleans()),
    placeless=st.booleans(),
    geometry=st.booleans(),
    limit=st.integers(1, 40),
)
def test_the_same_rows_in_the_same_order(
    reader: sa.Connection,
    node: Any,
    relation: str,
    box: Extent | None,
    region: bytes | None,
    geometry: bool,
    **more: Any,
) -> None:
    query = asked(f"({written(node)}) AND {relation}", bbox=box, look=Look(geometry=geometry), **more)
    assert rows.may_go_in_turn(LAYER, query)
    assert found(reader, replace(query, in_turn=True)) == found(reader, query)


def test_relations_are_looked_at_after_all(reader: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes alone would find more: the comparison above is not one of equal things."""
    query = asked(RELATIONS[1], limit=200, in_turn=True)
    exact = found(reader, query)
    assert 5 < len(exact) < 100
    monkeypatch.setattr(rows, "relations", lambda *_: [])
    assert len(found(reader, query)) > len(exact)


def test_only_what_keeps_its_order_goes_in_turn() -> None:
    near = asked(RELATIONS[0], limit=1)
    assert rows.may_go_in_turn(LAYER, near)
    assert rows.may_go_in_turn(LAYER, FeatureQuery(1, bbox=Extent(0, 0, 1, 1)))
    assert not rows.may_go_in_turn(LAYER, replace(near, sort=(SortKey("name"),)))
    for text in ("number > 1", f"NOT {RELATIONS[0]}", f"{RELATIONS[0]} OR number > 1"):
        assert not rows.may_go_in_turn(LAYER, asked(text, limit=1))


@pytest.mark.parametrize(("total", "few"), [(100, True), (read.MOST_IN_TURN * 2, True), (read.MOST_IN_TURN * 5, False)])
def test_few_candidates_go_in_turn_and_many_do_not(total: int, few: bool) -> None:
    """Half of the sample lies where the query looks."""
    boxes = np.array([[0.5, 0.5, 1, 1], [50, 50, 51, 51]])
    reading = Reading("policies", samples={(LAYER.name, int(Clearance.INTERNAL)): Sample(0.0, (1, 2), boxes, total)})
    query = asked(RELATIONS[0], limit=10)
    compiled, _ = read._page_statement(reading, LAYER, DECISION, query)
    assert ("OFFSET" in compiled.sql) == few
    unknown, _ = read._page_statement(Reading("policies"), LAYER, DECISION, query)
    assert "OFFSET" not in unknown.sql, "without a sample nothing is known"


@pytest.mark.parametrize("asker", [Clearance.PUBLIC, Clearance.RESTRICTED])
async def test_the_spatial_index_serves(dots: tuple[Database, NetMode], asker: Clearance) -> None:
    database, mode = dots
    decision = decide(Principal("tester", asker), "read", DOTS)
    condition = parse_filter(plans.SPATIAL[4], "cql2-text", None, queryables_of(DOTS, decision))
    query = FeatureQuery(5, filter=condition, in_turn=True)
    compiled = compile_statement(rows.rows_statement(DOTS, decision, query), Reading(mode).schema(asker))
    async with Pools(database) as pools, pools.raw(asker) as connection:
        told = await connection.fetch(f"EXPLAIN {compiled.sql}", *compiled.arguments(query.values(DOTS)))
    plan = "\n".join(row[0] for row in told)
    assert "dot_geom" in plan, plan
    assert plan.count("Sort Key") == 1, "ordered once, and not again after the looks"
