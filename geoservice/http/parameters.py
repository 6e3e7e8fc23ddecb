"""Query parameters: unknown ones are refused everywhere, by looking at what the route declares."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from geoservice.http.plain_route import PlainRoute
from layers.errors import BadParameter, UnknownParameter

MOST_DIGITS = 18
"""Numbers of at most this many digits fit a 64-bit integer."""


FREE_PARAMETERS = {"x-parameters": "free"}
"""Marks a route (`openapi_extra`) whose standard has rules of its own for parameters, so that it judges them itself."""
PROPERTY_PARAMETERS = {"x-parameters": "properties"}
"""Marks a route that takes names of properties as parameters too; it asks for them by `undeclared`."""


async def refuse_unknown(request: Request) -> None:
    """Refuse query parameters that the route does not declare, and declared ones that come twice.

    Raises:
        UnknownParameter: Naming the stranger and the known ones.
        BadParameter: When a parameter is repeated.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or (route.openapi_extra or {}).items() >= FREE_PARAMETERS.items():
        return
    known = declared(route.dependant)
    open_names = (route.openapi_extra or {}).items() >= PROPERTY_PARAMETERS.items()
    for name in request.query_params:
        if name not in known and not open_names:
            listed = ", ".join(sorted(known)) or "none"
            raise UnknownParameter(
                f"This resource does not know the parameter {name[:60]!r}; known parameters: {listed}.",
                parameter=name[:60],
            )
        if len(request.query_params.getlist(name)) > 1:
            raise BadParameter(f"The parameter {name} may be given once.", parameter=name)


def undeclared(request: Request) -> tuple[dict[str, str], set[str]]:
    """The parameters that the route does not declare, and the names of those that it does."""
    route = request.scope.get("route")
    if isinstance(route, PlainRoute):
        # It answers no other requests than those whose parameters are all declared.
        return {}, set()
    known = declared(route.dependant) if isinstance(route, APIRoute) else set()
    return {name: value for name, value in request.query_params.items() if name not in known}, known


def together(values: Callable[..., Any]) -> Any:
    """A dependency for parameters that are declared together as the fields of a class.

    FastAPI hands each dependency that is not a coroutine to a thread of its pool, which takes longer than making a
    small value; this one is made at once.
    """

    async def made(**fields: Any) -> Any:
        return values(**fields)

    made.__signature__ = inspect.signature(values, eval_str=True)  # type: ignore[attr-defined]
    return Depends(made)


def declared(dependant: Dependant) -> set[str]:
    """Names of the query parameters of a route and of everything it depends on."""
    names = {field.alias for field in dependant.query_params}
    for inner in dependant.dependencies:
        names |= declared(inner)
    return names


def parse_limit(text: str | None, default: int, maximum: int) -> int:
    """Read `limit`: a whole number of at least 1; more than the maximum is clamped to it (Part 1, 7.15.2).

    Raises:
        BadParameter: When it is not a whole number of at least 1.
    """
    if text is None:
        return default
    digits = text if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else ""
    if not digits or int(digits) < 1:
        raise BadParameter(
            f"limit is a whole number from 1 to {maximum}; {text[:30]!r} is not.", parameter="limit", maximum=maximum
        )
    return min(int(digits), maximum)


def parse_cursor(text: str | None) -> int | None:
    """Read the paging token of a next link.

    Raises:
        BadParameter: When it is none that this service handed out.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise BadParameter("cursor is taken from a next link as it is; this one is not.", parameter="cursor")
    return int(text)
