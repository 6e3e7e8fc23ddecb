"""Search across layers: the features of several layers as one list, layer by layer in the order of their names.

Each layer is read by the one page statement; a page ends in the middle of a layer, and the next one goes on there. The
first page notes the edition of every layer, so that a crawl over all of them shows one state of each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.features.paging import read_pinned
from geoservice.features.places import Place, refused
from geoservice.features.query import FeatureQuery
from geoservice.features.state import read_states
from layers.access import Clearance, Decision
from layers.model import RowLayer


@dataclass(frozen=True, slots=True)
class Source:
    """One layer of a search; the decision allowed it."""

    layer: RowLayer
    decision: Decision


@dataclass(frozen=True, slots=True)
class SearchPlace:
    """Where a page of a search begins.

    Attributes:
        layer: Name of the layer with which it begins.
        fid: Number of the feature of that layer behind which it begins; 0 for its beginning.
        editions: Editions of this layer and of those behind it that the crawl shows; 0 where nothing was loaded.
    """

    layer: str
    fid: int
    editions: Mapping[str, int]

    def packed(self) -> bytes:
        """The place as bytes."""
        return json.dumps([self.layer, self.fid, dict(self.editions)], separators=(",", ":")).encode()

    @classmethod
    def unpacked(cls, payload: bytes) -> SearchPlace:
        """A place from its bytes, which the seal has vouched for.

        Raises:
            BadParameter: When they were written by another version.
        """
        try:
            layer, fid, editions = json.loads(payload)
            return cls(str(layer), int(fid), {str(name): int(number) for name, number in editions.items()})
        except (ValueError, TypeError, AttributeError):
            raise refused() from None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Features of a page as GeoJSON texts joined by commas, their number, where the next page begins, if there is one.

    `whole` says that no feature is left out before or behind.
    """

    features: str
    returned: int
    following: SearchPlace | None
    whole: bool


async def editions_now(connection: RawConnection, clearance: Clearance, sources: Sequence[Source]) -> dict[str, int]:
    """The latest edition of each layer of a search; 0 where nothing is loaded."""
    states = await read_states(connection, clearance, [source.layer.name for source in sources])
    return {name: state.edition or 0 for name, state in states.items()}


async def read_search(
    connection: RawConnection, reading: Reading, sources: Sequence[Source], query: FeatureQuery, place: SearchPlace
) -> SearchPage:
    """One page of a search.

    Args:
        connection: A read-only connection of the principal's clearance.
        reading: Compiled statements of this process.
        sources: The layers, in the order of their names.
        query: What is asked of each of them.
        place: Where the page begins; layers it does not know have come later and are left out.

    Raises:
        BadParameter: When the place leads nowhere any more.
    """
    behind = [source for source in sources if source.layer.name >= place.layer and source.layer.name in place.editions]
    found: list[str] = []
    returned, after = 0, place.fid
    for number, source in enumerate(behind):
        name = source.layer.name
        start = Place(after if name == place.layer else 0, place.editions[name])
        rest = replace(query, limit=query.limit - returned, named=True)
        page = await read_pinned(connection, reading, source.layer, source.decision, rest, start)
        found += [page.features] if page.features else []
        returned += page.returned
        left = {one.layer.name: place.editions[one.layer.name] for one in behind[number:]}
        if page.after is not None:
            return SearchPage(",".join(found), returned, SearchPlace(name, page.after, left), whole=False)
        if returned == query.limit:
            following = await _next_of(connection, reading, behind[number + 1 :], query, place.editions)
            return SearchPage(",".join(found), returned, following, whole=following is None and _first(place, sources))
    return SearchPage(",".join(found), returned, None, whole=_first(place, sources))


async def _next_of(
    connection: RawConnection,
    reading: Reading,
    sources: Sequence[Source],
    query: FeatureQuery,
    editions: Mapping[str, int],
) -> SearchPlace | None:
    """The beginning of the next layer that has something: a page that ends with a layer leads to no empty page."""
    look = replace(query.look, geometry=False)
    for number, source in enumerate(sources):
        name = source.layer.name
        one = replace(query, limit=1, properties=(), look=look)
        page = await read_pinned(connection, reading, source.layer, source.decision, one, Place(0, editions[name]))
        if page.returned:
            return SearchPlace(name, 0, {each.layer.name: editions[each.layer.name] for each in sources[number:]})
    return None


def _first(place: SearchPlace, sources: Sequence[Source]) -> bool:
    return place.fid == 0 and bool(sources) and place.layer == sources[0].layer.name
