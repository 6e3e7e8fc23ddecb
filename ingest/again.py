"""A source that stands already: the same bytes, read by the same rules, are not read a second time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ingest.job import Finding, IngestPlan, IngestReport, ReadSummary
from ingest.provenance import tool_versions
from ingest.watched import Watched
from ingest.wire import plan_to_json
from layers.model import Layer, RasterLayer
from layers.system import edition, layer_figures, layer_state
from layers.table import current_table

RECIPE = "recipe"
"""Fact of a summary: digest of all that decides what becomes of the rows of a source."""
_VERSION = 1
"""Raised when this product would make other rows of the same source than before."""
_NOT_PART = ("source", "options", "limits", "part", "replay")


def recipe(plan: IngestPlan) -> str:
    """Digest of layer, mapping, code lists, parameters, options, tools and what other layers lend; no source."""
    parts: dict[str, Any] = {k: v for k, v in plan_to_json(plan).items() if k not in _NOT_PART}
    parts |= {"version": _VERSION, "tools": tool_versions()}
    parts |= {"repair": plan.options.repair, "vertices": plan.limits.vertices}
    parts |= {"companions": [[file.name, _digest(file)] for file in plan.companions]}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def with_recipe(plan: IngestPlan, summary: ReadSummary) -> ReadSummary:
    """The summary with the recipe by which the rows were made."""
    return summary.model_copy(update={"facts": {**summary.facts, RECIPE: recipe(plan)}})


def standing(connection: sa.Connection, plan: IngestPlan, watched: Watched) -> tuple[ReadSummary, int] | None:
    """What is known of a source from the edition that stands, when reading it again could change nothing.

    Args:
        connection: Reads the books; the caller holds the layer's lock.
        plan: The plan, with what other layers lend it.
        watched: The source as it is now; its digest is asked for only when name and size fit.

    Returns:
        The summary of that edition, with a finding that says so, and how many of its rows were quarantined; None when
        the source has to be read.
    """
    if plan.replay is not None:
        return None
    latest = (
        sa.select(edition.c.id, edition.c.sha256, edition.c.report)
        .join(layer_state, layer_state.c.edition == edition.c.id)
        .where(layer_state.c.layer == plan.layer.name)
        .where(edition.c.kind == "load", edition.c.undone_by.is_(None))
        .where(edition.c.source == plan.source.name, edition.c.size == watched.size)
    )
    found = connection.execute(latest).one_or_none()
    if found is None or found.report.get("summary", {}).get("facts", {}).get(RECIPE) != recipe(plan):
        return None
    if watched.source().sha256 != found.sha256 or not _all_there(connection, plan.layer):
        return None
    report = IngestReport.model_validate(found.report)
    told = Finding(
        rule="same-source",
        severity="info",
        message=f"This very source stands as edition {found.id}; it was not read again.",
        count=1,
    )
    findings = (*(f for f in report.summary.findings if f.rule != told.rule), told)
    return report.summary.model_copy(update={"findings": findings}), report.quarantined


def _all_there(connection: sa.Connection, layer: Layer) -> bool:
    """Whether the table has as many rows as the books say: somebody may have emptied or made it anew."""
    if isinstance(layer, RasterLayer):
        return False
    told = sa.select(sa.func.coalesce(sa.func.max(layer_figures.c.rows), 0)).where(layer_figures.c.layer == layer.name)
    there = sa.select(sa.func.count()).select_from(current_table(layer))
    return bool(connection.execute(sa.select(told.scalar_subquery() == there.scalar_subquery())).scalar_one())
