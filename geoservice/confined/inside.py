"""What a child does before its work: it keeps its output for answers, takes its orders and locks itself in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from geoservice.confined.frames import packed, received
from ingest.confine import Confinement, cut_network, lock_in


@dataclass(frozen=True)
class Bench:
    """Where a child works: its orders, the messages that come in, where answers go, what confinement it achieved."""

    orders: dict[str, Any]
    jobs: IO[bytes]
    answers: IO[bytes]
    achieved: dict[str, str]

    def answer(self, value: Any, files: dict[str, bytes]) -> None:
        """Send an answer."""
        self.answers.write(packed(value, files))
        self.answers.flush()


def locked_in(prepare: Callable[[dict[str, Any]], None] | None = None) -> Bench:
    """Take the orders, cut the network, let `prepare` load libraries, and lock in. Nothing is answered yet.

    Args:
        prepare: Is given the orders; libraries that are loaded later would be out of reach.

    Raises:
        EOFError, ValueError: When the orders are none.
    """
    jobs, answers = sys.stdin.buffer, _own_output()
    first = received(jobs)
    if first is None:
        raise EOFError("there were no orders")
    orders, _ = first
    # Before any library starts a thread.
    achieved = {"network": cut_network()}
    if prepare is not None:
        prepare(orders)
    wanted = orders["confinement"]
    achieved |= lock_in(Confinement(**{**wanted, "readable": tuple(wanted["readable"])}))
    return Bench(orders, jobs, answers, achieved)


def _own_output() -> IO[bytes]:
    """Keep standard output for answers alone: whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers
