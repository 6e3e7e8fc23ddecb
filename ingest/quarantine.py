"""Rows that could not be loaded, kept with their reason, original content and place in the source."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ingest.diff import Landed, conflicting
from ingest.job import IngestPlan
from ingest.landing import Staging
from layers.model import RasterLayer
from layers.system import edition as edition_table
from layers.system import quarantine

_COLUMNS = ["layer", "source", "sha256", "mapping", "position", "reason", "raw"]


def keep_bad(connection: sa.Connection, plan: IngestPlan, sha256: str, landing: Staging) -> int:
    """Move the rows that the reader refused into quarantine; a second load of the same file keeps one copy.

    Returns:
        How many rows of this source are refused.
    """
    bad = landing.bad
    rows = sa.select(*_place(plan, sha256), bad.c["_position"], bad.c["_reason"], bad.c["_raw"])
    _keep(connection, rows)
    return int(connection.execute(sa.select(sa.func.count()).select_from(bad)).scalar_one())


def keep_conflicting(connection: sa.Connection, plan: IngestPlan, sha256: str, landing: Staging, landed: Landed) -> int:
    """Quarantine rows that repeat a key of their own source with other content; the first of a key is loaded.

    Returns:
        How many rows those are.
    """
    if isinstance(plan.layer, RasterLayer) or not plan.layer.key:
        return 0
    found = conflicting(plan.layer, landing, landed).subquery()
    position, key, first, raw = found.c
    reason = sa.func.concat(
        "the key ", key, " stands already in row ", sa.cast(first, sa.Text()), " of this source, with other content"
    )
    rows = sa.select(*_place(plan, sha256), position, reason, raw)
    _keep(connection, rows)
    return int(connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one())


def _place(plan: IngestPlan, sha256: str) -> list[sa.ColumnElement[str]]:
    return [
        sa.literal(text, sa.Text()).label(name)
        for name, text in (
            ("layer", plan.layer.name),
            ("source", plan.source.name),
            ("sha256", sha256),
            ("mapping", plan.mapping_name),
        )
    ]


def _keep(connection: sa.Connection, rows: sa.Select[*tuple[Any, ...]]) -> None:
    statement = insert(quarantine).from_select(_COLUMNS, rows)
    renewed = {"reason": statement.excluded.reason, "raw": statement.excluded.raw}
    connection.execute(statement.on_conflict_do_update(constraint="quarantine_place", set_=renewed))


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
