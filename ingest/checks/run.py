"""All checks of one source in the order in which they are due: rows as they come, then what rows mean together."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from ingest.check import GeometryCheck, check_attributes
from ingest.checks.curves import Geometries
from ingest.checks.evidence import Collector, needs_evidence
from ingest.checks.reference import References
from ingest.checks.repairs import RepairLog
from ingest.checks.settle import settle
from ingest.checks.single import check_rows
from ingest.checks.tell import tell
from ingest.job import IngestPlan
from ingest.notes import Notes
from ingest.repair import refuse_invalid, repair
from ingest.rows import Rows
from layers.checks import ValidGeometry
from layers.model import RasterLayer, VectorLayer


class Checks:
    """The checks of one source for one layer."""

    def __init__(self, plan: IngestPlan, directory: Path, notes: Notes) -> None:
        """Prepare; what has to wait for the last row is written into the directory."""
        if isinstance(plan.layer, RasterLayer):
            raise TypeError(f"{plan.layer.id} is a raster layer")
        self._plan = plan
        self._layer = plan.layer
        self._notes = notes
        self._repairs = RepairLog(directory)
        self._references = References(self._layer, directory)
        vector = plan.layer if isinstance(plan.layer, VectorLayer) else None
        self.geometry = GeometryCheck(vector, plan.limits.vertices) if vector is not None else None
        self._mends = plan.options.repair and all(
            rule.repair for rule in self._layer.rules() if isinstance(rule, ValidGeometry)
        )
        self.repaired = 0
        self._directory = directory
        self._evidence: Collector | None = None
        self._beside = ThreadPoolExecutor(1, "evidence")
        self._collected: Future[None] | None = None
        if vector is not None and needs_evidence(vector):
            self._evidence = Collector(vector, directory)

    def judge(self, rows: Rows) -> None:
        """Repair and judge the rows of a chunk, whose geometries are in storage coordinates."""
        if self.geometry is not None:
            if self._mends:
                self.repaired += repair(rows, self._repairs)
            else:
                refuse_invalid(rows)
            self.geometry.kind(rows)
        check_attributes(rows, self._plan)
        check_rows(rows, self._layer)
        self._references.judge(rows)

    def tell(self, rows: Rows) -> None:
        """Note what was found about rows that go out."""
        tell(rows, self._layer)

    def collect(self, batch: pa.RecordBatch, geometries: Geometries | None = None) -> None:
        """Keep what the rules about rows together need of a batch that goes out.

        Args:
            batch: Good and bad rows.
            geometries: Their geometries, where they are at hand.
        """
        if self._evidence is None:
            return
        # Beside the next batch: most of this work leaves the interpreter to others.
        self._await_collected()
        self._collected = self._beside.submit(self._evidence.add, batch, geometries)

    def _await_collected(self) -> None:
        if self._collected is not None:
            self._collected.result()
            self._collected = None

    def close(self) -> None:
        """Complete the files; comes after the last batch."""
        self._repairs.close()
        self._await_collected()
        self._beside.shutdown()
        if self._evidence is not None:
            self._evidence.close()

    def settle(self) -> int:
        """Judge the rows of a source that was read as a whole; returns how many are to be kept out after all.

        Parts of a source are judged together by somebody else (`ingest.checks.together`).
        """
        if self._evidence is None or not isinstance(self._layer, VectorLayer) or self._plan.part is not None:
            return 0
        return settle(self._layer, [self._directory], self._directory, self._notes)
