"""Reading a source with several confined readers at a time, each with a share of the rows.

The parts are tasks for Dask: threads of this process by default (each part has a reading process of its own), or the
workers of a cluster, which must reach the source at the same path and the database at the same address. Whoever reads,
rows keep their number in the source, so that the same edition comes out. Parts that do not agree on what they read
(encoding, coordinate reference system, fields) are read again as one.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ingest import landing
from ingest.checks.evidence import needs_evidence
from ingest.checks.repairs import LOG
from ingest.job import CRS_DOUBT, Finding, IngestPlan, Part, ReadSummary
from ingest.notes import Notes
from ingest.profile import merged
from ingest.sandbox import RowStream, open_judge, open_rows
from ingest.wire import plan_from_json, plan_to_json
from layers.errors import ConfigurationError, SourceMismatch, SourceUnreadable
from layers.model import RasterLayer, RowLayer, VectorLayer

SPLIT_SUFFIXES = frozenset({".gpkg", ".fgb"})
PART_BYTES = 64 << 20
"""A part should be worth the start of its reader (about half a second)."""
_PROCESSORS = 2
"""A reader keeps two busy: its own, and that of the loader and the server. A second one on two gains nothing."""
_PATIENCE = "10s"
"""How long a scheduler may take to answer."""
_SAME = ("driver", "crs", "encoding", "unmapped_fields")
_SAME_FACTS = ("geometry_type", "layer", "crs_decision", "vertical_datum", "transformation")


class PartsDisagree(Exception):
    """The parts of a source were read in different ways."""


class _Stopped(Exception):
    """Another part failed; this one need not go on."""


@dataclass(frozen=True)
class PartTask:
    """All that a worker needs to read one part; plain values, so that it can travel.

    Attributes:
        plan: The plan as `ingest.wire.plan_to_json` writes it, with its part.
        companions: Files of ours that go with the source.
        dsn: libpq connection string of the writer.
        tables: Names of the landing tables.
    """

    plan: dict[str, Any]
    companions: tuple[str, ...]
    # A worker that fails writes the task into its log; the password must not be in it.
    dsn: str = field(repr=False)
    tables: tuple[str, ...]


def number_of_parts(plan: IngestPlan) -> int:
    """How many readers share the source: one, unless it is large, of a kind that can be shared, and plainly mapped."""
    if plan.replay is not None:
        # Quarantined rows bear the name of their source, but not its format.
        return 1
    mapping = plan.mapping
    plain = mapping.assemble is None and mapping.repeats == "refuse" and mapping.address is None
    if not plain or plan.source.suffix.lower() not in SPLIT_SUFFIXES:
        return 1
    if plan.options.scheduler is not None and needs_evidence(_row_layer(plan)):
        # The evidence of a part stays on the machine that read it.
        return 1
    if plan.options.parts is not None:
        return max(1, plan.options.parts)
    return max(1, min((os.cpu_count() or 1) // _PROCESSORS, plan.source.stat().st_size // PART_BYTES))


@contextmanager
def read(
    plan: IngestPlan, dsn: str, tables: landing.Staging, number: int, progress: Callable[[int], None]
) -> Iterator[tuple[ReadSummary, tuple[Path, ...]]]:
    """Read a source into landing tables.

    Args:
        plan: What is read, and how.
        dsn: libpq connection string of the writer.
        tables: Where to.
        number: How many readers.
        progress: Called with the number of rows read since the last call, by one thread at a time.

    Yields:
        What the readers say, as one, and the folders in which they left files; these go when the context is left.

    Raises:
        SourceError: When the source cannot be read or does not fit.
        PartsDisagree: When it must be read as one; the landing tables hold rows that do not count.
    """
    with ExitStack() as readers:
        if number == 1:
            stream = readers.enter_context(open_rows(plan))
            yield _fill(plan, dsn, tables, stream, progress), (stream.folder,)
            return
        shares = [replace(plan, part=Part(i, number)) for i in range(number)]
        if plan.options.scheduler is not None:
            tasks = [_task(share, dsn, tables) for share in shares]
            summaries, folders = _on_cluster(plan.options.scheduler, tasks, progress, readers)
        else:
            summaries, folders = _Threads(dsn, tables, progress, readers).read(shares)
        whole = joined(plan, summaries)
        if needs_evidence(_row_layer(plan)):
            whole, folder = _settled(plan, whole, folders, readers)
            folders = (*folders, folder)
        yield whole, folders


def _row_layer(plan: IngestPlan) -> RowLayer:
    if isinstance(plan.layer, RasterLayer):
        raise TypeError(f"{plan.layer.id} is a raster layer")
    return plan.layer


def _fill(
    plan: IngestPlan, dsn: str, tables: landing.Staging, stream: RowStream, progress: Callable[[int], None]
) -> ReadSummary:
    good, bad = landing.fill(dsn, _row_layer(plan), tables, stream, progress)
    summary = stream.summary
    if (good, bad) != (summary.good, summary.bad) or summary.read != good + bad + summary.not_selected:
        raise SourceUnreadable(
            f"The reader of {plan.source.name} delivered {good}+{bad} rows but counted {summary.good}+{summary.bad} "
            f"of {summary.read}; nothing was loaded.",
            source=plan.source.name,
        )
    return summary


class _Threads:
    """Reads parts in threads of this process; each has a confined process of its own."""

    def __init__(self, dsn: str, tables: landing.Staging, progress: Callable[[int], None], readers: ExitStack) -> None:
        self._dsn, self._tables, self._progress, self._readers = dsn, tables, progress, readers
        self._stop, self._one_at_a_time = threading.Event(), threading.Lock()

    def read(self, shares: Sequence[IngestPlan]) -> tuple[list[ReadSummary], tuple[Path, ...]]:
        # Dask looks for configuration when it is imported, which a plain load need not wait for.
        dask = importlib.import_module("dask")
        tasks = [dask.delayed(self._kept)(share) for share in shares]
        # Every part ends before this returns or raises: nobody writes into tables that are being dropped.
        outcomes = dask.compute(*tasks, scheduler="threads", num_workers=len(shares))
        failures = [o for o in outcomes if isinstance(o, Exception)]
        for failure in sorted(failures, key=lambda e: isinstance(e, _Stopped)):
            raise failure
        return [summary for summary, _ in outcomes], tuple(folder for _, folder in outcomes)

    def _kept(self, share: IngestPlan) -> tuple[ReadSummary, Path] | Exception:
        """What a part gives or raises, so that the others are awaited in any case.

        Whatever ends one part, a fault of ours too, must stop the others before the landing tables go; `read` raises it
        again as it came, with its cause.
        """
        try:
            with self._one_at_a_time:
                stream = self._readers.enter_context(open_rows(share))
            return _fill(share, self._dsn, self._tables, stream, self._tell), stream.folder
        except Exception as error:  # noqa: BLE001 - raised again when all parts have ended
            self._stop.set()
            return error

    def _tell(self, rows: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        with self._one_at_a_time:
            self._progress(rows)


def _task(share: IngestPlan, dsn: str, tables: landing.Staging) -> PartTask:
    companions = tuple(str(p) for p in share.companions)
    return PartTask(plan_to_json(share), companions, dsn, landing.names(tables))


def run_task(task: PartTask) -> tuple[dict[str, Any], bytes]:
    """Read one part on a worker of a cluster; the summary as plain values, and the log of repairs."""
    plan = replace(plan_from_json(task.plan), companions=tuple(Path(p) for p in task.companions))
    tables = landing.named(_row_layer(plan), task.tables)
    with open_rows(plan) as stream:
        summary = _fill(plan, task.dsn, tables, stream, lambda _: None)
        log = stream.folder / LOG
        return summary.model_dump(mode="json"), log.read_bytes() if log.is_file() and not log.is_symlink() else b""


def _on_cluster(
    address: str, tasks: Sequence[PartTask], progress: Callable[[int], None], readers: ExitStack
) -> tuple[list[ReadSummary], tuple[Path, ...]]:
    distributed = importlib.import_module("distributed")
    try:
        # Whatever is wrong with the address shows here, and nowhere later as an OSError of a reader.
        cluster = distributed.Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"There is no Dask scheduler at {address[:200]!r}; one was expected, such as tcp://10.0.0.5:8786."
        ) from error
    with cluster as client:
        # Not pure: the same task of another load is another task. No retries: rows of a failed try would stay.
        futures = client.map(run_task, tasks, pure=False, retries=0)
        try:
            for _, (found, _) in distributed.as_completed(futures, with_results=True):
                progress(found["read"])
            outcomes = client.gather(futures)
        finally:
            client.cancel(futures)
    summaries = [ReadSummary.model_validate(found) for found, _ in outcomes]
    return summaries, tuple(_folder_with(log, readers) for _, log in outcomes)


def _folder_with(log: bytes, readers: ExitStack) -> Path:
    """A folder as a reader on this machine would have left it."""
    folder = Path(readers.enter_context(TemporaryDirectory(prefix="geoservice-part-")))
    if log:
        (folder / LOG).write_bytes(log)
    return folder


def _settled(
    plan: IngestPlan, whole: ReadSummary, folders: Sequence[Path], readers: ExitStack
) -> tuple[ReadSummary, Path]:
    """Have the rows of all parts judged together, by another confined process."""
    judge = readers.enter_context(open_judge(plan, folders))
    verdicts = judge.finish()
    findings = (*whole.findings, *verdicts.findings)
    return whole.model_copy(update={"late": verdicts.late, "findings": findings}), judge.folder


def joined(plan: IngestPlan, parts: Sequence[ReadSummary]) -> ReadSummary:
    """The summaries of all parts, in order, as that of the whole source.

    Raises:
        PartsDisagree: When they were read in different ways.
        SourceUnreadable: When there is no row in any.
        SourceMismatch: When every geometry is of a type that the layer does not store.
    """
    first = parts[0]
    filled = [part for part in parts if part.facts.get("source_rows")]
    if not filled:
        raise SourceUnreadable(f"{plan.source.name} holds no rows.", source=plan.source.name)
    if any(_manner(part) != _manner(first) or CRS_DOUBT in part.facts for part in filled):
        raise PartsDisagree
    whole = ReadSummary(
        **{name: getattr(first, name) for name in _SAME},
        **{name: sum(getattr(p, name) for p in parts) for name in ("read", "good", "bad", "not_selected", "repaired")},
        findings=_findings(parts),
        profile=merged(p for part in parts for p in part.profile),
        facts={**first.facts, **_sums(parts)},
    )
    _refuse_wrong_geometry(plan, whole)
    return whole


def _sums(parts: Sequence[ReadSummary]) -> dict[str, Any]:
    """Facts that count: rows of the source, and rows by zone where zones are told apart."""
    zones: Counter[str] = Counter()
    for part in parts:
        zones.update(part.facts.get("zones", {}))
    rows = sum(part.facts.get("source_rows", 0) for part in parts)
    return {"source_rows": rows, **({"zones": dict(sorted(zones.items()))} if zones else {})}


def _manner(part: ReadSummary) -> tuple[Any, ...]:
    return (*(getattr(part, name) for name in _SAME), *(part.facts.get(name) for name in _SAME_FACTS))


def _findings(parts: Sequence[ReadSummary]) -> tuple[Finding, ...]:
    """The findings of all parts; one that names no rows is about the source, and is said once."""
    notes, said = Notes(), set()
    for finding in (f for part in parts for f in part.findings):
        what = (finding.rule, finding.severity, finding.message)
        if finding.rows or what not in said:
            notes.absorb([finding])
        said.add(what)
    return notes.findings()


def _refuse_wrong_geometry(plan: IngestPlan, whole: ReadSummary) -> None:
    wrong = whole.facts.get("wrong_types")
    if whole.good or not wrong:
        return
    raise SourceMismatch(
        f"{plan.source.name} holds {' and '.join(wrong)} geometries, but layer {plan.layer.id} stores "
        f"{plan.layer.geometry if isinstance(plan.layer, VectorLayer) else 'no'} geometries.",
        found=list(wrong),
    )
