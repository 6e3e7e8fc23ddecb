"""Statements of this room, and how Arrow tables get into landing tables."""

from __future__ import annotations

import io
from functools import cache
from importlib import resources
from typing import Any

import psycopg
import pyarrow as pa
from pyarrow import csv


@cache
def statement(name: str) -> bytes:
    """The SQL of a file of this room."""
    return resources.files("geoservice.observations").joinpath("sql", f"{name}.sql").read_bytes()


def copy(cursor: psycopg.Cursor[Any], name: str, table: pa.Table) -> None:
    """Send a table by the COPY statement of a file; nulls are empty, text is quoted.

    Args:
        cursor: Of the transaction.
        name: File of the statement.
        table: Its columns in the order of the statement.
    """
    sink = io.BytesIO()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    with cursor.copy(statement(name)) as flow:
        flow.write(sink.getvalue())
