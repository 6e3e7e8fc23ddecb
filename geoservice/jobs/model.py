"""The values of the queue: what is asked, what a job is, which states it has."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import sqlalchemy as sa

from ingest.set_aside import Wanted
from layers.interval import Interval

_PLAIN = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")
EXECUTION = "execution"
"""The kind of jobs that carry out a process: they read, and leave results."""
State = Literal["queued", "running", "done", "refused", "failed", "cancelled"]
Origin = Literal["api", "cli", "watch", "schedule"]
OVER: frozenset[State] = frozenset({"done", "refused", "failed", "cancelled"})
"""States that a job never leaves."""


def is_plain(text: str, most: int) -> bool:
    """Whether a text is one line of whole characters that the database and a log can keep, and not too long."""
    return len(text) <= most and _PLAIN.fullmatch(text) is not None


@dataclass(frozen=True)
class JobRequest:
    """What is asked of the queue.

    Attributes:
        layer: Name of the layer; empty for an execution, which belongs to none.
        principal: Id of whoever asks, for access and for the record.
        origin: Which way it came.
        source: Name of the source, for people.
        place: Where the source lies: `{"path": ...}`, or `{"folder": ..., "file": ...}` for uploads; for a replay
            `{"quarantine": {...}}` with the filters, for a withdrawal `{"edition": ..., "reason": ...}`.
        mapping: Source mapping; found by the file's name when absent.
        sha256: Digest of the source, where it is known beforehand.
        options: `repair`, `dry_run`, `owner`, `crs`, `datum` as in `ingest.job.LoadOptions`; of an execution `process`
            and `inputs`.
        kind: What is done: `load`, `replay` (of quarantine), `withdrawal` (of an edition) or `execution`
            (of a process).
        priority: Higher goes first among layers; jobs of one layer keep their order.
    """

    layer: str
    principal: str
    origin: Origin
    source: str
    place: dict[str, Any]
    mapping: str | None = None
    sha256: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    kind: str = "load"
    priority: int = 0


def replay_request(wanted: Wanted, principal: str, origin: Origin, name: str | None = None) -> JobRequest:
    """The request to load open rows of quarantine again.

    Args:
        wanted: Which rows; they are of one layer.
        principal: Who asks.
        origin: Which way it came.
        name: What people know it by; the source of the rows when absent.
    """
    asked = {"source": wanted.source, "reason": wanted.reason, "ids": wanted.ids}
    place = {"quarantine": {key: value for key, value in asked.items() if value is not None}}
    shown = name or wanted.source or "quarantine"
    return JobRequest(wanted.layer or "", principal, origin, shown, place, kind="replay")


@dataclass(frozen=True)
class Job:
    """A job as it stands: the columns of `meta.job`, described in `layers.system`."""

    id: int
    kind: str
    layer: str
    principal: str
    origin: Origin
    source: str
    place: dict[str, Any]
    mapping: str | None
    sha256: str | None
    options: dict[str, Any]
    priority: int
    state: State
    attempts: int
    deaths: int
    cancel: bool
    created: dt.datetime
    not_before: dt.datetime | None
    started: dt.datetime | None
    updated: dt.datetime
    finished: dt.datetime | None
    filed: dt.datetime | None
    phase: str | None
    rows: int
    total: int | None
    edition: int | None
    load: int | None
    error: dict[str, Any] | None

    @classmethod
    def from_row(cls, row: sa.Row[Any]) -> Self:
        """The job of a row of `meta.job`."""
        found = cls(**{f.name: getattr(row, f.name) for f in dataclasses.fields(cls)})
        return found if found.layer is not None else dataclasses.replace(found, layer="")

    def brought_by(self, principal: str) -> bool:
        """Whether a principal has sent the source of this job as uploads."""
        return self.principal == principal and "folder" in self.place

    @property
    def over(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in OVER


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are listed.

    Attributes:
        states: Only these; all when empty.
        processes: Only jobs of these processes (or kinds); all when empty.
        created: Only those made in this interval.
        least: Only those that have run for at least so many seconds.
        most: Only those that have run for at most so many.
    """

    states: tuple[State, ...] = ()
    processes: tuple[str, ...] = ()
    created: Interval | None = None
    least: float | None = None
    most: float | None = None


@dataclass
class Progress:
    """How far a running job is."""

    phase: str = "starting"
    rows: int = 0
    total: int | None = None
