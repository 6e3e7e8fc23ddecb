"""Untrusted files are opened in a confined child, never in this process.

`open_rows` starts the child, hands it the plan, and gives back its rows as Arrow batches. The child has a scrubbed
environment, no network where the kernel allows it, limits on memory, time and files, no view of other files, an
unprivileged user when started by root, and only the allowed GDAL drivers. However it ends, this process survives.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

import pyarrow as pa
from pydantic import ValidationError

from ingest.drivers import skip_list
from ingest.job import IngestPlan, ReadLimits, ReadSummary
from ingest.raster_drivers import raster_skip_list
from ingest.staging import PREFIX, Staged, part_name, stage
from ingest.wire import batch_schema, error_from_json, plan_to_json
from layers.errors import GeoError, SourceUnreadable

_PACKAGE_ROOT = Path(__file__).resolve().parent.parent
_CONTROL_LIMIT = 4 << 20
_PROBE_SECONDS = 60.0
_NOBODY = 65534
Work = Literal["rows", "raster", "judge"]
"""What a child does: deliver rows, rewrite a raster, or judge rows together.

Rows and rasters have a library of their own each, with an allow-list of its own.
"""


@dataclass(frozen=True)
class SandboxCapabilities:
    """What confinement this machine gives the reading child, in words for an operator.

    Attributes:
        network: How the network is cut: a namespace, `landlock (TCP only)`, or `none`.
        filesystem: `landlock <version>`, or `file permissions only`.
        privileges: The user that reads, and whether capabilities were dropped.
        drivers: GDAL drivers that are left after the allow-list.
    """

    network: str
    filesystem: str
    privileges: str
    drivers: tuple[str, ...] = ()

    @property
    def fit_for_strangers(self) -> bool:
        """Whether files from people nobody vouches for may be read: no network and no view of other files."""
        return "namespace" in self.network and self.filesystem.startswith("landlock")


class Child:
    """A confined reader at work. A context manager: leaving it ends the child and removes its private directory."""

    def __init__(self, plan: IngestPlan, process: subprocess.Popen[bytes], control: IO[bytes], staged: Staged) -> None:
        """Take over a started child."""
        self._plan = plan
        self._process = process
        self._control = control
        self._staged = staged
        self._summary: ReadSummary | None = None
        self._timed_out = False
        self._timer = threading.Timer(plan.limits.seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    @property
    def pid(self) -> int:
        """Process number of the child."""
        return self._process.pid

    @property
    def folder(self) -> Path:
        """The private directory, in which the child may have left files; open them without following links."""
        return self._staged.directory

    @property
    def summary(self) -> ReadSummary:
        """What the reader says about the whole source.

        Raises:
            RuntimeError: When asked before the source was read to its end.
        """
        if self._summary is None:
            raise RuntimeError("the summary exists only after the source was read to its end")
        return self._summary

    def __enter__(self) -> Self:
        """The child itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child, whatever it is doing, and remove what it wrote."""
        self._timer.cancel()
        _kill(self._process)
        for pipe in (self._process.stdout, self._control):
            if pipe is not None:
                pipe.close()
        self._staged.remove()

    def _finish(self, damaged: bool) -> None:
        messages = self._messages()
        self._process.wait()
        self._timer.cancel()
        failed = next((m for m in messages if "error" in m), None)
        if failed is not None:
            raise error_from_json(failed)
        found = next((m["summary"] for m in messages if "summary" in m), None)
        if found is None or damaged:
            raise self._death()
        try:
            self._summary = _with_origin(ReadSummary.model_validate(found), self._plan)
        except ValidationError as error:
            raise SourceUnreadable("The confined reader gave a summary that makes no sense.") from error

    def _messages(self) -> list[dict[str, Any]]:
        text = self._control.read(_CONTROL_LIMIT).decode("utf-8", errors="replace")
        found: list[dict[str, Any]] = []
        # Not splitlines(): values may hold U+2028 or U+0085, which JSON does not escape.
        for line in text.split("\n"):
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                found.append(message)
        return found

    def _expire(self) -> None:
        self._timed_out = True
        _kill(self._process)

    def _death(self) -> GeoError:
        return SourceUnreadable(
            _obituary(self._plan, self._process.returncode, self._timed_out),
            source=self._plan.source.name,
            exit=self._process.returncode,
            said=self._staged.said(),
        )


class RowStream(Child):
    """Rows of a source, as delivered by the child. Iterate once; then `summary` is there."""

    def __init__(self, plan: IngestPlan, process: subprocess.Popen[bytes], control: IO[bytes], staged: Staged) -> None:
        """Take over a started child."""
        super().__init__(plan, process, control, staged)
        self.schema = batch_schema(plan.layer)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Batches in the order of the source.

        Raises:
            SourceUnreadable: When the source is damaged, not in an allowed format, or its reading was ended by a
                limit or a crash.
            SourceMismatch: When it does not fit the layer or the mapping.
            CrsRefused: When its coordinate reference system is missing or has no safe path to storage.
        """
        damaged = False
        try:
            with pa.ipc.open_stream(self._process.stdout) as reader:
                if not reader.schema.equals(self.schema):
                    raise SourceUnreadable("The confined reader answered with other columns than were agreed.")
                for batch in reader:
                    batch.validate(full=True)
                    yield batch
        except (pa.ArrowInvalid, OSError):
            # The stream broke off; the control pipe or the exit status says why.
            damaged = True
        self._finish(damaged)


