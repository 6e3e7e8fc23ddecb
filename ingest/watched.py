"""A source under watch: what it is, worked out while it is read, and whether it is still the same afterwards."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from ingest.family import is_source, members
from ingest.job import IngestPlan
from ingest.record import SourceFile, identify_plan
from layers.errors import SourceUnreadable

_CALM = 2.0
"""Seconds without a change before the load began: within them a change might leave the file's times as they were."""
_Stamp = tuple[str, os.stat_result]


class Watched:
    """A source from before it is read until after. A context manager: leaving it waits for what is under way."""

    def __init__(self, plan: IngestPlan) -> None:
        """Begin to work out the digest beside everything else."""
        self._plan = plan
        self._began = time.time()
        self._before = _stamps(plan)
        self._pool = ThreadPoolExecutor(1, "ingest-digest")
        self._first = self._pool.submit(identify_plan, plan)

    def __enter__(self) -> Self:
        """The watch itself.

        Raises:
            SourceMissing: When there is no source at the place given.
        """
        if not self._before:
            self._pool.shutdown()
            self.source()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the watch."""
        self._pool.shutdown()

    @property
    def size(self) -> int:
        """Bytes of all files of the source, as the file system says."""
        if self._plan.replay is not None:
            return self._plan.replay.size
        return sum(stat.st_size for _, stat in self._before)

    def source(self) -> SourceFile:
        """Identity of the source; waits until its digest is known.

        Raises:
            SourceMissing: When it is no readable source.
        """
        return self._first.result()

    def require_same(self) -> SourceFile:
        """The identity of the source, which must not have changed since the watch began.

        The file system's times say so where nothing had changed for a while before and nothing has since; a change of
        content always sets the time of the last change of state (ctime), which no program can set back. Otherwise the
        content is read again.

        Raises:
            SourceUnreadable: When it changed.
        """
        source = self.source()
        if not self._untouched() and identify_plan(self._plan) != source:
            raise SourceUnreadable(f"{source.name} changed while it was read; load it again.", source=source.name)
        return source

    def _untouched(self) -> bool:
        calm = all(stat.st_ctime < self._began - _CALM for _, stat in self._before)
        return calm and [_facts(s) for s in _stamps(self._plan)] == [_facts(s) for s in self._before]


def _stamps(plan: IngestPlan) -> list[_Stamp]:
    """What the file system says of each file of a source; nothing for one that is not there."""
    if not is_source(plan.source):
        return []
    return [(str(file), file.stat()) for file in members(plan.source)]


def _facts(stamp: _Stamp) -> tuple[object, ...]:
    name, stat = stamp
    return name, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
