"""Edits as the writer commits them (history, edition, state), without a file and a reader: for very many of them."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.diff import archive
from ingest.record import begin_edition, layer_lock, moment
from ingest.undo import raise_clearance
from layers.access import Clearance
from layers.model import VectorLayer
from layers.system import layer_state
from layers.table import current_table

Rows = dict[str, dict[str, Any]]
SOURCE = {"principal": "test", "source": "edit", "sha256": "0" * 64, "size": 0, "mapping": "edit"}


class Editor:
    """Brings a layer, keyed by its attribute `code`, to the rows that it is given, one edition at a time."""

    def __init__(self, database: Database, layer: VectorLayer) -> None:
        self.engine = database.sync_engine(Role.WRITER)
        self.layer = layer
        self.rows: Rows = {}

    def bring_to(self, rows: list[dict[str, Any]]) -> int | None:
        """Commit what differs from the rows of the last time; the number of the edition, None when nothing does."""
        wanted = {row["code"]: row for row in rows}
        gone = [code for code in self.rows if code not in wanted]
        changed = [code for code, row in wanted.items() if code in self.rows and differs(self.rows[code], row)]
        fresh = [code for code in wanted if code not in self.rows]
        if not gone and not changed and not fresh:
            return None
        current = current_table(self.layer)
        with layer_lock(self.engine, self.layer), self.engine.begin() as connection:
            number = begin_edition(connection, self.layer, kind="edit", **SOURCE)
            ended = sa.select(current.c.fid).where(current.c.key.in_([*gone, *changed]))
            connection.execute(archive(self.layer, ended, number))
            connection.execute(sa.delete(current).where(current.c.key.in_(gone)))
            for code in changed:
                values = self._values(wanted[code], number)
                connection.execute(sa.update(current).where(current.c.key == code).values(values))
            for code in fresh:
                connection.execute(sa.insert(current).values(self._values(wanted[code], number)))
            raise_clearance(connection, self.layer, number)
            state = sa.update(layer_state).where(layer_state.c.layer == self.layer.name)
            connection.execute(state.values(edition=number, changed=moment(number)))
        self.rows = {code: dict(row) for code, row in wanted.items()}
        return number

    def _values(self, row: dict[str, Any], number: int) -> dict[str, Any]:
        wkb = shapely.to_wkb(row["geometry"])
        level = Clearance.PUBLIC if row["level"] is None else Clearance.parse(row["level"])
        return {
            "key": row["code"],
            "geom": sa.func.ST_GeomFromWKB(wkb, 4490),
            **{name: row[name] for name in self.layer.attributes},
            "_clearance": int(level),
            "_edition": number,
            "_valid_from": moment(number),
            "_hash": uuid.UUID(bytes=hashlib.md5(wkb + repr(sorted_content(row)).encode()).digest()),  # noqa: S324
        }


def differs(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two rows have another content."""
    return sorted_content(one) != sorted_content(other) or one["geometry"].wkb != other["geometry"].wkb


def sorted_content(row: dict[str, Any]) -> list[tuple[str, Any]]:
    """The attributes of a row in a fixed order."""
    return sorted((name, value) for name, value in row.items() if name != "geometry")
