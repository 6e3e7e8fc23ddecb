"""The reference addresses that a load needs, written to a file before its confined reader starts.

The reader has no database. It gets a small SQLite file with the addresses and points of the reference layer, of those
rows only that everybody who may see the target layer may see.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ingest.addressing import normalise
from ingest.job import IngestPlan
from ingest.readers.address_book import BOOK_NAME
from layers.sources import Address
from layers.table import CURRENT_SCHEMA

_BATCH = 10_000


@contextmanager
def placed(plan: IngestPlan, engine: sa.Engine) -> Iterator[IngestPlan]:
    """The plan with the addresses that its mapping asks for, as a file that goes with it; else the plan as it is."""
    address = plan.mapping.address
    if address is None:
        yield plan
        return
    with tempfile.TemporaryDirectory(prefix="geoservice-places-") as directory:
        book = Path(directory) / BOOK_NAME
        with engine.connect().execution_options(yield_per=_BATCH) as connection:
            write_book(book, connection.execute(reference(address, int(plan.layer.clearance))))
        yield replace(plan, companions=(*plan.companions, book))


def reference(address: Address, clearance: int) -> sa.Select[Any]:
    """Address, longitude and latitude (degrees, EPSG:4490) of reference rows up to a clearance."""
    name = address.layer.rpartition("/")[2]
    columns: list[sa.ColumnClause[Any]] = [sa.column(n) for n in (address.by, "geom", "_clearance")]
    table = sa.table(name, *columns, schema=CURRENT_SCHEMA)
    inner = sa.func.ST_PointOnSurface(table.c.geom)
    text = sa.cast(table.c[address.by], sa.Text())
    return sa.select(text, sa.func.ST_X(inner), sa.func.ST_Y(inner)).where(
        table.c["_clearance"] <= clearance, table.c.geom.is_not(None), text.is_not(None)
    )


def write_book(file: Path, rows: Iterable[Any]) -> None:
    """Write rows of address, longitude and latitude as an address book."""
    with closing(sqlite3.connect(file)) as book:
        book.execute("CREATE TABLE place (place TEXT, region TEXT, address TEXT, lon REAL, lat REAL)")
        book.executemany("INSERT INTO place VALUES (?, ?, ?, ?, ?)", (_entry(*row) for row in rows))
        book.execute("CREATE INDEX by_place ON place (place)")
        book.commit()


def _entry(text: str, lon: float, lat: float) -> tuple[str, str, str, float, float]:
    address = normalise(text)
    return address.place, "|".join(address.region), text, lon, lat
