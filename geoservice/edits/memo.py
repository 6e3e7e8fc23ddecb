"""Requests that may be repeated: the same Idempotency-Key gets the same answer and has its effect once.

The answer is written in the transaction of the edit, so both are there or neither, also when the service is killed
between the two. While a request is under way it holds a lock that falls with its connection.
Source: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.edits.errors import KeyInFlight, KeyReused
from layers.system import request_memo as table


@dataclass(frozen=True)
class Memo:
    """The key of a request and the SHA-256 of what it asks for."""

    principal: str
    key: str
    fingerprint: bytes


def recall(connection: sa.Connection, memo: Memo, hours: float) -> Mapping[str, Any] | None:
    """The answer that a request got before; None when it is new, and then it is this transaction's to answer.

    Args:
        connection: The transaction of the edit.
        memo: The request.
        hours: How long answers are remembered.

    Raises:
        KeyInFlight: When another transaction is working on it.
        KeyReused: When the key came with another request.
    """
    number = sa.func.hashtextextended(f"geoservice.memo.{memo.principal}.{memo.key}", 0)
    if not connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(number))).scalar():
        raise KeyInFlight("A request with this Idempotency-Key is being worked on; ask again when it is done.")
    mine = (table.c.principal == memo.principal, table.c.key == memo.key, table.c.created > _expiry(hours))
    row = connection.execute(sa.select(table.c.fingerprint, table.c.answer).where(*mine)).one_or_none()
    if row is None:
        return None
    if bytes(row.fingerprint) != memo.fingerprint:
        raise KeyReused("This Idempotency-Key came with another request before; take a new key for a new request.")
    found: Mapping[str, Any] = row.answer
    return found


def keep(connection: sa.Connection, memo: Memo, answer: Mapping[str, Any]) -> None:
    """Keep the answer of a request; one that has expired gives way."""
    values = {"principal": memo.principal, "key": memo.key, "fingerprint": memo.fingerprint, "answer": answer}
    added = insert(table).values(**values)
    fresh = {"fingerprint": memo.fingerprint, "answer": answer, "created": sa.func.now()}
    connection.execute(added.on_conflict_do_update(index_elements=["principal", "key"], set_=fresh))


def sweep(connection: sa.Connection, hours: float) -> int:
    """Forget answers that have expired; returns how many."""
    done = connection.execute(
        sa.delete(table).where(table.c.created <= _expiry(hours)), execution_options={"preserve_rowcount": True}
    )
    return int(done.rowcount)


def _expiry(hours: float) -> sa.ColumnElement[Any]:
    return sa.func.now() - dt.timedelta(hours=hours)
