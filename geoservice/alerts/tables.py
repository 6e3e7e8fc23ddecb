"""Tables of schema `alert`, as migrations make them.

Readers may select `message` (those that are kept), `reference` and `area`, each up to their clearance.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import JSONB

from layers.crs import STORAGE_SRID

ALERT_SCHEMA = "alert"
metadata = sa.MetaData(schema=ALERT_SCHEMA)


def _text(name: str, *, nullable: bool = False, **more: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, **more)


def _moment(name: str, *, nullable: bool = False, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, **more)


def _since(name: str) -> sa.Column[Any]:
    return _moment(name, server_default=sa.func.now())


envelope = sa.Table("envelope", metadata, _text("sha256", primary_key=True), sa.Column("content", sa.LargeBinary()))
"""Documents that held several messages, byte for byte."""

message = sa.Table(
    "message",
    metadata,
    sa.Column("number", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    _text("id"),
    _text("sender"),
    _text("identifier"),
    _moment("sent"),
    _text("status"),
    _text("msg_type"),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
    _text("verdict"),
    _text("digest"),
    sa.Column("xml", sa.LargeBinary(), nullable=False),
    _text("envelope", nullable=True),
    sa.Column("content", JSONB(), nullable=False),
    _moment("begins"),
    _moment("ends"),
    _moment("ended", nullable=True),
    _text("ended_how", nullable=True),
    _text("severity"),
    _text("signature"),
    _text("signer", nullable=True),
    sa.Column("findings", JSONB(), nullable=False),
    _text("way"),
    _text("principal"),
    _since("received"),
)
"""Messages, each with its bytes; `ended` is what the life of messages (`layers.alerting`) says of the kept ones."""

reference = sa.Table(
    "reference",
    metadata,
    sa.Column("message", sa.BigInteger(), primary_key=True),
    _text("sender", primary_key=True),
    _text("identifier", primary_key=True),
    _moment("sent", primary_key=True),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
)
"""Names of the messages that a message is about, whether they have come or not."""

area = sa.Table(
    "area",
    metadata,
    sa.Column("message", sa.BigInteger(), primary_key=True),
    sa.Column("info", sa.Integer(), primary_key=True),
    sa.Column("area", sa.Integer(), primary_key=True),
    _text("origin"),
    sa.Column("geom", Geometry("GEOMETRY", srid=STORAGE_SRID, spatial_index=False)),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
)
"""Areas by number of block and area (from 1): drawn, or put together from divisions that their codes name."""

signer = sa.Table(
    "signer",
    metadata,
    _text("fingerprint", primary_key=True),
    _text("sender", primary_key=True),
    _text("name"),
    _text("certificate"),
    _since("created"),
)
"""Registered certificates, and for which sender each signs."""

draft = sa.Table(
    "draft",
    metadata,
    _text("id", primary_key=True),
    _text("author"),
    sa.Column("content", JSONB(), nullable=False),
    _text("state", server_default="open"),
    _since("created"),
    _since("changed"),
    _text("changed_by"),
    _moment("settled", nullable=True),
    _text("settled_by", nullable=True),
    _text("message", nullable=True),
)
"""Messages that are being written; no reader may select them."""

feed = sa.Table(
    "feed",
    metadata,
    _text("address", primary_key=True),
    _text("etag", nullable=True),
    _text("modified", nullable=True),
    sa.Column("seen", JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
    _moment("checked", nullable=True),
    _since("due"),
    sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
    _text("error", nullable=True),
)
"""What is known of each feed: validators of its last answer, and when it is asked again."""
