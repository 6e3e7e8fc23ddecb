"""Asking this service from inside it: the whole application, without a socket between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from geoservice.http.links import base_url
from geoservice.http.problems import PROBLEM_JSON
from geoservice.processes.model import Call

_HANDED_ON = ("x-api-key", "authorization", "cookie", "accept-language")
_KEPT = ("content-type", "retry-after", "www-authenticate", "cache-control")
_BASE = "http://localhost"
_PATIENCE = httpx.Timeout(None)
"""The limits of the resources hold; nothing can be lost on the way."""


class Answered(Exception):
    """A resource answered with a problem: `response` says which, for those who pass it on."""

    def __init__(self, response: Response, detail: str) -> None:
        """Keep the response, and its sentence."""
        super().__init__(detail)
        self.response = response


async def ask_for(request: Request, call: Call) -> Any:
    """Put a question in the name of whoever makes a request, with their credentials and language.

    Raises:
        Answered: When the resource answers with a problem.
    """
    headers = {name: request.headers[name] for name in _HANDED_ON if name in request.headers}
    async with client(request.app, base_url(request), headers) as asking:
        return await put(asking, call)


@asynccontextmanager
async def client(
    app: ASGIApp, base: str = _BASE, headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application itself."""
    transport = httpx.ASGITransport(app)
    # Nothing travels, so nothing is packed, and the environment has no say.
    fields = {**(headers or {}), "accept-encoding": "identity", "accept": "*/*"}
    async with httpx.AsyncClient(
        transport=transport, base_url=base, headers=fields, trust_env=False, timeout=_PATIENCE
    ) as made:
        yield made


async def put(asking: httpx.AsyncClient, call: Call) -> Any:
    """Put a question and read the answer.

    Raises:
        Answered: When the resource answers with a problem.
    """
    answer = await asking.request(call.method, call.path, params=dict(call.query), json=call.body)
    if answer.is_success:
        return answer.json()
    fields = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
    problem = answer.json() if answer.headers.get("content-type", "").startswith(PROBLEM_JSON) else {}
    raise Answered(
        Response(answer.content, answer.status_code, fields), str(problem.get("detail", json.dumps(problem)))
    )
