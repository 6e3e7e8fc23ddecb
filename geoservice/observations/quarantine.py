"""Readings that could not be written: looked at, tried again, or dismissed."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from geoservice.observations.reading import Source
from geoservice.observations.tables import quarantine
from geoservice.observations.wire import table_of_rows
from geoservice.observations.write import Outcome, write


def waiting(connection: sa.Connection, limit: int) -> Sequence[sa.RowMapping]:
    """Open rows of quarantine, the oldest first."""
    chosen = sa.select(quarantine).where(quarantine.c.state == "open").order_by(quarantine.c.id).limit(limit)
    return connection.execute(chosen).mappings().all()


def replay(connection: sa.Connection, principal: str, limit: int) -> Outcome:
    """Try open rows again: their station may be known by now, or the rule be another one. The others go on waiting.

    Args:
        connection: A transaction of the writer's role.
        principal: Who does it.
        limit: How many at most, the oldest first.
    """
    chosen = sa.select(quarantine.c.id, quarantine.c.raw).where(quarantine.c.state == "open")
    rows = connection.execute(chosen.order_by(quarantine.c.id).limit(limit).with_for_update(skip_locked=True)).all()
    table = table_of_rows(row.raw for row in rows)
    outcome = write(connection, table, Source("load", "quarantine", principal))
    flawed = {flaw.position for flaw in outcome.flaws}
    done = [row.id for position, row in enumerate(rows) if position not in flawed]
    settled = sa.update(quarantine).where(quarantine.c.id.in_(done))
    connection.execute(settled.values(state="written", settled=sa.func.now(), written_by=outcome.batch))
    return outcome


def dismiss(connection: sa.Connection, rule: str | None) -> int:
    """Settle open rows for good, those of one rule or all; how many they were."""
    chosen = sa.update(quarantine).where(quarantine.c.state == "open")
    if rule is not None:
        chosen = chosen.where(quarantine.c.rule == rule)
    return connection.execute(chosen.values(state="dismissed", settled=sa.func.now())).rowcount
