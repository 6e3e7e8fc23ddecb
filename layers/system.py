"""System tables in `meta`: editions, layer states, raster assets, quarantine, reports, outbox, API keys, jobs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from layers.access import Clearance
from layers.crs import STORAGE_SRID

SYSTEM_SCHEMA = "meta"
metadata = sa.MetaData(schema=SYSTEM_SCHEMA)


def _now() -> sa.ColumnElement[Any]:
    return sa.func.now()


edition = sa.Table(
    "edition",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("layer", sa.Text(), nullable=False),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
    sa.Column("committed", sa.DateTime(timezone=True), nullable=False),
    sa.Column("principal", sa.Text(), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("sha256", sa.Text(), nullable=False),
    sa.Column("size", sa.BigInteger(), nullable=False),
    sa.Column("mapping", sa.Text(), nullable=False),
    sa.Column("inserted", sa.BigInteger(), nullable=False),
    sa.Column("updated", sa.BigInteger(), nullable=False),
    sa.Column("deleted", sa.BigInteger(), nullable=False),
    sa.Column("report", JSONB(), nullable=False),
    # load, replay (of quarantined rows), withdrawal (of an edition) or edit.
    sa.Column("kind", sa.Text(), nullable=False, server_default="load"),
    sa.Column("owner", sa.Text()),
    sa.Column("received", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Column("tools", JSONB()),
    sa.Column("mapping_digest", sa.Text()),
    sa.Column("definition", sa.Text()),
    # A withdrawal names the edition that it undoes and why; that edition names its withdrawal while it stands.
    sa.Column("undoes", sa.BigInteger(), sa.ForeignKey("meta.edition.id")),
    sa.Column("undone_by", sa.BigInteger(), sa.ForeignKey("meta.edition.id")),
    sa.Column("reason", sa.Text()),
    sa.Index("edition_layer", "layer", "id"),
)
"""One row per committed change: who, when, from which source (SHA-256) of whom, by which tools, with which outcome.

`committed` is the instant from which its rows hold; it grows strictly from edition to edition of a layer.
"""

layer_state = sa.Table(
    "layer_state",
    metadata,
    sa.Column("layer", sa.Text(), primary_key=True),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
    sa.Column("definition", sa.Text(), nullable=False),
    sa.Column("edition", sa.BigInteger(), sa.ForeignKey("meta.edition.id")),
    sa.Column("changed", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Column("ladder", sa.BigInteger()),
    sa.Column("charted", sa.BigInteger()),
    sa.Column("change", sa.BigInteger()),
    sa.Column("named", sa.BigInteger()),
    sa.Column("naming", sa.Text()),
)
"""Per layer: digest of the definition its tables follow, latest edition, time of the last change, the edition that its
ladder shows (null while there is no ladder; 0 for one of rows without an edition), and of `tile_change` the edition up
to which it knows all changes and its latest entry. `named` is the edition that the index of names shows, `naming` the
digest of how it was made."""

tile_change = sa.Table(
    "tile_change",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("layer", sa.Text(), nullable=False),
    sa.Column("edition", sa.BigInteger(), nullable=False),
    sa.Column("west", sa.Double()),
    sa.Column("south", sa.Double()),
    sa.Column("east", sa.Double()),
    sa.Column("north", sa.Double()),
    sa.Index("tile_change_layer", "layer", "id"),
)
"""Boxes (degrees) in which tiles of a layer may differ since the edition before; without sides: everywhere.

