"""Why a row is in quarantine: the reason of today, and its history from the first reason to the latest.

A row that was judged once has an empty history. The first time it is judged again, the history begins with the reason
it had, and every further judgement is put at its end, so that a replay that fails hides nothing of what was wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from layers.system import quarantine

MOST = 20
"""Most judgements that a history keeps: the first, and the latest ones."""
Way = Literal["load", "replay"]


def judged_again(reason: sa.ColumnElement[Any], way: Way, principal: str | None = None) -> dict[str, Any]:
    """What an UPDATE sets of `meta.quarantine` when a row is judged again.

    Args:
        reason: The reason of today.
        way: By what the row was judged: a load of its source, or a replay of the row.
        principal: Who loaded or replayed.
    """
    known = quarantine.c.history
    first = _judgement(quarantine.c.reason, quarantine.c.received, None, "load")
    begun = sa.case((sa.func.jsonb_array_length(known) == 0, first), else_=known)
    # The second entry goes, and never the first: an officer wants to know what was wrong to begin with.
    full = sa.func.jsonb_array_length(known) >= MOST
    kept = sa.case((full, begun.op("-", return_type=JSONB())(sa.cast(1, sa.Integer()))), else_=begun)
    latest = _judgement(reason, sa.func.now(), principal, way)
    return {"reason": reason, "history": kept.op("||", return_type=JSONB())(latest)}


def renewed(reason: sa.ColumnElement[Any], principal: str | None = None) -> dict[str, Any]:
    """The same for a load of a source that was loaded before; the same reason again is nothing new."""
    again = judged_again(reason, "load", principal)
    same = quarantine.c.reason == reason
    return {"reason": reason, "history": sa.case((same, quarantine.c.history), else_=again["history"])}


def first_reason() -> sa.ColumnElement[str]:
    """Why the row came into quarantine, as a column."""
    return sa.func.coalesce(quarantine.c.history[0]["reason"].astext, quarantine.c.reason)


def first_reason_of(row: Mapping[str, Any]) -> str:
    """Why a row came into quarantine that was read with its `reason` and its `history`."""
    history = row["history"]
    return str(history[0]["reason"] if history else row["reason"])


def _judgement(
    reason: sa.ColumnElement[Any], at: sa.ColumnElement[Any], principal: str | None, way: Way
) -> sa.ColumnElement[Any]:
    by = sa.literal(principal, sa.Text())
    entry = sa.func.jsonb_build_object("reason", reason, "at", at, "by", by, "way", sa.literal(way, sa.Text()))
    return sa.func.jsonb_build_array(entry)
