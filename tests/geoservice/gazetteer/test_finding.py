"""A beginning that very many names share is answered from the most important ones; the rest of them is not read."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from geoservice.db.compiled import compile_statement
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.gazetteer import finding
from geoservice.settings import Settings
from layers.access import Clearance
from layers.system import term_tables
from tests.support.database import copied_database
from tests.support.loading import prepared, trial_catalog, trial_layer

MANY = 20_000
PUBLIC = Clearance.PUBLIC
INSERT = """
INSERT INTO meta.term_public (term, form, importance, name)
SELECT left(md5(n::text), 1) || 'anshan' || n, 2, mod(n, 997) / 997.0, n FROM generate_series(1, %s) AS n
"""
NAMES = """
INSERT INTO meta.name_public (id, layer, fid, edition, attribute, name, terms, sound, importance)
SELECT name, 'spot', name, 1, 'name', term, '', term, importance FROM meta.term_public
"""
SCAN = re.compile(r"Scan.* on term_public.*actual time=\S+ rows=(\d+)")


@pytest.fixture(scope="module")
def crowded(cluster_settings: Settings) -> Iterator[Database]:
    """A database in which sixteen beginnings share all terms."""
    with copied_database(cluster_settings) as database:
        prepared(database, trial_catalog(trial_layer("spot")))
        with database.psycopg(Role.OWNER, autocommit=True) as connection:
            connection.execute(INSERT, (MANY,))
            connection.execute(NAMES)
            connection.execute("VACUUM ANALYZE meta.term_public, meta.name_public")
        yield database


async def read(database: Database, statement: sa.Select[tuple[object]], text: str, head: int) -> int:
    """Most terms that one step of a statement reads."""
    values = {"text": text, "last": text + finding.LAST, "head": text[:head], "sound": text, "layers": ["spot"]}
    compiled = compile_statement(statement)
    async with Pools(database) as pools, pools.raw(PUBLIC) as connection, connection.transaction(readonly=True):
        await connection.execute("SET LOCAL enable_seqscan = off")
        rows = await connection.fetch(f"EXPLAIN ANALYZE {compiled.sql}", *compiled.arguments(values))
    plan = "\n".join(row[0] for row in rows)
    found = [int(number) for number in SCAN.findall(plan)]
    assert found, plan
    return max(found)


@pytest.mark.parametrize("text", ["a", "aan", "aansh", "aanshan"])
async def test_the_most_important_are_enough(crowded: Database, text: str) -> None:
    head = finding.head_length(text)
    statement = finding.frequent(PUBLIC, head, filtered=False, within=False)
    assert await read(crowded, statement, text, head) <= finding.CANDIDATES


async def test_without_the_fence_all_of_them_are_read(crowded: Database) -> None:
    """The control: the same condition beside that of the beginning makes the planner gather and sort."""
    terms = term_tables[PUBLIC]
    beginning = sa.func.left(terms.c.term, sa.literal_column("3")) == finding.text("head")
    plain = sa.select(terms.c.name).where(beginning, sa.func.starts_with(terms.c.term, finding.text("text")))
    plain = plain.order_by(terms.c.importance.desc()).limit(finding.CANDIDATES)
    assert await read(crowded, plain, "aan", 3) > finding.CANDIDATES


async def test_likeness_is_looked_for_among_a_bounded_number(crowded: Database) -> None:
    statement = finding.alike(PUBLIC, 1, within=False)
    assert await read(crowded, statement, "aanshxn", 1) <= finding.MOST_ALIKE
