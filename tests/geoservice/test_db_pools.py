"""The service's connections: one identity per clearance, safe session settings, typed errors."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
import sqlalchemy as sa

from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from layers.access import Clearance
from layers.errors import DatabaseUnavailable, QueryTimeout
from tests.support.database import private_cluster

SESSION = {
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "statement_timeout": "10s",
    "transaction_read_only": "on",
    "search_path": "pg_catalog, public",
    "application_name": "geoservice",
}


@pytest.mark.parametrize("clearance", list(Clearance))
async def test_each_clearance_has_its_identity_and_a_safe_session(
    module_database: Database, clearance: Clearance
) -> None:
    statement = "SELECT current_setting($1)"
    async with Pools(module_database) as pools:
        async with pools.raw(clearance) as connection:
            assert await connection.fetchval("SELECT current_user") == f"geoservice_reader_{clearance.label}"
            raw = {name: await connection.fetchval(statement, name) for name in SESSION}
        async with pools.connection(clearance) as engine_connection:
            user = await engine_connection.scalar(sa.select(sa.func.current_user()))
            orm = {name: await engine_connection.scalar(sa.select(sa.func.current_setting(name))) for name in SESSION}
    assert user == f"geoservice_reader_{clearance.label}"
    assert raw == SESSION
    assert orm == SESSION


async def test_a_slow_statement_is_a_query_timeout(module_database: Database) -> None:
    settings = module_database.settings.model_copy(update={"statement_timeout": 0.2})
    quick = Database(module_database.parameters, module_database.prefix, module_database.passwords, settings)
    async with Pools(quick) as pools:
        with pytest.raises(QueryTimeout):
            async with pools.raw(Clearance.PUBLIC) as connection:
                await connection.execute("SELECT pg_sleep(5)")
        with pytest.raises(QueryTimeout):
            async with pools.connection(Clearance.PUBLIC) as engine_connection:
                await engine_connection.execute(sa.text("SELECT pg_sleep(5)"))
        await pools.check()


async def test_a_full_pool_is_database_unavailable(module_database: Database) -> None:
    settings = module_database.settings.model_copy(update={"pool_max": 1, "pool_timeout": 0.2})
    small = Database(module_database.parameters, module_database.prefix, module_database.passwords, settings)
    async with Pools(small) as pools:
        async with pools.raw(Clearance.PUBLIC):
            with pytest.raises(DatabaseUnavailable, match="free in time"):
                await pools.check()
        async with pools.connection(Clearance.PUBLIC):
            with pytest.raises(DatabaseUnavailable, match="free in time"):
                async with pools.connection(Clearance.PUBLIC):
                    pass
        await pools.check()


async def test_other_errors_pass_as_they_are(module_database: Database) -> None:
    async with Pools(module_database) as pools:
        with pytest.raises(asyncpg.UndefinedTableError):
            async with pools.raw(Clearance.PUBLIC) as connection:
                await connection.execute("SELECT * FROM geo.nothing")
        with pytest.raises(sa.exc.ProgrammingError):
            async with pools.connection(Clearance.PUBLIC) as engine_connection:
                await engine_connection.execute(sa.text("SELECT * FROM geo.nothing"))


def test_the_service_lives_through_a_restart_of_the_database() -> None:
    with private_cluster() as settings:
        asyncio.run(_through_a_restart(Database.from_settings(settings), EmbeddedCluster(settings)))


async def _through_a_restart(database: Database, cluster: EmbeddedCluster) -> None:
    async with Pools(database) as pools:
        await pools.check()
        async with pools.connection(Clearance.PUBLIC):
            await asyncio.to_thread(cluster.stop)
        with pytest.raises(DatabaseUnavailable):
            await pools.check()
        with pytest.raises(DatabaseUnavailable):
            async with pools.connection(Clearance.PUBLIC):
                pass
        await asyncio.to_thread(cluster.start)
        await pools.check()
        async with pools.connection(Clearance.PUBLIC) as connection:
            assert await connection.scalar(sa.select(1)) == 1


async def test_pools_open_while_the_database_is_away(module_database: Database) -> None:
    nowhere = Database(
        {**module_database.parameters, "port": "1"},
        module_database.prefix,
        module_database.passwords,
        module_database.settings,
    )
    async with Pools(nowhere) as pools:
        with pytest.raises(DatabaseUnavailable) as caught:
            await pools.check()
    assert not [s for s in nowhere.passwords.values() if s.get_secret_value() in repr(caught.value)]
