"""Looking at rows of quarantine, correcting them one by one, and giving them up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import shapely
import sqlalchemy as sa

from ingest.numbering import row_number
from ingest.raw import RawRow, read_raw, write_raw
from ingest.reasons import first_reason, first_reason_of
from layers.errors import BadParameter, RowSettled, UnknownRow
from layers.system import quarantine

STATES = ("open", "mended", "dismissed", "superseded")
_BATCH = 500


@dataclass(frozen=True)
class Wanted:
    """Which rows of quarantine are meant; what is None does not count.

    Attributes:
        layer: Name of the layer.
        source: Name of the source.
        reason: Part of the reason of today or of the first one, in any case of letters.
        state: One of `STATES`.
        ids: Numbers of the rows.
        after: Only rows with higher numbers.
    """

    layer: str | None = None
    source: str | None = None
    reason: str | None = None
    state: str | None = None
    ids: tuple[int, ...] | None = None
    after: int | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """The rows as conditions on `meta.quarantine`.

        Raises:
            BadParameter: When there is no such state.
        """
        if self.state is not None and self.state not in STATES:
            raise BadParameter(
                f"A row of quarantine is {', '.join(STATES)}; {self.state[:30]!r} is not one of them.",
                parameter="state",
            )
        equal = {"layer": self.layer, "source": self.source, "state": self.state}
        found = [quarantine.c[name] == value for name, value in equal.items() if value is not None]
        if self.reason is not None:
            reasons = (quarantine.c.reason, first_reason())
            found.append(sa.or_(*(one.icontains(self.reason, autoescape=True) for one in reasons)))
        if self.ids is not None:
            found.append(quarantine.c.id.in_(self.ids))
        if self.after is not None:
            found.append(quarantine.c.id > self.after)
        return found


@dataclass(frozen=True)
class SetAside:
    """A row of quarantine: where it stands, why, what became of it, and its content as it was and as it was mended.

    Attributes:
        id: Its number in quarantine.
        facts: What `facts_of` says of it.
        was: Its original content.
        mended: What somebody mended it to, if anybody did.
    """

    id: int
    facts: Mapping[str, Any]
    was: RawRow
    mended: RawRow | None

    @property
    def now(self) -> RawRow:
        """The content that a replay would load."""
        return self.mended or self.was


def rows_statement(wanted: Wanted, limit: int | None = None) -> sa.Select[Any]:
    """The rows that are wanted, in the order of their numbers."""
    return sa.select(quarantine).where(*wanted.conditions()).order_by(quarantine.c.id).limit(limit)


def rows(connection: sa.Connection, wanted: Wanted, limit: int | None = None) -> Iterator[SetAside]:
    """The rows that are wanted, read as they are needed."""
    streamed = connection.execute(rows_statement(wanted, limit), execution_options={"yield_per": _BATCH})
    for found in streamed.mappings():
        facts = facts_of(dict(found))
        mended = None if found["mended"] is None else read_raw(found["mended"])
        yield SetAside(found["id"], facts, read_raw(found["raw"]), mended)


def facts_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of `meta.quarantine` as people are shown them: without contents, with the row's number from 1.

    `first_reason` is why the row came here; `reason` says what the latest load or replay found.
    """
    shown = {name: value for name, value in found.items() if name not in ("raw", "mended", "position")}
    return {**shown, "row": row_number(found["position"]), "first_reason": first_reason_of(found)}


def row(connection: sa.Connection, number: int) -> SetAside:
    """One row by its number.

    Raises:
        UnknownRow: When there is none.
    """
    found = list(rows(connection, Wanted(ids=(number,))))
    if not found:
        raise UnknownRow(
            f"There is no row {number} in quarantine; `geoservice ingest quarantine` lists those there are."
        )
    return found[0]


def mend(
    connection: sa.Connection, number: int, fields: Mapping[str, str | None], geometry: shapely.Geometry | None = None
) -> bool:
    """Note what a row ought to have been; a replay then loads it. Its original content is kept.

    Args:
        connection: A transaction of the writer.
        number: The row.
        fields: Source field -> its value as text, or None for no value.
        geometry: The geometry, in the CRS of the source as x, y; None leaves what is there.

    Returns:
        Whether that changes anything.

    Raises:
        UnknownRow: When there is no such row.
        RowSettled: When the row is not open any more.
        BadParameter: When it has no such field, or its source has no geometries.
    """
    # Of two who mend the row at once, the second sees what the first has written; a replay waits for both.
    held = sa.select(quarantine.c.id).where(quarantine.c.id == number).with_for_update()
    connection.execute(held)
    found = row(connection, number)
    _refuse(found, fields, geometry)
    now = found.now
    values = {name: value for name, value in fields.items() if as_written(now.fields.get(name)) != (value or "")}
    changed = replace(now, fields={**now.fields, **values}, original=() if fields else now.original)
    if geometry is not None:
        changed = replace(changed, geometry=geometry, unread=None, placed=True)
    text = write_raw(changed)
    if text == write_raw(now):
        return False
    connection.execute(sa.update(quarantine).where(quarantine.c.id == number).values(mended=text))
    return True


def dismiss(connection: sa.Connection, wanted: Wanted, *, principal: str, reason: str) -> int:
    """Give up open rows, for a reason that is kept; returns how many."""
    given_up = {"state": "dismissed", "settled": sa.func.now(), "settled_by": principal, "remark": reason}
    statement = sa.update(quarantine).where(*wanted.conditions(), quarantine.c.state == "open").values(**given_up)
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def as_written(value: Any) -> str:
    """A value as an officer sees and writes it; no value is an empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return value.hex() if isinstance(value, bytes) else str(value)


def field_names(found: Sequence[SetAside]) -> list[str]:
    """Source fields of some rows, in the order in which they come."""
    return list(dict.fromkeys(name for one in found for name in one.now.fields))


def _refuse(found: SetAside, fields: Mapping[str, str | None], geometry: shapely.Geometry | None) -> None:
    if found.facts["state"] != "open":
        raise RowSettled(
            f"Row {found.id} of quarantine is {found.facts['state']}; only open rows are mended.", parameter="id"
        )
    strangers = [name for name in fields if name not in found.now.fields]
    if strangers:
        known = ", ".join(found.now.fields) or "none"
        raise BadParameter(
            f"Row {found.id} of quarantine has no field {strangers[0][:60]!r}; it has {known}.", parameter="field"
        )
    reader = found.facts["reader"] or {}
    if geometry is not None and not reader.get("has_geometry", True):
        raise BadParameter(
            f"The source of row {found.id} has no geometries: mend the fields that place it.", parameter="geometry"
        )
