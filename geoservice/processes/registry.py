"""All processes: adding one means one module and one line here."""

from __future__ import annotations

from geoservice.coverages import process as coverage
from geoservice.exports import process as export
from geoservice.interpolation import process as interpolation
from geoservice.processes import asked, echo, zones
from geoservice.processes.model import Process
from geoservice.queries import table_job
from layers.errors import UnknownResource

PROCESSES: dict[str, Process] = {
    process.id: process
    for process in (
        echo.PROCESS,
        *asked.QUESTIONS,
        *zones.ZONES,
        export.PROCESS,
        table_job.PROCESS,
        coverage.PROCESS,
        interpolation.PROCESS,
    )
}

NO_SUCH_PROCESS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-process"
"""Type of the problem that OGC API Processes Part 1 (7.10) names for processes that are not there."""


def find_process(name: str) -> Process:
    """The process of a name.

    Raises:
        UnknownResource: When there is none.
    """
    process = PROCESSES.get(name)
    if process is None:
        raise UnknownResource(
            f"There is no process {name[:60]!r}; /processes lists those there are.", problem_type=NO_SUCH_PROCESS
        )
    return process
