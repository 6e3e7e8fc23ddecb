"""Loads of rasters: rewritten as COG in the confined child, kept under a content name, named in one transaction.

Killed at any step, a load leaves the current assets untouched; a file that no asset names is swept later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ingest import assets
from ingest.chronicle import Attempt, attempt
from ingest.job import IngestPlan, IngestReport, ReadSummary
from ingest.raster_facts import (
    FACTS_KEY,
    MOST_RASTERS,
    RasterFacts,
    RefusedRaster,
    Stored,
    cog_name,
    read_refused,
    read_stored,
)
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

RECIPE_VERSION = 2
"""Raised when the same source would be stored otherwise than before."""
RECIPE_KEY, ASSETS_KEY = "recipe", "assets"


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
    """What the reader left: its summary, and each raster with the digest of its stored file, by the asset's name."""

    summary: ReadSummary
    rasters: Mapping[str, tuple[str, RasterFacts]]
    refused: tuple[RefusedRaster, ...]


def load_raster(
    plan: IngestPlan, target: LoadTarget, *, principal: str = "cli", progress: Callable[[int], None] | None = None
) -> IngestReport:
    """Load the rasters of a source as assets of its layer: one for a file, several for an archive or a series.

    A raster of a name that the layer knows replaces the former asset; the same content changes nothing. One of
    several that cannot be stored goes to quarantine, the others are loaded; with nothing to load the source is
    refused.

    Args:
        plan: What is loaded, and how. A mapping that is `complete` ends the assets of all other sources.
        target: Where to.
        principal: Who loads, for the record.
        progress: Called with the number of rasters when they are done.

    Returns:
        The report: one raster read is one inserted, updated, unchanged or in quarantine.

    Raises:
        SourceError: When the source cannot be read or does not fit; nothing was changed.
        CrsRefused: When its CRS is missing or has no safe way into storage.
        ConfigurationError: When the folder of raster files cannot be written.
    """
    with attempt(target.engine, plan, principal, progress) as record:
        job = _Job(plan, _raster_layer(plan), target, identify(plan.source), record)
        with layer_lock(target.engine, job.layer):
            known = _known(job)
            record.report = _keep_unchanged(job, known) if known is not None else _renew(job)
    report = record.finished()
    if progress is not None:
        progress(report.read)
    return report


def _renew(job: _Job) -> IngestReport:
    """Rewrite the source and name what is new."""
    job.record.enter("reading")
    rewritten = _rewrite(job)
    job.record.enter("writing")
    report = _commit(job, rewritten)
    sweep_orphans(job.target)
    return report


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


def _known(job: _Job) -> IngestReport | None:
    """The report of the edition that stored this very source by this very recipe, if all its assets still stand."""
    if job.plan.mapping.complete:
        return None
    with job.target.engine.connect() as connection:
        found = assets.latest_report(connection, job.layer, job.source.name)
        if found is None:
            return None
        report = IngestReport.model_validate(found)
        if report.summary.facts.get(RECIPE_KEY) != recipe(job.plan, job.layer, job.source):
            return None
        for name, sha256 in report.summary.facts.get(ASSETS_KEY, {}).items():
            current = assets.current(connection, job.layer, name)
            if current is None or current.sha256 != sha256 or not (job.target.rasters / current.file).is_file():
                return None
    return report


def _rewrite(job: _Job) -> _Rewritten:
    with open_raster(job.plan) as reader:
        directory = reader.finish()
        if identify(job.plan.source) != job.source:
            name = job.source.name
            raise SourceUnreadable(f"{name} changed while it was read; load it again.", source=name)
        summary = reader.summary
        stored = [read_stored(directory, number) for number in range(min(summary.good, MOST_RASTERS))]
        refused = read_refused(summary.facts)
        _refuse_other_counts(summary, stored, refused)
        rasters: dict[str, tuple[str, RasterFacts]] = {}
        for number, one in enumerate(stored):
            _refuse_other_bands(job.layer, one.facts)
            written = directory / cog_name(number)
            # A dry run leaves no file behind; its name is all that the comparison needs.
            digest = name_of(written) if job.plan.options.dry_run else keep(written, job.target.rasters)
            rasters[one.name] = (digest, one.facts)
    facts = {
        **summary.facts,
        RECIPE_KEY: recipe(job.plan, job.layer, job.source),
        ASSETS_KEY: {name: sha256 for name, (sha256, _) in rasters.items()},
    }
    if len(stored) == 1:
        facts[FACTS_KEY] = stored[0].facts.model_dump(mode="json")
    return _Rewritten(summary.model_copy(update={"facts": facts}), rasters, refused)


def _refuse_other_counts(summary: ReadSummary, stored: list[Stored], refused: tuple[RefusedRaster, ...]) -> None:
    names = [one.name for one in stored] + [one.name for one in refused]
    counted = (summary.good, summary.bad, summary.read, summary.not_selected)
    if counted != (len(stored), len(refused), len(names), 0) or len(set(names)) != len(names) or not stored:
        raise SourceUnreadable("The confined reader left other rasters behind than it counted.")


def _refuse_other_bands(layer: RasterLayer, facts: RasterFacts) -> None:
    if [band.name for band in facts.bands] != [band.name for band in layer.bands]:
        raise SourceUnreadable("The confined reader described other bands than the layer has.")


def _keep_unchanged(job: _Job, known: IngestReport) -> IngestReport:
    report = make_report(job.plan, job.source, known.summary, None, Counts(), known.quarantined, job.record.seconds)
    with job.target.engine.begin() as connection:
        return job.record.keep(connection, report)


def _commit(job: _Job, rewritten: _Rewritten) -> IngestReport:
    layer = job.layer
    with job.target.engine.begin() as connection:
        former = {name: assets.current(connection, layer, name) for name in rewritten.rasters}
        new, changed = _compare(rewritten, former)
        kept = {*rewritten.rasters, *(one.name for one in rewritten.refused)}
        others = assets.others(connection, layer, kept) if job.plan.mapping.complete else ()
        counts = Counts(inserted=len(new), updated=len(changed), deleted=len(others))
        assets.quarantine(connection, job.plan, job.source.sha256, rewritten.refused)
        if not counts.any:
            return job.record.keep(connection, _report(job, rewritten, None, counts))
        number = open_edition(connection, layer, job.plan, job.source, job.record.principal)
        superseded = [asset.id for name in changed if (asset := former[name]) is not None]
        assets.end(connection, [*others, *superseded], number)
        for name in (*new, *changed):
            sha256, facts = rewritten.rasters[name]
            named = {"source": name, "file": f"{sha256}{SUFFIX}", "sha256": sha256}
            assets.add(connection, layer, number, named, facts)
        assets.renew_figures(connection, layer)
        report = job.record.keep(connection, _report(job, rewritten, number, counts))
        close_edition(connection, layer, counts, report, assets.touched(connection, layer, number))
    return report


def _compare(
    rewritten: _Rewritten, former: Mapping[str, assets.CurrentAsset | None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the rasters that the layer did not have, and of those that differ from what it has."""
    new = tuple(name for name in rewritten.rasters if former[name] is None)
    held = ((name, asset) for name, asset in former.items() if asset is not None)
    return new, tuple(name for name, asset in held if asset.sha256 != rewritten.rasters[name][0])


def _report(job: _Job, rewritten: _Rewritten, edition: int | None, counts: Counts) -> IngestReport:
    refused = len(rewritten.refused)
    return make_report(job.plan, job.source, rewritten.summary, edition, counts, refused, job.record.seconds)
