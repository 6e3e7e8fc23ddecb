"""The short way of requests that a route need not judge: every parameter is declared, is text, and comes once.

Working out what a route depends on takes longer than reading the features that are asked for. All that is unusual goes
the long way, and is refused or answered there.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from fastapi import Request
from fastapi.params import Query
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import Receive, Scope, Send

_ASKED, _PARAMETERS = "geoservice.asked", "geoservice.parameters"


class _PlainRequest(Request):
    """A request whose parameters were read to find its route."""

    @property
    def query_params(self) -> QueryParams:
        """The parameters."""
        found: QueryParams = self.scope[_PARAMETERS]
        return found


class PlainRoute(BaseRoute):
    """Answers GET in front of a route of the same path; errors go the way of all errors."""

    def __init__(
        self,
        path: str,
        values: Callable[..., Any],
        answer: Callable[[Request, Any], Awaitable[Response]],
        besides: str | None = None,
    ) -> None:
        """Stand in front of a route.

        Args:
            path: Its path, as it is written there.
            values: What its parameters become (see `together`); each is a text or nothing. Those that the framework
                checks before the route sees them are left to it.
            answer: Answers a request with these values.
            besides: What begins like this has a route of its own.
        """
        self.path = path
        self._pattern, _, _ = compile_path(path)
        self._values, self._answer, self._besides = values, answer, besides
        self._names = _plain_names(values)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is one of these."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return Match.NONE, {}
        found = self._pattern.match(scope["path"])
        if found is None or (self._besides is not None and scope["path"].startswith(self._besides)):
            return Match.NONE, {}
        parameters = QueryParams(scope["query_string"])
        asked = self._asked(parameters)
        if asked is None:
            return Match.NONE, {}
        own = {"path_params": found.groupdict(), "route": self, _PARAMETERS: parameters, _ASKED: asked}
        return Match.FULL, own

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        response = await self._answer(_PlainRequest(scope, receive, send), scope[_ASKED])
        await response(scope, receive, send)

    def _asked(self, parameters: QueryParams) -> Any:
        """The values; None when a parameter is not declared, is checked elsewhere or comes twice."""
        given = {}
        for name, value in parameters.multi_items():
            field = self._names.get(name)
            if field is None or field in given:
                return None
            given[field] = value
        return self._values(**given)


def _plain_names(values: Callable[..., Any]) -> dict[str, str]:
    """Fields by the names of their parameters, without those that carry a check of the framework."""
    found = {}
    for field, parameter in inspect.signature(values, eval_str=True).parameters.items():
        kind, *notes = get_args(parameter.annotation)
        (query,) = (note for note in notes if isinstance(note, Query))
        if kind == str | None and not query.metadata:
            found[query.alias or field] = field
    return found