class RasterReader(Child):
    """A raster that the child checks and rewrites as COG."""

    def finish(self) -> Path:
        """Wait for the child; then `summary` is there.

        Returns:
            The private directory with the rewritten files; it goes with this reader. The child was free to write
            anything there: open files without following links.

        Raises:
            SourceUnreadable, SourceMismatch, CrsRefused: As `RowStream` does.
        """
        self._finish(damaged=False)
        return self._staged.directory


class Judge(Child):
    """Judges the rows of several readers together, from the evidence they left."""

    def finish(self) -> ReadSummary:
        """Wait for the child.

        Returns:
            A summary with `late` and findings only; the rows to be kept out are named in a file of `folder`.

        Raises:
            SourceUnreadable: When the evidence is damaged, or a limit or a crash ended the child.
        """
        self._finish(damaged=False)
        return self.summary


def open_judge(plan: IngestPlan, folders: Sequence[Path]) -> Judge:
    """Start a confined child that judges what the readers of all parts of a source left in their folders."""
    user = unprivileged()
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    staged = Staged(directory, directory, tuple(folders))
    try:
        for number, folder in enumerate(folders):
            (directory / part_name(number)).symlink_to(folder)
        staged.hand_over(user)
        return Judge(plan, *_order(plan, "judge", staged, user))
    except OSError:
        staged.remove()
        raise


def open_raster(plan: IngestPlan) -> RasterReader:
    """Start the rewriting of a raster in a confined child.

    Raises:
        SourceMissing: When the source does not exist or may not be opened.
        SourceUnreadable: When it is empty.
    """
    return RasterReader(plan, *_begin(plan, "raster"))


def open_rows(plan: IngestPlan) -> RowStream:
    """Open a source in a confined child and stream its rows for the plan's layer.

    Args:
        plan: Layer, source, mapping, code lists and limits.

    Returns:
        A context manager that yields `pyarrow.RecordBatch` in the schema of `ingest.wire.batch_schema`.

    Raises:
        SourceMissing: When the source does not exist or may not be opened.
        SourceUnreadable: When it is empty or an open database.
        SourceMismatch: When the layer is a raster.
    """
    batch_schema(plan.layer)
    return RowStream(plan, *_begin(plan, "rows"))


def _begin(plan: IngestPlan, work: Work) -> tuple[subprocess.Popen[bytes], IO[bytes], Staged]:
    user = unprivileged()
    staged = stage(plan.source, user, plan.companions)
    try:
        return _order(plan, work, staged, user)
    except OSError:
        staged.remove()
        raise


def _order(
    plan: IngestPlan, work: Work, staged: Staged, user: tuple[int, int] | None
) -> tuple[subprocess.Popen[bytes], IO[bytes], Staged]:
    order = {
        "work": work,
        "plan": plan_to_json(plan),
        "file": str(staged.file),
        "confinement": confinement(plan.limits, staged, user),
    }
    return *_start(order, staged), staged


def probe() -> SandboxCapabilities:
    """Start a child that reads nothing and tell what confinement it achieved."""
    directory = Path(tempfile.mkdtemp(prefix="geoservice-probe-"))
    user = unprivileged()
    staged = Staged(directory, directory / "none", ())
    staged.hand_over(user)
    order = {"confinement": confinement(ReadLimits(seconds=_PROBE_SECONDS), staged, user)}
    try:
        process, control = _start(order, staged)
        with control:
            process.communicate(timeout=_PROBE_SECONDS)
            found = json.loads(control.readline() or "{}").get("confinement", {})
    finally:
        staged.remove()
    return _capabilities(found)


