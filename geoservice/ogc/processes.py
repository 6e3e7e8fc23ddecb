"""OGC API Processes Part 1 (18-062r2): what can be asked for, and asking for it, at once or as a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from geoservice.api.jobs import PRIVATE, status_info
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document, language_of
from geoservice.http.inside import Answered, ask_for
from geoservice.http.links import link, self_links, url
from geoservice.http.multipart import related
from geoservice.http.negotiation import DOCUMENT, JSON, negotiate
from geoservice.http.parameters import parse_limit
from geoservice.ogc.block import SPEC, Block
from geoservice.ogc.common import Format, Language
from geoservice.processes.model import Output, Process, checked
from geoservice.processes.questions import ANSWER, Question
from geoservice.processes.registry import PROCESSES, find_process
from layers.access import Principal
from layers.errors import BadBody, NotAcceptable

router = APIRouter(prefix="/processes", tags=["processes"])
VERSION = "1.0.0"
PROCESS_LIST = "http://www.opengis.net/def/rel/ogc/1.0/processes"
EXECUTE = "http://www.opengis.net/def/rel/ogc/1.0/execute"
_AT_ONCE = 4
"""Executions that one process of the service carries out while their clients wait; further ones wait for a place."""
_QUALIFIED = frozenset({"value", "mediaType", "encoding", "schema", "format"})
_PLACES = anyio.CapacityLimiter(_AT_ONCE)


class OutputWish(BaseModel):
    """How one result is wanted."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    mode: Literal["value", "reference"] | None = Field(default=None, alias="transmissionMode")
    format: dict[str, Any] | None = None


class ExecuteBody(BaseModel):
    """The body of an execution (Part 1, 7.11.2)."""

    model_config = ConfigDict(extra="forbid")

    inputs: dict[str, Any] = Field(default={}, max_length=100, description="Inputs by name; see the description.")
    outputs: dict[str, OutputWish] | None = Field(default=None, max_length=100, description="Wanted outputs, or all.")
    response: Literal["raw", "document"] = Field(default="raw", description="One as it is, or all in a document.")


@dataclass(frozen=True)
class Asked:
    """An execution as it was asked for: the process, its inputs, the wanted results and their form."""

    process: Process
    inputs: dict[str, Any]
    outputs: tuple[str, ...]
    response: str


@router.get("", summary="Processes")
async def processes(
    request: Request,
    limit: Annotated[str | None, Query(description="Most processes; all by default.")] = None,
    f: Format = None,
    lang: Language = None,
) -> Response:
    """What can be asked for."""
    chosen = negotiate(request, f, DOCUMENT)
    language = language_of(request, lang)
    most = parse_limit(limit, len(PROCESSES), len(PROCESSES))
    listed = [summary(request, process, language) for process in list(PROCESSES.values())[:most]]
    body = {"processes": listed, "links": self_links(request, "/processes", chosen, DOCUMENT, limit=limit)}
    return document(request, "processes", body, chosen, lang)


@router.get("/{process_id}", summary="One process")
async def process(request: Request, process_id: str, f: Format = None, lang: Language = None) -> Response:
    """What a process takes and gives."""
    chosen = negotiate(request, f, DOCUMENT)
    found = find_process(process_id)
    body = described(request, found, language_of(request, lang))
    body["links"] += self_links(request, f"/processes/{found.id}", chosen, DOCUMENT)
    return document(request, "process", body, chosen, lang)


@router.post(
    "/{process_id}/execution",
    summary="Carry a process out",
    response_class=Response,
    responses={201: {"description": "A job that will have the results; `Location` says where."}},
)
async def execution(
    request: Request,
    house: Inside,
    asker: Asker,
    process_id: str,
    body: ExecuteBody,
    prefer: Annotated[str | None, Header(description="`respond-async` makes a job.")] = None,
) -> Response:
    """The results, or with `Prefer: respond-async` a job (201) that will have them."""
    asked = understood(find_process(process_id), body)
    if not asked.process.immediate or _wants_job(prefer):
        return await _as_job(request, house, asker, asked, applied=_wants_job(prefer))
    if isinstance(asked.process, Question):
        return await _put(request, asked.process, asked)
    outputs = await _at_once(house, asker, asked)
    return answered({name: outputs[name] for name in asked.outputs if name in outputs}, asked.response)


def summary(request: Request, found: Process, language: str) -> dict[str, Any]:
    """The processSummary of a process (Part 1, 7.9)."""
    return {
        "id": found.id,
        "title": found.title.of(language),
        "description": found.abstract.of(language),
        "version": VERSION,
        "jobControlOptions": ["sync-execute", "async-execute"] if found.immediate else ["async-execute"],
        "outputTransmission": ["value"] if found.immediate else ["reference", "value"],
        "links": [
            link(url(request, f"/processes/{found.id}"), "describedby", JSON, found.title.of(language)),
            link(url(request, f"/processes/{found.id}/execution"), EXECUTE, JSON, "Execute"),
        ],
    }


