"""Filters find their features by the spatial index, as any reader, behind both access nets."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import shapely

from geoservice.db.compiled import compile_statement
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.db.sync import NetMode
from geoservice.features.query import FeatureQuery
from geoservice.features.rows import rows_statement
from geoservice.queries.related import Opened, Related, find_related, related_statement
from geoservice.queries.where import Where
from geoservice.settings import Settings
from layers.access import Clearance, Principal, decide
from layers.filter import parse_filter, queryables_of
from layers.model import VectorLayer
from tests.support.database import copied_database
from tests.support.loading import trial_catalog, trial_layer
from tests.support.zones import plant, prepare

POLYGON = "POLYGON((105.1 38.1, 105.13 38.1, 105.12 38.13, 105.1 38.1))"
SPATIAL = [
    f"S_INTERSECTS(geometry, {POLYGON})",
    f"S_WITHIN(geometry, {POLYGON})",
    f"S_CONTAINS({POLYGON}, geometry)",
    "S_INTERSECTS(geometry, BBOX(105.1, 38.1, 105.13, 38.13))",
    f"name LIKE 'n1%' AND S_INTERSECTS(geometry, {POLYGON}) AND amount > 3",
    "within_distance(geometry, POINT(105.1 38.1), 500)",
]
SCANNED = [f"S_DISJOINT(geometry, {POLYGON})", f"NOT S_INTERSECTS(geometry, {POLYGON})", "amount > 3"]


def layer() -> VectorLayer:
    made = trial_layer("dot")
    assert isinstance(made, VectorLayer)
    return made


LAYER = layer()


@pytest.fixture(scope="module", params=["policies", "views"])
def dots(request: pytest.FixtureRequest, cluster_settings: Settings) -> Iterator[tuple[Database, NetMode]]:
    mode: NetMode = request.param
    levels = list(Clearance)
    with copied_database(cluster_settings) as database:
        prepare(database, trial_catalog(LAYER), mode)
        grid = [
            {
                "geom": shapely.Point(105 + i % 100 / 100, 38 + i // 100 / 100),
                "code": f"c{i}",
                "name": f"n{i}",
                "amount": float(i % 7),
                "clearance": levels[i % 3],
            }
            for i in range(10_000)
        ]
        plant(database, LAYER, grid)
        with database.psycopg(Role.OWNER, autocommit=True) as connection:
            connection.execute("ANALYZE geo.dot")
        yield database, mode


async def plan(database: Database, mode: NetMode, text: str, asker: Clearance) -> str:
    decision = decide(Principal("tester", asker), "read", LAYER)
    condition = parse_filter(text, "cql2-text", None, queryables_of(LAYER, decision))
    query = FeatureQuery(10_000, filter=condition)
    compiled = compile_statement(rows_statement(LAYER, decision, query), Reading(mode).schema(asker))
    async with Pools(database) as pools, pools.raw(asker) as connection:
        rows = await connection.fetch(f"EXPLAIN {compiled.sql}", *compiled.arguments(query.values(LAYER)))
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("asker", [Clearance.PUBLIC, Clearance.RESTRICTED])
@pytest.mark.parametrize("text", SPATIAL)
async def test_the_spatial_index_serves(dots: tuple[Database, NetMode], text: str, asker: Clearance) -> None:
    found = await plan(*dots, text, asker)
    assert "dot_geom" in found, found
    assert re.search(r"Index Cond: \(+geom &&", found), found


@pytest.mark.parametrize("text", SCANNED)
async def test_what_no_index_can_find_shows_that_the_plans_are_told_apart(
    dots: tuple[Database, NetMode], text: str
) -> None:
    assert "dot_geom" not in await plan(*dots, text, Clearance.PUBLIC)


@pytest.mark.parametrize("asker", [Clearance.PUBLIC, Clearance.RESTRICTED])
async def test_small_places_of_many_layers_are_found_by_index_without_being_known(
    dots: tuple[Database, NetMode], asker: Clearance
) -> None:
    """The plan that is kept for all small places, by the server's own word."""
    database, mode = dots
    opened = [Opened(LAYER, decide(Principal("tester", asker), "read", LAYER))]
    compiled = compile_statement(related_statement(opened, Related("intersects", 10), 1), Reading(mode).schema(asker))
    async with Pools(database) as pools, pools.raw(asker) as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE looked AS {compiled.sql}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE looked({', '.join(['NULL'] * len(compiled.names))})")
    text = "\n".join(row[0] for row in rows)
    assert re.search(r"Index Cond: \(+geom && ", text), text
    assert "Seq Scan on dot" not in text


async def test_a_place_is_answered_alike_whether_its_plan_was_kept(dots: tuple[Database, NetMode]) -> None:
    """Small places, larger ones, and the settings of the session afterwards."""
    database, mode = dots
    asker = Clearance.RESTRICTED
    opened = [Opened(LAYER, decide(Principal("tester", asker), "read", LAYER))]
    async with Pools(database) as pools, pools.raw(asker) as connection:
        for side in (0.0, 0.05, 0.09, 0.11, 0.5):
            place = Where(shapely.box(105.2, 38.2, 105.2 + side + 1e-6, 38.2 + side + 1e-6), "box")
            found = await find_related(connection, Reading(mode), opened, Related("intersects", 5_000), place)
            places = {f"c{i}": shapely.Point(105 + i % 100 / 100, 38 + i // 100 / 100) for i in range(10_000)}
            expected = {key for key, point in places.items() if place.geometry.intersects(point)}
            assert {one["id"] for one in found["dot"]} == expected
            assert await connection.fetchval("SHOW plan_cache_mode") == "auto"