Hidden rows have boxes too, so only the reader of the highest clearance may select them.
"""

layer_figures = sa.Table(
    "layer_figures",
    metadata,
    sa.Column("layer", sa.Text(), sa.ForeignKey("meta.layer_state.layer", ondelete="CASCADE"), primary_key=True),
    # Rows up to this clearance are counted.
    sa.Column("clearance", sa.SmallInteger(), primary_key=True),
    sa.Column("rows", sa.BigInteger(), nullable=False),
    sa.Column("west", sa.Double()),
    sa.Column("south", sa.Double()),
    sa.Column("east", sa.Double()),
    sa.Column("north", sa.Double()),
    sa.Column("begins", sa.DateTime(timezone=True)),
    sa.Column("ends", sa.DateTime(timezone=True)),
)
"""Counts, extent and time span of the rows up to a clearance, so that no reader sees what is counted above theirs."""

raster_asset = sa.Table(
    "raster_asset",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("layer", sa.Text(), nullable=False),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
    sa.Column("edition", sa.BigInteger(), sa.ForeignKey("meta.edition.id"), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("file", sa.Text(), nullable=False),
    sa.Column("sha256", sa.Text(), nullable=False),
    sa.Column("crs", sa.Text(), nullable=False),
    sa.Column("width", sa.BigInteger(), nullable=False),
    sa.Column("height", sa.BigInteger(), nullable=False),
    sa.Column("footprint", Geometry("MULTIPOLYGON", srid=STORAGE_SRID, spatial_index=False), nullable=False),
    sa.Column("bands", JSONB(), nullable=False),
    sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
    sa.Column("valid_to", sa.DateTime(timezone=True)),
    sa.Index("raster_asset_layer", "layer", "valid_to"),
)
"""One row per COG: content-hash file name, footprint (lon/lat), band statistics; `valid_to` is null while current."""

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("layer", sa.Text(), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("sha256", sa.Text(), nullable=False),
    sa.Column("mapping", sa.Text(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    # The reason of today; `history` begins with the first one when there was another.
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("raw", sa.Text(), nullable=False),
    sa.Column("received", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    # Its public key, as far as it can be told.
    sa.Column("key", sa.Text()),
    # refused (by reading, mapping or a check) or repeated (a key of its own source, with other content).
    sa.Column("rule", sa.Text(), nullable=False, server_default="refused"),
    # How the source was read: CRS, driver, fields; what a replay needs to read the row in the same way.
    sa.Column("reader", JSONB()),
    sa.Column("mended", sa.Text()),
    # open, mended (loaded by an edition), dismissed (by somebody, with a remark) or superseded (by a later source).
    sa.Column("state", sa.Text(), nullable=False, server_default="open"),
    sa.Column("settled", sa.DateTime(timezone=True)),
    sa.Column("settled_by", sa.Text()),
    sa.Column("remark", sa.Text()),
    sa.Column("edition", sa.BigInteger(), sa.ForeignKey("meta.edition.id")),
    # Judgements from the first to the latest (reason, at, by, way), once there were several.
    sa.Column("history", JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
    sa.UniqueConstraint("layer", "sha256", "mapping", "position", name="quarantine_place"),
    sa.Index("quarantine_life", "layer", "state", "id"),
)
"""Rows that could not be loaded: reasons, original content, position in the source (from 0), what became of them."""

load_report = sa.Table(
    "load_report",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("layer", sa.Text(), nullable=False),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
    sa.Column("started", sa.DateTime(timezone=True), nullable=False),
    sa.Column("finished", sa.DateTime(timezone=True), nullable=False),
    sa.Column("outcome", sa.Text(), nullable=False),
    sa.Column("edition", sa.BigInteger(), sa.ForeignKey("meta.edition.id")),
    sa.Column("job", sa.BigInteger()),
    sa.Column("principal", sa.Text(), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("sha256", sa.Text()),
    sa.Column("report", JSONB(), nullable=False),
    sa.CheckConstraint(
        "outcome IN ('loaded', 'unchanged', 'refused', 'failed', 'dry-run')", name="load_report_outcome"
    ),
    sa.Index("load_report_layer", "layer", "id"),
    sa.Index("load_report_edition", "edition"),
)
"""One row per load, whatever came of it: `loaded`, `unchanged`, `refused`, `failed` or `dry-run`, with its report.