def _capabilities(found: Mapping[str, str]) -> SandboxCapabilities:
    network = found.get("network", "none")
    if network == "none" and found.get("tcp") == "landlock":
        network = "landlock (TCP only)"
    return SandboxCapabilities(
        network=network,
        filesystem=found.get("filesystem", "the reader did not start"),
        privileges=found.get("privileges", "the reader did not start"),
        drivers=tuple(found.get("drivers", ())),
    )


def unprivileged() -> tuple[int, int] | None:
    """User and group that a confined child becomes, or None when it stays who we are."""
    needed = (_PACKAGE_ROOT, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent)
    if os.geteuid() != 0 or not all(_open_to_all(p) for p in needed):
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return _NOBODY, _NOBODY
    return entry.pw_uid, entry.pw_gid


def _open_to_all(path: Path) -> bool:
    """Whether any user may walk to this directory: a child that cannot read its libraries reads nothing."""
    return all(p.stat().st_mode & 0o1 for p in (path, *path.parents))


def confinement(limits: ReadLimits, staged: Staged, user: tuple[int, int] | None) -> dict[str, Any]:
    """What a child may use, in the form in which it is told so (`ingest.confine.Confinement`)."""
    return {
        "uid": user[0] if user else None,
        "gid": user[1] if user else None,
        "memory": limits.memory,
        "cpu": int(limits.seconds * (os.cpu_count() or 1)) + 1,
        "file_size": limits.unpacked,
        "readable": [str(p) for p in staged.readable],
        "writable": str(staged.directory),
        "parent": os.getpid(),
    }


def environment(directory: Path, work: Work = "rows") -> dict[str, str]:
    """The whole environment of the child: nothing of ours but the search path of the packages.

    GDAL registers only allowed drivers (the others are skipped by name), loads no plugin, opens no network file
    and writes no side-car; PROJ stays off the network; thread pools stay small.
    """
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "PYTHONPATH": str(_PACKAGE_ROOT),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
        "GDAL_SKIP": raster_skip_list() if work == "raster" else skip_list(),
        "GDAL_DRIVER_PATH": "disable",
        "GDAL_PAM_ENABLED": "NO",
        "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
        "CPL_VSIL_CURL_USE_HEAD": "NO",
        "GML_DOWNLOAD_SCHEMA": "NO",
        "GML_SKIP_RESOLVE_ELEMS": "ALL",
        "OGR_SQLITE_LOAD_EXTENSIONS": "NO",
        "PROJ_NETWORK": "OFF",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _start(order: dict[str, Any], staged: Staged) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    read_end, write_end = os.pipe()
    try:
        with staged.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module, run by our own interpreter
                [sys.executable, "-m", "ingest.child", str(write_end)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=staged.directory,
                env=environment(staged.directory, order.get("work", "rows")),
                pass_fds=(write_end,),
                start_new_session=True,
            )
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    _hand(process, json.dumps(order).encode())
    return process, os.fdopen(read_end, "rb")


def _hand(process: subprocess.Popen[bytes], order: bytes) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(order)
        process.stdin.close()
    except BrokenPipeError:
        # It died at the start; the exit status tells the story.
        return
    finally:
        process.stdin = None


def _with_origin(summary: ReadSummary, plan: IngestPlan) -> ReadSummary:
    """The summary with what is known of the remote source, which the reader was not told."""
    if plan.origin is None:
        return summary
    facts = {**summary.facts, "origin": plan.origin.model_dump(mode="json", exclude={"findings"})}
    return summary.model_copy(update={"facts": facts, "findings": (*plan.origin.findings, *summary.findings)})


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


def _obituary(plan: IngestPlan, code: int | None, timed_out: bool) -> str:
    name, limits = plan.source.name, plan.limits
    if timed_out or code == -signal.SIGXCPU:
        return f"Reading {name} took longer than the {limits.seconds:g} s allowed and was stopped."
    if code == -signal.SIGXFSZ:
        return f"Reading {name} wrote more than the {limits.unpacked >> 20} MiB allowed and was stopped."
    if code in (-signal.SIGKILL, -signal.SIGABRT):
        return (
            f"Reading {name} was ended from outside or for want of memory (limit {limits.memory >> 20} MiB); "
            "the file may be damaged or hostile."
        )
    ending = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    return f"The reader broke down on {name} ({ending}); the file may be damaged or hostile."
