"""From a kept report to the document that a reader of some view gets; what the view does not cover is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from geoservice.loads.document import (
    CountsOfRows,
    EditionEntry,
    EditionFacts,
    FindingEntry,
    FormerLoad,
    Histogram,
    LoadReport,
    LoadSummary,
    Measure,
    Problem,
    ProfileEntry,
    Samples,
    SourceFacts,
    Timeline,
    ValueCount,
)
from geoservice.loads.record import EditionRecord, LoadRecord
from geoservice.loads.reference import DECISION, ZONES, reference_facts
from geoservice.loads.view import View
from ingest.job import Finding, IngestReport
from ingest.profile import AttributeProfile
from ingest.raster_facts import FACTS_KEY, RasterFacts
from layers.asset import BandFigures
from layers.codelist import CodeList
from layers.extent import Extent
from layers.model import Layer, RasterLayer, Text
from layers.quality import ELEMENTS, MEASURES, rule_name

MOST_VALUES_SHOWN = 20
_SEVERITIES = ("error", "warning", "info")
_HIDDEN_FACTS = frozenset({FACTS_KEY, "recipe", DECISION, ZONES})


def summarise(record: LoadRecord, view: View) -> LoadSummary:
    """A load as an entry of a list."""
    report = ingest_report(record)
    counted = report if view >= View.COUNTS else None
    return LoadSummary.model_validate(
        {
            "number": record.number,
            "outcome": record.outcome,
            "finished": record.finished,
            "source": record.source,
            "edition": edition_facts(record),
            "view": view.label,
            "counts": _counts(counted),
            "errors": _grave(counted, "error"),
            "warnings": _grave(counted, "warning"),
        }
    )


def describe_edition(record: EditionRecord, counted: bool, loads: bool) -> EditionEntry:
    """An edition as an entry of a list.

    Args:
        record: The edition.
        counted: Whether the reader may know numbers of rows.
        loads: Whether the reader may load the layer, and so be told why an edition was withdrawn.
    """
    lineage = record.lineage
    numbers = {name: getattr(record, name) if counted else None for name in ("inserted", "updated", "deleted")}
    return EditionEntry(
        number=record.number,
        load=record.load,
        source=record.source,
        mapping=record.mapping,
        reason=lineage["reason"] if loads else None,
        **{name: lineage[name] for name in ("committed", "kind", "owner", "undoes", "undone_by")},
        **numbers,
    )


def describe(
    record: LoadRecord,
    layer: Layer,
    view: View,
    codelists: Mapping[str, CodeList],
    *,
    former: LoadRecord | None = None,
    extent: Extent | None = None,
    samples: Samples | None = None,
) -> LoadReport:
    """The whole report of a load, as far as the view goes.

    Args:
        record: The load.
        layer: Its layer.
        view: What the reader may know; not `NOTHING`.
        codelists: Names of code values.
        former: The load that made the edition before.
        extent: What the reader sees of the layer now.
        samples: Quarantined and repaired rows; ignored unless the view is full.
    """
    report, full = ingest_report(record), view is View.FULL
    counted = report if view >= View.COUNTS else None
    values: dict[str, Any] = {
        "number": record.number,
        "collection": layer.name,
        "titles": layer.title,
        "outcome": record.outcome,
        "view": view.label,
        "started": record.started,
        "finished": record.finished,
        "seconds": round((record.finished - record.started).total_seconds(), 3),
        "edition": edition_facts(record),
        "job": record.job if full else None,
        "loaded_by": record.principal if full else None,
        "source": _source(record, report, view),
        "tools": {name: str(value) for name, value in (record.lineage.get("tools") or {}).items()},
        "counts": _counts(counted),
        "problem": _problem(record, full),
        "findings": () if counted is None else findings(counted, full),
        "profile": () if report is None else profile(report, layer, codelists),
        "extent": None if extent is None else tuple(extent.as_list()),
        "samples": samples if full else None,
        "former": None if former is None else _former(former, view),
    }
    return LoadReport.model_validate(values)


def ingest_report(record: LoadRecord) -> IngestReport | None:
    """The report as the loader wrote it; None when the load was ended before there was one."""
    try:
        return IngestReport.model_validate(record.report)
    except ValidationError:
        return None


def edition_facts(record: LoadRecord) -> EditionFacts | None:
    """The edition that a load made, if it made one."""
    if record.edition is None or record.lineage.get("committed") is None:
        return None
    names = ("committed", "kind", "undoes", "undone_by")
    return EditionFacts(number=record.edition, **{name: record.lineage[name] for name in names})


def findings(report: IngestReport, full: bool) -> tuple[FindingEntry, ...]:
    """Findings, grave ones first; without the full view no sentence, row, place or value."""
    entries = [_finding(one, report.read, full) for one in report.summary.findings]
    if not full:
        entries = _together(entries, report.read)
    return tuple(sorted(entries, key=lambda one: (_SEVERITIES.index(one.severity), -one.count)))


def _together(entries: Iterable[FindingEntry], read: int) -> list[FindingEntry]:
    """Findings of one rule as one: what tells them apart is the sentence that is not shown."""
    found: dict[tuple[str, str], FindingEntry] = {}
    for one in entries:
        key = (one.rule, one.severity)
        count = one.count + (found[key].count if key in found else 0)
        found[key] = one.model_copy(update={"count": count, "rate": _rate(count, read)})
    return list(found.values())


def _finding(finding: Finding, read: int, full: bool) -> FindingEntry:
    shown: dict[str, Any] = {}
    if full:
        names = ("message", "rows", "places", "samples")
        shown = {name: getattr(finding, name) for name in names}
    return FindingEntry.model_validate(
        {
            "rule": finding.rule,
            "title": rule_name(finding.rule),
            "severity": finding.severity if finding.severity in _SEVERITIES else "info",
            "count": finding.count,
            "rate": _rate(finding.count, read),
            "measure": _measure(finding),
            **shown,
        }
    )


def _rate(count: int, read: int) -> float | None:
    return round(count / read, 9) if read else None


def _measure(finding: Finding) -> Measure | None:
    if finding.measure is None and finding.element is None:
        return None
    return Measure(
        number=finding.measure,
        name=MEASURES.get(finding.measure) if finding.measure is not None else None,
        element=finding.element,
        element_name=ELEMENTS.get(finding.element) if finding.element is not None else None,
    )


def _grave(report: IngestReport | None, severity: str) -> int | None:
    if report is None:
        return None
    return sum(one.count for one in report.summary.findings if one.severity == severity)


def _counts(report: IngestReport | None) -> CountsOfRows | None:
    if report is None:
        return None
    names = ("read", "inserted", "updated", "unchanged", "quarantined", "not_selected", "deleted", "balanced")
    return CountsOfRows(repaired=report.summary.repaired, **{name: getattr(report, name) for name in names})


def _former(record: LoadRecord, view: View) -> FormerLoad | None:
    if record.edition is None:
        return None
    counts = _counts(ingest_report(record)) if view >= View.COUNTS else None
    return FormerLoad(number=record.number, edition=record.edition, finished=record.finished, counts=counts)


def _problem(record: LoadRecord, full: bool) -> Problem | None:
    found = record.report.get("problem")
    if not isinstance(found, Mapping):
        return None
    detail = str(found.get("detail", "")) if full else None
    return Problem(title=str(found.get("title", "")), kind=str(found.get("kind", "")), detail=detail)


def _source(record: LoadRecord, report: IngestReport | None, view: View) -> SourceFacts:
    values: dict[str, Any] = {
        "name": record.source,
        "sha256": record.sha256,
        "mapping": record.report.get("mapping"),
        "owner": record.lineage.get("owner"),
        "received": record.lineage.get("received"),
    }
    if report is not None:
        summary = report.summary
        values |= {"size": report.size, "driver": summary.driver, "crs": summary.crs, "encoding": summary.encoding}
        values["reference"] = reference_facts(summary, counted=view >= View.COUNTS)
        if view is View.FULL:
            facts = {name: value for name, value in summary.facts.items() if name not in _HIDDEN_FACTS}
            values |= {"unmapped_fields": summary.unmapped_fields, "facts": facts}
    return SourceFacts.model_validate(values)


def profile(report: IngestReport, layer: Layer, codelists: Mapping[str, CodeList]) -> tuple[ProfileEntry, ...]:
    """Profiles of the attributes that every reader of the layer may see, or of the bands of a raster."""
    if isinstance(layer, RasterLayer):
        return _bands(report, layer, codelists)
    known = {n for n, a in layer.attributes.items() if a.effective_clearance(layer) <= layer.clearance}
    return tuple(_attribute(one, layer, codelists) for one in report.summary.profile if one.attribute in known)


def _attribute(found: AttributeProfile, layer: Layer, codelists: Mapping[str, CodeList]) -> ProfileEntry:
    attribute = layer.attributes[found.attribute]
    values, others = _values(found.values or {}, codelists.get(attribute.list or ""))
    return ProfileEntry(
        attribute=found.attribute,
        title=attribute.title,
        type=attribute.type,
        unit=attribute.unit,
        list=attribute.list,
        rows=found.rows,
        nulls=found.nulls,
        minimum=found.minimum,
        maximum=found.maximum,
        distinct=None if found.values is None else len(found.values),
        values=values,
        others=others if found.values is not None else 0,
        histogram=None if found.bins is None else Histogram(edges=found.bins.edges(), counts=found.bins.counts),
        timeline=_timeline(found),
    )


def _timeline(found: AttributeProfile) -> Timeline | None:
    periods = found.periods
    return None if periods is None else Timeline(unit=periods.unit, labels=periods.labels(), counts=periods.counts)


def _values(counts: Mapping[str, int], codes: CodeList | None) -> tuple[tuple[ValueCount, ...], int]:
    # Kept as JSONB, whose keys have an order of their own.
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = ranked[:MOST_VALUES_SHOWN]
    entries = (ValueCount(value=v, count=n, title=_title(v, codes)) for v, n in shown)
    return tuple(entries), sum(n for _, n in ranked[MOST_VALUES_SHOWN:])


def _title(value: str, codes: CodeList | None) -> Text | None:
    entry = codes.codes.get(value) if codes is not None else None
    return None if entry is None else Text(zh=entry.zh, en=entry.en)


def _bands(report: IngestReport, layer: RasterLayer, codelists: Mapping[str, CodeList]) -> tuple[ProfileEntry, ...]:
    try:
        facts = RasterFacts.model_validate(report.summary.facts.get(FACTS_KEY))
    except ValidationError:
        return ()
    titles = {band.name: band for band in layer.bands}
    codes = codelists.get(layer.list or "")
    return tuple(_band(one, titles[one.name].title, titles[one.name].unit, codes) for one in facts.bands)


def _band(figures: BandFigures, title: Text | None, unit: str | None, codes: CodeList | None) -> ProfileEntry:
    values, others = _values({str(code): count for code, count in figures.classes.items()}, codes)
    histogram = Histogram(edges=figures.edges, counts=figures.histogram) if figures.histogram else None
    return ProfileEntry(
        attribute=figures.name,
        title=title,
        type="band",
        unit=unit,
        list=None if codes is None else codes.id,
        rows=figures.cells,
        nulls=figures.cells - figures.valid,
        minimum=figures.minimum,
        maximum=figures.maximum,
        distinct=len(figures.classes) or None,
        values=values,
        others=others,
        histogram=histogram,
    )
