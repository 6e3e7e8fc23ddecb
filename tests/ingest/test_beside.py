"""First loads by a table built beside: the same rows as by comparison, the same rights, and a way back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import ProgrammingError

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest import beside
from ingest.diff import clearance_expression, key_expression
from ingest.keys import can_write_key, key_column
from layers.model import VectorLayer
from layers.table import current_table
from tests.support.database import copied_database
from tests.support.loading import count, load_file, prepared, trial_catalog, trial_layer, write_rows

LAYER = trial_layer()


def rows(number: int = 12) -> list[dict[str, Any]]:
    return [
        {
            "code": f"c{i}|~{i % 3}",
            "name": f"点 {i}",
            "amount": i / 3,
            "level": ("public", "internal", "restricted", None)[i % 4],
            "seen": dt.date(2026, 1, 1 + i),
            "geometry": shapely.Point(105 + i / 100, 38),
        }
        for i in range(number)
    ]


def content(database: Database) -> list[tuple[Any, ...]]:
    """All columns of the current rows but edition and instant."""
    table = current_table(LAYER)  # type: ignore[arg-type]
    columns = [sa.func.ST_AsEWKB(sa.type_coerce(c, sa.types.NullType())) if c.name == "geom" else c for c in table.c]
    kept = [c for c in columns if c.name not in ("_edition", "_valid_from")]
    with database.transaction(Role.OWNER) as connection:
        return [tuple(row) for row in connection.execute(sa.select(*kept).order_by(table.c.fid))]


def shape_of(database: Database) -> dict[str, Any]:
    """Columns, checks, indexes, rights and policies of the table, as the server lists them."""
    queries = {
        "columns": "SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attacl::text "
        "FROM pg_attribute WHERE attrelid = 'geo.trial'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1",
        "constraints": "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = 'geo.trial'::regclass ORDER BY 1",
        "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'geo' AND tablename = 'trial' "
        "ORDER BY 1",
        "policies": "SELECT policyname, permissive, roles, cmd, qual, with_check FROM pg_policies "
        "WHERE schemaname = 'geo' AND tablename = 'trial' ORDER BY 1",
        "rights": "SELECT relowner::regrole::text, relacl::text, relrowsecurity, relforcerowsecurity FROM pg_class "
        "WHERE oid = 'geo.trial'::regclass",
        "sequence": "SELECT pg_get_serial_sequence('geo.trial', 'fid')",
    }
    with database.transaction(Role.ADMIN) as connection:
        return {name: [tuple(r) for r in connection.execute(sa.text(query))] for name, query in queries.items()}


def loaded(database: Database, file: Path) -> None:
    catalog = trial_catalog(LAYER)
    report = load_file(catalog, prepared(database, catalog), "trial", file)
    assert report.edition is not None
    assert report.balanced


def test_the_adopted_table_is_the_one_that_comparison_makes(
    cluster_settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, feature numbers, keys, digests, clearances, indexes, checks, policies and grants."""
    file = write_rows(tmp_path / "rows.gpkg", rows())
    found = []
    for by_comparison in (False, True):
        with copied_database(cluster_settings) as database:
            if by_comparison:
                monkeypatch.setattr(beside, "can_write_key", lambda _: False)
            loaded(database, file)
            found.append((content(database), shape_of(database)))
    assert found[0] == found[1]
    assert len(found[0][0]) == 12


def test_feature_numbers_go_on_after_an_adopted_table(database: Database, tmp_path: Path) -> None:
    loaded(database, write_rows(tmp_path / "rows.gpkg", rows()))
    more = [*rows(), {**rows(1)[0], "code": "new"}]
    loaded(database, write_rows(tmp_path / "more.gpkg", more))
    assert [row[0] for row in content(database)] == list(range(1, 14))


def test_a_repeated_key_takes_the_way_of_comparison(database: Database, tmp_path: Path) -> None:
    twice = [*rows(), {**rows(1)[0], "name": "other"}, rows(2)[1]]
    catalog = trial_catalog(LAYER)
    report = load_file(catalog, prepared(database, catalog), "trial", write_rows(tmp_path / "twice.gpkg", twice))
    assert (report.read, report.inserted, report.quarantined, report.unchanged) == (14, 12, 1, 1)
    assert count(database, "geo.trial") == 12
    with database.transaction(Role.OWNER) as connection:
        assert sa.inspect(connection).get_table_names(schema="staging") == []


def test_a_layer_that_was_emptied_is_loaded_in_this_way_again(database: Database, tmp_path: Path) -> None:
    loaded(database, write_rows(tmp_path / "rows.gpkg", rows()))
    before = shape_of(database)
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.delete(current_table(LAYER)))  # type: ignore[arg-type]
    loaded(database, write_rows(tmp_path / "rows2.gpkg", rows(7)))
    assert count(database, "geo.trial") == 7
    assert shape_of(database) == before


