"""What a layer's checks need of other layers, written to files before the confined reader starts: it has no database.

Only rows go along that everybody who may see the layer under check may see too.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import sqlalchemy as sa

from ingest.checks.reference import SURFACES, VALUES, file_of
from ingest.job import IngestPlan
from layers.checks import Referential, Within
from layers.crs import STORAGE_SRID
from layers.model import RasterLayer, RowLayer
from layers.table import CURRENT_SCHEMA, HISTORY_SCHEMA

_BATCH = 2_000
_MARGIN = 0.01
"""Degrees around edited rows in which surfaces are fetched; tolerances of the rules are some metres."""
Box = tuple[float, float, float, float]


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


def needed(
    connection: sa.Connection, layer: RowLayer, named: Mapping[str, Collection[str]], box: Box | None
) -> dict[str, bytes]:
    """What the checks of a few rows need of other layers: the files of `referenced`, cut down to what these rows name.

    Args:
        connection: A connection of the writer.
        layer: The layer of the rows, with the rules to be judged.
        named: Attribute -> texts of the values that the rows have in it.
        box: West, south, east, north (degrees) of their geometries, if there are any.

    Returns:
        Name of the file -> its content. Each holds one row that was not asked for, so that a layer with rows does not
        look like one without.
    """
    files: dict[str, bytes] = {}
    for number, rule in enumerate(layer.rules()):
        if not isinstance(rule, Referential | Within):
            continue
        texts = named.get(rule.attribute or "", ())
        rows = connection.execute(_values_near(rule, int(layer.clearance), texts, box))
        buffer = io.BytesIO()
        _write_rows(buffer, VALUES if isinstance(rule, Referential) else SURFACES, rows)
        files[file_of(number)] = buffer.getvalue()
    return files


def _values_near(
    rule: Referential | Within, clearance: int, texts: Collection[str], box: Box | None
) -> sa.CompoundSelect[Any]:
    """The rows of another layer that matter to rows with these values in this box, and one other row."""
    if isinstance(rule, Referential):
        every = near = values(rule, clearance).subquery("every")
        chosen: sa.ColumnElement[bool] = near.c[0].in_(list(texts))
    else:
        every, near = surfaces(rule, clearance).subquery("every"), surfaces(rule, clearance, box).subquery("near")
        chosen = near.c[0].in_(list(texts)) if rule.by is not None else sa.true()
    # Of values, the one that came first: it says from when on the base knows anything.
    first = sa.select(every).order_by(every.c[1]) if isinstance(rule, Referential) else sa.select(every)
    return sa.union_all(sa.select(near).where(chosen), sa.select(first.limit(1).subquery("first")))


def _write(connection: sa.Connection, file: Path, rule: Referential | Within, clearance: int) -> None:
    if isinstance(rule, Referential):
        _write_rows(file, VALUES, connection.execute(values(rule, clearance)))
    else:
        _write_rows(file, SURFACES, connection.execute(surfaces(rule, clearance)))


def _write_rows(file: Path | IO[bytes], schema: pa.Schema, rows: Iterable[Any]) -> None:
    source = iter(rows)
    with pa.ipc.new_stream(str(file) if isinstance(file, Path) else file, schema) as writer:
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
        text = sa.cast(table.c[rule.by], sa.Text()).label("value")
        allowed = table.c["_clearance"] <= clearance
        return sa.select(text, table.c["_valid_from"], end).where(allowed, text.is_not(None))

    return sa.union_all(part(current, until), part(former, former.c["_valid_to"]))


def surfaces(rule: Within, clearance: int, near: Box | None = None) -> sa.Select[Any]:
    """Surfaces that rows must lie in, with the value that names each (null without one), as WKB (lon, lat).

    Args:
        rule: The rule.
        clearance: Up to which clearance surfaces count.
        near: Only those near this box: west, south, east, north in degrees.
    """
    name = rule.layer.rpartition("/")[2]
    table = _table(name, CURRENT_SCHEMA, *([rule.by] if rule.by else []), "geom")
    named = sa.cast(table.c[rule.by] if rule.by else sa.null(), sa.Text()).label("name")
    shape = sa.func.ST_AsBinary(table.c.geom).label("shape")
    found = sa.select(named, shape).where(table.c["_clearance"] <= clearance, table.c.geom.is_not(None))
    if near is None:
        return found
    around = sa.func.ST_Expand(sa.func.ST_MakeEnvelope(*near, STORAGE_SRID), _MARGIN)
    return found.where(table.c.geom.op("&&")(around))


def _table(name: str, schema: str, *columns: str) -> sa.TableClause:
    found: list[sa.ColumnClause[Any]] = [sa.column(c) for c in (*columns, "_clearance")]
    return sa.table(name, *found, schema=schema)
