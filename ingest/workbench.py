"""The workbench: confined children that judge edited rows, kept ready because starting one takes a second.

What the children answer is not trusted further than its form: rows in the agreed columns, sentences of bounded length.
A child that crashes or takes too long is ended, and another takes its place with the next edit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingest.edit_child import MOST_BYTES
from ingest.job import IngestPlan, ReadLimits, ReadSummary
from ingest.provenance import tool_versions
from ingest.sandbox import confinement, environment, unprivileged
from ingest.staging import PREFIX, Staged
from ingest.wire import MAX_SENTENCE, batch_schema, error_from_json, plan_to_json
from layers.errors import QueryTimeout, SourceUnreadable

CHILDREN = 2
"""Children of one process that judge at the same time."""
LIFE = 2_000
"""Tasks that one child answers before another takes its place, so that nothing in the libraries can add up."""
_START_SECONDS = 60.0
_log = logging.getLogger(__name__)
_CHILD_LIMITS = ReadLimits(seconds=3600.0, unpacked=256 << 20)


@dataclass(frozen=True)
class Flaw:
    """Something that is wrong with an edited row.

    Attributes:
        position: Which row.
        rule: Name of the rule.
        severity: `info`, `warning` or `error`.
        attribute: The attribute concerned, if one is.
        sentence: What is wrong, for people.
        place: Longitude and latitude (degrees, EPSG:4490) of a vertex of the row.
    """

    position: int
    rule: str
    severity: str
    attribute: str | None
    sentence: str
    place: tuple[float, float] | None


@dataclass(frozen=True)
class Judged:
    """Rows in the schema of `ingest.wire.batch_schema` (`_reason` null = good), and what was found about them."""

    rows: pa.Table
    summary: ReadSummary
    flaws: tuple[Flaw, ...]


class _Gone(Exception):
    """A child is gone, too slow, or speaks nonsense."""


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    line: Connection[Any, Any]
    staged: Staged
    known: set[str] = field(default_factory=set)
    done: int = 0

    def ask(self, task: Mapping[str, Any], seconds: float) -> tuple[dict[str, Any], bytes]:
        """Hand over a task and wait for the answer."""
        try:
            self.line.send_bytes(json.dumps(task).encode())
            if not self.line.poll(seconds):
                raise _Gone
            head = json.loads(self.line.recv_bytes(MOST_BYTES))
            rows = self.line.recv_bytes(MOST_BYTES)
        except (OSError, EOFError, ValueError) as error:
            raise _Gone from error
        self.done += 1
        if not isinstance(head, dict):
            raise _Gone
        return head, rows

    def end(self) -> None:
        """End the child, whatever it is doing, and remove its folder."""
        self.line.close()
        self.process.kill()
        self.process.wait()
        self.staged.remove()


class Workbench:
    """Judges edited rows in confined children, which it starts when they are needed."""

    def __init__(self, seconds: float = 10.0) -> None:
        """Nothing is started yet; one task may take so many seconds."""
        self._seconds = seconds
        self._free = threading.BoundedSemaphore(CHILDREN)
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._warming = False
        # A child ends with the thread that started it, so this thread starts them all and stays.
        self._starter = ThreadPoolExecutor(1, "workbench")

    def judge(
        self, plan: IngestPlan, rows: Sequence[Mapping[str, Any]], crs: str, files: Mapping[str, bytes]
    ) -> Judged:
        """Judge rows for the layer of a plan.

        Args:
            plan: Layer, code lists, limits and options; its source only gives a name.
            rows: `position`, `properties`, and `geometry` (GeoJSON) or `wkb` (base64).
            crs: CRS of the geometries, as `EPSG:n`; coordinates are x, y.
            files: What checks of other layers need (`ingest.references.needed`).

        Raises:
            QueryTimeout: When it takes too long.
            SourceUnreadable: When the child breaks down over the rows.
        """
        definition = plan_to_json(plan)
        name = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
        encoded = {file: base64.b64encode(content).decode() for file, content in files.items()}
        task = {"plan": name, "crs": crs, "rows": list(rows), "files": encoded}
        with self._child() as child:
            # A child may have been told of so many plans since that it forgot this one.
            for told in (name in child.known, False):
                head, answer = child.ask(task if told else {**task, "definition": definition}, self._seconds)
                child.known.add(name)
                if "unknown" not in head:
                    break
        if "error" in head:
            raise error_from_json(head)
        return _judged(plan, head, answer)

    @contextmanager
    def _child(self) -> Iterator[_Child]:
        if not self._free.acquire(timeout=self._seconds):
            raise QueryTimeout("Too many edits are being judged; try again later.")
        try:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            child = child or self._starter.submit(self._ready).result()
            try:
                yield child
            except BaseException as error:
                child.end()
                if isinstance(error, _Gone):
                    raise SourceUnreadable(
                        f"The rows could not be judged within {self._seconds:g} s, or they broke the reader down."
                    ) from None
                raise
            if child.done >= LIFE:
                child.end()
            else:
                with self._lock:
                    self._idle.append(child)
        finally:
            self._free.release()

    def warm(self) -> None:
        """Have a child started beside whatever else happens, if none is there: somebody is about to edit."""
        with self._lock:
            if self._idle or self._warming:
                return
            self._warming = True
        self._starter.submit(self._make_ready)

    def _ready(self) -> _Child:
        """A child that was got ready in the meantime, or a new one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _start()

    def _make_ready(self) -> None:
        try:
            tool_versions()
            child = _start()
            with self._lock:
                self._idle.append(child)
        except SourceUnreadable as error:
            _log.warning("%s", error.detail)
        finally:
            self._warming = False

    def close(self) -> None:
        """End the children."""
        self._starter.shutdown()
        with self._lock:
            while self._idle:
                self._idle.pop().end()


