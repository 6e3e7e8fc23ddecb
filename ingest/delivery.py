"""A delivery: one source for one layer, loaded by the way that fits the kind of the layer, for commands and jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ingest.chronicle import Intent, attempt
from ingest.family import is_source
from ingest.job import Fetched, IngestPlan, IngestReport, LoadOptions, Origin, plan, with_transformations
from ingest.load import LoadTarget, load
from ingest.progress import Count
from ingest.raster import load_raster
from layers.catalog import Catalog
from layers.errors import SourceMissing
from layers.model import Layer, RasterLayer


@dataclass(frozen=True)
class Delivery:
    """What is delivered.

    Attributes:
        layer: Name or id of the layer.
        source: The file.
        mapping: Source mapping of the layer; found by the file's name when absent.
        options: How it is loaded.
        origin: Where the file came from, when it is a snapshot of a remote source.
    """

    layer: str
    source: Path
    mapping: str | None = None
    options: LoadOptions = field(default_factory=LoadOptions)
    origin: Origin | None = None


def deliver(
    catalog: Catalog, target: LoadTarget, delivery: Delivery, *, principal: str = "cli", progress: Count | None = None
) -> IngestReport:
    """Load a delivery. A report is kept whatever comes of it, also when it is refused before its source is opened.

    Args:
        catalog: The layers and code lists.
        target: Where to.
        delivery: What.
        principal: Who loads, for the record.
        progress: Told of rows read, and of phases when it is an `ingest.progress.Listener`.

    Raises:
        UnknownLayer: When there is no such layer.
        SourceMissing: When there is no such file.
        SourceError, CrsRefused: See `ingest.load.load`.
    """
    layer = catalog.layer(delivery.layer)
    intent = Intent(layer, delivery.source.name, delivery.mapping, delivery.options)
    with attempt(target.engine, intent, principal):
        job = _plan(catalog, layer, delivery)
    way = load_raster if isinstance(layer, RasterLayer) else load
    return way(job, target, principal=principal, progress=progress)


def _plan(catalog: Catalog, layer: Layer, delivery: Delivery) -> IngestPlan:
    source = delivery.source
    if not is_source(source):
        raise SourceMissing(f"There is no file {str(source)!r}.", source=source.name)
    lists, templates = dict(catalog.codelists), catalog.templates
    what = source if delivery.origin is None else Fetched(source, delivery.origin)
    job = plan(layer, what, lists, delivery.mapping, options=delivery.options, templates=templates)
    return with_transformations(job, catalog.transformations)
