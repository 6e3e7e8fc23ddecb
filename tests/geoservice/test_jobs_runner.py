"""The last wall of a runner: a bug in one job ends that job alone, and the log keeps what it was."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from geoservice.jobs import queue
from geoservice.jobs.runner import outcome


def performer(error: BaseException) -> Any:
    """One that ends every job with this error."""

    def perform(*_: object) -> None:
        raise error from ValueError("the cause 4711")

    return SimpleNamespace(database=SimpleNamespace(transaction=lambda _: nullcontext()), perform=perform)


@pytest.fixture(autouse=True)
def any_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "get", lambda *_: SimpleNamespace(id=1))


def test_a_bug_is_told_in_a_sentence_and_logged_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        ended = outcome(performer(ZeroDivisionError("secret 0815")), 1, print)
    assert ended["failed"]["kind"] == "InternalError"
    assert not any(word in str(ended) for word in ("0815", "4711", "ZeroDivision"))
    (record,) = caplog.records
    assert record.exc_info is not None
    error = record.exc_info[1]
    assert (type(error), str(error)) == (ZeroDivisionError, "secret 0815")
    assert error is not None
    assert str(error.__cause__) == "the cause 4711"


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_whoever_ends_the_runner_is_not_held_back(end: type[BaseException]) -> None:
    with pytest.raises(end):
        outcome(performer(end()), 1, print)
