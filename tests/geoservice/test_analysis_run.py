"""How an answer is made: one snapshot, a time budget, the index behind both access nets, rasters, many rows."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from geoservice.analysis.statements import Counting, totals_statement
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.db.sync import NetMode
from ingest import figures
from layers.access import Clearance, Principal, decide
from layers.catalog import Catalog, read_catalog
from layers.crs import STORAGE_SRID
from layers.model import RowLayer, VectorLayer
from layers.system import raster_asset
from layers.table import current_table
from tests.support.zones import COMMITTED, answer, ask, open_edition, plant, prepare, section

ALL = read_catalog()
ZONE = shapely.box(110.0, 30.0, 110.1, 30.1)
PATCHES = 20_000
COPY_PATCHES = b"""
    COPY geo.landuse_patch (patch_id, class_code, geom, key, _clearance, _edition, _valid_from, _hash) FROM STDIN
"""


class Explain(sa.Executable, sa.ClauseElement):
    """`EXPLAIN (FORMAT JSON)` of a select."""

    inherit_cache = False

    def __init__(self, statement: sa.Select[Any]) -> None:
        self.statement = statement


@compiles(Explain)
def _explain(element: Explain, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"


def part_of(*names: str) -> Catalog:
    """A catalogue of a few layers, so that their tables are made quickly."""
    return Catalog({name: ALL.layer(name) for name in names}, ALL.codelists)


CATALOG = part_of("landuse_patch", "road", "hospital", "building")


def layer(name: str) -> VectorLayer:
    found = ALL.layer(name)
    assert isinstance(found, VectorLayer)
    return found


def road(number: int) -> dict[str, Any]:
    line = shapely.LineString([(110.01, 30.01), (110.05, 30.02 + number / 1000)])
    return {"road_id": f"r{number}", "class": "primary", "geom": line}


def hospital(number: int) -> dict[str, Any]:
    return {"hospital_id": f"h{number:04d}", "geom": shapely.Point(110.01 + number / 10_000, 30.05)}


@pytest.fixture
def region(database: Database) -> Database:
    prepare(database, CATALOG)
    plant(database, layer("road"), [road(1)])
    plant(database, layer("hospital"), [hospital(number) for number in range(3)])
    return database


def lock(connection: sa.Connection, found: RowLayer) -> None:
    """Keep everybody from reading a table until the transaction ends."""
    table = current_table(found)
    statement = sa.DDL("LOCK TABLE %(fullname)s IN ACCESS EXCLUSIVE MODE").against(table)
    connection.execute(statement)


async def test_a_section_that_runs_out_of_time_does_not_cost_the_others(region: Database) -> None:
    with region.transaction(Role.OWNER) as connection:
        lock(connection, layer("road"))
        started = time.monotonic()
        found = await answer(region, CATALOG, ZONE, seconds=1.0)
        spent = time.monotonic() - started
    assert section(found, "road").status == "unavailable"
    assert section(found, "road").total is None
    assert section(found, "road").note is not None
    assert section(found, "hospital").total == 3
    assert spent < 3


async def test_other_errors_are_not_swallowed(region: Database) -> None:
    with region.transaction(Role.OWNER) as connection:
        current_table(layer("road")).drop(connection)
    with pytest.raises(ProgrammingError):
        await answer(region, CATALOG, ZONE)


async def test_all_sections_read_one_snapshot(region: Database) -> None:
    # The road section waits for a lock while a hospital is added; the hospital section comes after it.
    with region.transaction(Role.OWNER) as connection:
        lock(connection, layer("road"))
        task = asyncio.create_task(answer(region, CATALOG, ZONE, seconds=30.0))
        await _until_somebody_waits(region)
        await asyncio.to_thread(plant, region, layer("hospital"), [hospital(99)])
    first, second = await task, await answer(region, CATALOG, ZONE)
    assert [section(a, "hospital").total for a in (first, second)] == [3, 4]
    before, after = (section(a, "hospital").edition for a in (first, second))
    assert before is not None
    assert after is not None
    assert before.number < after.number


async def _until_somebody_waits(database: Database) -> None:
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND database IS NOT NULL")
    for _ in range(200):
        await asyncio.sleep(0.05)
        with database.psycopg(Role.ADMIN) as connection:
            row = connection.execute(str(waiting).encode()).fetchone()
        if row is not None and row[0]:
            return
    raise AssertionError("nobody waits for the lock")


async def test_the_connection_goes_back_clean(region: Database) -> None:
    async with Pools(region) as pools:
        for _ in range(3):
            await ask(pools, CATALOG, ZONE)
        async with pools.connection(Clearance.PUBLIC) as connection:
            names = ("statement_timeout", "plan_cache_mode", "transaction_isolation")
            shown = [await connection.scalar(sa.select(sa.func.current_setting(name))) for name in names]
    assert shown == ["10s", "auto", "read committed"]


async def test_at_most_two_hundred_are_listed_in_the_order_of_keys(region: Database) -> None:
    plant(region, layer("hospital"), [hospital(number) for number in range(300, 700)])
    found = section(await answer(region, CATALOG, ZONE), "hospital")
    assert (found.total, found.features_total, len(found.features)) == (403, 403, 200)
    assert [f.id for f in found.features] == sorted(f.id for f in found.features)
    assert found.features[3].id == "h0300"


async def test_hidden_attributes_are_neither_listed_nor_grouped_nor_summed(database: Database) -> None:
    plain = layer("hospital")
    closed = {
        name: plain.attributes[name].model_copy(update={"clearance": Clearance.RESTRICTED})
        for name in ("beds", "level")
    }
    assert plain.exposure is not None
    guarded = plain.model_copy(
        update={
            "attributes": {**plain.attributes, **closed},
            "exposure": plain.exposure.model_copy(update={"measure": "sum", "value": "beds", "by": "level"}),
        }
    )
    catalog = Catalog({"hospital": guarded}, ALL.codelists)
    prepare(database, catalog)
    plant(database, guarded, [{**hospital(n), "beds": 10, "level": "3A"} for n in range(4)])
    public = section(await answer(database, catalog, ZONE), "hospital")
    restricted = section(await answer(database, catalog, ZONE, Clearance.RESTRICTED), "hospital")
    assert (public.measure, public.total, public.rows) == ("count", 4, ())
    assert all(set(f.attributes) == {"hospital_id"} for f in public.features)
    assert (restricted.measure, restricted.total) == ("sum", 40)
    assert [(row.code, row.value) for row in restricted.rows] == [("3A", 40)]


@pytest.mark.parametrize("mode", ["policies", "views"])
async def test_the_index_serves_behind_both_access_nets(database: Database, mode: NetMode) -> None:
    prepare(database, CATALOG, mode)
    patches = layer("landuse_patch")
    _many_patches(database, patches)
    decision = decide(Principal("x", Clearance.PUBLIC), "read", patches)
    zone = shapely.box(110.05, 30.05, 110.06, 30.06)
    statement = totals_statement(patches, decision, Counting("area", "class_code"), [zone.bounds])
    async with Pools(database) as pools, pools.connection(Clearance.PUBLIC) as connection:
        await connection.execute(sa.select(sa.func.set_config("plan_cache_mode", "force_custom_plan", True)))
        schema = Reading(mode).schema(Clearance.PUBLIC)
        options = {"schema_translate_map": schema} if schema else {}
        ewkb = shapely.to_wkb(shapely.set_srid(zone, STORAGE_SRID), include_srid=True)
        plan = await connection.scalar(Explain(statement), {"zone": ewkb}, execution_options=options)
    text = json.dumps(plan)
    assert "landuse_patch_geom" in text
    assert "Seq Scan" not in text


async def test_many_patches_are_measured_quickly(database: Database) -> None:
    prepare(database, CATALOG)
    _many_patches(database, layer("landuse_patch"))
    zone = shapely.Point(110.1, 30.1).buffer(0.09, 32)
    async with Pools(database) as pools:
        await ask(pools, CATALOG, zone)
        started = time.monotonic()
        found = await ask(pools, CATALOG, zone)
        spent = time.monotonic() - started
    land = section(found, "landuse_patch")
    assert sum(row.count for row in land.rows) > PATCHES / 2
    # The patches cover the zone without gaps, so the classes add up to the zone.
    assert land.total == pytest.approx(found.zone.area_m2, rel=1e-9)
    assert spent < 2


def _many_patches(database: Database, patches: VectorLayer) -> None:
    """A grid of squares that covers 110.0-110.2, 30.0-30.2 in twelve classes."""
    edition_number = plant(database, patches, [])
    codes = list(ALL.codelist("gb-t-21010@2017").codes)[:12]
    side = round(PATCHES**0.5)
    step = 0.2 / side
    west, south = (a.ravel() for a in np.meshgrid(110.0 + np.arange(side) * step, 30.0 + np.arange(side) * step))
    boxes = shapely.set_srid(shapely.box(west, south, west + step, south + step), STORAGE_SRID)
    texts = shapely.to_wkb(boxes, hex=True, include_srid=True)
    # Row security knows no COPY for anybody but the administrator.
    with database.psycopg(Role.ADMIN) as connection:
        with connection.cursor().copy(COPY_PATCHES) as copy:
            for number, geometry in enumerate(texts):
                key = f"{number:019d}00000000"
                row = (key, codes[number % 12], geometry, key, 0, edition_number, COMMITTED, f"{number:032x}")
                copy.write_row(row)
        connection.execute("ANALYZE geo.landuse_patch")
    with database.transaction(Role.OWNER) as connection:
        figures.renew(connection, patches)


@pytest.fixture
def people(database: Database, tmp_path: Path) -> Catalog:
    """A population raster of 10 x 10 cells of 0.01 degrees, 7 people each, in 110.0-110.1, 30.0-30.1."""
    catalog = part_of("population")
    prepare(database, catalog)
    transform = rasterio.Affine(0.01, 0.0, 110.0, 0.0, -0.01, 30.1)
    profile = {
        "driver": "GTiff",
        "width": 10,
        "height": 10,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:4490",
        "nodata": -1,
    }
    with rasterio.open(tmp_path / "people.tif", "w", transform=transform, **profile) as target:
        target.write(np.full((1, 10, 10), 7, dtype="float32"))
    footprint = shapely.to_wkb(shapely.set_srid(shapely.MultiPolygon([ZONE]), STORAGE_SRID), True, include_srid=True)
    with database.transaction(Role.OWNER) as connection:
        row = {
            "layer": "population",
            "clearance": 0,
            "edition": open_edition(connection, catalog.layer("population")),
            "source": "people.tif",
            "file": "people.tif",
            "sha256": "0" * 64,
            "crs": "EPSG:4490",
            "width": 10,
            "height": 10,
            "footprint": footprint,
            "bands": [],
            "valid_from": COMMITTED,
        }
        connection.execute(sa.insert(raster_asset).values(row))
    return catalog


async def test_people_of_a_raster(database: Database, people: Catalog, tmp_path: Path) -> None:
    inside = shapely.box(110.02, 30.02, 110.045, 30.04)
    found = section(await answer(database, people, inside, rasters=tmp_path), "population")
    assert found.total == pytest.approx(2.5 * 2 * 7, rel=1e-6)
    assert (found.role, found.measure, found.status, found.note) == ("population", "sum", "ok", None)
    assert found.edition is not None
    assert found.edition.source == "population.test"


async def test_a_zone_half_outside_the_raster_says_so(database: Database, people: Catalog, tmp_path: Path) -> None:
    found = section(
        await answer(database, people, shapely.box(110.05, 30.0, 110.15, 30.1), rasters=tmp_path), "population"
    )
    assert found.total == pytest.approx(50 * 7, rel=1e-6)
    assert found.note is not None
    assert "50.0%" in found.note.en


async def test_beside_the_raster_there_is_no_data(database: Database, people: Catalog, tmp_path: Path) -> None:
    found = section(await answer(database, people, shapely.box(111, 30, 111.1, 30.1), rasters=tmp_path), "population")
    assert (found.status, found.total) == ("no-data", None)


async def test_a_raster_that_takes_too_long_is_unavailable(database: Database, people: Catalog) -> None:
    def slow(assets: Any, zone: Any) -> Any:
        time.sleep(0.6)

    found = section(await answer(database, people, ZONE, raster_sum=slow, seconds=0.2), "population")
    assert found.status == "unavailable"