def described(request: Request, found: Process, language: str) -> dict[str, Any]:
    """The process description (Part 1, 7.10): each input and output with its JSON Schema."""
    schema = found.inputs.model_json_schema(by_alias=True)
    definitions, required = schema.get("$defs"), set(schema.get("required", ()))
    inputs = {}
    for name, one in schema["properties"].items():
        own = {"$defs": definitions, **one} if definitions else one
        inputs[name] = {
            "title": one.get("title", name),
            "description": one.get("description", ""),
            "schema": own,
            "minOccurs": int(name in required),
            "maxOccurs": 1,
        }
    outputs = {name: {"title": name, "schema": dict(one)} for name, one in found.outputs.items()}
    return {**summary(request, found, language), "inputs": inputs, "outputs": outputs}


def understood(found: Process, body: ExecuteBody) -> Asked:
    """What is asked for.

    Raises:
        BadBody: When an input is not what the process takes, or an output is none of its own.
    """
    inputs = {name: _plain(name, value) for name, value in body.inputs.items()}
    checked(found, inputs)
    wishes = body.outputs if body.outputs is not None else {}
    for name, wish in wishes.items():
        if name not in found.outputs:
            raise BadBody(f"{found.id} has no output {name[:60]!r}; it has {', '.join(found.outputs)}.")
        if wish.mode == "reference" and found.immediate:
            raise BadBody(f"{found.id} gives its outputs by value only; {name} was wanted by reference.")
    return Asked(found, inputs, tuple(wishes) or tuple(found.outputs), body.response)


def _plain(name: str, value: Any) -> Any:
    """An input without its qualification (Part 1, 7.11.2.2): `{"value": ..., "mediaType": ...}`."""
    if not isinstance(value, Mapping):
        return value
    if "href" in value:
        raise BadBody(f"Inputs are given by value; {name[:60]} is a reference.")
    return value["value"] if "value" in value and _QUALIFIED.issuperset(value) else value


def _wants_job(prefer: str | None) -> bool:
    wishes = {part.strip().lower() for part in (prefer or "").replace(";", ",").split(",")}
    return "respond-async" in wishes


async def _as_job(request: Request, house: House, asker: Principal, asked: Asked, *, applied: bool) -> Response:
    make = partial(house.desk.execute, response=asked.response, outputs=asked.outputs)
    job = await run_in_threadpool(make, asker, asked.process.id, asked.inputs)
    headers = {**PRIVATE, "Location": url(request, f"/jobs/{job.id}")}
    if applied:
        headers["Preference-Applied"] = "respond-async"
    return JSONResponse(status_info(request, house, asker, job), 201, headers)


async def _put(request: Request, found: Question, asked: Asked) -> Response:
    """The answer of the resource that a question is for; a problem is passed on as it is."""
    try:
        answer = await ask_for(request, found.call(checked(found, asked.inputs)))
    except Answered as problem:
        return problem.response
    return answered({ANSWER: Output(JSON, None, answer)}, asked.response)


async def _at_once(house: House, asker: Principal, asked: Asked) -> dict[str, Output]:
    """Carry a process out while the client waits; when it leaves, nobody hears of the results."""
    carry = partial(house.desk.carry_out, asker, asked.process, asked.inputs)
    return await anyio.to_thread.run_sync(carry, limiter=_PLACES, abandon_on_cancel=True)


def answered(outputs: Mapping[str, Output], response: str) -> Response:
    """Results by value as they were wanted: one as it is, several as parts, or all in a document.

    Raises:
        NotAcceptable: When nothing came of it.
    """
    if response == "document":
        return JSONResponse({name: output.value for name, output in outputs.items()}, headers=PRIVATE)
    if len(outputs) == 1:
        (only,) = outputs.values()
        return JSONResponse(only.value, headers=PRIVATE)
    if not outputs:
        raise NotAcceptable("The process gave none of the outputs that were wanted.")
    content, media = related({name: output.value for name, output in outputs.items()})
    return Response(content, headers=PRIVATE, media_type=media)


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/processes"), PROCESS_LIST, JSON, "Processes")]


_CLASSES = ("core", "ogc-process-description", "json", "html", "oas30", "job-list", "dismiss")
_CONF = f"{SPEC}/ogcapi-processes-1/1.0/conf"
BLOCK = Block(
    name="processes",
    spec="https://docs.ogc.org/is/18-062r2/18-062r2.html",
    maturity="stable",
    conformance=tuple(f"{_CONF}/{name}" for name in _CLASSES),
    router=router,
    links=_links,
)
