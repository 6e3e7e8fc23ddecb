"""Tables of schema `report`, as migrations make them. Nobody but the writer may look in."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData(schema="report")


def _text(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=nullable)


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


report = sa.Table(
    "report",
    metadata,
    _text("id", key=True),
    _text("owner"),
    _text("kind"),
    _text("title"),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
    _text("origin", nullable=True),
    sa.Column("manifest", JSONB(), nullable=False),
    _text("signature"),
    sa.Column("size", sa.BigInteger(), nullable=False),
    _moment("created"),
)
"""Kept reports; `origin` is the report that one was made from for readers of a lower clearance."""

share = sa.Table(
    "share",
    metadata,
    _text("id", key=True),
    _text("report"),
    _text("shown"),
    sa.Column("token", sa.LargeBinary(), nullable=False, unique=True),
    _moment("expires"),
    _moment("created"),
)
"""Links to reports: of which report, which one it shows, the SHA-256 of its token, until when."""
