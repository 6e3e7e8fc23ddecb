"""What the rules about rows together found, and how it reaches the loader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ingest.checks.evidence import Evidence, Rows
from ingest.checks.repairs import read_untrusted
from ingest.notes import FIRST, Notes, Place
from layers.checks import Rule
from layers.errors import SourceUnreadable

FILE = "verdicts.arrow"
SCHEMA = pa.schema([pa.field("position", pa.int64(), nullable=False), pa.field("reason", pa.string(), nullable=False)])
_BATCH = 50_000
_LONGEST = 2000


@dataclass(frozen=True)
class Verdict:
    """Rows that break a rule together.

    Attributes:
        rule: The rule as declared.
        name: Name of the rule in findings.
        message: The finding's sentence.
        reason: Why each of these rows is kept out, a sentence.
        rows: Numbers of the rows in the evidence, ascending.
        count: How often the rule is broken, when that is not the number of rows.
        places: Where (longitude, latitude in degrees), when the middles of the rows would not tell.
        doubt: Whether the rule could not be judged for these rows; then they are not kept out.
    """

    rule: Rule
    name: str
    message: str
    reason: str
    rows: Rows
    count: int | None = None
    places: tuple[Place, ...] | None = None
    doubt: bool = False

    @property
    def keeps_out(self) -> bool:
        """Whether the rows are kept out of the layer."""
        return self.rule.quarantines and not self.doubt and len(self.rows) > 0


def note(verdict: Verdict, evidence: Evidence, notes: Notes) -> None:
    """Make a finding of a verdict; rows above the layer's clearance lend it neither place nor value."""
    count = len(verdict.rows) if verdict.count is None else verdict.count
    if not count:
        return
    first = evidence.records(verdict.rows[:FIRST])
    if verdict.places is None:
        places = _places(first["box"][first["open"]])
    else:
        # Such places belong to no single row: one hidden row among all of them silences them.
        places = list(verdict.places) if evidence.records(verdict.rows)["open"].all() else []
    notes.add(
        verdict.name,
        verdict.rule.severity,
        verdict.message,
        first["position"].tolist(),
        count,
        places=places,
    )


def _places(boxes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[Place]:
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    return [(round(float(x), 9), round(float(y), 9)) for x, y in middles]


def write(verdicts: list[Verdict], evidence: Evidence, directory: Path) -> int:
    """Write the rows that are kept out, each once with all its reasons.

    Returns:
        How many rows those are.
    """
    grave = [v for v in verdicts if v.keeps_out]
    if not grave:
        return 0
    rows = np.unique(np.concatenate([v.rows for v in grave]))
    with pa.ipc.new_stream(str(directory / FILE), SCHEMA) as writer:
        for start in range(0, len(rows), _BATCH):
            some = rows[start : start + _BATCH]
            masks = [np.isin(some, v.rows, assume_unique=True) for v in grave]
            reasons = [
                " ".join(v.reason for v, mask in zip(grave, masks, strict=True) if mask[i]) for i in range(len(some))
            ]
            columns = [pa.array(evidence.records(some)["position"], pa.int64()), pa.array(reasons, pa.string())]
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
    return len(rows)


def read(directory: Path) -> Iterator[pa.RecordBatch]:
    """The rows that a confined reader keeps out after it delivered them, batch by batch; nothing when there are none.

    Raises:
        SourceUnreadable: When the file is not what was agreed.
    """
    for batch in read_untrusted(directory / FILE, SCHEMA):
        if any(len(reason) > _LONGEST for reason in batch.column("reason").to_pylist()):
            raise SourceUnreadable("The confined reader gave a reason that is too long.")
        yield batch