def test_a_table_with_rows_is_never_replaced(database: Database, tmp_path: Path) -> None:
    """Not even when the caller claims so: the owner's function looks for itself."""
    loaded(database, write_rows(tmp_path / "rows.gpkg", rows()))
    name = "trial__00000000_new"
    with database.transaction(Role.WRITER) as connection:
        assert connection.execute(sa.select(sa.func.meta.make_beside("trial", name))).scalar() is False
    with database.transaction(Role.OWNER) as connection:
        connection.execute(sa.text("CREATE TABLE staging.trial__00000000_new (LIKE geo.trial)"))
    with pytest.raises(sa.exc.DBAPIError, match="has rows"), database.transaction(Role.WRITER) as connection:
        connection.execute(sa.select(sa.func.meta.adopt_beside("trial", name, 1, sa.func.now())))
    assert count(database, "geo.trial") == 12


@pytest.mark.parametrize("name", ["other__00000000_new", "trial__00000000", "trial__0000000g_new", "trial"])
def test_the_owner_lends_nothing_but_tables_beside(database: Database, name: str) -> None:
    prepared(database, trial_catalog(LAYER))
    for call in (sa.func.meta.make_beside("trial", name), sa.func.meta.drop_beside("trial", name)):
        with pytest.raises(sa.exc.DBAPIError, match="is not called"), database.transaction(Role.WRITER) as connection:
            connection.execute(sa.select(call))


def test_readers_may_not_call_what_the_owner_lends(database: Database) -> None:
    prepared(database, trial_catalog(LAYER))
    for role in (Role.READER_PUBLIC, Role.READER_RESTRICTED):
        with pytest.raises(ProgrammingError), database.transaction(role) as connection:
            connection.execute(sa.select(sa.func.meta.make_beside("trial", "trial__00000000_new")))


def test_where_views_hang_on_the_table_rows_are_inserted(database: Database, tmp_path: Path) -> None:
    catalog = trial_catalog(LAYER)
    target = prepared(database, catalog)
    with database.transaction(Role.OWNER) as connection:
        connection.execute(sa.text("CREATE VIEW geo.hanging AS SELECT fid FROM geo.trial"))
    report = load_file(catalog, target, "trial", write_rows(tmp_path / "rows.gpkg", rows()))
    assert report.inserted == 12
    assert count(database, "geo.hanging") == 12


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
KEYED: Any = trial_layer(
    "keyed",
    key=["code", "number", "day", "yes"],
    time=None,
    row_clearance="level",
    attributes={
        "code": {"type": "text"},
        "number": {"type": "integer"},
        "day": {"type": "date"},
        "yes": {"type": "boolean"},
        "level": {"type": "text"},
    },
)


@given(
    st.lists(
        st.tuples(
            TEXTS,
            st.integers(-(2**63), 2**63 - 1),
            st.dates(),
            st.booleans(),
            st.sampled_from(["public", "internal", "restricted", None, "strange"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_keys_and_clearances_are_written_as_the_database_writes_them(
    module_database: Database, values: list[tuple[Any, ...]]
) -> None:
    names = ("code", "number", "day", "yes", "level")
    types = (pa.string(), pa.int64(), pa.date32(), pa.bool_(), pa.string())
    arrow = pa.table({n: pa.array(c, t) for n, c, t in zip(names, zip(*values, strict=True), types, strict=True)})
    sql_types = (sa.Text(), sa.BigInteger(), sa.Date(), sa.Boolean(), sa.Text())
    columns = [sa.column(n, t) for n, t in zip(names, sql_types, strict=True)]
    table = sa.values(*columns, name="given").data(values).alias("given")
    key, level = key_expression(KEYED, table), clearance_expression(KEYED, table)
    assert key is not None
    with module_database.transaction(Role.OWNER) as connection:
        expected = [tuple(r) for r in connection.execute(sa.select(key, level))]
    assert key_column(KEYED, arrow).to_pylist() == [k for k, _ in expected]
    assert beside._clearances(KEYED, arrow).to_pylist() == [c for _, c in expected]


def test_keys_of_several_notations_are_left_to_the_database() -> None:
    numbers = {"code": {"type": "number"}}
    layer: Any = trial_layer("numbers", key=["code"], attributes=numbers, time=None, row_clearance=None)
    assert isinstance(layer, VectorLayer)
    assert not can_write_key(layer)
    assert not can_write_key(trial_layer("keyless", key=[]))  # type: ignore[arg-type]
    assert can_write_key(LAYER)  # type: ignore[arg-type]
