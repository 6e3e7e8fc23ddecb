"""The chronicle of loads: one report is kept for each, also for those that were refused, failed or changed nothing."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ingest.job import IngestPlan, IngestReport, LoadOptions
from ingest.outcome import settle
from ingest.progress import Count, Phase, enter
from layers.errors import GeoError
from layers.model import LayerBase
from layers.system import load_report

Outcome = Literal["loaded", "unchanged", "refused", "failed", "dry-run"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Intent:
    """What a load is to do, as far as it is known before its plan is made: a plan may be what cannot be made.

    Attributes:
        layer: Where to.
        source: Name of the source, without credentials.
        mapping: Name of the source mapping; None when it is still to be found.
        options: How it is done.
    """

    layer: LayerBase
    source: str
    mapping: str | None = None
    options: LoadOptions = field(default_factory=LoadOptions)

    @classmethod
    def of(cls, plan: IngestPlan) -> Intent:
        """The intent of a plan."""
        return cls(plan.layer, plan.source.name, plan.mapping_name, plan.options)


class Rehearsed(Exception):
    """No error: a dry run has come to its end, and this takes its transaction back."""

    def __init__(self, report: IngestReport) -> None:
        """Carry the report out of the transaction."""
        super().__init__("dry run")
        self.report = report


class Attempt:
    """One load under way, until its report is kept."""

    def __init__(self, intent: Intent, principal: str, progress: Count | None = None) -> None:
        """Begin now."""
        self._progress = progress
        self.report: IngestReport | None = None
        self._intent = intent
        self.principal = principal
        self._started = dt.datetime.now(dt.UTC)
        self._clock = time.monotonic()
        self.number: int | None = None
        self.folders: tuple[Path, ...] = ()
        """Directories in which confined readers left files about the load."""

    @property
    def seconds(self) -> float:
        """Wall clock since the beginning."""
        return time.monotonic() - self._clock

    def enter(self, phase: Phase) -> None:
        """Say to whoever watches that a phase begins."""
        enter(self._progress, phase)

    def finished(self) -> IngestReport:
        """The report of the load that ran to its end, with its wall clock.

        Raises:
            RuntimeError: When it has not run to its end.
        """
        if self.report is None:
            raise RuntimeError("a load has a report only after it ran to its end")
        return self.report.model_copy(update={"seconds": round(self.seconds, 3)})

    def keep(self, connection: sa.Connection, report: IngestReport) -> IngestReport:
        """Keep the report of a load that ran to its end, and with it the outcome of its job, in the transaction given.

        Returns:
            The report with the number under which it is kept.

        Raises:
            JobLost: When the job of the load is not under way any more.
            Rehearsed: When this is a dry run: let it pass through the end of the transaction, so that nothing stays.
        """
        self.enter("committing")
        if self._intent.options.dry_run:
            raise Rehearsed(report)
        return self._keep(connection, report, "loaded" if report.edition is not None else "unchanged")

    def keep_rehearsal(self, connection: sa.Connection, report: IngestReport) -> IngestReport:
        """Keep the report of a dry run: all counts as they would be, and no edition."""
        return self._keep(connection, report.model_copy(update={"edition": None}), "dry-run")

    def _keep(self, connection: sa.Connection, report: IngestReport, outcome: Outcome) -> IngestReport:
        content = report.model_dump(mode="json", exclude={"load"})
        self.number = self._insert(connection, outcome, content, report.edition, report.sha256)
        settle(connection, self._intent.options, self.number, report.edition)
        return report.model_copy(update={"load": self.number})

    def keep_failure(self, connection: sa.Connection, error: Exception) -> None:
        """Keep what ended the load before its time; such a load changed nothing."""
        outcome: Outcome = "refused" if isinstance(error, GeoError) else "failed"
        content = {
            "layer": self._intent.layer.id,
            "source": self._intent.source,
            "mapping": self._intent.mapping,
            "problem": _problem(error),
        }
        self.number = self._insert(connection, outcome, content, None, None)

    def _insert(
        self, connection: sa.Connection, outcome: Outcome, content: dict[str, Any], edition: int | None, sha: str | None
    ) -> int:
        layer = self._intent.layer
        statement = sa.insert(load_report).values(
            layer=layer.name,
            clearance=int(layer.clearance),
            started=self._started,
            finished=sa.func.clock_timestamp(),
            outcome=outcome,
            edition=edition,
            job=self._intent.options.job,
            principal=self.principal,
            source=self._intent.source,
            sha256=sha,
            report=content,
        )
        return int(connection.execute(statement.returning(load_report.c.id)).scalar_one())


@contextmanager
def attempt(
    engine: sa.Engine, what: IngestPlan | Intent, principal: str, progress: Count | None = None
) -> Iterator[Attempt]:
    """A load, or a step before its plan is made, whose end is kept when it fails, and with `Attempt.keep` in any case.

    What ends it is raised again, but for the end of a dry run; when the database cannot take the report, the log says
    so and nothing else happens.
    """
    intent = what if isinstance(what, Intent) else Intent.of(what)
    under_way = Attempt(intent, principal, progress)
    try:
        yield under_way
    except Rehearsed as end:
        with engine.begin() as connection:
            under_way.report = under_way.keep_rehearsal(connection, end.report)
    except Exception as error:
        # Whatever it was, also a fault of ours: a load that ended leaves a report, and its error goes on unchanged.
        try:
            with engine.begin() as connection:
                under_way.keep_failure(connection, error)
            error.add_note(f"report: /loads/{under_way.number}, `geoservice ingest report {under_way.number}`")
        except SQLAlchemyError:
            _log.warning("the report of a failed load of %s could not be kept", intent.layer.id, exc_info=True)
        raise


def keep_refusal(connection: sa.Connection, intent: Intent, principal: str, error: GeoError) -> int:
    """Keep the report of a load that was refused before anything began; returns its number."""
    refused = Attempt(intent, principal)
    refused.keep_failure(connection, error)
    return refused.number or 0


def _problem(error: Exception) -> dict[str, Any]:
    if isinstance(error, GeoError):
        facts = {name: value for name, value in error.facts.items() if name != "said"}
        return {"kind": type(error).__name__, "title": error.title, "detail": error.detail, "facts": _plain(facts)}
    # The text of an unforeseen error may hold anything; the log has it.
    return {"kind": type(error).__name__, "title": "Internal error", "detail": "An unexpected error ended the load."}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value)
