"""Loading rows of quarantine again: through the same mapping, checks and writer as the source they came from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import sqlalchemy as sa

from ingest.job import IngestPlan, IngestReport, LoadOptions, Replay, plan, with_transformations
from ingest.load import load
from ingest.outcome import JobLost
from ingest.progress import Count
from ingest.readers.quarantined import LAYER_DRIVER, SAID, WHOLE
from ingest.record import LoadTarget
from ingest.set_aside import Wanted
from layers.catalog import Catalog
from layers.errors import CrsRefused, GeoError, LayerBusy, SourceError, SourceMismatch, UnknownLayer
from layers.model import Layer, RasterLayer
from layers.sources import SourceMapping
from layers.system import quarantine

_BATCH = 1000
_SHOWN = 10
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


@dataclass(frozen=True)
class Left:
    """Rows that no replay can load, and why.

    Attributes:
        layer: Name of the layer.
        source: Name of the source they came from.
        count: How many.
        first: The first numbers in quarantine.
        error: What stands in the way.
    """

    layer: str
    source: str
    count: int
    first: tuple[int, ...]
    error: GeoError

    def __str__(self) -> str:
        """One sentence for people."""
        numbers = ", ".join(map(str, self.first)) + (", ..." if self.count > len(self.first) else "")
        return f"{self.count} rows of {self.source} stay in quarantine ({numbers}): {self.error.detail}"


@dataclass(frozen=True)
class Replayed:
    """What a replay did: a report per version of a source, and what it had to leave."""

    reports: tuple[IngestReport, ...] = ()
    left: tuple[Left, ...] = ()


def replay(
    catalog: Catalog,
    target: LoadTarget,
    wanted: Wanted,
    *,
    principal: str,
    options: LoadOptions | None = None,
    progress: Count | None = None,
    tell: Callable[[list[Left]], None] = lambda _: None,
) -> Replayed:
    """Load open rows of quarantine again, mended or as they are: one load, one edition per version of a source.

    Rows that pass become `mended`; rows that fail again stay open with the reason of today. A replay never replaces a
    row that was written by the load that refused its own row, or later. What has been replayed is not replayed again,
    and a replay that is killed leaves all as it was, but for the sources that it was done with. Rows that cannot be
    loaded one by one are left and named; the others are loaded.

    Args:
        catalog: Layers and code lists of today.
        target: Where to.
        wanted: Which rows; those that are not open are left alone.
        principal: Who replays, for the record.
        options: How the loads are done. A job they name is done with the last load.
        progress: Told of rows read, and of phases when it is an `ingest.progress.Listener`.
        tell: Told of all rows left so far, whenever there are more; before the load that ends the job.

    Raises:
        SourceError, CrsRefused, UnknownLayer: When rows were wanted and none of them can be loaded: why the first
            cannot.
        LayerBusy: When another load of a layer is under way.
    """
    with target.engine.connect() as connection:
        found = batches(connection, wanted)
    plans, left = _judged(catalog, target, wanted, found, options or LoadOptions())
    if left:
        tell(left)
    reports: list[IngestReport] = []
    for place, (batch, made) in enumerate(plans):
        last = place == len(plans) - 1
        one = replace(made, options=replace(made.options, last=last))
        try:
            reports.append(_replay(target, wanted, batch, one, principal, progress))
        except (LayerBusy, JobLost):
            raise
        except (SourceError, CrsRefused) as error:
            left.append(_left(target, wanted, batch, error))
            tell(left)
    if left and not reports:
        raise left[0].error
    return Replayed(tuple(reports), tuple(left))


def _judged(
    catalog: Catalog, target: LoadTarget, wanted: Wanted, found: list[Batch], options: LoadOptions
) -> tuple[list[tuple[Batch, IngestPlan]], list[Left]]:
    """The batches that can be loaded with their plans, and the others; before the first one is loaded."""
    plans: list[tuple[Batch, IngestPlan]] = []
    left: list[Left] = []
    for batch in found:
        try:
            plans.append((batch, _plan(catalog, batch, options)))
        except (SourceError, UnknownLayer) as error:
            left.append(_left(target, wanted, batch, error))
    return plans, left


def _left(target: LoadTarget, wanted: Wanted, batch: Batch, error: GeoError) -> Left:
    mine = (*wanted.conditions(), *_members(batch))
    numbers = sa.select(quarantine.c.id).where(*mine).order_by(quarantine.c.id).limit(_SHOWN)
    counted = sa.select(sa.func.count()).select_from(quarantine).where(*mine)
    with target.engine.connect() as connection:
        first = tuple(connection.execute(numbers).scalars())
        return Left(batch.layer, batch.source, connection.execute(counted).scalar_one(), first, error)


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
    if batch.reader.get(WHOLE):
        raise SourceMismatch(
            f"What {batch.source} holds is taken in whole or not at all; load it again when nothing stands in its way.",
            source=batch.source,
        )
    lists, templates = dict(catalog.codelists), dict(catalog.templates)
    options = replace(options, **batch.reader.get(SAID, {"crs": None, "datum": None}))
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


def _replay(
    target: LoadTarget, wanted: Wanted, batch: Batch, made: IngestPlan, principal: str, progress: Count | None
) -> IngestReport:
    with tempfile.TemporaryDirectory(prefix="geoservice-replay-") as folder:
        file = Path(folder, PurePath(batch.source).name)
        with target.engine.connect().execution_options(yield_per=_BATCH) as connection, file.open("w") as lines:
            lines.write(json.dumps(batch.reader) + "\n")
            for entry in _entries(connection, wanted, batch):
                lines.write(json.dumps(entry) + "\n")
        return load(replace(made, source=file), target, principal=principal, progress=progress)


def _entries(connection: sa.Connection, wanted: Wanted, batch: Batch) -> Iterator[dict[str, Any]]:
    text = sa.func.coalesce(quarantine.c.mended, quarantine.c.raw)
    rows = sa.select(quarantine.c.position, text.label("raw")).where(*wanted.conditions(), *_members(batch))
    for row in connection.execute(rows.order_by(quarantine.c.position)):
        yield {"position": row.position, "raw": row.raw}


def _members(batch: Batch) -> list[sa.ColumnElement[bool]]:
    """The open rows of a batch as conditions."""
    mine = [quarantine.c[name] == getattr(batch, name) for name in _IDENTITY]
    reader = quarantine.c.reader
    same = reader.is_(sa.null()) if batch.reader is None else reader == sa.literal(batch.reader, reader.type)
    return [*mine, same, quarantine.c.state == "open"]
