"""Jobs over HTTP: make, list, look, follow, cancel. Shaped like the jobs of OGC API Processes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from geoservice.api.job_events import EventStream, Follower, event_id
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document, language_of
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, JSON, negotiate
from geoservice.http.parameters import MOST_DIGITS, parse_cursor, parse_limit, together
from geoservice.http.problems import PROBLEM_TYPE
from geoservice.jobs.desk import MOST_MAPPING, MOST_SOURCE, Wish
from geoservice.jobs.model import EXECUTION, Job, JobFilter, State
from geoservice.jobs.queue import unknown_job
from geoservice.loads.view import View, view_of
from geoservice.ogc.block import Block
from geoservice.ogc.common import Format, Language
from geoservice.security.identity import identify
from ingest.progress import PHASES
from layers.access import Principal
from layers.errors import BadParameter, DatabaseUnavailable, NotAuthenticated, QueryTimeout
from layers.interval import parse_datetime
from layers.model import Layer
from web.sentences import in_language

router = APIRouter(prefix="/jobs", tags=["jobs"])
PRIVATE = {"Cache-Control": "private, no-store"}
STATUS: dict[State, str] = {
    "queued": "accepted",
    "running": "running",
    "done": "successful",
    "refused": "failed",
    "failed": "failed",
    "cancelled": "dismissed",
}
"""Status of OGC API Processes (Part 1, 7.11) for each state."""
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
    204: {"description": "The end was seen already; there is nothing to come back for"},
}
_FAILED = 500
_LONGEST = 10**9
_REFUSED = 422
RESULTS_RELATION = "http://www.opengis.net/def/rel/ogc/1.0/results"
_JOB_LIST = "http://www.opengis.net/def/rel/ogc/1.0/job-list"


class NewJob(BaseModel):
    """The body that makes a job."""

    model_config = ConfigDict(extra="forbid")

    layer: str = Field(min_length=1, max_length=200, description="Collection to load into.")
    uploads: list[Annotated[str, Field(max_length=100)]] = Field(
        default=[], max_length=32, description="Ids of complete uploads: one source with its companions."
    )
    source: str | None = Field(default=None, max_length=MOST_SOURCE, description="File below a folder that is allowed.")
    mapping: str | None = Field(
        default=None, max_length=MOST_MAPPING, description="Source mapping; default: by file name."
    )
    options: dict[str, Any] = Field(default={}, max_length=10, description="repair, dry_run, owner, crs, datum.")


@dataclass(frozen=True)
class JobQuery:
    """Query parameters of the list."""

    type: Annotated[str | None, Query(description="Only process is known.")] = None
    processID: Annotated[str | None, Query(description="Processes or kinds of jobs, with commas.")] = None
    status: Annotated[str | None, Query(description="accepted, running, successful, failed, dismissed; commas.")] = None
    datetime: Annotated[str | None, Query(description="When jobs were made: instant, date or interval.")] = None
    minDuration: Annotated[str | None, Query(description="Seconds that jobs ran at least.")] = None
    maxDuration: Annotated[str | None, Query(description="Seconds that jobs ran at most.")] = None
    limit: Annotated[str | None, Query(description="Jobs per page, at least 1; large values are clamped.")] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next link.")] = None
    f: Format = None
    lang: Language = None

    def which(self) -> JobFilter:
        """The jobs asked for.

        Raises:
            BadParameter: When a parameter is no good.
        """
        if self.type not in (None, "process"):
            raise BadParameter("type is process; jobs of other types are not known here.", parameter="type")
        return JobFilter(
            states=self._states(),
            processes=tuple(self.processID.split(",")) if self.processID else (),
            created=None if self.datetime is None else parse_datetime(self.datetime),
            least=_seconds("minDuration", self.minDuration),
            most=_seconds("maxDuration", self.maxDuration),
        )

    def _states(self) -> tuple[State, ...]:
        wanted = [] if self.status is None else self.status.split(",")
        for status in wanted:
            if status not in STATUS.values():
                known = ", ".join(dict.fromkeys(STATUS.values()))
                raise BadParameter(f"status is one of {known}; {status[:30]!r} is not.", parameter="status")
        return tuple(state for state, status in STATUS.items() if status in wanted)

    def written(self) -> dict[str, str | None]:
        """The parameters that choose jobs, as they were written."""
        names = ("type", "processID", "status", "datetime", "minDuration", "maxDuration", "limit")
        return {name: getattr(self, name) for name in names}


def _seconds(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < len(str(_LONGEST))):
        raise BadParameter(f"{name} is a whole number of seconds; {text[:30]!r} is not.", parameter=name)
    return float(text)


async def visible_job(house: Inside, asker: Asker, job_id: str) -> Job:
    """The job of the address.

    Raises:
        UnknownResource: When there is none, or none for this asker; the two look the same.
    """
    if not (job_id.isascii() and job_id.isdigit() and len(job_id) <= MOST_DIGITS):
        raise unknown_job(job_id)
    return await run_in_threadpool(house.desk.get, asker, int(job_id))


Found = Annotated[Job, Depends(visible_job)]


@router.post("", status_code=201, summary="Make a job")
async def make(request: Request, house: Inside, asker: Asker, body: NewJob) -> Response:
    """Load a source into a layer, in the background."""
    wish = Wish(body.layer, tuple(body.uploads), body.source, body.mapping, body.options)
    job = await run_in_threadpool(house.desk.submit, asker, wish)
    headers = {**PRIVATE, "Location": url(request, f"/jobs/{job.id}")}
    return JSONResponse(status_info(request, house, asker, job), 201, headers)


@router.get("", summary="Jobs")
async def jobs(
    request: Request, house: Inside, asker: Asker, asked: Annotated[JobQuery, together(JobQuery)]
) -> Response:
    """Your jobs and those of the layers you may load, newest first; none for the anonymous public."""
    chosen = negotiate(request, asked.f, DOCUMENT)
    size = parse_limit(asked.limit, house.settings.default_limit, house.settings.max_limit)
    before, which = parse_cursor(asked.cursor), asked.which()
    found = await run_in_threadpool(house.desk.listing, asker, which=which, before=before, limit=size + 1)
    entries = [status_info(request, house, asker, job) for job in found[:size]]
    links = self_links(request, "/jobs", chosen, DOCUMENT, **asked.written(), cursor=asked.cursor)
    if len(found) > size:
        address = url(request, "/jobs", **asked.written(), cursor=found[size - 1].id, f=chosen)
        links.append(link(address, "next", DOCUMENT[chosen], "Next page"))
    body = {"jobs": entries, "numberReturned": len(entries), "links": links}
    return document(request, "jobs", body, chosen, asked.lang, headers=PRIVATE)


@router.get("/{job_id}", summary="One job")
async def job(
    request: Request, house: Inside, asker: Asker, found: Found, f: Format = None, lang: Language = None
) -> Response:
    """How a job stands, and what came of it."""
    chosen = negotiate(request, f, DOCUMENT)
    return document(request, "job", status_info(request, house, asker, found), chosen, lang, headers=PRIVATE)


@router.delete("/{job_id}", summary="Cancel a job")
async def dismiss(request: Request, house: Inside, asker: Asker, found: Found) -> Response:
    """A waiting job is dismissed at once, a running one within seconds; of an execution that ended the results go."""
    cancelled = await run_in_threadpool(house.desk.dismiss, asker, found)
    return JSONResponse(status_info(request, house, asker, cancelled), headers=PRIVATE)


@router.get("/{job_id}/events", summary="Progress of a job", response_class=Response, responses=_STREAM)
async def events(request: Request, house: Inside, asker: Asker, found: Found) -> Response:
    """Server-sent events `progress` and `end`; a client that comes back gets the state it missed."""
    seen = request.headers.get("last-event-id")
    counted = _shows_rows(house, asker, found)
    if found.over and seen == event_id(found, counted):
        # What a client of server-sent events takes for "do not come back".
        return Response(status_code=204, headers=PRIVATE)
    follower = Follower(partial(status_info, request, house, asker), partial(still_the_same, request, asker), counted)
    house.newsroom.seats.take(asker.id)
    return EventStream(house.newsroom.follow(found, seen, follower), partial(house.newsroom.seats.leave, asker.id))


async def still_the_same(request: Request, asker: Principal) -> bool:
    """Whether the credentials of a request stand for the same principal as when it came; in doubt they do not."""
    try:
        return await identify(request) == asker
    except (NotAuthenticated, DatabaseUnavailable, QueryTimeout):
        return False


def status_info(request: Request, house: House, asker: Principal, job: Job) -> dict[str, Any]:
    """The statusInfo of a job (OGC API Processes Part 1, 7.11), with what is ours beside it."""
    stamps = {n: getattr(job, n) for n in ("created", "started", "finished", "updated")}
    rows = job.rows if _shows_rows(house, asker, job) else None
    body: dict[str, Any] = {
        "processID": process_of(job),
        "type": "process",
        "jobID": str(job.id),
        "status": STATUS[job.state],
        "message": _message(job, rows),
        **{n: t.isoformat().replace("+00:00", "Z") for n, t in stamps.items() if t is not None},
        "progress": percent(job),
        "collection": job.layer or None,
        "source": job.source,
        "mapping": job.mapping,
        "options": job.options if job.kind != EXECUTION else None,
        "inputs": job.options.get("inputs") if job.kind == EXECUTION else None,
        "state": job.state,
        "phase": job.phase if job.state == "running" else None,
        "rows": rows,
        "edition": job.edition,
        "links": _links(request, job),
    }
    if job.error is not None:
        told = _exception(house, asker, job, language_of(request, None))
        body["left" if job.state == "done" else "exception"] = told
    return {name: value for name, value in body.items() if value is not None}


def process_of(job: Job) -> str:
    """The process that a job carries out: that of an execution, or what its kind does."""
    return str(job.options["process"]) if job.kind == EXECUTION else job.kind


def percent(job: Job) -> int:
    """How far a job is, from 0 to 100: by rows where their number is known, else by phases."""
    if job.over or job.state == "queued":
        return 100 if job.state == "done" else 0
    if job.kind == EXECUTION:
        return min(99, round(100 * job.rows / job.total)) if job.total else 0
    step = 100 / len(PHASES)
    place = next((n for n, phase in enumerate(PHASES) if phase == job.phase), 0)
    within = min(1.0, job.rows / job.total) if job.total and job.phase == "reading" else 0.0
    return min(99, round(step * (place + within)))


def _layer_of(house: House, job: Job) -> Layer | None:
    return next((found for found in house.catalog if found.name == job.layer), None)


def _shows_rows(house: House, asker: Principal, job: Job) -> bool:
    """Whether the asker may know how many rows the source has: as with the counts of its report."""
    if job.kind == EXECUTION:
        return True
    layer = _layer_of(house, job)
    return layer is not None and view_of(asker, layer, "loaded", brought=job.brought_by(asker.id)) >= View.COUNTS


def _ended_well(job: Job) -> str:
    if job.kind == EXECUTION:
        return "Done; the results are there."
    if job.options.get("dry_run"):
        return "Done as a dry run: nothing was written; the report says what would change."
    return "Done: nothing was changed." if job.edition is None else f"Done: edition {job.edition}."


def _message(job: Job, rows: int | None) -> str:
    counted = "" if rows is None else f"; {rows} rows were read"
    sentences: dict[State, str] = {
        "queued": "The job waits for its turn.",
        "running": f"The job is {job.phase or 'starting'}{counted}.",
        "done": _ended_well(job),
        "refused": "The source was refused; nothing was changed.",
        "failed": "The job failed; nothing was changed.",
        "cancelled": "The job was cancelled; nothing was changed.",
    }
    if job.kind == EXECUTION and job.state in ("refused", "failed"):
        return f"The execution {'was refused' if job.state == 'refused' else 'failed'}; `exception` says why."
    if job.edition is not None and job.state in ("refused", "failed", "cancelled"):
        # A replay takes a load for each version of a source.
        return (
            f"{sentences[job.state].partition(';')[0]}; what was loaded until then stays, up to edition {job.edition}."
        )
    return sentences[job.state]


def _exception(house: House, asker: Principal, job: Job, language: str) -> dict[str, Any]:
    """What went wrong, as problem details; sentences that may quote the source are for those cleared for all of it."""
    error = job.error or {}
    status = _FAILED if job.state == "failed" else _REFUSED
    body = {"type": PROBLEM_TYPE, "title": str(error.get("title", "")), "status": status}
    layer = _layer_of(house, job)
    if job.kind == EXECUTION:
        body["detail"] = in_language(str(error.get("detail", "")), language)
    if layer is not None and view_of(asker, layer, job.state, brought=job.brought_by(asker.id)) is View.FULL:
        body["detail"] = in_language(str(error.get("detail", "")), language)
    return body


def _links(request: Request, job: Job) -> list[dict[str, Any]]:
    path = f"/jobs/{job.id}"
    links = [
        link(url(request, path), "self", JSON, "This job"),
        link(url(request, "/jobs"), "up", JSON, "Jobs"),
    ]
    if job.layer:
        links.append(link(url(request, f"/collections/{job.layer}"), "collection", JSON))
    if job.kind == EXECUTION and job.state == "done":
        links.append(link(url(request, f"{path}/results"), RESULTS_RELATION, JSON, "Results"))
    if not job.over:
        links.append(link(url(request, f"{path}/events"), "monitor", "text/event-stream", "Progress"))
    if job.load is not None:
        links.append(link(url(request, f"/loads/{job.load}"), RESULTS_RELATION, JSON, "Report of the load"))
    return links


def _landing_links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/jobs"), _JOB_LIST, JSON, "Jobs")]


BLOCK = Block("jobs", None, "experimental", (), router, _landing_links)
