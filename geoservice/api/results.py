"""Results of executions: a list, and each by itself; files are read whole or by range."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, Response

from geoservice.api.jobs import PRIVATE, Found
from geoservice.house import Asker, House, Inside
from geoservice.http.links import link, url
from geoservice.jobs.model import Job
from geoservice.jobs.results import results_folder
from geoservice.ogc.block import Block, no_links
from geoservice.processes.model import Output
from layers.errors import UnknownResource

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("/{job_id}/results", summary="Results of a job")
async def results(request: Request, house: Inside, asker: Asker, found: Found) -> Response:
    """What came of an execution: values as they are, files by reference; one that was wanted raw by itself."""
    outputs = await run_in_threadpool(house.desk.results, asker, found)
    names = found.options.get("outputs") or tuple(outputs)
    outputs = {name: outputs[name] for name in names if name in outputs}
    if found.options.get("response") == "raw" and len(outputs) == 1:
        return alone(house, found, *outputs.values())
    body = {name: shown(request, found, name, output) for name, output in outputs.items()}
    return JSONResponse(body, headers=PRIVATE)


@router.get("/{job_id}/results/{result_name}", summary="One result of a job", response_class=Response)
async def result(house: Inside, asker: Asker, found: Found, result_name: str) -> Response:
    """A result by itself; files answer to `Range`, so that a broken download goes on."""
    outputs = await run_in_threadpool(house.desk.results, asker, found)
    output = outputs.get(result_name)
    if output is None:
        raise UnknownResource(
            f"Job {found.id} has no result {result_name[:60]!r}; /jobs/{found.id}/results lists them."
        )
    return alone(house, found, output)


def alone(house: House, found: Job, output: Output) -> Response:
    """A result by itself: a value as JSON, a file by ranges."""
    if output.file is None:
        return JSONResponse(output.value, headers=PRIVATE)
    path = results_folder(house.settings, found.id) / output.file
    if not path.is_file():
        raise UnknownResource(f"The results of job {found.id} have expired.")
    return FileResponse(path, headers=PRIVATE, media_type=output.media, filename=path.name)


def shown(request: Request, job: Job, name: str, output: Output) -> Any:
    """A result as the document of results holds it: the value, or a link to the file."""
    if output.file is None:
        return output.value
    return link(url(request, f"/jobs/{job.id}/results/{name}"), "enclosure", output.media, name, **output.facts)


BLOCK = Block("results", None, "stable", (), router, no_links)
