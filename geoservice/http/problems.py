"""Errors as problem details (RFC 9457): one row per error class, and handlers for what the framework raises."""

from __future__ import annotations

import http
import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match, Route

from geoservice.alerts import errors as alerts
from geoservice.changes.errors import EditionGone
from geoservice.edits import errors as edits
from geoservice.events.errors import TooManySubscriptions
from geoservice.exports import errors as exports
from geoservice.hazards.errors import EmptyZone, TooManyZones
from geoservice.http.documents import language_of
from geoservice.http.links import base_url
from geoservice.http.negotiation import HTML, JSON, negotiate
from geoservice.jobs import errors as jobs
from geoservice.observations import errors as observations
from geoservice.queries import errors as queries
from geoservice.reports import errors as reports
from geoservice.routing import errors as routing
from geoservice.security.keys import SESSION_COOKIE
from geoservice.situation import errors as situation
from ingest.edit import FeatureChanged, FeatureExists, RowsRefused
from layers import errors
from web import pages
from web.sentences import in_language

PROBLEM_JSON = "application/problem+json"
PROBLEM_TYPE = "about:blank"
_log = logging.getLogger(__name__)

STATUS: dict[type[errors.GeoError], int] = {
    errors.BadParameter: 400,
    errors.BadFilter: 400,
    errors.UnknownParameter: 400,
    errors.BadBody: 400,
    errors.CrsRefused: 400,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.UnknownLayer: 404,
    observations.UnknownStream: 404,
    errors.UnknownFeature: 404,
    errors.UnknownResource: 404,
    errors.UnknownEdition: 404,
    errors.UnknownRow: 404,
    errors.TileOutside: 404,
    errors.MethodNotAllowed: 405,
    errors.NotAcceptable: 406,
    errors.NotWithdrawable: 409,
    errors.RowSettled: 409,
    errors.TooLarge: 413,
    errors.BadGeometry: 422,
    errors.SourceMissing: 422,
    errors.SourceUnreadable: 422,
    errors.SourceMismatch: 422,
    errors.GateClosed: 422,
    errors.SourceError: 422,
    errors.RemoteRefused: 403,
    errors.RemoteUnavailable: 502,
    errors.LayerBusy: 409,
    alerts.AlertRefused: 422,
    alerts.AlertContested: 409,
    alerts.AlertUnproven: 422,
    alerts.DraftSettled: 409,
    alerts.DraftChanged: 412,
    alerts.NoSender: 409,
    situation.ReportRefused: 422,
    situation.ReportContested: 409,
    situation.MarkChanged: 412,
    situation.NothingToUndo: 409,
    situation.TooManyMarks: 429,
    situation.ExerciseOver: 409,
    situation.NotOfExercise: 422,
    jobs.ResultsNotReady: 404,
    EditionGone: 410,
    TooManySubscriptions: 429,
    TooManyZones: 429,
    reports.ReportTooMany: 429,
    reports.ShareTooOften: 429,
    reports.ReportUnavailable: 503,
    reports.ReportDoubtful: 422,
    EmptyZone: 422,
    FeatureChanged: 412,
    FeatureExists: 409,
    RowsRefused: 422,
    observations.ReadingsRefused: 422,
    edits.PreconditionRequired: 428,
    edits.KeyReused: 422,
    edits.KeyInFlight: 409,
    exports.ExportClosed: 410,
    jobs.UploadTooSlow: 408,
    jobs.JobEnded: 409,
    jobs.WrongOffset: 409,
    jobs.OtherProtocol: 412,
    jobs.WrongMediaType: 415,
    jobs.ExecutionFailed: 422,
    queries.UnsupportedTable: 415,
    queries.TooManyBatches: 429,
    jobs.UploadLocked: 423,
    jobs.TooManyJobs: 429,
    jobs.TooManyStreams: 429,
    jobs.PartMismatch: 460,
    jobs.UploadsRefused: 503,
    jobs.NoStreamLeft: 503,
    jobs.StorageFull: 507,
    errors.AssetUnavailable: 503,
    errors.MapUnavailable: 503,
    errors.QueryTimeout: 503,
    routing.NetworkUnavailable: 503,
    errors.DatabaseUnavailable: 503,
    errors.DefinitionError: 500,
    errors.ConfigurationError: 500,
    errors.CountsDisagree: 500,
    errors.GeoError: 500,
}
"""HTTP status of each error class. A test asserts that every class has its row."""

_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": 'Bearer realm="geoservice"'},
    429: {"Retry-After": "30"},
    503: {"Retry-After": "5"},
}
_SERVER_FAULT = 500
_NOT_JSON = frozenset({"json_invalid", "dict_type"})
JSON_WANTED = "The request body is a JSON object, sent with Content-Type: application/json; this one cannot be read."


def status_of(error: errors.GeoError) -> int:
    """HTTP status of an error: the row of its class or of the nearest parent that has one."""
    return next(STATUS[c] for c in type(error).__mro__ if c in STATUS)


