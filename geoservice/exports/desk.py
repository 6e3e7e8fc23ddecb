"""Exports for principals, by the desk of jobs: each sees their own. Blocking; routes call it in a worker thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoservice.exports.errors import ExportTooLarge
from geoservice.exports.process import EXPORT
from geoservice.exports.run import RESULT
from geoservice.exports.wish import ExportInputs, subject_of
from geoservice.jobs.desk import Desk
from geoservice.jobs.model import EXECUTION, Job, JobFilter
from geoservice.jobs.results import results_folder
from geoservice.processes.model import Output, read_manifest
from geoservice.settings import Settings
from layers.access import Decision, Principal
from layers.catalog import Catalog
from layers.errors import NotAuthenticated, UnknownResource
from layers.extent import Extent
from layers.model import RowLayer

_CHINA = Extent(105.0, 30.0, 106.0, 31.0)
"""Somewhere with a Gauss-Krueger zone: which one is taken is only known with the rows."""
_MOST_KEPT = 10_000


@dataclass(frozen=True)
class Export:
    """An export as its owner sees it: the job, and its result when there is one."""

    job: Job
    output: Output | None


@dataclass(frozen=True)
class ExportDesk:
    """What the service does with exports."""

    settings: Settings
    catalog: Catalog
    desk: Desk

    def submit(self, asker: Principal, layer: RowLayer, decision: Decision, inputs: ExportInputs) -> Export:
        """Make the job of an export.

        Raises:
            NotAuthenticated: When nobody in particular asks: a result needs an owner.
            BadParameter, NotAcceptable: When the wish makes no sense.
            ExportTooLarge: When the results kept for the asker take as much room as one may have.
            TooManyJobs: When the asker has too many waiting.
        """
        if asker.anonymous:
            raise NotAuthenticated("An export is kept for whoever asked for it, which takes an API key.")
        inputs.query(layer, decision, None)
        subject_of(inputs, layer, decision, self.catalog, _CHINA)
        held, most = self._held(asker), self.settings.export_quota_bytes
        if held >= most:
            raise ExportTooLarge(
                f"Your results take {held:,} bytes, and one may keep {most:,}; delete some of them.", maximum=most
            )
        wanted: dict[str, Any] = inputs.model_dump(by_alias=True, exclude_none=True)
        return Export(self.desk.execute(asker, EXPORT, wanted, response="document"), None)

    def _held(self, asker: Principal) -> int:
        done = self.desk.listing(asker, which=JobFilter(("done",), (EXPORT,)), before=None, limit=_MOST_KEPT)
        outputs = (self._output(job) for job in done)
        return sum(int(output.facts.get("length", 0)) for output in outputs if output is not None)

    def _output(self, job: Job) -> Output | None:
        found = read_manifest(results_folder(self.settings, job.id)) if job.state == "done" else None
        return None if found is None else found.get(RESULT)

    def get(self, asker: Principal, number: int) -> Export:
        """An export of the asker.

        Raises:
            UnknownResource: When there is none, or it is somebody else's; the two look the same.
        """
        try:
            job = self.desk.get(asker, number)
        except UnknownResource:
            raise unknown_export(number) from None
        if job.kind != EXECUTION or job.options.get("process") != EXPORT:
            raise unknown_export(number)
        return Export(job, self._output(job))

    def listing(self, asker: Principal, before: int | None, limit: int) -> list[Export]:
        """Exports of the asker, the newest first."""
        found = self.desk.listing(asker, which=JobFilter(processes=(EXPORT,)), before=before, limit=limit)
        return [Export(job, self._output(job)) for job in found]


def unknown_export(number: object) -> UnknownResource:
    """The answer about an export that is not there, or not for whoever asks."""
    return UnknownResource(f"There is no export {str(number)[:40]}; /exports lists yours.")
