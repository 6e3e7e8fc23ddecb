"""Files of alerts that are loaded: they pass the same desk as those that are handed in, and leave a report as any load.

What is refused of them waits in quarantine, as it came; a message that stands or is known settles what waited under its
name. Deliveries for other layers go the way of `ingest.delivery`. Blocking.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.alerts.desk import LAYER, AlertDesk, Bearer, Taken
from geoservice.alerts.xml import Parcel, parcels
from geoservice.db.engine import Database
from geoservice.db.writing import Writer
from geoservice.edits.desk import EditDesk
from ingest.chronicle import Attempt, Intent, attempt
from ingest.delivery import Delivery
from ingest.delivery import deliver as load_rows
from ingest.family import is_source
from ingest.job import Finding, IngestPlan, IngestReport, ReadSummary, plan
from ingest.load import LoadTarget
from ingest.progress import Count
from ingest.raw import RawRow, write_raw
from ingest.readers.cap import alert_rows
from ingest.readers.quarantined import WHOLE
from ingest.reasons import renewed
from ingest.record import Counts, SourceFile, identify, make_report
from layers.catalog import Catalog
from layers.errors import SourceMissing, SourceUnreadable
from layers.model import RowLayer
from layers.system import quarantine

FORMAT = "cap"
MOST_BYTES = 64 << 20
_ROWS_SHOWN = 10


def deliver(
    database: Database,
    catalog: Catalog,
    target: LoadTarget,
    delivery: Delivery,
    *,
    principal: str = "cli",
    progress: Count | None = None,
) -> IngestReport:
    """Load a delivery, or take its alerts in when it is for the layer of alerts.

    Args:
        database: Where alerts are kept; its settings say which are taken.
        catalog: The layers and code lists.
        target: Where to.
        delivery: What.
        principal: Who loads, for the record.
        progress: See `ingest.delivery.deliver`.

    Raises:
        AlertRefused: When a file for the layer of alerts holds none or is not safe to read.
        GeoError: See `ingest.delivery.deliver`.
    """
    if catalog.layer(delivery.layer).name != LAYER:
        return load_rows(catalog, target, delivery, principal=principal, progress=progress)
    edits = EditDesk(database.settings, Writer(database), catalog)
    try:
        return take(
            AlertDesk(database.settings, Writer(database), edits, catalog), catalog, target, delivery, principal
        )
    finally:
        edits.close()


def take(
    desk: AlertDesk, catalog: Catalog, target: LoadTarget, delivery: Delivery, principal: str = "cli"
) -> IngestReport:
    """Take in the alerts of a file at a desk; see `deliver`."""
    layer, source = desk.layer(), delivery.source
    intent = Intent(layer, source.name, delivery.mapping, delivery.options)
    with attempt(target.engine, intent, principal) as record:
        if not is_source(source):
            raise SourceMissing(f"There is no file {str(source)!r}.", source=source.name)
        job = plan(layer, source, dict(catalog.codelists), delivery.mapping, options=delivery.options)
        content, file = _content(source), identify(source)
        found = parcels(content)
        record.enter("writing")
        with target.engine.begin() as connection:
            taken = desk.take_within(connection, found, Bearer(principal, "file"), content)
            _settle(connection, layer, taken, principal)
            _set_aside(connection, job, file, found, taken, principal)
            report = _report(job, file, found, taken, record)
            record.report = record.keep(connection, report)
    return record.finished()


def _content(source: Path) -> bytes:
    size = source.stat().st_size
    if size > MOST_BYTES:
        told = f"{source.name} has {size} bytes; a document of alerts may have {MOST_BYTES}."
        raise SourceUnreadable(told, source=source.name)
    return source.read_bytes()


def _settle(connection: sa.Connection, layer: RowLayer, taken: Sequence[Taken], principal: str) -> None:
    """What waited under the name of a message that is taken now waits no more."""
    names = [one.id for one in taken if one.error is None and one.id is not None]
    mine = sa.and_(quarantine.c.layer == layer.name, quarantine.c.state == "open", quarantine.c.key.in_(names))
    settled = {"state": "mended", "settled": sa.func.now(), "settled_by": principal}
    connection.execute(sa.update(quarantine).where(mine).values(**settled))


def _set_aside(
    connection: sa.Connection,
    job: IngestPlan,
    file: SourceFile,
    found: Sequence[Parcel],
    taken: Sequence[Taken],
    principal: str,
) -> None:
    reader = {"driver": "CAP", WHOLE: True, "size": file.size, "fields": ["message"], "has_geometry": False}
    for position, (parcel, one) in enumerate(zip(found, taken, strict=True)):
        if one.error is None:
            continue
        row = insert(quarantine).values(
            layer=job.layer.name,
            source=file.name,
            sha256=file.sha256,
            mapping=job.mapping_name,
            position=position,
            reason=one.error.detail,
            raw=write_raw(RawRow({"message": parcel.xml.decode("utf-8", "replace")})),
            key=one.id,
            rule="refused",
            reader=reader,
        )
        again = {**renewed(row.excluded.reason, principal), "state": _again()}
        connection.execute(row.on_conflict_do_update(constraint="quarantine_place", set_=again))


def _again() -> sa.ColumnElement[str]:
    """What somebody gave up stays so; anything else that is refused once more waits."""
    return sa.case((quarantine.c.state == "dismissed", "dismissed"), else_="open")


def _report(
    job: IngestPlan, file: SourceFile, found: Sequence[Parcel], taken: Sequence[Taken], record: Attempt
) -> IngestReport:
    """The report of a load: rows of messages that are over, or of no warning, were read and not selected."""
    areas = [sum(1 for _ in alert_rows(p.element)) if t.error is None else 1 for p, t in zip(found, taken, strict=True)]
    changes = [one.changes for one in taken if one.changes is not None]
    inserted, updated = sum(one.inserted for one in changes), sum(one.updated for one in changes)
    refused = sum(1 for one in taken if one.error is not None)
    standing = [t.outcome == "unchanged" and t.phase in ("active", "ahead") for t in taken]
    unchanged = sum(number for number, stands in zip(areas, standing, strict=True) if stands)
    read = sum(areas)
    summary = ReadSummary(
        driver="CAP",
        read=read,
        good=read - refused,
        bad=refused,
        not_selected=read - refused - inserted - updated - unchanged,
        crs="EPSG:4326",
        findings=tuple(_findings(taken)),
        facts={"alerts": len(taken)},
    )
    counts = Counts(inserted, updated, sum(one.deleted for one in changes))
    edition = max((one.edition for one in changes if one.edition is not None), default=None)
    return make_report(job, file, summary, edition, counts, refused, record.seconds)


def _findings(taken: Sequence[Taken]) -> Iterator[Finding]:
    """What is odd, and what is over, each told once with the numbers of the messages concerned."""
    told: dict[tuple[str, str, str], list[int]] = {}
    for number, one in enumerate(taken, start=1):
        for sentence in one.findings:
            told.setdefault(("alert", "warning", sentence), []).append(number)
        if one.error is not None:
            told.setdefault(("alert-refused", "error", one.error.detail), []).append(number)
        elif one.phase not in ("active", "ahead"):
            sentence = f"It is kept with its life ({one.phase}) and stands in no map; see /alerts?state=all."
            told.setdefault(("alert-not-in-force", "info", sentence), []).append(number)
    for (rule, severity, message), numbers in told.items():
        rows = tuple(numbers[:_ROWS_SHOWN])
        yield Finding(rule=rule, severity=severity, message=message, count=len(numbers), rows=rows)