def problem(status: int, title: str, detail: str, facts: dict[str, Any] | None = None) -> Response:
    """A problem details response; the facts become extension members."""
    body = {"type": PROBLEM_TYPE, "title": title, "status": status, "detail": detail, **(facts or {})}
    content = json.dumps(body, ensure_ascii=False, default=str)
    headers = {"Cache-Control": "no-store", **_HEADERS.get(status, {})}
    # JSON can spell half a surrogate pair, UTF-8 cannot: what a request spelt so is spelt back so.
    return Response(content.encode("utf-8", "backslashreplace"), status, headers, PROBLEM_JSON)


def problem_of(error: errors.GeoError) -> dict[str, Any]:
    """An error as problem details, for answers that tell of several things."""
    facts = {name: value for name, value in error.facts.items() if name not in ("type", "title", "status", "detail")}
    return {"type": PROBLEM_TYPE, "title": error.title, "status": status_of(error), "detail": error.detail, **facts}


def answer(request: Request, status: int, title: str, detail: str, facts: dict[str, Any] | None = None) -> Response:
    """Problem details in the language of the asker as far as it is known, or a page that says the same."""
    language = language_of(request, request.query_params.get("lang"))
    detail = in_language(detail, language)
    if not _wants_page(request):
        return problem(status, title, detail, facts)
    body = {"type": PROBLEM_TYPE, "title": title, "status": status, "detail": detail}
    page = pages.document_page("problem", body, language=language, root=base_url(request))
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": page.csp, **_HEADERS.get(status, {})}
    return Response(page.html.encode("utf-8", "backslashreplace"), status, headers, HTML)


def _wants_page(request: Request) -> bool:
    asked = request.query_params.get("f")
    if asked is not None:
        return asked == "html"
    try:
        return negotiate(request, None, {"json": JSON, "problem": PROBLEM_JSON, "html": HTML}) == "html"
    except errors.NotAcceptable:
        return False


def install(app: FastAPI) -> None:
    """Register the handlers on an application."""
    app.add_exception_handler(errors.GeoError, _geo_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _framework_error)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _bug)


async def _geo_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.GeoError):
        raise error
    status = status_of(error)
    if status == _SERVER_FAULT:
        _log.error("%s %s: %s", request.method, request.scope["path"], error.detail)
        return problem(status, "Internal error", "The service is not set up correctly; its log says more.")
    reserved = {"type", "title", "status", "detail", "problem_type"}
    facts = {k: v for k, v in error.facts.items() if k not in reserved}
    if (kind := error.facts.get("problem_type")) is not None:
        facts["type"] = kind
    response = answer(request, status, error.title, error.detail, facts)
    if isinstance(error, jobs.OtherProtocol):
        response.headers["Tus-Version"] = "1.0.0"
    judged = not {"x-api-key", "authorization"} & set(request.headers)
    if isinstance(error, errors.NotAuthenticated) and judged and SESSION_COOKIE in request.cookies:
        # A browser cannot take back a cookie that scripts do not see: a dead session would lock it out of every page.
        response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")
    return response


async def _validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    if first["type"] in _NOT_JSON:
        return answer(request, http.HTTPStatus.BAD_REQUEST, errors.BadBody.title, JSON_WANTED)
    place = [str(part) for part in first["loc"]]
    kind, name = place[0], ".".join(place[1:]) or place[0]
    sentence = (
        f"{kind} {name}: {first['msg']}." if kind != "body" else f"The request body is wrong at {name}: {first['msg']}."
    )
    title = errors.BadBody.title if kind == "body" else errors.BadParameter.title
    return answer(request, http.HTTPStatus.BAD_REQUEST, title, sentence, {"parameter": name})


async def _framework_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
        return _other_method(request)
    title = http.HTTPStatus(error.status_code).phrase
    if error.status_code == http.HTTPStatus.NOT_FOUND:
        detail = "There is no such resource; the landing page links to all there are."
    elif error.status_code == http.HTTPStatus.BAD_REQUEST:
        detail = f"{error.detail}: a JSON document in UTF-8 was expected, of ordinary depth and numbers."
    else:
        detail = str(error.detail)
    response = answer(request, error.status_code, title, detail)
    response.headers.update(error.headers or {})
    return response


def _other_method(request: Request) -> Response:
    """The methods of a resource: the answer to OPTIONS, and a part of every refusal (RFC 9110, 9.3.7 and 15.5.6)."""
    routes = [r for block in request.app.state.blocks for r in block.router.routes if isinstance(r, Route)]
    found = [r.methods or () for r in routes if r.matches(request.scope)[0] is not Match.NONE]
    methods = {"OPTIONS"}.union(*found) if found else {"OPTIONS", "GET"}
    allow = {"Allow": ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))}
    if request.method == "OPTIONS":
        return Response(status_code=http.HTTPStatus.NO_CONTENT, headers=allow)
    sentence = f"This resource does not know the method {request.method[:20]}; it knows {allow['Allow']}."
    response = answer(request, http.HTTPStatus.METHOD_NOT_ALLOWED, errors.MethodNotAllowed.title, sentence)
    response.headers.update(allow)
    return response


async def _gone(request: Request, error: Exception) -> Response:
    # Nobody hears this; a client that breaks off is no fault of ours, and none to be written into the log.
    return Response(status_code=http.HTTPStatus.BAD_REQUEST)


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("unexpected error on %s %s", request.method, request.scope["path"], exc_info=error)
    return problem(_SERVER_FAULT, "Internal error", "An unexpected error happened; the service's log says more.")
