"""Rows that could not be loaded: kept with their reason, original content and place in the source, until settled.

A row is `open` until a replay loads it (`mended`), somebody gives it up (`dismissed`), or a later version of its source
brings its key (`superseded`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from ingest.diff import Landed, conflicting, key_expression
from ingest.job import IngestPlan, ReadSummary
from ingest.landing import STORED, Staging
from ingest.numbering import FIRST_ROW
from ingest.readers.quarantined import READER, SAID, layer_facts
from ingest.reasons import judged_again, renewed
from ingest.record import SourceFile
from layers.errors import SourceMismatch
from layers.model import RasterLayer, RowLayer
from layers.system import edition as edition_table
from layers.system import quarantine
from layers.table import current_table

_COLUMNS = ["layer", "source", "sha256", "mapping", "position", "reason", "raw", "key", "rule", "reader"]


@dataclass(frozen=True)
class Case:
    """One load, as far as quarantine is concerned: what is loaded, how it was read, where it landed, and who loads."""

    plan: IngestPlan
    source: SourceFile
    summary: ReadSummary
    landing: Staging
    principal: str

    @property
    def layer(self) -> RowLayer:
        """The layer, which has rows.

        Raises:
            SourceMismatch: When it is a raster.
        """
        if isinstance(self.plan.layer, RasterLayer):
            raise SourceMismatch(f"Layer {self.plan.layer.id} is a raster; it has no rows to set aside.")
        return self.plan.layer


class Book:
    """What quarantine does in the transaction of a load."""

    def __init__(self, connection: sa.Connection, case: Case) -> None:
        """Begin with nothing refused."""
        self.connection = connection
        self.case = case
        self.landed: Landed | None = None
        self.refused = 0

    def keep_bad(self) -> None:
        """Keep the rows that the reader refused; a second load of the same file keeps one copy."""
        bad = self.case.landing.bad
        position, reason, raw = (bad.c[name] for name in ("_position", "_reason", "_raw"))
        reader = sa.case((bad.c[STORED], self._reader(layer_facts(self.case.layer))), else_=self._read_so())
        rule = sa.literal("refused", sa.Text())
        self._keep(sa.select(*self._place(), position, reason, raw, self._bad_key(), rule, reader))
        self.refused += int(self.connection.execute(sa.select(sa.func.count()).select_from(bad)).scalar_one())

    def keep_conflicting(self, landed: Landed) -> None:
        """Keep rows that repeat a key of their own source with other content; the first of a key is loaded."""
        self.landed = landed
        if not self.case.layer.key:
            return
        found = conflicting(self.case.layer, self.case.landing, landed).subquery()
        position, key, first, raw = found.c
        how = (sa.literal("repeated", sa.Text()), self._reader(layer_facts(self.case.layer)))
        self._keep(sa.select(*self._place(), position, _repeated(key, first), raw, key, *how))
        self.refused += int(self.connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one())

    def protects(self, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether a current row must not be deleted, though the source lacks it: the row of its key is set aside."""
        mine = (*self._same_place(), quarantine.c.state.in_(("open", "mended")), quarantine.c.key == key)
        return sa.exists().where(*mine)

    def settle(self, number: int | None) -> None:
        """Supersede open rows of former versions of this source: those whose key came now, or all by a complete one.

        Args:
            number: The edition of the load; None when it changed nothing.
        """
        former = sa.and_(
            quarantine.c.layer == self.case.layer.name,
            quarantine.c.mapping == self.case.plan.mapping_name,
            quarantine.c.source == self.case.source.name,
            quarantine.c.sha256 != self.case.source.sha256,
            quarantine.c.state == "open",
        )
        if not self.connection.execute(sa.select(sa.exists().where(former))).scalar():
            return
        if not self.case.plan.mapping.complete:
            former = sa.and_(former, quarantine.c.key.in_(self._keys()))
        self.connection.execute(
            sa.update(quarantine)
            .where(former)
            .values(state="superseded", settled=sa.func.now(), settled_by=self.case.principal, edition=number)
        )

    def _keys(self) -> sa.Select[Any]:
        """Keys that the source brought. A first load compares nothing: then all rows of the layer are its own."""
        if self.landed is not None:
            return sa.select(self.landed.table.c.key)
        return sa.select(current_table(self.case.layer).c.key)

    def _place(self) -> list[sa.ColumnElement[str]]:
        names = {"layer": self.case.layer.name, "source": self.case.source.name}
        names |= {"sha256": self.case.source.sha256, "mapping": self.case.plan.mapping_name}
        return [sa.literal(text, sa.Text()).label(name) for name, text in names.items()]

    def _same_place(self) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            quarantine.c.layer == self.case.layer.name,
            quarantine.c.sha256 == self.case.source.sha256,
            quarantine.c.mapping == self.case.plan.mapping_name,
        )

    def _read_so(self) -> sa.ColumnElement[Any]:
        """How the source of this load was read."""
        facts = self.case.summary.facts.get(READER)
        if facts is None:
            return sa.cast(sa.null(), JSONB())
        options = self.case.plan.options
        said = {SAID: {"crs": options.crs, "datum": options.datum}} if options.says_crs else {}
        return self._reader({**{name: fact for name, fact in facts.items() if name != SAID}, **said})

    def _reader(self, facts: Mapping[str, Any]) -> sa.ColumnElement[Any]:
        return sa.literal({**facts, "size": self.case.source.size}, JSONB())

    def _bad_key(self) -> sa.ColumnElement[Any]:
        """The key of a refused row; null when a part of it is missing or the layer has no key."""
        bad = self.case.landing.bad
        key = key_expression(self.case.layer, bad)
        if key is None:
            return sa.cast(sa.null(), sa.Text())
        whole = sa.and_(*(bad.c[name].is_not(None) for name in self.case.layer.key))
        return sa.case((whole, key), else_=None)

    def _keep(self, rows: sa.Select[*tuple[Any, ...]]) -> None:
        statement = insert(quarantine).from_select(_COLUMNS, rows)
        fresh = statement.excluded
        again: dict[str, Any] = {name: fresh[name] for name in ("raw", "key", "rule", "reader")}
        again |= renewed(fresh.reason, self.case.principal)
        # What somebody mended or gave up stays so; what a later version superseded waits again when the former returns.
        again["state"] = sa.case((quarantine.c.state == "superseded", "open"), else_=quarantine.c.state)
        self.connection.execute(statement.on_conflict_do_update(constraint="quarantine_place", set_=again))


