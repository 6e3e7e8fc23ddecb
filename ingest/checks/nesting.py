"""Surfaces that must lie in the surface of another row of the same source, such as a county in its province."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.checks.evidence import Evidence, Rows
from ingest.checks.measure import areas
from ingest.checks.verdict import Verdict
from layers.checks import Nests

_SLICE = 2000


def nesting(rule: Nests, evidence: Evidence) -> Verdict:
    """Rows that leave their parent's surface; rows whose parent is not in the source are not judged."""
    parents = _parents(evidence.ties())
    children = np.flatnonzero(parents >= 0).astype(np.int64)
    children = children[np.argsort(parents[children], kind="stable")]
    found = [np.zeros(0, dtype=np.int64)]
    _, firsts = np.unique(parents[children], return_index=True)
    for rows in np.split(children, firsts[1:]):
        if not len(rows):
            continue
        surface = evidence.geometries(parents[rows[:1]])[0]
        shapely.prepare(surface)
        for start in range(0, len(rows), _SLICE):
            found.append(_leaving(rule, evidence, rows[start : start + _SLICE], surface))
    message = f"Surfaces leave that of their {rule.parent} with more than {rule.tolerance * 100:g} % of their area."
    reason = f"The surface leaves that of the row its {rule.parent} names."
    return Verdict(rule, rule.rule, message, reason, np.sort(np.concatenate(found)))


def _parents(ties: pa.Table) -> Rows:
    """For each row the first row whose key is its parent; -1 when there is none or it is the row itself."""
    if not ties.num_rows:
        return np.zeros(0, dtype=np.int64)
    keys = ties.column("key").combine_chunks()
    found = pc.index_in(ties.column("parent").combine_chunks(), value_set=keys, skip_nulls=True)
    parents: Rows = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    parents[parents == np.arange(len(parents))] = -1
    return parents


def _leaving(rule: Nests, evidence: Evidence, rows: Rows, surface: shapely.Geometry) -> Rows:
    shapes = evidence.geometries(rows)
    # A prepared test of what lies inside is cheap, and most rows do.
    doubtful = ~shapely.covers(surface, shapes)
    rows, shapes = rows[doubtful], shapes[doubtful]
    outside = areas(np.asarray(shapely.difference(shapes, surface), dtype=object))
    leaving: Rows = rows[outside > rule.tolerance * areas(shapes)]
    return leaving
