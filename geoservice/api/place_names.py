"""Searching names of places over HTTP."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.gazetteer import PRIVATE, asking, degrees
from geoservice.api.query_terms import AsOf
from geoservice.features.past import moment_asked
from geoservice.gazetteer.search import MOST_RESULTS, Found, NameQuery, search
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import GEOJSON, HTML, JSON, negotiate
from geoservice.http.parameters import MOST_DIGITS, parse_limit, together
from geoservice.http.texts import storable
from geoservice.ogc.block import Block
from geoservice.ogc.common import Format, Language
from layers.access import Principal
from layers.errors import BadParameter
from layers.model import VectorLayer

router = APIRouter(prefix="/gazetteer", tags=["gazetteer"])
FORMATS = {"json": JSON, "geojson": GEOJSON, "html": HTML}
LONGEST_QUERY = 100
FEW, MOST = 10, 50
PATH = "/gazetteer/names"


@dataclass(frozen=True)
class NamesQuery:
    """Query parameters of a search, as they were written."""

    q: Annotated[str, Query(description="Chinese, pinyin, initials or English; the beginning is enough.")]
    limit: Annotated[str | None, Query(description=f"Results, 1 to {MOST}; large values are clamped.")] = None
    offset: Annotated[str | None, Query(description=f"Results to pass over, up to {MOST_RESULTS}.")] = None
    class_: Annotated[str | None, Query(alias="class", description="Classes of features, separated by commas.")] = None
    within: Annotated[str | None, Query(description="Code of a division in which to search.")] = None
    near: Annotated[str | None, Query(description="lon,lat in degrees: what is near comes first.")] = None
    explain: Annotated[bool, Query(description="Tell what each score is made of.")] = False
    as_of: AsOf = None

    def written(self) -> dict[str, object]:
        """The parameters under the names that they have in an address."""
        given = asdict(self)
        outer = {"class_": "class", "as_of": "as-of"}
        return {outer.get(name, name): value or None for name, value in given.items()}


@router.get("/names", summary="Search names of places")
async def names(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[NamesQuery, together(NamesQuery)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """Names of all layers that have names, the best first, each feature once; now, or as of an instant."""
    chosen = negotiate(request, f, FORMATS)
    query = _query(asked, _classes(house, asker))
    async with asking(house, asker) as gazetteer:
        found = await search(gazetteer, query)
    body = _body(request, asked, query, found)
    links = self_links(request, PATH, chosen, FORMATS, **asked.written())
    if len(found) == query.limit and query.offset + query.limit < MOST_RESULTS:
        following = {**asked.written(), "offset": query.offset + query.limit, "f": chosen}
        links.append(link(url(request, PATH, **following), "next", FORMATS[chosen], "Next results"))
    if chosen == "geojson":
        body = {"type": "FeatureCollection", "features": [_feature(one) for one in body["results"]]}
    return document(request, "names", {**body, "links": links}, chosen, lang, FORMATS.get(chosen, JSON), PRIVATE)


def _query(asked: NamesQuery, known: frozenset[str]) -> NameQuery:
    """The search asked for.

    Raises:
        BadParameter: When a parameter is not what its description says.
    """
    text = asked.q.strip()
    if not 0 < len(text) <= LONGEST_QUERY or not storable(text):
        raise BadParameter(f"q is a text of 1 to {LONGEST_QUERY} characters.", parameter="q")
    classes = frozenset(asked.class_.split(",")) if asked.class_ is not None else None
    if classes is not None and not classes <= known:
        stranger = min(classes - known)
        listed = ", ".join(sorted(known)) or "none"
        raise BadParameter(f"class names unknown classes ({stranger[:30]!r}); there are {listed}.", parameter="class")
    if asked.within is not None and asked.as_of is not None:
        raise BadParameter("within looks into divisions of today; give it or as-of.", parameter="within")
    return NameQuery(
        text=text,
        limit=parse_limit(asked.limit, FEW, MOST),
        offset=_offset(asked.offset),
        classes=classes,
        within=asked.within,
        near=point(asked.near) if asked.near is not None else None,
        as_of=moment_asked(asked.as_of),
    )


def point(text: str) -> tuple[float, float]:
    """Read `lon,lat`.

    Raises:
        BadParameter: When it is no point.
    """
    parts = text.split(",")
    if len(parts) != 2:  # noqa: PLR2004 - a longitude and a latitude
        raise BadParameter(f"near is lon,lat in degrees; {text[:40]!r} is not.", parameter="near")
    return degrees(parts[0], "lon"), degrees(parts[1], "lat")


def _offset(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise BadParameter(f"offset is a whole number up to {MOST_RESULTS}; {text[:30]!r} is not.", parameter="offset")
    return min(int(text), MOST_RESULTS)


def _classes(house: House, asker: Principal) -> frozenset[str]:
    """Classes of the layers that somebody may see."""
    layers = house.visible(asker)
    return frozenset(la.names.class_ for la in layers if isinstance(la, VectorLayer) and la.names is not None)


def _body(request: Request, asked: NamesQuery, query: NameQuery, found: list[Found]) -> dict[str, Any]:
    results = [_described(request, one, asked) for one in found]
    return {
        "title": f"Names like {query.text}",
        "q": query.text,
        **({} if query.as_of is None else {"asOf": query.as_of.isoformat().replace("+00:00", "Z")}),
        "offset": query.offset,
        "numberReturned": len(results),
        "results": results,
    }


def _described(request: Request, one: Found, asked: NamesQuery) -> dict[str, Any]:
    href = url(request, f"/collections/{one.layer}/items/{quote(one.key, safe='')}", **{"as-of": asked.as_of})
    made: dict[str, Any] = {
        "id": one.key,
        "collection": one.layer,
        "class": one.class_,
        "name": one.name,
        "names": one.names.model_dump(),
        "marks": one.marks,
        "point": one.point,
        "adcode": one.adcode,
        "distance": None if one.distance is None else round(one.distance, 1),
        "score": round(one.score.value, 4),
        "href": href,
    }
    if asked.explain:
        near = one.score.nearness
        made["explain"] = {
            "match": one.score.match.how,
            "exact": one.score.match.exact,
            "quality": round(one.score.match.quality, 4),
            "importance": round(one.score.importance, 4),
            "nearness": None if near is None else round(near, 4),
        }
    return made


def _feature(one: dict[str, Any]) -> dict[str, Any]:
    shape = {"type": "Point", "coordinates": one["point"]} if one["point"] else None
    return {"type": "Feature", "id": f"{one['collection']}/{one['id']}", "geometry": shape, "properties": one}


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/api", f="html"), "related", HTML, "Search of place names")]


BLOCK = Block("place names", None, "experimental", (), router, _links)
