"""Another engine: DuckDB runs the SQL that the library cql2 (Rust) makes of a filter; shapely relates geometries."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import cql2
import duckdb
import shapely

_RELATIONS = ("intersects", "disjoint", "equals", "touches", "within", "contains", "crosses", "overlaps")


class Duck:
    """A table `t` in memory, and filters over it."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("SET ieee_floating_point_ops = false; SET error_on_division_by_zero = false")
        self._functions()
        self.connection.execute(
            "CREATE TABLE t (fid BIGINT, name VARCHAR, number BIGINT, amount DOUBLE, flag BOOLEAN, seen DATE, "
            "moment TIMESTAMPTZ, geometry BLOB)"
        )
        for row in rows:
            shape = row["geometry"]
            values = [row[n] for n in ("fid", "name", "number", "amount", "flag", "seen", "moment")]
            self.connection.execute(
                "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [*values, None if shape is None else shape.wkb]
            )

    def found(self, text: str) -> set[int]:
        """Numbers of the rows that meet a filter in CQL2 text."""
        condition = cql2.parse_text(text).to_sql()
        return {fid for (fid,) in self.connection.execute(f"SELECT fid FROM t WHERE {condition}").fetchall()}  # noqa: S608

    def _functions(self) -> None:
        def relation(name: str) -> Callable[[bytes, bytes], bool]:
            def related(one: bytes, other: bytes) -> bool:
                return bool(getattr(shapely, name)(shapely.from_wkb(one), shapely.from_wkb(other)))

            return related

        define = self.connection.create_function
        for name in _RELATIONS:
            define(f"st_{name}", relation(name), ["BLOB", "BLOB"], "BOOLEAN")
        define("st_geomfromtext", lambda text: shapely.from_wkt(text).wkb, ["VARCHAR"], "BLOB")
        define("st_makeenvelope", lambda w, s, e, n: shapely.box(w, s, e, n).wkb, ["DOUBLE"] * 4, "BLOB")
        define("bare", _bare, ["VARCHAR"], "VARCHAR")
        self.connection.execute("CREATE MACRO strip_accents(x) AS bare(x)")


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
