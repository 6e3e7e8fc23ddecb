"""Loading rows of quarantine again: through the same mapping, checks and writer as the source they came from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import sqlalchemy as sa

from ingest.job import IngestPlan, IngestReport, LoadOptions, Replay, plan, with_transformations
from ingest.load import load
from ingest.readers.quarantined import LAYER_DRIVER
from ingest.record import LoadTarget
from ingest.set_aside import Wanted
from layers.catalog import Catalog
from layers.errors import SourceMismatch
from layers.model import Layer, RasterLayer
from layers.sources import SourceMapping
from layers.system import quarantine

_BATCH = 1000
_IDENTITY = ("layer", "source", "sha256", "mapping")


@dataclass(frozen=True)
class Batch:
    """Open rows of one version of one source that were read in the same way."""

    layer: str
    source: str
    sha256: str
    mapping: str
    reader: Mapping[str, Any] | None


def batches(connection: sa.Connection, wanted: Wanted) -> list[Batch]:
    """The open rows that are wanted, one batch per version of a source."""
    columns = [quarantine.c[name] for name in (*_IDENTITY, "reader")]
    found = sa.select(*columns).where(*wanted.conditions(), quarantine.c.state == "open").distinct()
    return [Batch(**row) for row in connection.execute(found.order_by(*columns[:4])).mappings()]


def replay(
    catalog: Catalog, target: LoadTarget, wanted: Wanted, *, principal: str, options: LoadOptions | None = None
) -> list[IngestReport]:
    """Load open rows of quarantine again, mended or as they are: one load, one edition per version of a source.

    Rows that pass become `mended`; rows that fail again stay open with the reason of today. A replay never replaces a
    row that was written by the load that refused its own row, or later. What has been replayed is not replayed again,
    and a replay that is killed leaves all as it was.

    Args:
        catalog: Layers and code lists of today.
        target: Where to.
        wanted: Which rows; those that are not open are left alone.
        principal: Who replays, for the record.
        options: How the loads are done.

    Returns:
        One report per version of a source; none when no wanted row is open.

    Raises:
        SourceMismatch: When such rows cannot be loaded one by one, or their mapping is gone.
    """
    with target.engine.connect() as connection:
        found = batches(connection, wanted)
    # Every batch is judged before the first one is loaded.
    plans = [_plan(catalog, batch, options or LoadOptions()) for batch in found]
    return [_replay(target, wanted, batch, made, principal) for batch, made in zip(found, plans, strict=True)]


def _plan(catalog: Catalog, batch: Batch, options: LoadOptions) -> IngestPlan:
    layer = catalog.layer(batch.layer)
    if isinstance(layer, RasterLayer):
        raise SourceMismatch(
            f"What {batch.source} lacks of the raster layer {layer.id} is loaded from the source again.", layer=layer.id
        )
    if batch.reader is None:
        raise SourceMismatch(
            f"Rows of {batch.source} were set aside by an older version, which did not note how it read them; load "
            "the source again.",
            source=batch.source,
        )
    lists, templates = dict(catalog.codelists), dict(catalog.templates)
    made = plan(layer, Path(batch.source), lists, batch.mapping, options=options, templates=templates)
    made = with_transformations(made, catalog.transformations)
    mapping = _mapping(layer, batch, made.mapping)
    origin = Replay(batch.source, int(batch.reader["size"]), batch.sha256)
    return replace(made, mapping=mapping, replay=origin)


def _mapping(layer: Layer, batch: Batch, mapping: SourceMapping) -> SourceMapping:
    if batch.reader is not None and batch.reader["driver"] == LAYER_DRIVER:
        return SourceMapping(match=mapping.match)
    if mapping.assemble is not None or mapping.repeats == "collect":
        raise SourceMismatch(
            f"The mapping {batch.mapping!r} of layer {layer.id} makes one feature of several rows; correct the source "
            "and load it again.",
            layer=layer.id,
        )
    # A few rows are never the whole layer.
    return mapping.model_copy(update={"complete": False})


def _replay(target: LoadTarget, wanted: Wanted, batch: Batch, made: IngestPlan, principal: str) -> IngestReport:
    with tempfile.TemporaryDirectory(prefix="geoservice-replay-") as folder:
        file = Path(folder, PurePath(batch.source).name)
        with target.engine.connect().execution_options(yield_per=_BATCH) as connection, file.open("w") as lines:
            lines.write(json.dumps(batch.reader) + "\n")
            for entry in _entries(connection, wanted, batch):
                lines.write(json.dumps(entry) + "\n")
        return load(replace(made, source=file), target, principal=principal)


def _entries(connection: sa.Connection, wanted: Wanted, batch: Batch) -> Iterator[dict[str, Any]]:
    mine = [quarantine.c[name] == getattr(batch, name) for name in _IDENTITY]
    same_reader = quarantine.c.reader == sa.literal(batch.reader, quarantine.c.reader.type)
    text = sa.func.coalesce(quarantine.c.mended, quarantine.c.raw)
    wanted_rows = (*wanted.conditions(), *mine, same_reader, quarantine.c.state == "open")
    rows = sa.select(quarantine.c.position, text.label("raw")).where(*wanted_rows)
    for row in connection.execute(rows.order_by(quarantine.c.position)):
        yield {"position": row.position, "raw": row.raw}
