"""Loads of rasters: rewritten as COG in the confined child, kept under a content name, named by one transaction.

Killed at any step, a load leaves the current assets untouched; a file that no asset names is swept later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest import assets
from ingest.chronicle import Attempt, attempt
from ingest.job import IngestPlan, IngestReport, ReadSummary
from ingest.raster_facts import RasterFacts, read_facts
from ingest.raster_store import keep, name_of, sweep
from ingest.record import (
    Counts,
    LoadTarget,
    SourceFile,
    close_edition,
    identify,
    layer_lock,
    make_report,
    open_edition,
)
from ingest.sandbox import open_raster
from layers.asset import SUFFIX
from layers.errors import SourceMismatch, SourceUnreadable
from layers.model import RasterLayer

RECIPE_VERSION = 1
"""Raised when the same source would be stored otherwise than before."""
RECIPE_KEY = "recipe"


@dataclass(frozen=True)
class _Job:
    """One load: what is loaded, where to, and its record."""

    plan: IngestPlan
    layer: RasterLayer
    target: LoadTarget
    source: SourceFile
    record: Attempt


@dataclass(frozen=True)
class _Rewritten:
    """The raster as the reader left it: digest of the stored file, summary, facts."""

    sha256: str
    summary: ReadSummary
    facts: RasterFacts


def load_raster(
    plan: IngestPlan, target: LoadTarget, *, principal: str = "cli", progress: Callable[[int], None] | None = None
) -> IngestReport:
    """Load a raster source as one asset of its layer.

    A source of a name that the layer knows replaces the former asset; the same content changes nothing.

    Args:
        plan: What is loaded, and how. A mapping that is `complete` ends the assets of all other sources.
        target: Where to.
        principal: Who loads, for the record.
        progress: Called with 1 when the raster is done.

    Returns:
        The report: one raster read is one inserted, updated or unchanged.

    Raises:
        SourceError: When the source cannot be read or does not fit; nothing was changed.
        CrsRefused: When its CRS is missing or has no safe way into storage.
        ConfigurationError: When the folder of raster files cannot be written.
    """
    with attempt(target.engine, plan, principal, progress) as record:
        job = _Job(plan, _raster_layer(plan), target, identify(plan.source), record)
        with layer_lock(target.engine, job.layer):
            known = _known(job)
            if known is not None and _is_same(job, known):
                record.report = _keep_unchanged(job, ReadSummary.model_validate(known.report["summary"]))
            else:
                record.enter("reading")
                rewritten = _rewrite(job)
                record.enter("writing")
                record.report = _commit(job, rewritten)
                sweep_orphans(target)
    if progress is not None:
        progress(1)
    return record.finished()


def sweep_orphans(target: LoadTarget) -> tuple[str, ...]:
    """Remove raster files that no asset names and that are a day old; returns their names."""
    with target.engine.connect() as connection:
        named = assets.files(connection)
    return sweep(target.rasters, named)


def recipe(plan: IngestPlan, layer: RasterLayer, source: SourceFile) -> str:
    """Digest of all that decides how a source is stored: its content, its mapping, the layer's bands and layout."""
    parts: dict[str, Any] = {
        "version": RECIPE_VERSION,
        "source": source.sha256,
        "mapping": plan.mapping.model_dump(mode="json"),
        "bands": [band.model_dump(mode="json") for band in layer.bands],
        "cog": layer.cog.model_dump(mode="json"),
        "list": layer.list,
        "classes": layer.style.classes,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _raster_layer(plan: IngestPlan) -> RasterLayer:
    if not isinstance(plan.layer, RasterLayer):
        raise SourceMismatch(f"Layer {plan.layer.id} stores rows, not rasters.", layer=plan.layer.id)
    return plan.layer


def _known(job: _Job) -> assets.CurrentAsset | None:
    with job.target.engine.connect() as connection:
        return assets.current(connection, job.layer, job.source.name)


def _is_same(job: _Job, known: assets.CurrentAsset) -> bool:
    """Whether this very source was stored by this very recipe, and the file is still there."""
    if job.plan.mapping.complete or not (job.target.rasters / known.file).is_file():
        return False
    stored = known.report.get("summary", {}).get("facts", {}).get(RECIPE_KEY)
    return bool(stored == recipe(job.plan, job.layer, job.source))


def _rewrite(job: _Job) -> _Rewritten:
    with open_raster(job.plan) as reader:
        written = reader.finish()
        if identify(job.plan.source) != job.source:
            name = job.source.name
            raise SourceUnreadable(f"{name} changed while it was read; load it again.", source=name)
        facts = read_facts(reader.summary.facts)
        _refuse_other_bands(job.layer, facts)
        # A dry run leaves no file behind; its name is all that the comparison needs.
        rehearsal = job.plan.options.dry_run
        digest = name_of(written) if rehearsal else keep(written, job.target.rasters)
    known = {**reader.summary.facts, RECIPE_KEY: recipe(job.plan, job.layer, job.source)}
    return _Rewritten(digest, reader.summary.model_copy(update={"facts": known}), facts)


def _refuse_other_bands(layer: RasterLayer, facts: RasterFacts) -> None:
    if [band.name for band in facts.bands] != [band.name for band in layer.bands]:
        raise SourceUnreadable("The confined reader described other bands than the layer has.")


def _keep_unchanged(job: _Job, summary: ReadSummary) -> IngestReport:
    with job.target.engine.begin() as connection:
        return job.record.keep(connection, _report(job, summary, None, Counts()))


def _report(job: _Job, summary: ReadSummary, edition: int | None, counts: Counts) -> IngestReport:
    return make_report(job.plan, job.source, summary, edition, counts, 0, job.record.seconds)


def _commit(job: _Job, rewritten: _Rewritten) -> IngestReport:
    layer, source = job.layer, job.source.name
    with job.target.engine.begin() as connection:
        former = assets.current(connection, layer, source)
        same = former is not None and former.sha256 == rewritten.sha256
        gone = assets.others(connection, layer, source) if job.plan.mapping.complete else []
        counts = Counts(inserted=int(former is None), updated=int(former is not None and not same), deleted=len(gone))
        if not counts.any:
            return job.record.keep(connection, _report(job, rewritten.summary, None, counts))
        number = open_edition(connection, layer, job.plan, job.source, job.record.principal)
        assets.end(connection, gone, number)
        if not same:
            if former is not None:
                assets.end(connection, [former.id], number)
            named = {"source": source, "file": f"{rewritten.sha256}{SUFFIX}", "sha256": rewritten.sha256}
            assets.add(connection, layer, number, named, rewritten.facts)
        assets.renew_figures(connection, layer)
        report = job.record.keep(connection, _report(job, rewritten.summary, number, counts))
        close_edition(connection, layer, counts, report, assets.touched(connection, layer, number))
    return report