class ReplayBook(Book):
    """What quarantine does when its own rows are loaded again: those that pass are mended, the others stay open."""

    def __init__(self, connection: sa.Connection, case: Case) -> None:
        """Begin with nothing refused."""
        super().__init__(connection, case)
        self._conflicts: set[int] = set()

    def keep_bad(self) -> None:
        """Rows that fail again stay open, with the reason of today; their content and their first reason are kept."""
        bad = self.case.landing.bad
        again = sa.update(quarantine).where(*self._same_place(), quarantine.c.position == bad.c["_position"])
        self.connection.execute(again.values(judged_again(bad.c["_reason"], "replay", self.case.principal)))
        self.refused += int(self.connection.execute(sa.select(sa.func.count()).select_from(bad)).scalar_one())

    def keep_conflicting(self, landed: Landed) -> None:
        """Rows whose key is taken stay open: within the replay, or by a row that is newer than the refusal."""
        self.landed = landed
        if not self.case.layer.key:
            return
        found = conflicting(self.case.layer, self.case.landing, landed).subquery()
        position, key, first, _ = found.c
        self._stay(sa.select(position, _repeated(key, first)))
        self._stay(self._taken(landed))
        self.refused += len(self._conflicts)
        marks = landed.table
        self.connection.execute(sa.delete(marks).where(marks.c.position.in_(self._conflicts)))

    def settle(self, number: int | None) -> None:
        """Mark the rows that passed as mended by the edition.

        Args:
            number: The edition of the replay; None when the rows were in the base already.
        """
        good = self.case.landing.good
        passed = (
            *self._same_place(),
            quarantine.c.position == good.c["_position"],
            quarantine.c.position.not_in(self._conflicts),
            quarantine.c.state == "open",
        )
        values: dict[str, Any] = {"state": "mended", "settled": sa.func.now(), "settled_by": self.case.principal}
        statement = sa.update(quarantine).where(*passed).values(**values, edition=number)
        if self.landed is not None:
            marks = self.landed.table
            statement = statement.where(marks.c.position == good.c["_position"]).values(key=marks.c.key)
        self.connection.execute(statement)

    def _stay(self, rows: sa.Select[*tuple[Any, ...]]) -> None:
        for position, reason in self.connection.execute(rows).all():
            mine = (*self._same_place(), quarantine.c.position == position)
            judged = judged_again(sa.literal(reason, sa.Text()), "replay", self.case.principal)
            self.connection.execute(sa.update(quarantine).where(*mine).values(judged))
            self._conflicts.add(position)

    def _taken(self, landed: Landed) -> sa.Select[Any]:
        """Rows whose key is current with other content that this replay must not replace.

        A row that repeated a key of its source never replaces the one that was loaded; any row gives way to one that
        was written by the load that refused it, or later.
        """
        marks, row = landed.table, quarantine
        current = current_table(self.case.layer)
        writer = sa.cast(current.c["_edition"], sa.Text())
        reason = sa.func.concat(
            "the key ", marks.c.key, " is taken by a row of edition ", writer, ", which this row must not replace"
        )
        newer = sa.or_(row.c.rule == "repeated", current.c["_valid_from"] >= row.c.received)
        return (
            sa.select(marks.c.position, reason)
            .join(current, current.c.key == marks.c.key)
            .join(row, row.c.position == marks.c.position)
            .where(*self._same_place(), current.c["_hash"] != marks.c.hash, newer)
        )


def open_book(connection: sa.Connection, case: Case) -> Book:
    """The book of a load, or of a replay of quarantined rows."""
    return Book(connection, case) if case.plan.replay is None else ReplayBook(connection, case)


def reopen(connection: sa.Connection, edition: int) -> None:
    """Open the rows again that an edition had loaded or superseded, because it is withdrawn; they still name it."""
    settled = quarantine.c.state.in_(("mended", "superseded"))
    connection.execute(sa.update(quarantine).where(quarantine.c.edition == edition, settled).values(state="open"))


def settle_again(connection: sa.Connection, edition: int) -> None:
    """The opposite of `reopen`: the edition stands again."""
    kind = sa.select(edition_table.c.kind).where(edition_table.c.id == edition).scalar_subquery()
    state = sa.case((kind == "replay", "mended"), else_="superseded")
    waiting = (quarantine.c.edition == edition, quarantine.c.state == "open")
    connection.execute(sa.update(quarantine).where(*waiting).values(state=state))


def _repeated(key: sa.ColumnElement[Any], first: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    return sa.func.concat(
        "the key ",
        key,
        " stands already in row ",
        sa.cast(first + FIRST_ROW, sa.Text()),
        " of this source, with other content",
    )
