"""Query parameters of vector tiles, and the answer that carries a tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from geoservice.http.encoding import encoded
from geoservice.http.negotiation import MVT
from geoservice.http.tile_answer import DROPPED
from geoservice.ogc.filter_query import FilterQuery
from geoservice.tiles.drawing import Drawn
from geoservice.tiles.questions import Written
from layers.errors import BadParameter

_NO_CONTENT = 204


@dataclass(frozen=True)
class TimeQuery:
    """Query parameters that ask for a time, of features or of the base."""

    datetime: Annotated[
        str | None, Query(description="RFC 3339 instant, date or interval start/end, from the exact zoom level on.")
    ] = None
    as_of: Annotated[str | None, Query(alias="as-of", description="RFC 3339 instant: features as they were then.")] = (
        None
    )

    def written(self) -> Written:
        """The parameters as values."""
        return Written(self.datetime, self.as_of)


@dataclass(frozen=True)
class TileQuery(FilterQuery, TimeQuery):
    """Query parameters of a tile of one collection; a filter is answered from the exact zoom level on."""

    edition: Annotated[str | None, Query(description="Number of an edition: features as it left them.")] = None
    between: Annotated[
        str | None, Query(description="Numbers of two editions, such as 12/15: features that changed, and how.")
    ] = None

    def written(self) -> Written:
        """The parameters as values."""
        return Written(self.datetime, self.as_of, self.edition, self.between, self.written_filter())


def refuse_other_formats(f: str | None) -> None:
    """Make sure that `f` asks for what vector tiles are.

    Raises:
        BadParameter: When it does not.
    """
    if f not in (None, "mvt"):
        raise BadParameter(f"f is mvt for vector tiles; {f[:30]!r} is not offered.", parameter="f")


def tile_answer(request: Request, drawn: Drawn, *, private: bool, final: bool) -> Response:
    """The response of a tile: 204 when it is empty, and a header when features were left out.

    Args:
        request: The request.
        drawn: The tile.
        private: Whether its layers are above the public.
        final: Whether no later edition can change it.
    """
    freshness = "max-age=3600" if final else "no-cache"
    headers = {"Cache-Control": f"private, {freshness}" if private else freshness}
    if drawn.dropped:
        headers[DROPPED] = str(drawn.dropped)
    if not drawn.body:
        return Response(status_code=_NO_CONTENT, headers=headers)
    return encoded(request, drawn.body, MVT, headers)