def _judged(plan: IngestPlan, head: Mapping[str, Any], answer: bytes) -> Judged:
    """The answer of a child, taken for what it should be and refused when it is something else."""
    try:
        with pa.ipc.open_stream(answer) as reader:
            rows = reader.read_all()
        rows.validate(full=True)
        rows = rows.select(batch_schema(plan.layer).names).cast(batch_schema(plan.layer))
        flaws = tuple(_flaw(plan, finding) for finding in head["findings"])
        return Judged(rows, ReadSummary.model_validate(head["summary"]), flaws)
    except (pa.ArrowInvalid, OSError, ValueError, KeyError, TypeError) as error:
        raise SourceUnreadable("The confined reader gave an answer that makes no sense.") from error


def _flaw(plan: IngestPlan, finding: Mapping[str, Any]) -> Flaw:
    name, place = finding["property"], finding["place"]
    return Flaw(
        position=int(finding["position"]),
        rule=str(finding["rule"])[:64],
        severity=str(finding["severity"])[:16],
        attribute=name if name in plan.layer.attributes else None,
        sentence=str(finding["sentence"])[:MAX_SENTENCE],
        place=None if place is None else (float(place[0]), float(place[1])),
    )


def _start() -> _Child:
    """Start a child and wait until it has locked itself in.

    Raises:
        SourceUnreadable: When it does not start.
    """
    user = unprivileged()
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    staged = Staged(directory, directory, ())
    staged.hand_over(user)
    ours, theirs = socket.socketpair()
    with theirs, staged.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module, run by our own interpreter
            [sys.executable, "-m", "ingest.edit_child", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=directory,
            env=environment(directory),
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    child = _Child(process, Connection(ours.detach()), staged)
    try:
        child.line.send_bytes(json.dumps({"confinement": confinement(_CHILD_LIMITS, staged, user)}).encode())
        ready = child.line.poll(_START_SECONDS) and bool(child.line.recv_bytes(MOST_BYTES))
    except (OSError, EOFError):
        ready = False
    if not ready:
        said = staged.said()
        child.end()
        raise SourceUnreadable("The confined judge of edits does not start.", said=said)
    return child
