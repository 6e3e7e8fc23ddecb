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
from geoservice.features.read import Page
from geoservice.features.state import read_states
from layers.access import Clearance, Decision
from layers.model import RowLayer

_END = (1 << 63) - 1
"""Behind the last feature of any layer."""


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
        fid: Number of the feature of that layer behind (or before) which it begins; 0 for its beginning.
        editions: Editions of all layers that the crawl shows; 0 where nothing was loaded.
        backward: Whether the page before is meant.
    """

    layer: str
    fid: int
    editions: Mapping[str, int]
    backward: bool = False

    def packed(self) -> bytes:
        """The place as bytes."""
        told = [self.layer, self.fid, dict(self.editions), int(self.backward)]
        return json.dumps(told, separators=(",", ":")).encode()

    @classmethod
    def unpacked(cls, payload: bytes) -> SearchPlace:
        """A place from its bytes, which the seal has vouched for.

        Raises:
            BadParameter: When they were written by another version.
        """
        try:
            layer, fid, editions, backward = json.loads(payload)
            known = {str(name): int(number) for name, number in editions.items()}
            return cls(str(layer), int(fid), known, bool(backward))
        except (ValueError, TypeError, AttributeError):
            raise refused() from None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Features of a page of a search.

    Attributes:
        features: GeoJSON texts of the features joined by commas, in their order.
        returned: Their number.
        following: Where the next page begins; None when this is the last one.
        previous: Where the page before is read from; None when this is the first one.
        whole: Whether no feature is left out before or behind.
    """

    features: str
    returned: int
    following: SearchPlace | None
    previous: SearchPlace | None
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
    parts: list[tuple[str, Page]] = []
    ahead, further, left = _ahead(sources, place), None, query.limit
    for number, source in enumerate(ahead):
        rest = replace(query, limit=left, named=True)
        page = await _part(connection, reading, source, rest, place)
        parts.append((source.layer.name, page))
        left -= page.returned
        onward = page.before if place.backward else page.after
        if onward is not None:
            further = replace(place, layer=source.layer.name, fid=onward)
            break
        if not left:
            further = await _next_of(connection, reading, ahead[number + 1 :], query, place)
            break
    return _joined([(name, page) for name, page in parts if page.returned], further, _is_first(place, sources), place)


def _ahead(sources: Sequence[Source], place: SearchPlace) -> list[Source]:
    """The layers from a place on, in the direction in which it is read."""
    known = [source for source in sources if source.layer.name in place.editions]
    if place.backward:
        return [source for source in reversed(known) if source.layer.name <= place.layer]
    return [source for source in known if source.layer.name >= place.layer]


async def _part(
    connection: RawConnection, reading: Reading, source: Source, query: FeatureQuery, place: SearchPlace
) -> Page:
    """The features of one layer: from the place on if it lies there, else from the end that is met first."""
    name = source.layer.name
    fid = place.fid if name == place.layer else _END if place.backward else 0
    start = Place(fid, place.editions[name], place.backward)
    return await read_pinned(connection, reading, source.layer, source.decision, query, start)


async def _next_of(
    connection: RawConnection, reading: Reading, sources: Sequence[Source], query: FeatureQuery, place: SearchPlace
) -> SearchPlace | None:
    """The near end of the next layer that has something: a page that ends with a layer leads to no empty page."""
    one = replace(query, limit=1, properties=(), look=replace(query.look, geometry=False))
    for source in sources:
        page = await _part(connection, reading, source, one, place)
        if page.returned:
            return replace(place, layer=source.layer.name, fid=_END if place.backward else 0)
    return None


def _joined(parts: list[tuple[str, Page]], further: SearchPlace | None, first: bool, place: SearchPlace) -> SearchPage:
    """The parts as one page, with the way on and the way back."""
    back = None
    if parts and not first:
        name, page = parts[0]
        fid = page.after if place.backward else page.before
        back = None if fid is None else replace(place, layer=name, fid=fid, backward=not place.backward)
    returned = sum(page.returned for _, page in parts)
    if place.backward:
        return SearchPage(",".join(p.features for _, p in reversed(parts)), returned, back, further, whole=False)
    whole = first and further is None
    return SearchPage(",".join(p.features for _, p in parts), returned, further, back, whole)


def _is_first(place: SearchPlace, sources: Sequence[Source]) -> bool:
    return not place.backward and place.fid == 0 and bool(sources) and place.layer == sources[0].layer.name