A report holds no value or place of anything above the layer's own clearance, but its counts are of all rows, and what
ended a load may quote its source. So no reader of the database may select it (`geoservice.db`, `sync.sql`).
"""

repair = sa.Table(
    "repair",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("load", sa.BigInteger(), sa.ForeignKey("meta.load_report.id"), nullable=False),
    sa.Column("edition", sa.BigInteger(), sa.ForeignKey("meta.edition.id"), nullable=False),
    sa.Column("layer", sa.Text(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("rule", sa.Text(), nullable=False),
    sa.Column("before", sa.LargeBinary(), nullable=False),
    sa.Column("after", sa.LargeBinary(), nullable=False),
    sa.Column("area_change", sa.Double()),
    sa.Index("repair_edition", "edition", "position"),
)
"""Geometries that were made valid: position in the source, before and after (WKB, lon/lat), change of area (m2)."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("layer", sa.Text(), nullable=False),
    sa.Column("edition", sa.BigInteger(), nullable=False),
    sa.Column("west", sa.Double()),
    sa.Column("south", sa.Double()),
    sa.Column("east", sa.Double()),
    sa.Column("north", sa.Double()),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
)
"""Change events, written in the transaction of the change: which layer, which edition, within which extent."""

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("id", sa.Text(), primary_key=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Column("revoked", sa.DateTime(timezone=True)),
    sa.Column("rights", ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'::text[]")),
)
"""API keys: only the SHA-256 of the (random, 256-bit) secret is kept; rights are `load` or `load:<layer>`."""

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("layer", sa.Text()),
    sa.Column("principal", sa.Text(), nullable=False),
    sa.Column("origin", sa.Text(), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("place", JSONB(), nullable=False),
    sa.Column("mapping", sa.Text()),
    sa.Column("sha256", sa.Text()),
    sa.Column("options", JSONB(), nullable=False),
    sa.Column("priority", sa.SmallInteger(), nullable=False, server_default=sa.text("0")),
    sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'queued'::text")),
    sa.Column("attempts", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    sa.Column("deaths", sa.SmallInteger(), nullable=False, server_default=sa.text("0")),
    sa.Column("cancel", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Column("not_before", sa.DateTime(timezone=True)),
    sa.Column("started", sa.DateTime(timezone=True)),
    sa.Column("updated", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Column("finished", sa.DateTime(timezone=True)),
    sa.Column("filed", sa.DateTime(timezone=True)),
    sa.Column("phase", sa.Text()),
    sa.Column("rows", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    sa.Column("total", sa.BigInteger()),
    sa.Column("edition", sa.BigInteger()),
    sa.Column("load", sa.BigInteger()),
    sa.Column("error", JSONB()),
    sa.CheckConstraint(
        "state IN ('queued', 'running', 'done', 'refused', 'failed', 'cancelled')", name="job_state_known"
    ),
    # One writer per layer, and the order of its jobs: the queue relies on it.
    sa.Index("job_running", "layer", unique=True, postgresql_where=sa.text("state = 'running'")),
    sa.Index("job_queued", "layer", "id", postgresql_where=sa.text("state = 'queued'")),
    sa.Index("job_principal", "principal", "id"),
    sa.Index("job_unfiled", "origin", postgresql_where=sa.text("filed IS NULL")),
)
"""One row per job: what was asked by whom, its state and progress, its outcome. `place` says where the source lies,
`load` is the number of its report; jobs of the kind `execution` have no layer;
`origin` is `api`, `cli`, `watch` or `schedule`; `filed` is set when a watched file was put away."""

schedule = sa.Table(
    "schedule",
    metadata,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("planned", sa.DateTime(timezone=True), nullable=False),
    sa.Column("job", sa.BigInteger()),
)
"""Per schedule of the watch file: the last planned time that was dealt with, and the job it gave."""

feed = sa.Table(
    "feed",
    metadata,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("address", sa.Text(), nullable=False),
    sa.Column("etag", sa.Text()),
    sa.Column("modified", sa.Text()),
    sa.Column("digest", sa.Text()),
    # When the last answer was made, as far as it said.
    sa.Column("stamp", sa.DateTime(timezone=True)),
    sa.Column("asked", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    sa.Column("checked", sa.DateTime(timezone=True)),
    sa.Column("succeeded", sa.DateTime(timezone=True)),
    sa.Column("due", sa.DateTime(timezone=True), nullable=False),
    sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
    sa.Column("error", sa.Text()),
    # What became of the last new answer: a sentence, and the jobs that load it.
    sa.Column("told", sa.Text()),
    sa.Column("jobs", ARRAY(sa.BigInteger()), nullable=False, server_default=sa.text("'{}'::bigint[]")),
)
"""Per feed of the watch file: validators and digest of its last answer, when it is asked again, and what it came to."""

TERM_HEADS = (1, 2, 3, 5)
"""Lengths of the beginnings of terms that have an index of their own, in the order of importance."""


def _name_table(level: str) -> sa.Table:
    return sa.Table(
        f"name_{level}",
        metadata,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), primary_key=True),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("fid", sa.BigInteger(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        # Each term behind a line break and the digit of its form.
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("sound", sa.Text(), nullable=False),
        sa.Column("importance", sa.REAL(), nullable=False),
        sa.Column("adcode", sa.Text(collation="C")),
        sa.Column("geom", Geometry("POINT", srid=STORAGE_SRID, spatial_index=False)),
        sa.Index(f"name_{level}_feature", "layer", "fid"),
        sa.Index(f"name_{level}_adcode", "adcode"),
        sa.Index(f"name_{level}_geom", "geom", postgresql_using="gist"),
        sa.Index(f"name_{level}_sound", "sound", postgresql_using="gin", postgresql_ops={"sound": "gin_trgm_ops"}),
    )


def _term_table(level: str) -> sa.Table:
    table = sa.Table(
        f"term_{level}",
        metadata,
        sa.Column("term", sa.Text(collation="C"), nullable=False),
        sa.Column("form", sa.SmallInteger(), nullable=False),
        sa.Column("importance", sa.REAL(), nullable=False),
        sa.Column("lon", sa.REAL()),
        sa.Column("lat", sa.REAL()),
        sa.Column("name", sa.BigInteger(), nullable=False),
    )
    carried = ["form", "importance", "lon", "lat", "name"]
    sa.Index(f"term_{level}_term", table.c.term, postgresql_include=carried)
    for length in TERM_HEADS:
        head = sa.func.left(table.c.term, sa.literal_column(str(length)))
        sa.Index(f"term_{level}_head{length}", head, table.c.importance.desc())
    return table


name_tables = tuple(_name_table(level.label) for level in Clearance)
"""Names of features, by clearance: one row per feature and attribute, with everything they are found by."""
term_tables = tuple(_term_table(level.label) for level in Clearance)
"""The terms of those names, for searches by their beginning.

There is one table per clearance and a reader may select those up to its own: no row policy stands between a condition
and its index.
"""

raised = sa.Table(
    "raised",
    metadata,
    sa.Column("layer", sa.Text(), primary_key=True),
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("began", sa.BigInteger(), primary_key=True),
    sa.Column("edition", sa.BigInteger(), primary_key=True),
    sa.Column("ended", sa.BigInteger(), nullable=False),
    sa.Column("was", sa.SmallInteger(), nullable=False),
)
"""Former versions of rows (from the edition where each `began` to where it `ended`) that another `edition` closed
further, with the clearance that they had until then.

Whoever could see such a version is told by the change feed that it is gone; nobody else is.
"""

request_memo = sa.Table(
    "request_memo",
    metadata,
    sa.Column("principal", sa.Text(), primary_key=True),
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
    sa.Column("answer", JSONB(), nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Index("request_memo_created", "created"),
)
"""Answers to requests that carried an Idempotency-Key, by principal and key, written in the transaction of the edit.

`fingerprint` is the SHA-256 of method, path and body: the same key with another request is refused.
"""

subscription = sa.Table(
    "subscription",
    metadata,
    sa.Column("id", sa.Text(), primary_key=True),
    sa.Column("principal", sa.Text(), sa.ForeignKey("meta.api_key.id"), nullable=False),
    sa.Column("url", sa.Text(), nullable=False),
    sa.Column("collections", ARRAY(sa.Text()), nullable=False),
    sa.Column("secret", sa.LargeBinary(), nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    # Deliveries that failed for good one after the other; too many of them disable the subscription.
    sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
    sa.Column("disabled", sa.DateTime(timezone=True)),
    sa.Column("kind", sa.Text(), nullable=False, server_default="layer"),
    # What else it asks for, where (for people, and as WKB in longitude and latitude), and in which language.
    sa.Column("condition", JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
    sa.Column("place", JSONB()),
    sa.Column("area", sa.LargeBinary()),
    sa.Column("lang", sa.Text(), nullable=False, server_default="zh"),
    sa.Column("exercises", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    # Number of the last alert that was looked at.
    sa.Column("heard", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    # When whoever reads a mail address agreed, and when they had enough.
    sa.Column("confirmed", sa.DateTime(timezone=True)),
    sa.Column("parted", sa.DateTime(timezone=True)),
    sa.CheckConstraint("kind IN ('layer', 'alert', 'exceedance')", name="subscription_kind"),
    sa.Index("subscription_principal", "principal"),
)
"""Who is told of what, where, signed with which secret; no reader may select it, nor the tables that belong to it."""

subscription_mark = sa.Table(
    "subscription_mark",
    metadata,
    sa.Column("subscription", sa.Text(), sa.ForeignKey("meta.subscription.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("layer", sa.Text(), primary_key=True),
    sa.Column("edition", sa.BigInteger(), nullable=False),
)
"""Up to which edition of a layer the messages of a subscription are written down."""

subscription_standing = sa.Table(
    "subscription_standing",
    metadata,
    sa.Column("subscription", sa.Text(), sa.ForeignKey("meta.subscription.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("thing", sa.Text(), primary_key=True),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
    sa.Column("told", JSONB(), nullable=False),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
)
"""Exceedances of which a subscriber was told that they began, and not yet that they ended."""

mail_asked = sa.Table(
    "mail_asked",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("principal", sa.Text(), nullable=False),
    sa.Column("address", sa.LargeBinary(), nullable=False),
    sa.Column("asked", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Index("mail_asked_asked", "asked"),
)
"""Which addresses (their SHA-256) were asked to confirm a subscription lately, and by which key."""

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("subscription", sa.Text(), sa.ForeignKey("meta.subscription.id", ondelete="CASCADE"), nullable=False),
    sa.Column("layer", sa.Text()),
    sa.Column("edition", sa.BigInteger()),
    sa.Column("event", sa.Text()),
    sa.Column("clearance", sa.SmallInteger(), nullable=False, server_default=sa.text("0")),
    sa.Column("payload", JSONB(), nullable=False),
    # waiting, delivered, failed (after the last attempt) or dropped (the subscriber may not have it any more).
    sa.Column("state", sa.Text(), nullable=False, server_default="waiting"),
    sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
    sa.Column("next_attempt", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Column("status", sa.Integer()),
    sa.Column("error", sa.Text()),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Column("finished", sa.DateTime(timezone=True)),
    sa.CheckConstraint("state IN ('waiting', 'delivered', 'failed', 'dropped')", name="delivery_state"),
    sa.Index("delivery_due", "next_attempt", postgresql_where=sa.text("state = 'waiting'")),
    sa.Index("delivery_subscription", "subscription", "id"),
    sa.Index("delivery_event", "subscription", "event", unique=True),
)
"""Messages of subscriptions, and what became of each."""

hazard_zone = sa.Table(
    "hazard_zone",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("clearance", sa.SmallInteger(), primary_key=True),
    sa.Column("method", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("principal", sa.Text(), nullable=False),
    sa.Column("kept", sa.DateTime(timezone=True), nullable=False, server_default=_now()),
    sa.Column("document", sa.Text(), nullable=False),
    sa.Column("status", sa.Text(), nullable=False),
    sa.Index("hazard_zone_kept", "kept", "id"),
    sa.Index("hazard_zone_status", "status", "kept", "id"),
    sa.Index("hazard_zone_principal", "principal"),
)
"""Hazard zones that were kept, as they are sent, by the hash of their content; they never change.

The clearance is a part of the key: whoever keeps what somebody above has kept already does not learn of it.
"""
