"""What a layer's checks need of other layers, written to files before the confined reader starts: it has no database.

Only rows go along that everybody who may see the layer under check may see too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ingest.checks.reference import SURFACES, VALUES, file_of
from ingest.job import IngestPlan
from layers.checks import Referential, Within
from layers.model import RasterLayer
from layers.table import CURRENT_SCHEMA, HISTORY_SCHEMA

_BATCH = 2_000


@contextmanager
def referenced(plan: IngestPlan, engine: sa.Engine) -> Iterator[IngestPlan]:
    """The plan with what its layer's checks need of other layers, as files that go with it; else the plan as it is."""
    layer = plan.layer
    rules = () if isinstance(layer, RasterLayer) else layer.rules()
    wanted = [(i, rule) for i, rule in enumerate(rules) if isinstance(rule, Referential | Within)]
    if not wanted:
        yield plan
        return
    with tempfile.TemporaryDirectory(prefix="geoservice-references-") as directory:
        files = [Path(directory) / file_of(number) for number, _ in wanted]
        options = {"isolation_level": "REPEATABLE READ", "yield_per": _BATCH}
        with engine.connect().execution_options(**options) as connection:
            for file, (_, rule) in zip(files, wanted, strict=True):
                _write(connection, file, rule, int(layer.clearance))
        yield replace(plan, companions=(*plan.companions, *files))


def _write(connection: sa.Connection, file: Path, rule: Referential | Within, clearance: int) -> None:
    if isinstance(rule, Referential):
        _write_rows(file, VALUES, connection.execute(values(rule, clearance)))
    else:
        _write_rows(file, SURFACES, connection.execute(surfaces(rule, clearance)))


def _write_rows(file: Path, schema: pa.Schema, rows: Iterable[Any]) -> None:
    source = iter(rows)
    with pa.ipc.new_stream(str(file), schema) as writer:
        while some := list(islice(source, _BATCH)):
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*some, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def values(rule: Referential, clearance: int) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    """Values that rows may refer to, current and former, with the system time for which the base held them."""
    name = rule.layer.rpartition("/")[2]
    current = _table(name, CURRENT_SCHEMA, rule.by, "_valid_from")
    former = _table(name, HISTORY_SCHEMA, rule.by, "_valid_from", "_valid_to")
    until = sa.cast(sa.null(), sa.DateTime(timezone=True))

    def part(table: sa.TableClause, end: sa.ColumnElement[Any]) -> sa.Select[Any]:
        text = sa.cast(table.c[rule.by], sa.Text())
        allowed = table.c["_clearance"] <= clearance
        return sa.select(text, table.c["_valid_from"], end).where(allowed, text.is_not(None))

    return sa.union_all(part(current, until), part(former, former.c["_valid_to"]))


def surfaces(rule: Within, clearance: int) -> sa.Select[Any]:
    """Surfaces that rows must lie in, with the value that names each (null without one), as WKB (lon, lat)."""
    name = rule.layer.rpartition("/")[2]
    table = _table(name, CURRENT_SCHEMA, *([rule.by] if rule.by else []), "geom")
    named = sa.cast(table.c[rule.by] if rule.by else sa.null(), sa.Text())
    shape = sa.func.ST_AsBinary(table.c.geom)
    return sa.select(named, shape).where(table.c["_clearance"] <= clearance, table.c.geom.is_not(None))


def _table(name: str, schema: str, *columns: str) -> sa.TableClause:
    found: list[sa.ColumnClause[Any]] = [sa.column(c) for c in (*columns, "_clearance")]
    return sa.table(name, *found, schema=schema)
