"""Rows with the same geometry."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ingest.checks.evidence import Evidence, Rows
from ingest.checks.verdict import Verdict
from layers.checks import DuplicateGeometry

_PASS = 1_000_000
_WIDTH = np.uint64(1 << 32)
_HIGH = np.uint64(32)


def first_copies(evidence: Evidence, left_out: npt.NDArray[np.bool_]) -> Rows:
    """For each row the first row that has the same geometry: its own number when there is none before it.

    Rows left out are copies of nothing, and nothing is a copy of them.

    Digests are sorted in passes of about a million rows each, so that memory stays small.
    """
    found = np.arange(len(evidence), dtype=np.int64)
    passes = len(evidence) // _PASS + 1
    for number in range(passes):
        rows, digests = _digests(evidence, number, passes)
        rows, digests = rows[~left_out[rows]], digests[~left_out[rows]]
        order = np.lexsort((rows, digests[:, 1], digests[:, 0]))
        rows, digests = rows[order], digests[order]
        fresh = np.ones(len(rows), dtype=bool)
        fresh[1:] = (digests[1:] != digests[:-1]).any(axis=1)
        found[rows] = rows[np.maximum.accumulate(np.where(fresh, np.arange(len(rows)), 0))] if len(rows) else rows
    return found


def duplicates(rule: DuplicateGeometry, copies: Rows) -> Verdict:
    """Rows whose geometry stands in an earlier row already."""
    rows = np.flatnonzero(copies != np.arange(len(copies))).astype(np.int64)
    message = "Geometries stand in an earlier row of this source already."
    return Verdict(rule, rule.rule, message, "The geometry stands in an earlier row of this source already.", rows)


def _digests(
    evidence: Evidence, number: int, passes: int
) -> tuple[Rows, np.ndarray[tuple[int, ...], np.dtype[np.uint64]]]:
    rows, digests = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 2), dtype=np.uint64)]
    for start, records in evidence.blocks():
        # Digests are spread evenly, so their upper half says evenly which pass a row belongs to.
        turn = ((records["digest"][:, 0] >> _HIGH) * np.uint64(passes)) // _WIDTH
        chosen = np.flatnonzero(turn == np.uint64(number))
        rows.append(start + chosen)
        digests.append(records["digest"][chosen])
    return np.concatenate(rows), np.concatenate(digests)
