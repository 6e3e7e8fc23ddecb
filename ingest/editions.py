"""Editions of a layer: what there are, and taking one back so that the former state stands again."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ingest import assets, figures, quarantine, undo, withhold
from ingest.job import Finding, IngestReport, LoadOptions, ReadSummary
from ingest.outcome import settle
from ingest.record import Counts, LoadTarget, begin_edition, close_edition, layer_lock
from layers.errors import NotWithdrawable, UnknownEdition
from layers.model import Layer, RasterLayer, VectorLayer
from layers.system import edition as edition_table

_IDENTITY = ("id", "layer", "committed", "kind", "principal", "undoes", "undone_by", "reason")
_LINEAGE = ("owner", "received", "source", "sha256", "size", "mapping", "mapping_digest", "definition", "tools")
_SHOWN = (*_IDENTITY, *_LINEAGE, "inserted", "updated", "deleted")


def editions_statement(layer: str, limit: int | None = None) -> sa.Select[Any]:
    """The editions of a layer with their lineage, the newest first; without their reports."""
    columns = [edition_table.c[name] for name in _SHOWN]
    return sa.select(*columns).where(edition_table.c.layer == layer).order_by(edition_table.c.id.desc()).limit(limit)


def edition_of(connection: sa.Connection, number: int) -> sa.RowMapping:
    """One edition with its lineage.

    Raises:
        UnknownEdition: When there is none of this number.
    """
    statement = sa.select(*(edition_table.c[name] for name in _SHOWN)).where(edition_table.c.id == number)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise UnknownEdition(f"There is no edition {number}; `geoservice ingest editions LAYER` lists those there are.")
    return row


def withdraw(
    layer: Layer, target: LoadTarget, number: int, *, principal: str, reason: str, options: LoadOptions | None = None
) -> IngestReport:
    """Take back an edition: the rows it inserted go, those it changed or deleted come back as they were.

    History keeps everything: the withdrawal is an edition of its own, can be withdrawn itself, and reads as of any
    instant stay as they were. An edition can be withdrawn while no later edition that stands has touched its rows.

    Args:
        layer: The layer of the edition.
        target: Where the layer is kept.
        number: The edition to withdraw.
        principal: Who withdraws it.
        reason: Why; kept with the withdrawal.
        options: Name the job that does it, when one does; its end is part of the same transaction.

    Returns:
        The report of the withdrawal; `read` counts the rows that came back.

    Raises:
        UnknownEdition: When the layer has no such edition.
        NotWithdrawable: When it is withdrawn already, or a later edition touched its rows. Nothing was changed.
        SourceError: When a load of the layer is under way.
    """
    started = time.monotonic()
    with layer_lock(target.engine, layer), target.engine.begin() as connection:
        undone = edition_of(connection, number)
        refuse_withdrawal(connection, layer, undone)
        kept = ("source", "sha256", "size", "mapping", "mapping_digest", "owner")
        lineage = {name: undone[name] for name in kept}
        withdrawal = begin_edition(
            connection, layer, kind="withdrawal", principal=principal, undoes=number, reason=reason, **lineage
        )
        try:
            counts, extent = _undo(connection, layer, number, withdrawal)
        except IntegrityError as error:
            raise NotWithdrawable(
                f"The rows that edition {number} replaced do not fit the present definition of layer {layer.id}.",
                edition=number,
            ) from error
        _chain(connection, undone, withdrawal)
        report = _report(layer, undone, counts, withdrawal, reason, time.monotonic() - started)
        close_edition(connection, layer, counts, report, extent)
        settle(connection, options or LoadOptions(), None, withdrawal)
    return report


def refuse_withdrawal(connection: sa.Connection, layer: Layer, undone: sa.RowMapping) -> None:
    """Make sure that an edition can be taken back as things stand.

    Raises:
        UnknownEdition: When it belongs to another layer.
        NotWithdrawable: When it is withdrawn already, or a later edition touched its rows.
    """
    number = undone["id"]
    if undone["layer"] != layer.name:
        raise UnknownEdition(f"Layer {layer.id} has no edition {number}; it belongs to layer {undone['layer']}.")
    if undone["undone_by"] is not None:
        raise NotWithdrawable(
            f"Edition {number} was withdrawn already, by edition {undone['undone_by']}; withdraw that one to let it "
            "stand again.",
            edition=number,
            by=undone["undone_by"],
        )
    touch = assets.later_touch(layer, number) if isinstance(layer, RasterLayer) else undo.later_touch(layer, number)
    later = connection.execute(touch).scalar()
    if later is not None:
        raise NotWithdrawable(
            f"Edition {later} of layer {layer.id} changed rows that edition {number} wrote or ended; withdraw edition "
            f"{later} first.",
            edition=number,
            by=later,
        )


def _undo(
    connection: sa.Connection, layer: Layer, number: int, withdrawal: int
) -> tuple[Counts, dict[str, float | None]]:
    if isinstance(layer, RasterLayer):
        counts = assets.undo(connection, layer, number, withdrawal)
        assets.renew_figures(connection, layer)
        return counts, assets.touched(connection, layer, withdrawal)
    counts = undo.undo_rows(connection, layer, number, withdrawal)
    withhold.withhold_ended(connection, layer, withdrawal)
    undo.raise_clearance(connection, layer, withdrawal)
    figures.renew(connection, layer)
    if not isinstance(layer, VectorLayer):
        return counts, {}
    return counts, dict(connection.execute(figures.touched(layer, withdrawal)).mappings().one())


def _chain(connection: sa.Connection, undone: sa.RowMapping, withdrawal: int) -> None:
    """Mark what is undone; undoing a withdrawal lets the edition it had undone stand again."""
    number, before = undone["id"], undone["undoes"]
    marks = [(number, withdrawal)] + ([(before, None)] if before is not None else [])
    for marked, by in marks:
        connection.execute(sa.update(edition_table).where(edition_table.c.id == marked).values(undone_by=by))
    quarantine.reopen(connection, number)
    if before is not None:
        quarantine.settle_again(connection, before)


def _report(
    layer: Layer, undone: sa.RowMapping, counts: Counts, withdrawal: int, reason: str, seconds: float
) -> IngestReport:
    back = counts.inserted + counts.updated
    said = Finding(
        rule="withdrawal", severity="info", message=f"Edition {undone['id']} was withdrawn: {reason}", count=1
    )
    summary = ReadSummary(driver="history", read=back, good=back, bad=0, not_selected=0, findings=(said,))
    return IngestReport(
        layer=layer.id,
        source=undone["source"],
        mapping=undone["mapping"],
        sha256=undone["sha256"],
        size=undone["size"],
        edition=withdrawal,
        read=back,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=0,
        quarantined=0,
        not_selected=0,
        deleted=counts.deleted,
        seconds=round(seconds, 3),
        summary=summary,
    )
